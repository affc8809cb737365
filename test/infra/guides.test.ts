// The guides of deployments at AWS, as their readers follow them: the blocks of a page that say `guide=NAME`, in their
// order, in one shell. The tools are themselves; what would change an account is done by one on this machine.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { openssl } from '../interop/openssl.ts';
import { followed } from './follow.ts';

test('docs/deploy-aws.md with the CDK: from nothing to a certificate, doctor, and its end', async () => {
  const copy = await followed(['docs/deploy-aws.md', 'cdk'], (account) => {
    assert.deepEqual(account.refused(), []);
    const calls = account.calls();
    assert.ok(calls.length > 0);
    for (const call of calls) assert.match(call, /^AKIAOPERATOR [\w-]*admin[\w-]*$/i);
  });
  const certificate = join(copy, '..', 'my-ca', 'device-1', 'cert.pem');
  const issued = await openssl(['x509', '-in', certificate, '-subject', '-noout']);
  assert.match(issued.toString(), /^subject=CN ?= ?device-1$/m);
});

// moto knows neither CloudFront's distribution nor its web ACL as CloudFormation makes them.
test('docs/deploy-aws.md for production: the CDK takes what it says', async () => {
  await followed(['docs/deploy-aws.md', 'cdk-production'], undefined, { GUIDE_ONLY_SYNTH: '1' });
});
