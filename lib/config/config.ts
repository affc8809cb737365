// The configuration: one JSON document, checked whole before anything starts. What comes out is
// values the core can use as they are (milliseconds, OIDs); what is wrong comes out as sentences
// that name the field, what it is and what it may be.

import * as z from 'zod/mini';
import { type Bytes, hex } from '../base/bytes.ts';
import { canonical, type Json } from '../base/json.ts';
import { MAX_CRL_PARTITIONS, MIN_CRL_VALIDITY_MS } from '../base/limits.ts';
import { SYSTEM_LOG } from '../base/words.ts';
import { caKeyNames, caKeys, type KeySpec } from '../crypto/algorithms.ts';
import { hash } from '../crypto/native.ts';
import { isAbsoluteUri } from '../x509/lint/names.ts';
import { lintSubject } from '../x509/lint/rules.ts';
import { lintTexts } from '../x509/lint/text.ts';
import { type IpRange, parseIpRange } from '../x509/names/general-name.ts';
import { parseName } from '../x509/names/name.ts';
import { checkEndpoint, type Endpoint, endpoint } from './endpoint/endpoint.ts';
import { ownValidators } from './endpoint/enrolment.ts';
import { ConfigError } from './error.ts';
import {
  checkValidators,
  type OutsideValidator,
  validator,
  validatorSecrets,
} from './outside/validators.ts';
import { checkProfile, profileSchema } from './profile.ts';
import { partOf, requireKnown } from './references.ts';
import { type RefusalLimits, refusalLimits } from './refusal-limits.ts';
import {
  described,
  duration,
  explainIssues,
  id,
  parsed,
  prototypesIn,
  withDefaults,
} from './schema.ts';
import { type Secrets, secretProblems } from './secret.ts';

export type Authority = {
  readonly id: string;
  /** Name, DER. */
  readonly subject: Bytes;
  readonly key: KeySpec;
  readonly validityMs: number;
  /** From thisUpdate to nextUpdate of a CRL; a new one is made after half of it at the latest. */
  readonly crlValidityMs: number;
  /** Certificates that it issues a second at most; undefined: as many as are asked for. */
  readonly issuancesPerSecond: number | undefined;
  /** Over how many CRLs its certificates are spread; undefined: one tells of all. */
  readonly crlPartitions: number | undefined;
};

export type Config = {
  /** Where devices reach this service. */
  readonly publicUrl: string;
  /** Where relying parties fetch CRLs and certificates of CAs: the base of CDP and AIA URLs. */
  readonly filesUrl: string;
  readonly cas: ReadonlyMap<string, Authority>;
  readonly endpoints: ReadonlyMap<string, Endpoint>;
  /** Systems outside that have a say in who may have a certificate. */
  readonly validators: ReadonlyMap<string, OutsideValidator>;
  /** The proxies whose X-Forwarded-For is believed: their number, or their addresses. */
  readonly trustedProxies: number | readonly IpRange[];
  readonly refusalLimits: RefusalLimits;
  /** Where browsers of approvers reach this service, for decision links; undefined: there are none. */
  readonly decisionUrl: string | undefined;
  /** The only Host at which the admin API answers, with or without a port; undefined: at any. */
  readonly adminHost: string | undefined;
  /** Keys that are never certified: hexadecimal SHA-256 of the SubjectPublicKeyInfo, lower case. */
  readonly blockedKeys: ReadonlySet<string>;
  /** As it was written. */
  readonly document: ConfigDocument;
  /** SHA-256 of the document as canonical JSON (RFC 8785), hexadecimal. */
  readonly digest: string;
};

function parseCaSubject(text: string): Bytes {
  if (text.trim() === '') throw new SyntaxError('must name at least one attribute, such as CN=...');
  const name = parseName(text);
  const finding = lintSubject(name);
  if (finding) throw new SyntaxError(`cannot stand in a certificate: ${lintTexts[finding.id]}`);
  return name;
}

/** ASCII host or address, and a port; it goes into URIs of certificates as it is. */
const publicUrlPattern =
  /^https?:\/\/([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5]))?$/i;

const publicUrlText = 'must be an http or https origin without a path';
/** Checks what the lint checks of it in a certificate. */
const isPublicUrl = (text: string): boolean => isAbsoluteUri(`${text}/`);

const origin = z.pipe(
  z
    .string()
    .check(
      z.regex(publicUrlPattern, { error: publicUrlText, abort: true }),
      z.refine(isPublicUrl, publicUrlText),
    ),
  z.transform((text) => text.replace(/^https?/i, (scheme) => scheme.toLowerCase())),
);

/** What is sent there crosses no network in clear. */
const safeOrigin = /^(?:https:|http:\/\/(?:localhost|127\.[\d.]+|\[::1\])(?::|$))/i;
const safeOriginText = 'must be https, or http of this machine';

const keyHashText = 'must be the SHA-256 of a SubjectPublicKeyInfo: 64 hexadecimal digits';

/** A host as a Host header has it, with or without a port. */
const hostPattern = /^(\[[0-9a-f:.]+\]|[a-z0-9]([a-z0-9._-]*[a-z0-9])?)(:[1-9]\d{0,4})?$/i;
const hostText =
  'must be a host name or address, with or without a port, such as "admin.example.com"';

const proxiesText =
  'must be a number from 0 to 10, or a list of addresses and ranges such as "10.0.0.0/8"';

const authority = z.strictObject({
  subject: described('subject of the CA certificate, RFC 4514', parsed(parseCaSubject)),
  key: described('kind of the CA key', z._default(z.enum(caKeyNames), 'rsa:3072')),
  validity: described('lifetime of the CA certificate', z.prefault(duration, '3650d')),
  crlValidity: described(
    'lifetime of a CRL; the next is made after half of it, or as soon as something is revoked',
    z.prefault(duration, '10d'),
  ),
  issuancesPerSecond: described(
    'certificates that it issues a second at most, over all instances: in a storm, devices that are known to poll wait for their turn, others are told to come again (503 with Retry-After). As many as are asked for if absent',
    z.optional(z.number().check(z.gte(0.1), z.lte(10_000))),
  ),
  crlPartitions: described(
    'over how many CRLs its certificates are spread, so that none of them grows with the fleet, such as 128 for a million devices; one CRL tells of all if absent. A CA is made with partitions or without; "scepter crl partition" raises their number',
    z.optional(z.int().check(z.gte(2), z.lte(MAX_CRL_PARTITIONS))),
  ),
});

const document = z.strictObject({
  $schema: described('for editors; means nothing here', z.optional(z.string())),
  publicUrl: described(
    'where devices and relying parties reach this service: the base of the CRL and issuer addresses in every certificate',
    origin,
  ),
  filesUrl: described(
    'where relying parties fetch CRLs and CA certificates, if not at publicUrl: the base of those addresses, such as that of the distribution that serves nothing else. Certificates that exist go on naming the one before, which must be served as long as they are valid',
    z.optional(origin),
  ),
  trustedProxies: described(
    'proxies of yours before this service, one behind the other, that are believed about where a request came from: their addresses and ranges, such as ["10.0.0.0/8"], or their number. A client\'s address is the last in X-Forwarded-For that is of none of them, or what the outermost of so many wrote. A number counts only where a request shows that it came through them: behind CloudFront with its secret, or from a proxy on the same machine; otherwise it is whoever connected. CloudFront counts; API Gateway, Function URL and load balancer of a Lambda function do not',
    z.prefault(
      z.union([z.int().check(z.gte(0), z.lte(10)), z.array(parsed(parseIpRange))], proxiesText),
      0,
    ),
  ),
  refusalLimits: described(
    'when a source whose messages are refused is held back',
    z._default(refusalLimits, { perSource: 300, proxies: [] }),
  ),
  adminHost: described(
    'the only Host at which the admin API and its documentation answer, such as "admin.example.com" or "127.0.0.1:8080"; every Host if absent. For deployments whose admin API shares its way in with devices: a proxy that lets only /scep through under another name reaches no more than that, whatever path it makes of what it was sent. Commands that invoke the admin function are not held to it',
    z.optional(z.string().check(z.regex(hostPattern, hostText))),
  ),
  decisionUrl: described(
    'where browsers of approvers reach this service, such as "https://approve.example.com": "scepter txn link" then makes links by which a person without a token decides about one request, and /decide answers there. Off if absent',
    z.optional(origin.check(z.regex(safeOrigin, safeOriginText))),
  ),
  cas: described('certificate authorities by name', z.record(id, authority)),
  profiles: described('profiles by name', z._default(z.record(id, profileSchema), {})),
  validators: described(
    'systems outside that have a say in who may have a certificate, by the names by which endpoints ask them',
    z._default(z.record(id, validator), {}),
  ),
  blockedKeys: described(
    'keys that are never certified, each by the SHA-256 of its SubjectPublicKeyInfo',
    z._default(z.array(z.string(keyHashText).check(z.regex(/^[0-9a-f]{64}$/i, keyHashText))), []),
  ),
  endpoints: described(
    'endpoints by name: what stands behind /scep/ in a URL',
    z.record(id, endpoint),
  ),
});

/** JSON Schema (2020-12) of the document. `checkConfig` also checks what a schema cannot express: names,
 * patterns, fields that refer to each other. */
export const configSchema = (): z.core.JSONSchema.BaseSchema =>
  z.toJSONSchema(document, { io: 'input' });

/** The document as it is written; defaults are optional in it. */
export type ConfigDocument = z.input<typeof document>;

/**
 * Everything that is wrong is found in one round: what refers to each other is looked at also where another
 * field has a fault.
 * @param input the parsed JSON
 * @param secrets looks references to secrets up; without it they are not looked at
 * @throws {ConfigError} naming every field that is wrong
 */
export function checkConfig(input: unknown, secrets?: Secrets): Config {
  const result = z.safeParse(document, input, { reportInput: true });
  const problems = prototypesIn(input).map((path) => `${path}: cannot be the name of anything`);
  if (!result.success) {
    problems.unshift(...explainIssues(result.error.issues, 'the configuration', document));
  }
  const cas = partOf(input, 'cas', authority);
  if (cas.written.has(SYSTEM_LOG)) {
    problems.push(
      `cas.${SYSTEM_LOG}: this is the name of the log of what is of no CA: give the CA another one`,
    );
  }
  for (const [name, { crlValidity }] of cas.good) {
    if (crlValidity < MIN_CRL_VALIDITY_MS) {
      problems.push(
        `cas.${name}.crlValidity: must be at least "1h": caches keep a CRL for minutes`,
      );
    }
  }
  const profiles = partOf(input, 'profiles', profileSchema);
  if (!profiles.good.has('device')) profiles.good.set('device', z.parse(profileSchema, {}));
  const known = new Map(
    [...profiles.good].map(([name, profile]) => [
      name,
      checkProfile(name, profile, `profiles.${name}`, problems),
    ]),
  );
  const named = partOf(input, 'validators', validator);
  const validators = checkValidators(named.good, ownValidators, problems);
  if (secrets) {
    problems.push(...secretProblems([...validators.values()].flatMap(validatorSecrets), secrets));
  }
  const outside = { named: [...named.written.keys()], validators };
  const endpoints = partOf(input, 'endpoints', endpoint);
  requireKnown(endpoints.written, 'ca', [...cas.written.keys()], problems);
  requireKnown(
    endpoints.written,
    'profile',
    [...known.keys(), ...profiles.written.keys()],
    problems,
  );
  const checked = new Map<string, Endpoint>();
  for (const [name, given] of endpoints.good) {
    const profile = known.get(given.profile);
    const found = checkEndpoint(name, given, { profile, secrets, outside, problems });
    if (found) checked.set(name, found);
  }
  if (endpoints.written.has('cgi-bin')) {
    problems.push('endpoints.cgi-bin: cannot be the name of one: clients append it to /scep');
  }
  if (result.success && endpoints.written.size === 0) {
    problems.push('endpoints: must name at least one');
  }
  if (!result.success || problems.length > 0) throw new ConfigError(problems);
  const { publicUrl, filesUrl = publicUrl, adminHost, blockedKeys } = result.data;
  const { trustedProxies, refusalLimits, decisionUrl } = result.data;
  return {
    document: input as ConfigDocument,
    digest: hex(hash('SHA-256', canonical(input as Json))),
    ...{ publicUrl, filesUrl, trustedProxies, refusalLimits, adminHost, decisionUrl },
    endpoints: checked,
    validators,
    blockedKeys: new Set(blockedKeys.map((digits) => digits.toLowerCase())),
    cas: new Map(
      [...cas.good].map(
        ([name, { subject, key, validity, crlValidity, crlPartitions, issuancesPerSecond }]) => [
          name,
          {
            ...{ id: name, subject, key: caKeys[key].spec },
            ...{ validityMs: validity, crlValidityMs: crlValidity },
            ...{ crlPartitions, issuancesPerSecond },
          },
        ],
      ),
    ),
  };
}

/** A valid document with its defaults written out; it means the same. */
export function completed(input: ConfigDocument): ConfigDocument {
  const profiles = { device: {}, ...input.profiles };
  return withDefaults(configSchema(), { ...input, profiles }) as ConfigDocument;
}
