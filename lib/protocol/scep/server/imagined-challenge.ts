// The challenge that a simulated request comes with: of the kind that its endpoint takes, fresh, and in no store. A
// signed one is signed with a key that is made for it, which stands in the endpoint in the place of the one that would
// have signed; what that one may give is asked all the same.

import { utf8 } from '../../../base/bytes.ts';
import { CHALLENGE_OCTETS } from '../../../base/limits.ts';
import { MAX_SIGNED_LIFE_MS } from '../../../base/signed-limits.ts';
import { base32, ulid } from '../../../base/ulid.ts';
import { makeChallenge } from '../../../ca/challenge/challenges.ts';
import type { Deps } from '../../../ca/deps.ts';
import { printDuration } from '../../../config/duration.ts';
import type { Endpoint } from '../../../config/endpoint/endpoint.ts';
import type { SignedChallenges } from '../../../config/endpoint/signed-challenge.ts';
import { purposeName } from '../../../config/purposes.ts';
import { hash } from '../../../crypto/native.ts';
import type { Binding } from '../../../ports/records/records.ts';
import { type Given, rowName } from './judge.ts';

type Imagined = {
  /** What the device would send. */
  readonly secret: string;
  /** The endpoint, as it believes the challenge. */
  readonly endpoint: Endpoint;
  /** The record of one that is made here. */
  readonly rows: Given['rows'];
  readonly staticSecrets: Deps['staticSecrets'];
};

type Wanted = {
  readonly endpoint: Endpoint;
  readonly binding: Binding;
  /** `kid` of the key that signs it, where challenges are signed; the first if absent. */
  readonly signedBy?: string | undefined;
  readonly now: number;
};

export async function imagine(
  { macKeys, random }: Pick<Deps, 'macKeys' | 'random'>,
  { endpoint, binding, signedBy, now }: Wanted,
): Promise<Imagined> {
  const { staticChallenge, signedChallenge } = endpoint.enrol;
  if (signedChallenge) {
    // Of the 8 characters that one has at least.
    const jti = base32(random(5));
    return imagineSigned(signedChallenge, { endpoint, binding, signedBy, now, jti });
  }
  const secret = base32(random(CHALLENGE_OCTETS));
  const none = { secret, endpoint, rows: new Map(), staticSecrets: new Map() };
  if (staticChallenge) {
    const digest = hash('SHA-256', utf8(secret));
    return { ...none, staticSecrets: new Map([[staticChallenge.secret, digest]]) };
  }
  const [macKey] = await macKeys.live('challenge');
  const ttlMs = endpoint.challengeTtlMs;
  const wanted = { binding, uses: 1, ttlMs, id: ulid(now, random(10)), now };
  const { key, record } = makeChallenge(macKey, endpoint.id, secret, wanted);
  const row = { kind: 'challenge', key, rev: 1, record } as const;
  return { ...none, rows: new Map([[rowName(row), row]]) };
}

/** As short as one can be that says the same: what has room in a real one has room in it. */
async function imagineSigned(
  { keys }: SignedChallenges,
  { endpoint, binding, signedBy, now, jti }: Wanted & { readonly jti: string },
): Promise<Imagined> {
  const [first = ''] = keys.keys();
  const kid = signedBy ?? first;
  const { signOnce } = await import('../../../crypto/jws.ts');
  const { names, extKeyUsage, validityMs, ...bound } = binding;
  const iat = Math.floor(now / 1000);
  const exp = iat + Math.floor(Math.min(endpoint.challengeTtlMs, MAX_SIGNED_LIFE_MS) / 1000);
  const claims = {
    ...{ aud: endpoint.id, iat, exp, jti, ...bound },
    ...(names.length > 0 ? { san: names } : {}),
    ...(extKeyUsage ? { extKeyUsage: extKeyUsage.map(purposeName) } : {}),
    ...(validityMs === undefined ? {} : { validity: printDuration(validityMs) }),
  };
  const { text, key } = await signOnce(kid, utf8(JSON.stringify(claims)));
  const signing = keys.get(kid);
  const believed = new Map(signing ? [[kid, { ...signing, ...key }]] : []);
  const enrol = { ...endpoint.enrol, signedChallenge: { keys: believed } };
  const believing = { ...endpoint, enrol };
  return { secret: text, endpoint: believing, rows: new Map(), staticSecrets: new Map() };
}
