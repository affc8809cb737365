// Compact JWS (RFC 7515 §7.1), signed and verified by `jose`. The algorithm is that of the key, whatever the header says, and
// of a header nothing else counts than which key signed.

import { CompactSign, compactVerify, errors } from 'jose';
import type { Bytes } from '../base/bytes.ts';

/** ES256: ECDSA with P-256 and SHA-256. EdDSA: Ed25519. */
export type JwsAlgorithm = 'ES256' | 'EdDSA';

export type JwsKey = {
  readonly algorithm: JwsAlgorithm;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Bytes;
};

type Verified =
  | { readonly kid: string; readonly payload: Bytes }
  /** Why it is not believed, for the record. */
  | { readonly wrong: string };

/** Members that a header may have (RFC 7515 §4.1); one with `crit` or `b64` is not understood. */
const known: readonly string[] = ['alg', 'kid', 'typ'];

const webCrypto = {
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  EdDSA: { name: 'Ed25519' },
} as const satisfies Record<JwsAlgorithm, object>;

/** Whether the text has the form of one; nothing is believed yet. */
export const isCompactJws = (text: string): boolean =>
  /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/.test(text);

class Unacceptable extends Error {}

/** @param keys by `kid` */
export async function verifyCompactJws(
  text: string,
  keys: ReadonlyMap<string, JwsKey>,
): Promise<Verified> {
  // Of the functions that devices ask few ever need it.
  let kid = '';
  try {
    const { payload } = await compactVerify(
      text,
      ({ alg, ...header }) => {
        const other = Object.keys(header).find((name) => !known.includes(name));
        if (other !== undefined) throw new Unacceptable(`its header has "${other}"`);
        kid = typeof header.kid === 'string' ? header.kid : '';
        const key = keys.get(kid);
        if (!key) throw new Unacceptable('its "kid" names no key of the endpoint');
        if (alg !== key.algorithm) throw new Unacceptable(`its "alg" is not ${key.algorithm}`);
        return crypto.subtle.importKey('spki', key.spki, webCrypto[key.algorithm], false, [
          'verify',
        ]);
      },
      { algorithms: Object.keys(webCrypto) },
    );
    return { kid, payload: new Uint8Array(payload) };
  } catch (error) {
    if (error instanceof Unacceptable) return { wrong: error.message };
    if (error instanceof errors.JWSSignatureVerificationFailed) {
      return { wrong: 'its signature does not verify' };
    }
    if (error instanceof errors.JOSEError) return { wrong: 'it is no JWS that is accepted here' };
    throw error;
  }
}

/** ES256, with a key that is made for it and kept by nobody. @returns the text, and the key that verifies it */
export async function signOnce(
  kid: string,
  payload: Bytes,
): Promise<{ readonly text: string; readonly key: JwsKey }> {
  const { privateKey, publicKey } = await crypto.subtle.generateKey(webCrypto.ES256, true, [
    'sign',
    'verify',
  ]);
  const text = await new CompactSign(payload)
    .setProtectedHeader({ alg: 'ES256', kid })
    .sign(privateKey);
  const spki = new Uint8Array(await crypto.subtle.exportKey('spki', publicKey));
  return { text, key: { algorithm: 'ES256', spki } };
}

/** PS256 (RSASSA-PSS with SHA-256, RFC 7518 §3.5). @param pkcs8 of an RSA key @param header members beside `alg` */
export async function signPs256(
  pkcs8: Bytes,
  header: Readonly<Record<string, string>>,
  payload: Bytes,
): Promise<string> {
  const algorithm = { name: 'RSA-PSS', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('pkcs8', pkcs8, algorithm, false, ['sign']);
  return new CompactSign(payload).setProtectedHeader({ ...header, alg: 'PS256' }).sign(key);
}
