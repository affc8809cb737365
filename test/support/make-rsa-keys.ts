// `node test/support/make-rsa-keys.ts` makes the pool of `rsa-keys.ts` anew: 120 keys of 2048 bits, of which one
// file of tests takes as many, and a few longer ones.

import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const pool = Object.fromEntries(
  Object.entries({ 2048: 120, 3072: 3, 4096: 2 }).map(([bits, count]) => [
    bits,
    Array.from({ length: count }, () =>
      generateKeyPairSync('rsa', { modulusLength: Number(bits) })
        .privateKey.export({ format: 'der', type: 'pkcs8' })
        .toString('base64'),
    ),
  ]),
);
const path = join(import.meta.dirname, '..', 'vectors', 'keys', 'rsa-private-keys.json');
writeFileSync(path, `${JSON.stringify(pool, null, 1)}\n`);
