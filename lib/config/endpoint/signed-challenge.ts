// Challenges that a caller signs with a key of its own, so that an MDM needs no call for each device: the keys that are
// believed, and which names each may give; and what such a challenge says.

import * as z from 'zod/mini';
import { scan } from '../../asn1/reader.ts';
import { type Bytes, fromBase64, fromPem, fromUtf8 } from '../../base/bytes.ts';
import { Malformed } from '../../base/errors.ts';
import type { JwsAlgorithm, JwsKey } from '../../crypto/jws.ts';
import { type NameKind, nameKinds, parseIpRange } from '../../x509/names/general-name.ts';
import { readPublicKey } from '../../x509/public-key.ts';
import { binding } from '../binding.ts';
import { byAttribute, type NameRule, patterns } from '../profile.ts';
import { described, explainIssues } from '../schema.ts';

type SigningKey = JwsKey & {
  /** By dotted OID: attributes that the subject must have; each value must match one of the patterns. */
  readonly subject: ReadonlyMap<string, readonly string[]>;
  /** Which subjectAltNames it may give: `copy` any, or what matches; no others. */
  readonly names: ReadonlyMap<NameKind, NameRule>;
};

export type SignedChallenges = {
  /** By `kid`. */
  readonly keys: ReadonlyMap<string, SigningKey>;
};

const keyText =
  'must be the public key, PEM ("-----BEGIN PUBLIC KEY-----...") or the base64 of its DER: P-256 or Ed25519';
const allowed = z.union(
  [z.literal('any'), patterns],
  'must be "any", a pattern, or a list of patterns',
);

export const signedChallenge = z.strictObject({
  keys: described(
    'by "kid": the keys whose signatures are believed, each with the names that it may give',
    z.record(
      z.string(),
      z.strictObject({
        publicKey: described(
          'SubjectPublicKeyInfo, PEM or base64; P-256 (ES256) or Ed25519 (EdDSA)',
          z.string(keyText),
        ),
        subject: described(
          'attribute types that the subject must have, and patterns of which each value must match one',
          z._default(z.record(z.string(), patterns), {}),
        ),
        names: described(
          'subjectAltNames that it may give, by type (dns, email, uri, ip, upn, sid): "any", or patterns; none of the types that are not named',
          z._default(z.partialRecord(z.enum(nameKinds), allowed), {}),
        ),
      }),
    ),
  ),
});

/**
 * @param path where it stands in the configuration
 * @param problems takes a sentence for each field that is wrong
 */
export function checkSignedChallenge(
  { keys }: z.output<typeof signedChallenge>,
  path: string,
  problems: string[],
): SignedChallenges {
  const found = new Map<string, SigningKey>();
  if (Object.keys(keys).length === 0) problems.push(`${path}.keys: must name at least one key`);
  for (const [kid, { publicKey, subject, names }] of Object.entries(keys)) {
    const here = `${path}.keys.${kid}`;
    if (!/^[A-Za-z0-9_.-]{1,64}$/.test(kid)) {
      problems.push(`${here}: must be 1 to 64 letters, digits, "_", "." or "-"`);
    }
    const key = keyIn(publicKey);
    if (!key) problems.push(`${here}.publicKey: ${keyText}`);
    const rules = new Map<NameKind, NameRule>();
    for (const [kind, value] of Object.entries(names)) {
      const rule = ruleOf(kind as NameKind, value, `${here}.names.${kind}`, problems);
      rules.set(kind as NameKind, rule);
    }
    const listed = (value: string | readonly string[]): readonly string[] => [value].flat();
    const attributes = byAttribute(`${here}.subject`, subject, listed, problems);
    if (key) found.set(kid, { ...key, subject: attributes, names: rules });
  }
  return { keys: found };
}

function ruleOf(
  kind: NameKind,
  value: 'any' | string | readonly string[],
  path: string,
  problems: string[],
): NameRule {
  if (value === 'any') return { rule: 'copy' };
  const list = [value].flat();
  if (kind !== 'ip') {
    return {
      rule: 'pattern',
      patterns: kind === 'dns' ? list.map((one) => one.toLowerCase()) : list,
    };
  }
  const ranges = list.flatMap((text) => {
    try {
      return [parseIpRange(text)];
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      problems.push(`${path}: ${error.message}`);
      return [];
    }
  });
  return { rule: 'range', ranges };
}

function keyIn(text: string): JwsKey | undefined {
  try {
    const [pem] = fromPem('PUBLIC KEY', text);
    const spki = pem ?? fromBase64(text.replace(/\s+/g, ''));
    const kind = readPublicKey(scan(spki))?.kind;
    const algorithm: JwsAlgorithm | undefined =
      kind?.type === 'EC' && kind.curve === 'P-256'
        ? 'ES256'
        : kind?.type === 'Ed25519'
          ? 'EdDSA'
          : undefined;
    return algorithm && { algorithm, spki };
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof Malformed) return undefined;
    throw error;
  }
}

const seconds = z.int().check(z.gte(0), z.lte(2 ** 40));

const claims = z.strictObject({
  aud: z.string(),
  iat: seconds,
  exp: seconds,
  jti: z
    .string()
    .check(z.regex(/^[\x21-\x7e]{8,128}$/, 'must be 8 to 128 visible ASCII characters')),
  ...binding,
});

/** RFC 7519 §4.1, and what the challenge is bound to. */
export type Claims = z.output<typeof claims>;

/** @returns sentences where it is none */
export function readClaims(payload: Bytes): Claims | string {
  let said: unknown;
  try {
    said = JSON.parse(fromUtf8(payload));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError)
      return 'the payload: must be JSON';
    throw error;
  }
  const read = claims.safeParse(said);
  if (read.success) return read.data;
  return explainIssues(read.error.issues, 'the payload').join('; ');
}
