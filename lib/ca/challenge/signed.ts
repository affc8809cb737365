// Challenges that a caller has signed with a key of its own (RFC 7515, RFC 7519): read as if somebody had made the
// same here. Its record comes into being with its first use, or its first refusal, under a key made of `kid` and
// `jti`, so that it is good for one certificate; from then on it is a challenge like any other.

import { hex, utf8 } from '../../base/bytes.ts';
import {
  MAX_SIGNED_CHALLENGE_OCTETS,
  MAX_SIGNED_LIFE_MS,
  SIGNED_AHEAD_MS,
} from '../../base/signed-limits.ts';
import { ulid } from '../../base/ulid.ts';
import type { Endpoint } from '../../config/endpoint/endpoint.ts';
import { type Claims, readClaims } from '../../config/endpoint/signed-challenge.ts';
import { isCompactJws, verifyCompactJws } from '../../crypto/jws.ts';
import type { MacKey } from '../../ports/mac-keys.ts';
import type { Challenge } from '../../ports/records/records.ts';
import type { Deps } from '../deps.ts';
import { Unusable } from '../policy/wanted.ts';
import { normalBinding } from './binding.ts';
import { mac, sealedChallenge } from './challenges.ts';

type Signed = {
  /** Where its record may be: one key for each live MAC key. */
  readonly keys: readonly string[];
  /** The record that its first use makes. */
  readonly fresh: Challenge;
};

/** @returns why it is not believed, for the record, where it is not */
export async function readSigned(
  { macKeys, random }: Pick<Deps, 'macKeys' | 'random'>,
  { id: endpoint, profile, enrol: { signedChallenge } }: Endpoint,
  text: string,
  now: number,
): Promise<Signed | { readonly wrong: string }> {
  if (utf8(text).length > MAX_SIGNED_CHALLENGE_OCTETS || !isCompactJws(text) || !signedChallenge) {
    return { wrong: 'it is no signed challenge' };
  }
  const verified = await verifyCompactJws(text, signedChallenge.keys);
  if ('wrong' in verified) return verified;
  const claims = readClaims(verified.payload);
  if (typeof claims === 'string') return { wrong: claims };
  const { kid } = verified;
  const wrong = wrongIn(claims, endpoint, now);
  if (wrong !== undefined) return { wrong };
  const live = await macKeys.live('challenge');
  const keys = live.map((macKey) => recordKey(macKey, endpoint, { kid, jti: claims.jti }));
  const [key = ''] = keys;
  try {
    const binding = normalBinding(profile, claims);
    const about = { id: ulid(now, random(10)), endpoint, binding, uses: 1, signedBy: kid };
    const madeBy = { by: `key ${kid}`, auth: 'signature' };
    const fixed = { ...about, expiresAt: claims.exp * 1000, madeBy };
    return { keys, fresh: sealedChallenge(live[0], key, fixed, now) };
  } catch (error) {
    if (error instanceof Unusable) return { wrong: `${error.field}: ${error.message}` };
    throw error;
  }
}

function wrongIn({ aud, iat, exp }: Claims, endpoint: string, now: number): string | undefined {
  if (aud !== endpoint) return 'its "aud" is another endpoint';
  if (exp <= iat) return 'its "exp" is not after its "iat"';
  if ((exp - iat) * 1000 > MAX_SIGNED_LIFE_MS)
    return 'its "exp" is more than 7 days after its "iat"';
  if (iat * 1000 > now + SIGNED_AHEAD_MS) return 'its "iat" is in the future';
  return undefined;
}

type Use = { readonly kid: string; readonly jti: string };

const recordKey = (macKey: MacKey, endpoint: string, { kid, jti }: Use): string =>
  `${endpoint}/${macKey.id}/${hex(mac(macKey, 'signedChallenge', [endpoint, kid, jti]))}`;
