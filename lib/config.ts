// The configuration: one JSON document, checked whole before anything starts. What comes out is
// values the core can use as they are (milliseconds, OIDs); what is wrong comes out as sentences
// that name the field, what it is and what it may be.

import * as z from 'zod/mini';
import type { KeySpec, Legacy } from './algorithms.ts';

export type Authority = {
  readonly id: string;
  /** RFC 4514 text. */
  readonly subject: string;
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
};

export type Validator = 'challenge';

export type Endpoint = {
  readonly id: string;
  readonly ca: string;
  readonly profile: Profile;
  readonly enrol: { readonly authorize: readonly Validator[] };
  /** How long a challenge lives that is made without a time of its own. */
  readonly challengeTtlMs: number;
  readonly legacy: Legacy;
};

export type Config = {
  /** Where devices and relying parties reach this service: the base of CDP and AIA URLs. */
  readonly publicUrl: string;
  readonly cas: ReadonlyMap<string, Authority>;
  readonly endpoints: ReadonlyMap<string, Endpoint>;
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

const unitMs = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Milliseconds of `30s`, `15m`, `1h`, `365d`; undefined for other text. */
export function parseDuration(text: string): number | undefined {
  const [, count, unit] = /^([1-9]\d{0,5})([smhd])$/.exec(text) ?? [];
  return count && unit ? Number(count) * unitMs[unit as keyof typeof unitMs] : undefined;
}

const durationText = 'must be a duration such as "30s", "15m", "1h" or "365d"';
const duration = z.pipe(
  z.string(durationText).check(z.refine((text) => parseDuration(text) !== undefined, durationText)),
  z.transform((text) => parseDuration(text) ?? 0),
);

const idText = 'must be a name of lower-case letters, digits and "-", at most 32';
const id = z.string().check(z.regex(/^[a-z0-9][a-z0-9-]{0,31}$/, idText));

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
const isPurpose = (text: string): boolean =>
  purposes.includes(text) || /^[012](\.\d{1,9}){2,15}$/.test(text);

const profile = z.strictObject({
  validity: z._default(duration, 365 * unitMs.d),
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
});

const legacy = z.strictObject({
  sha1: z._default(z.boolean(), false),
  md5: z._default(z.boolean(), false),
  des3: z._default(z.boolean(), false),
  des: z._default(z.boolean(), false),
});

const document = z.strictObject({
  publicUrl: z
    .string()
    .check(z.regex(/^https?:\/\/[^\s/?#@]+$/, 'must be an http or https origin without a path')),
  cas: z.record(
    id,
    z.strictObject({
      subject: z.string().check(z.minLength(1)),
      key: z._default(z.enum(keySpecs), 'rsa:3072'),
      validity: z._default(duration, 3650 * unitMs.d),
    }),
  ),
  profiles: z._default(z.record(id, profile), {}),
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
      challengeTtl: z._default(duration, unitMs.h),
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
  if (!result.success) throw new ConfigError(explainIssues(result.error.issues));
  const { publicUrl, cas, profiles, endpoints } = result.data;
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
      },
      enrol: endpoint.enrol,
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

/** One sentence for each field that a schema finds wrong. */
export const explainIssues = (issues: readonly z.core.$ZodIssue[]): string[] =>
  issues.flatMap(describe);

function describe(issue: z.core.$ZodIssue): string[] {
  const path = issue.path.map(String).join('.') || 'the configuration';
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => `${path}: "${key}" is not a field that exists here`);
    case 'invalid_value':
      return [`${path}: must be ${issue.values.map((value) => JSON.stringify(value)).join(', ')}`];
    case 'invalid_type':
      return [
        issue.input === undefined
          ? `${path}: is missing; it must be ${article(issue.expected)}`
          : `${path}: must be ${article(issue.expected)}`,
      ];
    case 'invalid_key':
      return [`${path}: ${issue.issues[0]?.message ?? idText}`];
    default:
      return [`${path}: ${issue.message}`];
  }
}

/** zod's type names in words that a JSON document has. */
function article(expected: string): string {
  const type = expected === 'record' ? 'object' : expected;
  return `${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type}`;
}
