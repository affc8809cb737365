// The guides of deployments at Cloudflare, as their readers follow them (`guides.test.ts` has those of AWS, and runs beside
// them).

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { openssl } from '../interop/openssl.ts';
import { installFolder } from '../support/installed.ts';
import { followed } from './follow.ts';

/** Its status looks at keys too, if it may. */
const isNeeded = (line: string): boolean => !/ kms:(?:DescribeKey|GetKeyPolicy) /.test(line);

test('docs/deploy-workers.md: from nothing to a certificate, doctor, other keys, and its end', async () => {
  await installFolder('infra/cloudflare');
  const copy = await followed(['docs/deploy-workers.md', 'workers'], (account) => {
    assert.deepEqual(account.refused().filter(isNeeded), []);
  });
  const certificate = join(copy, '..', 'my-ca', 'device-1', 'cert.pem');
  const issued = await openssl(['x509', '-in', certificate, '-subject', '-noout']);
  assert.match(issued.toString(), /^subject=CN ?= ?device-1$/m);
});

test('docs/deploy-workers.md with two CAs and no access key: to doctor, and another certificate', async () => {
  await followed(['docs/deploy-workers.md', 'workers-anywhere'], (account) => {
    assert.deepEqual(account.refused().filter(isNeeded), []);
    assert.ok(account.worker.sessions() > 0);
  });
});

test("docs/deploy-workers.md: the CDK takes the heartbeat's stack", async () => {
  const SCEPTER_URL = 'https://scep.example.com';
  const more = { GUIDE_ONLY_SYNTH: '1', SCEPTER_URL };
  await followed(['docs/deploy-workers.md', 'workers-heartbeat'], undefined, more);
});
