// What the configuration says of validators outside becomes validators: with their secrets, and only what is configured.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { openOutside } from '../../functions/config/outside.ts';
import { readEnv } from '../../functions/env.ts';
import { ConfigError } from '../../lib/config/error.ts';
import { fakeIntune } from '../support/intune/fake.ts';
import { commonProfile, deviceRequest } from '../support/intune/profile.ts';
import { rsaPrivateKey } from '../support/rsa-keys.ts';

const intune = fakeIntune({ now: () => Date.now() });
const own = globalThis.fetch;
globalThis.fetch = intune.fetch;
after(() => {
  globalThis.fetch = own;
});

const opened = (validators: object) =>
  openOutside(
    readEnv({
      SCEPTER_CONFIG: JSON.stringify({
        publicUrl: 'https://scep.example',
        cas: { default: { subject: 'CN=CA' } },
        validators,
        endpoints: { default: { ca: 'default' } },
      }),
    }),
  );

const { tenant, clientId } = intune;
const contoso = { kind: 'intune', tenant, clientId, clientSecret: 'env:INTUNE_SECRET_OF_A_TEST' };
const hook = { kind: 'webhook', url: 'https://hook.example/', secret: 'env:HOOK_SECRET_OF_A_TEST' };

describe('validators of a configuration', () => {
  test('Intune has its secret, and the places of the public cloud unless others are given', async () => {
    process.env.INTUNE_SECRET_OF_A_TEST = [...intune.secrets][0];
    const { validators } = await opened({ contoso });
    const csr = deviceRequest(rsaPrivateKey(2048), commonProfile, intune.challenge());
    const question = { requestHash: 'h', endpoint: 'default', transactionID: 't', csr };
    const answer = await validators
      .get('contoso')
      ?.validate({ ...question, until: Date.now() + 8000 });
    assert.deepEqual(answer, { allow: true });
    assert.deepEqual(Object.keys(validators.get('contoso') ?? {}).toSorted(), [
      ...['notify', 'refused', 'revocations', 'validate'],
    ]);
  });

  test('a webhook is told of certificates only where the configuration says so', async () => {
    process.env.HOOK_SECRET_OF_A_TEST = Buffer.alloc(32, 7).toString('base64');
    const { validators } = await opened({ hook, told: { ...hook, notify: true } });
    assert.deepEqual([...validators.keys()], ['hook', 'told']);
    assert.equal(validators.get('hook')?.notify, undefined);
    assert.ok(validators.get('told')?.notify);
  });

  test('a secret that is not there is told by its variable', async () => {
    delete process.env.INTUNE_SECRET_OF_A_TEST;
    await assert.rejects(opened({ contoso }), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(
        error.message,
        /validators\.contoso\.clientSecret: .*INTUNE_SECRET_OF_A_TEST is not set/,
      );
      return true;
    });
  });

  test('a secret that nothing can be signed with is told by its field', async () => {
    const { clientSecret: _, ...given } = contoso;
    const certified = { ...given, clientCertificate: 'env:INTUNE_SECRET_OF_A_TEST' };
    process.env.INTUNE_SECRET_OF_A_TEST = 'hunter2';
    process.env.HOOK_SECRET_OF_A_TEST = 'hunter2';
    for (const [validators, sentence] of [
      [{ contoso: certified }, /^validators\.contoso\.clientCertificate: .* must be PEM with/],
      [{ hook }, /^validators\.hook\.secret: .* must hold base64 of at least 16 octets/],
    ] as const) {
      await assert.rejects(opened(validators), (error) => {
        assert.ok(error instanceof ConfigError);
        assert.match(error.message, sentence);
        assert.doesNotMatch(error.message, /hunter2/);
        return true;
      });
    }
  });
});
