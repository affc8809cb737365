// RFC 2986 §4.2: a PKCS#10 is signed with a digest that its endpoint accepts, whatever the pkiMessage
// around it is signed with.

import assert from 'node:assert/strict';
import { createPrivateKey, sign } from 'node:crypto';
import { test } from 'node:test';
import { concat } from '../../lib/base/bytes.ts';
import { digests, type Legacy } from '../../lib/crypto/algorithms.ts';
import { signed } from '../../lib/x509/certificate.ts';
import { encodeRequestInfo } from '../../lib/x509/csr.ts';
import { parseName } from '../../lib/x509/names/name.ts';
import { deviceKey } from '../support/keys.ts';
import { makeLab } from '../support/lab.ts';
import { enrolment } from '../support/messages.ts';

const algorithms = { MD5: 'md5', 'SHA-1': 'sha1', 'SHA-384': 'sha384' } as const;

for (const [digest, legacy, expected] of [
  ['MD5', {}, 'SCEP-201'],
  ['MD5', { md5: true }, undefined],
  ['SHA-1', {}, 'SCEP-201'],
  ['SHA-1', { sha1: true }, undefined],
  ['SHA-384', {}, undefined],
] as const) {
  const where = Object.keys(legacy).length > 0 ? 'behind its switch' : 'by default';
  test(`${digest} ${where}: ${expected ?? 'SUCCESS'}`, async () => {
    const lab = await makeLab({ legacy: legacy satisfies Partial<Legacy> });
    const key = await deviceKey();
    const challenge = await lab.challenge();
    const names = { subject: parseName('CN=device-1'), names: [] };
    const info = encodeRequestInfo(names, key.spki, challenge);
    const pkcs8 = createPrivateKey({ key: Buffer.from(key.pkcs8), format: 'der', type: 'pkcs8' });
    const scheme = { kind: 'RSASSA-PKCS1-v1_5', digest: digests[digest] } as const;
    const plaintext = signed(info, scheme, concat([sign(algorithms[digest], info, pkcs8)]));
    const sent = await enrolment(lab, { key, plaintext, challenge });
    const answer = await sent.read(await lab.operate(sent.message));
    if (expected === undefined) assert.equal(answer.pkiStatus, 'SUCCESS');
    else assert.ok(answer.pkiStatus === 'FAILURE' && answer.text?.startsWith(expected));
  });
}
