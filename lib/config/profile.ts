// Profiles: what certificates of an endpoint look like, and which requests they are for. A profile is
// part of the configuration and is checked with it; `ca/policy/policy.ts` asks it.

import * as z from 'zod/mini';
import { Malformed } from '../base/errors.ts';
import { MAX_RSA_BITS, MIN_RSA_BITS } from '../base/limits.ts';
import { type CurveName, curves } from '../crypto/algorithms.ts';
import { serves } from '../x509/lint/extensions.ts';
import {
  type IpRange,
  type NameKind,
  nameKinds,
  parseIpRange,
} from '../x509/names/general-name.ts';
import { attributeName, attributeType, isDottedOid, nameOf, nameWith } from '../x509/names/name.ts';
import { namesInSubject, requireLintFree } from '../x509/names/subject-names.ts';
import type { KeyKind } from '../x509/public-key.ts';
import { isPurpose, ofTheCa, purposeOid, purposes, purposeText } from './purposes.ts';
import { described, duration } from './schema.ts';

export type Profile = {
  readonly id: string;
  readonly validityMs: number;
  readonly keys: KeyRules;
  readonly keyUsage: readonly ('digitalSignature' | 'nonRepudiation' | 'keyEncipherment')[];
  /** Dotted OIDs. */
  readonly extKeyUsage: readonly string[];
  readonly subject: SubjectRules;
  readonly names: Readonly<Record<NameKind, NameRule>>;
  /** How a Windows account's SID, which only a binding can give, stands in the certificate. */
  readonly sid: SidForm;
  /** Certifies the URI with spaces that Intune writes for Cisco ISE. */
  readonly endpointManagerUri: boolean;
  /** A renewal may be for the key that its certificate has. */
  readonly sameKey: boolean;
};

/** What may be certified. */
type KeyRules = {
  /** Bits of the modulus, both inclusive; undefined: no RSA. */
  readonly rsa: { readonly min: number; readonly max: number } | undefined;
  readonly ec: readonly CurveName[];
  readonly ed25519: boolean;
};

/** By dotted OID of the attribute type. */
export type SubjectRules = {
  /** The one value that the attribute must have. */
  readonly fixed: ReadonlyMap<string, string>;
  /** Each value must match one of these. */
  readonly pattern: ReadonlyMap<string, readonly string[]>;
  readonly required: readonly string[];
  readonly forbidden: readonly string[];
  /** May stand once. */
  readonly once: readonly string[];
};

/**
 * none: never certified. bound: only what a challenge is bound to. Otherwise a request whose
 * challenge names nothing may name itself: anything (copy), or what matches.
 */
export type NameRule =
  | { readonly rule: 'none' | 'bound' | 'copy' }
  | { readonly rule: 'pattern'; readonly patterns: readonly string[] }
  | { readonly rule: 'range'; readonly ranges: readonly IpRange[] };

const requestable = nameKinds.filter((kind) => kind !== 'sid');
type Requestable = (typeof requestable)[number];

const sidForms = ['none', 'uri', 'extension', 'both'] as const;
type SidForm = (typeof sidForms)[number];

const curveNames = Object.keys(curves) as [CurveName, ...CurveName[]];
const bits = z.int().check(z.gte(MIN_RSA_BITS), z.lte(MAX_RSA_BITS));
const anyKey = { rsa: { min: MIN_RSA_BITS, max: MAX_RSA_BITS }, ec: curveNames, ed25519: true };

const keys = z.strictObject({
  rsa: described(
    'bits of RSA keys, or false for none',
    z._default(
      z.union(
        [
          z.literal(false),
          z.strictObject({
            min: z._default(bits, MIN_RSA_BITS),
            max: z._default(bits, MAX_RSA_BITS),
          }),
        ],
        `must be false or {"min": ..., "max": ...} with numbers from ${MIN_RSA_BITS} to ${MAX_RSA_BITS}`,
      ),
      anyKey.rsa,
    ),
  ),
  ec: described('curves, may be empty', z._default(z.array(z.enum(curveNames)), curveNames)),
  ed25519: described('Ed25519 keys', z._default(z.boolean(), true)),
});

const patternText = 'must be a pattern, or a list of them: text in which "*" stands for some of it';
const pattern = z
  .string(patternText)
  .check(z.regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]{1,256}$/u, patternText));
/** One pattern, or a list of them. */
export const patterns = z.union(
  [pattern, z.array(pattern).check(z.minLength(1, patternText))],
  patternText,
);

const subject = z.strictObject({
  fixed: described(
    'attribute types and the one value that each must have',
    z._default(z.record(z.string(), z.string().check(z.minLength(1, 'must not be empty'))), {}),
  ),
  pattern: described(
    'attribute types and patterns of which each value must match one; "*" is one or more characters',
    z._default(z.record(z.string(), patterns), {}),
  ),
  required: described('attribute types that must be there', z._default(z.array(z.string()), [])),
  forbidden: described('attribute types that must not', z._default(z.array(z.string()), [])),
  once: described(
    'attribute types that may stand only once, such as CN, of which a name from a directory has several',
    z._default(z.array(z.string()), []),
  ),
});

const nameRule = z.union(
  [z.enum(['none', 'bound', 'copy']), z.strictObject({ pattern: patterns })],
  'must be "none", "bound", "copy" or {"pattern": [...]}',
);
const named = (what: string) => described(what, z._default(nameRule, 'bound'));

export const profileSchema = z.strictObject({
  validity: described('lifetime, at most that of the CA', z.prefault(duration, '365d')),
  keys: described('keys that are certified', z._default(keys, anyKey)),
  keyUsage: described(
    'key usages; those that a kind of key cannot have are left out',
    z._default(
      z
        .array(z.enum(['digitalSignature', 'nonRepudiation', 'keyEncipherment']))
        .check(z.minLength(1, 'must name at least one usage')),
      ['digitalSignature', 'keyEncipherment'],
    ),
  ),
  extKeyUsage: described(
    `extended key usages: ${purposes.join(', ')} or dotted OIDs`,
    z._default(
      z
        .array(z.string(purposeText).check(z.refine(isPurpose, purposeText)))
        .check(z.minLength(1, 'must name at least one purpose')),
      ['clientAuth'],
    ),
  ),
  subject: described(
    'what the subject of a request must be like',
    z._default(subject, { fixed: {}, pattern: {}, required: [], forbidden: [], once: [] }),
  ),
  names: described(
    'subjectAltNames by type. "none": never; "bound": only what a challenge is bound to; "copy" and patterns: also what a request asks for itself, if its challenge is bound to no name',
    z._default(
      z.strictObject({
        dns: named(
          '"*" in a pattern does not cross a dot; a wildcard name is only certified if a challenge is bound to it',
        ),
        email: named('"*" in a pattern does not cross "@"'),
        uri: named('"*" in a pattern does not cross "/", "?" or "#"'),
        ip: named('a pattern is an address or a range such as 10.0.0.0/8'),
        upn: named('"*" in a pattern does not cross "@"'),
      }),
      { dns: 'bound', email: 'bound', uri: 'bound', ip: 'bound', upn: 'bound' },
    ),
  ),
  sid: described(
    "how a Windows account's SID stands in a certificate, if a challenge is bound to one",
    z._default(z.enum(sidForms), 'none'),
  ),
  endpointManagerUri: described(
    'certifies ID:Microsoft Endpoint Manager:GUID:<guid> as a URI as it stands, in spite of its spaces: Cisco ISE looks devices up in Intune by it. names.uri decides which requests may have one',
    z._default(z.boolean(), false),
  ),
  sameKey: described(
    'a renewal may be for the key that its certificate has',
    z._default(z.boolean(), true),
  ),
});

/**
 * Entries by dotted OID. A type has several names (`CN`, `cn`, `2.5.4.3`), and the rule under one of
 * them must not take the place of the rule under another.
 * @param path where they stand in the configuration
 * @param problems takes a sentence for each name that is wrong
 */
export function byAttribute<V, T>(
  path: string,
  entries: Readonly<Record<string, V>>,
  make: (value: V) => T,
  problems: string[],
): Map<string, T> {
  const found = new Map<string, T>();
  for (const [name, value] of Object.entries(entries)) {
    try {
      const type = attributeType(name);
      if (found.has(type)) {
        problems.push(
          `${path}.${name}: the attribute ${attributeName(type)} is named already; leave one out`,
        );
      }
      found.set(type, make(value));
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      problems.push(`${path}.${name}: ${error.message}`);
    }
  }
  return found;
}

/** Only RSA keys encipher (RFC 3279 §2.3); a key that may do nothing else signs. */
export function usagesOf(
  usages: Profile['keyUsage'],
  kind: KeyKind['type'],
): readonly Profile['keyUsage'][number][] {
  const possible = usages.filter((usage) => kind === 'RSA' || usage !== 'keyEncipherment');
  return possible.length > 0 ? possible : ['digitalSignature'];
}

/**
 * @param path where it stands in the configuration, such as `profiles.vpn`
 * @param problems takes a sentence for each field that is wrong
 */
export function checkProfile(
  id: string,
  input: z.output<typeof profileSchema>,
  path: string,
  problems: string[],
): Profile {
  const attempt = <T>(field: string, make: () => T): T | undefined => {
    try {
      return make();
    } catch (error) {
      if (!(error instanceof SyntaxError || error instanceof Malformed)) throw error;
      problems.push(`${path}.${field}: ${error.message}`);
      return undefined;
    }
  };
  const typed = <T, V>(field: string, entries: Readonly<Record<string, V>>, make: (v: V) => T) =>
    byAttribute(`${path}.subject.${field}`, entries, make, problems);
  const types = (field: 'required' | 'forbidden' | 'once') =>
    input.subject[field].map(
      (name, i) => attempt(`subject.${field}.${i}`, () => attributeType(name)) ?? name,
    );
  const { rsa, ec, ed25519 } = input.keys;
  if (rsa !== false && rsa.min > rsa.max) {
    problems.push(`${path}.keys.rsa.min: must be at most its "max", ${rsa.max}`);
  }
  if (rsa === false && ec.length === 0 && !ed25519) {
    problems.push(`${path}.keys: must allow at least one kind of key`);
  }
  const kinds: KeyKind['type'][] = [
    ...(rsa === false ? [] : (['RSA'] as const)),
    ...(ec.length > 0 ? (['EC'] as const) : []),
    ...(ed25519 ? (['Ed25519'] as const) : []),
  ];
  const extKeyUsage = input.extKeyUsage.map(purposeOid);
  for (const [i, purpose] of extKeyUsage.entries()) {
    const field = `${path}.extKeyUsage.${i}`;
    if (ofTheCa[purpose]) problems.push(`${field}: ${ofTheCa[purpose]}; leave it out`);
    if (extKeyUsage.indexOf(purpose) < i)
      problems.push(`${field}: is listed already; leave it out`);
  }
  if (rsa === false && input.keyUsage.every((usage) => usage === 'keyEncipherment')) {
    problems.push(
      `${path}.keyUsage: "keyEncipherment" is for RSA keys, and "keys" allows none; add "digitalSignature"`,
    );
  } else if (kinds.some((kind) => !serves(extKeyUsage, usagesOf(input.keyUsage, kind)))) {
    problems.push(
      `${path}.keyUsage: serves none of the purposes in "extKeyUsage"; add "digitalSignature"`,
    );
  }
  const rules: SubjectRules = {
    fixed: typed('fixed', input.subject.fixed, (value) => value),
    pattern: typed('pattern', input.subject.pattern, (value) => [value].flat()),
    required: types('required'),
    forbidden: types('forbidden'),
    once: types('once'),
  };
  for (const [type, value] of rules.fixed) {
    if (!isDottedOid(type)) continue;
    attempt(`subject.fixed.${attributeName(type)}`, () => {
      const subject = nameWith(type, value);
      const names = namesInSubject(nameOf(subject), extKeyUsage);
      const none = names.find(({ kind }) =>
        requestable.some((k) => k === kind && input.names[k] === 'none'),
      );
      if (none) throw new SyntaxError(`no certificate can have it: names.${none.kind} is "none"`);
      requireLintFree(subject, names, extKeyUsage);
    });
  }
  const wanted = [...rules.fixed.keys(), ...rules.required];
  for (const [i, type] of rules.forbidden.entries()) {
    if (wanted.includes(type)) {
      const name = input.subject.forbidden[i];
      problems.push(`${path}.subject.forbidden.${i}: "${name}" is fixed or required too`);
    }
  }
  if (input.endpointManagerUri && input.names.uri === 'none') {
    problems.push(`${path}.endpointManagerUri: certifies nothing while names.uri is "none"`);
  }
  const ruleOf = (kind: Requestable): NameRule => {
    const rule = input.names[kind];
    if (typeof rule === 'string') return { rule };
    const list = [rule.pattern].flat();
    // Patterns are compared with host names in lower case.
    const patterns = kind === 'dns' ? list.map((text) => text.toLowerCase()) : list;
    if (kind !== 'ip') return { rule: 'pattern', patterns };
    const range = (text: string) => attempt('names.ip.pattern', () => parseIpRange(text)) ?? [];
    return { rule: 'range', ranges: list.flatMap(range) };
  };
  return {
    id,
    validityMs: input.validity,
    keys: { rsa: rsa === false ? undefined : rsa, ec, ed25519 },
    keyUsage: input.keyUsage,
    extKeyUsage,
    subject: rules,
    names: {
      ...(Object.fromEntries(requestable.map((kind) => [kind, ruleOf(kind)])) as Record<
        Requestable,
        NameRule
      >),
      sid: { rule: input.sid === 'none' ? 'none' : 'bound' },
    },
    sid: input.sid,
    endpointManagerUri: input.endpointManagerUri,
    sameKey: input.sameKey,
  };
}
