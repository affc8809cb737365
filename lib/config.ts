// The configuration: one JSON document, checked whole before anything starts. What comes out is
// values the core can use as they are (milliseconds, OIDs); what is wrong comes out as sentences
// that name the field, what it is and what it may be.

import * as z from 'zod/mini';
import type { KeySpec, Legacy } from './algorithms.ts';
import type { Bytes } from './bytes.ts';
import { checkProfile, type Profile, patterns, profileSchema } from './profile.ts';
import { described, duration, explainIssues, id, parsed, withDefaults } from './schema.ts';
import { attributeType, parseName } from './x509/name.ts';

export type Authority = {
  readonly id: string;
  /** Name, DER. */
  readonly subject: Bytes;
  readonly key: KeySpec;
  readonly validityMs: number;
  /** From thisUpdate to nextUpdate of a CRL; a new one is made after half of it at the latest. */
  readonly crlValidityMs: number;
};

/** What a request proves by what it brings along; `staticChallenge` is one secret for many devices. */
const ownValidators = ['challenge', 'staticChallenge'] as const;

/** One of these, or the id of a validator outside. */
export type ValidatorId = string;
export const isOutside = (id: ValidatorId): boolean => !ownValidators.some((own) => own === id);

export type StaticChallenge = {
  /** A reference: `env:NAME`. */
  readonly secret: string;
  /** By dotted OID: attributes that must be there, and patterns of which each value matches one. */
  readonly subject: ReadonlyMap<string, readonly string[]>;
};

const approvals = ['never', 'always', 'firstEnrolment', 'newSubject'] as const;

export type Endpoint = {
  readonly id: string;
  readonly ca: string;
  readonly profile: Profile;
  readonly enrol: {
    readonly authorize: readonly ValidatorId[];
    /** Present if and only if `authorize` names it. */
    readonly staticChallenge?: StaticChallenge;
  };
  readonly renew: {
    /** In addition to the certificate that signs, which must always be good. */
    readonly authorize: readonly ValidatorId[];
    /** How long before its end a certificate may be renewed; undefined: during all of its life. */
    readonly windowMs: number | undefined;
  };
  /** When an approver has to allow what the validators have allowed: for every enrolment but no renewal
   * (firstEnrolment), or where none before was for the same subject and names (newSubject). */
  readonly approval: (typeof approvals)[number];
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
  /** As it was written. */
  readonly document: ConfigDocument;
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

const keySpecs = ['rsa:2048', 'rsa:3072', 'rsa:4096', 'ec:P-256', 'ec:P-384'] as const;
const keySpecOf: Record<(typeof keySpecs)[number], KeySpec> = {
  'rsa:2048': { type: 'RSA', bits: 2048 },
  'rsa:3072': { type: 'RSA', bits: 3072 },
  'rsa:4096': { type: 'RSA', bits: 4096 },
  'ec:P-256': { type: 'EC', curve: 'P-256' },
  'ec:P-384': { type: 'EC', curve: 'P-384' },
};

const legacy = z.strictObject({
  sha1: described('SHA-1 digests and signatures of clients', z._default(z.boolean(), false)),
  md5: described('MD5 digests and signatures of clients', z._default(z.boolean(), false)),
  des3: described('triple DES envelopes', z._default(z.boolean(), false)),
  des: described('single DES envelopes', z._default(z.boolean(), false)),
});

function parseCaSubject(text: string): Bytes {
  if (text.trim() === '') throw new SyntaxError('must name at least one attribute, such as CN=...');
  return parseName(text);
}

/** ASCII host or address, and a port; it goes into URIs of certificates as it is. */
const publicUrlPattern =
  /^https?:\/\/([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5]))?$/i;

const keyHashText = 'must be the SHA-256 of a SubjectPublicKeyInfo: 64 hexadecimal digits';

const authority = z.strictObject({
  subject: described('subject of the CA certificate, RFC 4514', parsed(parseCaSubject)),
  key: described('kind of the CA key', z._default(z.enum(keySpecs), 'rsa:3072')),
  validity: described('lifetime of the CA certificate', z.prefault(duration, '3650d')),
  crlValidity: described(
    'lifetime of a CRL; the next is made after half of it, or as soon as something is revoked',
    z.prefault(duration, '10d'),
  ),
});

const secretReference = /^env:[A-Za-z_][A-Za-z0-9_]*$/;
/** What stands there may be the secret itself, so that it is not repeated. */
const secretText = (text: unknown): string => {
  const [, scheme] = /^(ssm|secretsmanager):/.exec(String(text)) ?? [];
  return scheme
    ? `cannot be read from "${scheme}:" yet; it must be "env:" and the name of an environment variable`
    : 'must be "env:" and the name of an environment variable, never the secret itself';
};

const staticChallenge = z.strictObject({
  secret: described(
    'where the secret is: "env:" and the name of an environment variable, which holds at least 16 octets',
    z.string().check(z.regex(secretReference, { error: ({ input }) => secretText(input) })),
  ),
  subject: described(
    'attribute types that the subject of a request must have, and patterns of which each value must match one',
    z.record(z.string(), patterns),
  ),
});

const endpoint = z.strictObject({
  ca: described('the CA that signs, one of "cas"', id),
  profile: described(
    'what its certificates look like, one of "profiles", or "device", which is there by itself',
    z._default(id, 'device'),
  ),
  enrol: described(
    'who may have a first certificate',
    z._default(
      z.strictObject({
        authorize: described(
          'validators, all of which must allow',
          z.array(z.enum(ownValidators)).check(z.minLength(1, 'must name at least one validator')),
        ),
        staticChallenge: described(
          'one secret that all devices of the endpoint know, for clients that can carry nothing else: whoever knows it can enrol',
          z.optional(staticChallenge),
        ),
      }),
      { authorize: ['challenge'] },
    ),
  ),
  renew: described(
    'who may have the next one',
    z._default(
      z.strictObject({
        window: described(
          'how long before its end a certificate may be renewed; all of its life if absent',
          z.optional(duration),
        ),
      }),
      {},
    ),
  ),
  approval: described(
    'when a person has the last word: "firstEnrolment": for enrolments and not for renewals; "newSubject": where no certificate has been issued for this subject and these names since the rule was set',
    z._default(z.enum(approvals), 'never'),
  ),
  pendingTtl: described('how long a request waits for its approver', z.prefault(duration, '7d')),
  repeat: described(
    'how long an outcome that rests on something reusable answers the same request again',
    z.prefault(duration, '24h'),
  ),
  challengeTtl: described('how long a challenge lives by default', z.prefault(duration, '1h')),
  legacy: described(
    'weak algorithms that are accepted here, for clients that know nothing else',
    z._default(legacy, { sha1: false, md5: false, des3: false, des: false }),
  ),
});

const document = z.strictObject({
  $schema: described('for editors; means nothing here', z.optional(z.string())),
  publicUrl: described(
    'where devices and relying parties reach this service: the base of the CRL and issuer addresses in every certificate',
    z.string().check(z.regex(publicUrlPattern, 'must be an http or https origin without a path')),
  ),
  cas: described('certificate authorities by name', z.record(id, authority)),
  profiles: described('profiles by name', z._default(z.record(id, profileSchema), {})),
  blockedKeys: described(
    'keys that are never certified, each by the SHA-256 of its SubjectPublicKeyInfo',
    z._default(z.array(z.string(keyHashText).check(z.regex(/^[0-9a-f]{64}$/i, keyHashText))), []),
  ),
  endpoints: described(
    'endpoints by name: what stands behind /scep/ in a URL',
    z.record(id, endpoint),
  ),
});

/** JSON Schema (2020-12) of the document. What only code can judge (names, patterns that refer to
 * each other) is not in it: `checkConfig` decides. */
export const configSchema = (): z.core.JSONSchema.BaseSchema =>
  z.toJSONSchema(document, { io: 'input' });

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
  const known = new Map(
    Object.entries({ device: z.parse(profileSchema, {}), ...profiles }).map(([name, input]) => [
      name,
      checkProfile(name, input, `profiles.${name}`, problems),
    ]),
  );
  const checked = new Map<string, Endpoint>();
  for (const [name, endpoint] of Object.entries(endpoints)) {
    const chosen = known.get(endpoint.profile);
    if (!Object.hasOwn(cas, endpoint.ca)) {
      problems.push(unknownName(`endpoints.${name}.ca`, endpoint.ca, Object.keys(cas)));
    }
    if (!chosen) {
      problems.push(unknownName(`endpoints.${name}.profile`, endpoint.profile, [...known.keys()]));
      continue;
    }
    checked.set(name, {
      id: name,
      ca: endpoint.ca,
      profile: chosen,
      enrol: checkEnrol(endpoint.enrol, `endpoints.${name}.enrol`, problems),
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
    document: input as ConfigDocument,
    publicUrl,
    endpoints: checked,
    blockedKeys: new Set(blockedKeys.map((digits) => digits.toLowerCase())),
    cas: new Map(
      Object.entries(cas).map(([name, ca]) => [
        name,
        {
          id: name,
          subject: ca.subject,
          key: keySpecOf[ca.key],
          validityMs: ca.validity,
          crlValidityMs: ca.crlValidity,
        },
      ]),
    ),
  };
}

/** What a valid document leaves unsaid, said: it means the same. */
export function completed(input: ConfigDocument): ConfigDocument {
  const profiles = { device: {}, ...input.profiles };
  return withDefaults(configSchema(), { ...input, profiles }) as ConfigDocument;
}

type EnrolDocument = z.output<typeof endpoint>['enrol'];

function checkEnrol(
  { authorize, staticChallenge }: EnrolDocument,
  path: string,
  problems: string[],
): Endpoint['enrol'] {
  const wanted = authorize.includes('staticChallenge');
  if (wanted && authorize.includes('challenge')) {
    problems.push(
      `${path}.authorize: a challengePassword cannot be both "challenge" and "staticChallenge"; name one of them`,
    );
  }
  const here = `${path}.staticChallenge`;
  if (wanted && !staticChallenge) {
    problems.push(`${here}: is missing; "staticChallenge" in "authorize" needs it`);
  }
  if (!staticChallenge) return { authorize };
  if (!wanted) {
    problems.push(`${here}: means nothing without "staticChallenge" in "authorize"`);
  }
  const entries = Object.entries(staticChallenge.subject);
  if (entries.length === 0) {
    problems.push(`${here}.subject: must name at least one attribute, such as {"CN": "printer-*"}`);
  }
  const subject = new Map<string, readonly string[]>();
  for (const [name, value] of entries) {
    const listed = [value].flat();
    if (listed.some((pattern) => /^\*+$/.test(pattern))) {
      problems.push(`${here}.subject.${name}: must say more than "*", which is everything`);
    }
    try {
      subject.set(attributeType(name), listed);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      problems.push(`${here}.subject.${name}: ${error.message}`);
    }
  }
  return { authorize, staticChallenge: { secret: staticChallenge.secret, subject } };
}

const unknownName = (path: string, value: string, allowed: readonly string[]): string =>
  `${path}: "${value}" is not defined; it may be ${allowed.map((name) => `"${name}"`).join(', ')}`;
