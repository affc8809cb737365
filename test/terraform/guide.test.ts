// The guide of AWS with Terraform, as its readers follow it: Terraform is itself, and makes all in moto.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { followed } from '../infra/follow.ts';
import { openssl } from '../interop/openssl.ts';
import { given, stateIn } from './terraform.ts';

test('docs/deploy-aws.md with Terraform and two CAs: from nothing to a certificate, doctor, and its end', async () => {
  const copy = await followed(
    ['docs/deploy-aws.md', 'terraform'],
    (account) => {
      assert.deepEqual(account.refused(), []);
      const calls = account.calls();
      assert.ok(calls.length > 0);
      for (const call of calls) assert.match(call, /^AKIAOPERATOR scepter-[\w-]*admin$/);
    },
    given,
  );
  const certificate = `${copy}/../my-ca/device-1/cert.pem`;
  const issued = await openssl(['x509', '-in', certificate, '-subject', '-noout']);
  assert.match(issued.toString(), /^subject=.*CN ?= ?device-1\b/m);
  assert.deepEqual(stateIn(`${copy}/infra/terraform/examples/basic`).resources, []);
});
