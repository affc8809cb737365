// What a platform has to get right before the first RA key is used on it, on one that gets it wrong.

import assert from 'node:assert/strict';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { test } from 'node:test';
import { selfTest } from '../../lib/cms/self-test.ts';

type Native = typeof import('node:crypto');
const native: Native = createRequire(import.meta.url)('node:crypto');

/** Does something while an operation of the platform is another. */
async function withOther<K extends keyof Native>(
  name: K,
  other: (right: Native[K]) => Native[K],
  work: () => Promise<void>,
): Promise<void> {
  const right = native[name];
  native[name] = other(right);
  syncBuiltinESMExports();
  try {
    await work();
  } finally {
    native[name] = right;
    syncBuiltinESMExports();
  }
}

const failsIn = (...named: string[]) =>
  assert.rejects(selfTest(), {
    name: 'Outage',
    message: `self-test failed on this platform: ${named.join(', ')}`,
  });

test('a platform that gets one operation wrong is named with it, and one that throws with all that need it; made right, it passes', async () => {
  const otherIv = (right: Native['createDecipheriv']) =>
    ((name: string, key: never, iv: never) =>
      right(name, key, name === 'des-ede3-cbc' ? new Uint8Array(8) : iv)) as typeof right;
  await withOther('createDecipheriv', otherIv, () => failsIn('3DES-CBC'));
  const none = () => (): never => {
    throw new Error('no raw RSA here');
  };
  await withOther('privateDecrypt', none, () =>
    failsIn('RSAES-PKCS1-v1_5', 'RSAES-OAEP with SHA-1', 'RSAES-OAEP with SHA-256'),
  );
  await selfTest();
});
