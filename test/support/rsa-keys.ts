// RSA keys for tests. To make one takes a processor 0.2 s (2048 bits) to 2 s (4096 bits), and a suite takes
// hundreds, so there is a pool of them in the repository: known to all the world, and good for nothing else.
// `make-rsa-keys.ts` makes another pool.

import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { vectorText } from './vectors.ts';

type Pool = Readonly<Record<string, readonly string[]>>;

const taken = new Map<number, number>();
let pool: Pool | undefined;

/** Another key at each call: of the pool, and made where it has no more. */
export function rsaPrivateKey(bits: number): KeyObject {
  pool ??= JSON.parse(vectorText('keys/rsa-private-keys.json')) as Pool;
  const number = taken.get(bits) ?? 0;
  taken.set(bits, number + 1);
  const pkcs8 = pool[bits]?.[number];
  if (pkcs8 === undefined) {
    return generateKeyPairSync('rsa', { modulusLength: bits }).privateKey;
  }
  return createPrivateKey({ key: Buffer.from(pkcs8, 'base64'), format: 'der', type: 'pkcs8' });
}
