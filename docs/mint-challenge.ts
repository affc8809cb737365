// Signs a challenge for one device: node mint-challenge.ts KEY.pem KID ENDPOINT CLAIMS
// KEY.pem is a private key, P-256 or Ed25519; CLAIMS what the challenge is bound to, as JSON. Nothing but Node.

import { createPrivateKey, randomUUID, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';

const [file = '', kid = '', aud = '', bound = '{}'] = process.argv.slice(2);
const key = createPrivateKey(readFileSync(file));
const es256 = key.asymmetricKeyType === 'ec';
const iat = Math.floor(Date.now() / 1000);
const header = { alg: es256 ? 'ES256' : 'EdDSA', kid };
const claims = { aud, iat, exp: iat + 3600, jti: randomUUID(), ...JSON.parse(bound) };
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const input = `${part(header)}.${part(claims)}`;
const signature = sign(es256 ? 'sha256' : null, Buffer.from(input), {
  key,
  dsaEncoding: 'ieee-p1363',
});
process.stdout.write(`${input}.${signature.toString('base64url')}\n`);
