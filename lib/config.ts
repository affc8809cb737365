// The configuration: one JSON document, checked whole before anything starts. What comes out is
// values the core can use as they are (milliseconds, OIDs); what is wrong comes out as sentences
// that name the field, what it is and what it may be.

import * as z from 'zod/mini';
import type { KeySpec, Legacy } from './algorithms.ts';
import type { Bytes } from './bytes.ts';
import { duration, explainIssues, id, parsed } from './schema.ts';
import { parseName } from './x509/name.ts';

export type Authority = {
  readonly id: string;
  /** Name, DER. */
  readonly subject: Bytes;
  readonly key: KeySpec;
  readonly validityMs: number;
};

/** What certificates look like. */
export type Profile = {
  readonly id: string;
  readonly validityMs: number;
  readonly keyUsage: readonly ('digitalSignature' | 'nonRepudiation' | 'keyEncipherment')[];
  /** Names of `extKeyUsages`, or dotted OIDs. */
  readonly extKeyUsage: readonly string[];
  /** A renewal may be for the key that its certificate has. */
  readonly sameKey: boolean;
};

/** `challenge`, or the id of a validator outside. */
export type ValidatorId = string;

export type Endpoint = {
  readonly id: string;
  readonly ca: string;
  readonly profile: Profile;
  readonly enrol: { readonly authorize: readonly ValidatorId[] };
  readonly renew: {
    /** In addition to the certificate that signs, which must always be good. */
    readonly authorize: readonly ValidatorId[];
    /** How long before its end a certificate may be renewed; undefined: during all of its life. */
    readonly windowMs: number | undefined;
  };
  /** Whether an approver has to allow what the validators have allowed. */
  readonly approval: 'never' | 'always';
  /** How long a request waits for its approver. */
  readonly pendingTtlMs: number;
  /** How long an outcome that may be asked for again answers repeats and polls. */
  readonly repeatMs: number;
  /** How long a challenge lives that is made without a time of its own. */
  readonly challengeTtlMs: number;
  readonly legacy: Legacy;
};

export type Config = {
  /** Where devices and relying parties reach this service: the base of CDP and AIA URLs. */
  readonly publicUrl: string;
  readonly cas: ReadonlyMap<string, Authority>;
  readonly endpoints: ReadonlyMap<string, Endpoint>;
  /** Keys that are never certified: hexadecimal SHA-256 of the SubjectPublicKeyInfo, lower case. */
  readonly blockedKeys: ReadonlySet<string>;
};

/** The document is refused; `problems` are whole sentences, one for each field. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;

const keySpecs = ['rsa:2048', 'rsa:3072', 'rsa:4096', 'ec:P-256', 'ec:P-384'] as const;
const keySpecOf: Record<(typeof keySpecs)[number], KeySpec> = {
  'rsa:2048': { type: 'RSA', bits: 2048 },
  'rsa:3072': { type: 'RSA', bits: 3072 },
  'rsa:4096': { type: 'RSA', bits: 4096 },
  'ec:P-256': { type: 'EC', curve: 'P-256' },
  'ec:P-384': { type: 'EC', curve: 'P-384' },
};

const purposes = ['clientAuth', 'serverAuth', 'emailProtection', 'ipsecIKE', 'smartcardLogon'];
const purposeText = `must be ${purposes.join(', ')} or a dotted OID`;
/** anyExtendedKeyUsage is no purpose but the absence of a decision. */
const isPurpose = (text: string): boolean =>
  purposes.includes(text) || (/^[012](\.\d{1,9}){2,15}$/.test(text) && text !== '2.5.29.37.0');

const profile = z.strictObject({
  validity: z._default(duration, 365 * DAY_MS),
  keyUsage: z._default(z.array(z.enum(['digitalSignature', 'nonRepudiation', 'keyEncipherment'])), [
    'digitalSignature',
    'keyEncipherment',
  ]),
  extKeyUsage: z._default(
    z
      .array(z.string(purposeText).check(z.refine(isPurpose, purposeText)))
      .check(z.minLength(1, 'must name at least one purpose')),
    ['clientAuth'],
  ),
  sameKey: z._default(z.boolean(), true),
});

const legacy = z.strictObject({
  sha1: z._default(z.boolean(), false),
  md5: z._default(z.boolean(), false),
  des3: z._default(z.boolean(), false),
  des: z._default(z.boolean(), false),
});

function parseCaSubject(text: string): Bytes {
  if (text.trim() === '') throw new SyntaxError('must name at least one attribute, such as CN=...');
  return parseName(text);
}

const keyHashText = 'must be the SHA-256 of a SubjectPublicKeyInfo: 64 hexadecimal digits';

const document = z.strictObject({
  publicUrl: z
    .string()
    .check(z.regex(/^https?:\/\/[^\s/?#@]+$/, 'must be an http or https origin without a path')),
  cas: z.record(
    id,
    z.strictObject({
      subject: parsed(parseCaSubject),
      key: z._default(z.enum(keySpecs), 'rsa:3072'),
      validity: z._default(duration, 3650 * DAY_MS),
    }),
  ),
  profiles: z._default(z.record(id, profile), {}),
  blockedKeys: z._default(
    z.array(z.string(keyHashText).check(z.regex(/^[0-9a-f]{64}$/i, keyHashText))),
    [],
  ),
  endpoints: z.record(
    id,
    z.strictObject({
      ca: id,
      profile: z._default(id, 'device'),
      enrol: z._default(
        z.strictObject({
          authorize: z
            .array(z.enum(['challenge']))
            .check(z.minLength(1, 'must name at least one validator')),
        }),
        { authorize: ['challenge'] },
      ),
      renew: z._default(z.strictObject({ window: z.optional(duration) }), {}),
      approval: z._default(z.enum(['never', 'always']), 'never'),
      pendingTtl: z._default(duration, 7 * DAY_MS),
      repeat: z._default(duration, DAY_MS),
      challengeTtl: z._default(duration, HOUR_MS),
      legacy: z._default(legacy, { sha1: false, md5: false, des3: false, des: false }),
    }),
  ),
});

/** The document as it is written; defaults are optional in it. */
export type ConfigDocument = z.input<typeof document>;

/**
 * @param input the parsed JSON
 * @throws {ConfigError} naming every field that is wrong
 */
export function checkConfig(input: unknown): Config {
  const result = z.safeParse(document, input, { reportInput: true });
  if (!result.success)
    throw new ConfigError(explainIssues(result.error.issues, 'the configuration'));
  const { publicUrl, cas, profiles, endpoints, blockedKeys } = result.data;
  const problems: string[] = [];
  const known: Record<string, z.output<typeof profile>> = {
    device: z.parse(profile, {}),
    ...profiles,
  };
  const checked = new Map<string, Endpoint>();
  for (const [name, endpoint] of Object.entries(endpoints)) {
    const chosen = known[endpoint.profile];
    if (!cas[endpoint.ca]) {
      problems.push(unknownName(`endpoints.${name}.ca`, endpoint.ca, Object.keys(cas)));
    }
    if (!chosen) {
      problems.push(unknownName(`endpoints.${name}.profile`, endpoint.profile, Object.keys(known)));
      continue;
    }
    checked.set(name, {
      id: name,
      ca: endpoint.ca,
      profile: {
        id: endpoint.profile,
        validityMs: chosen.validity,
        keyUsage: chosen.keyUsage,
        extKeyUsage: chosen.extKeyUsage,
        sameKey: chosen.sameKey,
      },
      enrol: endpoint.enrol,
      renew: { authorize: [], windowMs: endpoint.renew.window },
      approval: endpoint.approval,
      pendingTtlMs: endpoint.pendingTtl,
      repeatMs: endpoint.repeat,
      challengeTtlMs: endpoint.challengeTtl,
      legacy: endpoint.legacy,
    });
  }
  if (checked.size === 0 && problems.length === 0)
    problems.push('endpoints: must name at least one');
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    publicUrl,
    endpoints: checked,
    blockedKeys: new Set(blockedKeys.map((digits) => digits.toLowerCase())),
    cas: new Map(
      Object.entries(cas).map(([name, ca]) => [
        name,
        { id: name, subject: ca.subject, key: keySpecOf[ca.key], validityMs: ca.validity },
      ]),
    ),
  };
}

const unknownName = (path: string, value: string, allowed: readonly string[]): string =>
  `${path}: "${value}" is not defined; it may be ${allowed.map((name) => `"${name}"`).join(', ')}`;
