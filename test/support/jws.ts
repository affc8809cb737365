// Challenges signed by a caller, made with node:crypto alone: what verifies them is not what made them.

import { createHmac, generateKeyPairSync, sign } from 'node:crypto';

export type Signer = {
  readonly kid: string;
  readonly alg: 'ES256' | 'EdDSA';
  /** PKCS #8, PEM. */
  readonly privateKey: string;
  /** SubjectPublicKeyInfo, PEM. */
  readonly publicKey: string;
};

export function makeSigner(kid: string, alg: 'ES256' | 'EdDSA' = 'ES256'): Signer {
  const pair =
    alg === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('ed25519');
  const publicKey = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const privateKey = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { kid, alg, privateKey, publicKey };
}

type Header = Readonly<Record<string, unknown>>;

/** Compact JWS. @param header members beside `alg` and `kid`, or in their place */
export function signed(
  { kid, alg, privateKey }: Signer,
  claims: object | string,
  header: Header = {},
): string {
  const payload = typeof claims === 'string' ? claims : JSON.stringify(claims);
  const input = [JSON.stringify({ alg, kid, ...header }), payload]
    .map((part) => Buffer.from(part).toString('base64url'))
    .join('.');
  const signature = sign(alg === 'ES256' ? 'sha256' : null, Buffer.from(input), {
    key: privateKey,
    dsaEncoding: 'ieee-p1363',
  });
  return `${input}.${signature.toString('base64url')}`;
}

/** A forgery: the public key as the secret of an HMAC (RFC 8725 §2.1), or no signature at all. */
export function forged({ kid, publicKey }: Signer, claims: object, alg: 'HS256' | 'none'): string {
  const input = [{ alg, kid }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  if (alg === 'none') return `${input}.`;
  return `${input}.${createHmac('sha256', publicKey).update(input).digest('base64url')}`;
}
