// The server of `npm start` whose configuration names Intune: a device enrols by Intune's challenge, Intune is told of the
// certificate, and what it orders revoked is revoked.

import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readEnv } from '../../functions/env.ts';
import { openEmbedded } from '../../functions/node/embedded.ts';
import { concat } from '../../lib/base/bytes.ts';
import { jobsOf } from '../../lib/ca/jobs.ts';
import { certificateKey } from '../../lib/ca/record/keys.ts';
import { checkConfig } from '../../lib/config/config.ts';
import { makeApp } from '../../lib/http/app.ts';
import type { LogEntry } from '../../lib/ports/log.ts';
import { importKey, readCaCertificates } from '../../lib/protocol/scep/client/client.ts';
import { fakeIntune } from '../support/intune/fake.ts';
import { commonProfile, deviceRequest } from '../support/intune/profile.ts';
import { enrolment } from '../support/messages.ts';
import { temporary } from '../support/process.ts';
import { rsaPrivateKey } from '../support/rsa-keys.ts';

const intune = fakeIntune({ now: () => Date.now() });
const [secret = ''] = intune.secrets;
const own = globalThis.fetch;
globalThis.fetch = intune.fetch;
process.env.INTUNE_SECRET = secret;
const dataDir = temporary('intune');
after(() => {
  globalThis.fetch = own;
  delete process.env.INTUNE_SECRET;
  rmSync(dataDir, { recursive: true });
});

const { tenant, clientId } = intune;
const document = {
  publicUrl: 'http://intune.test',
  cas: { default: { subject: 'CN=Intune CA', key: 'ec:P-256' } },
  validators: { contoso: { kind: 'intune', tenant, clientId, clientSecret: 'env:INTUNE_SECRET' } },
  endpoints: {
    default: {
      ca: 'default',
      enrol: { authorize: ['contoso'] },
      renew: { authorize: ['contoso'] },
    },
  },
};

test('a device of Intune enrols, and its certificate is revoked when Intune orders it', async () => {
  const log: LogEntry[] = [];
  const env = readEnv({ SCEPTER_DATA_DIR: dataDir, SCEPTER_CONFIG: JSON.stringify(document) });
  const config = checkConfig(document);
  const { deps, close } = await openEmbedded(env, config, (entry) => log.push(entry));
  try {
    const announced = readCaCertificates((await deps.cas.of('default')).bag);
    const rsa = rsaPrivateKey(2048);
    const key = await importKey(concat([rsa.export({ type: 'pkcs8', format: 'der' })]));
    assert.ok(key);
    const challenge = intune.challenge();
    const plaintext = deviceRequest(rsa, commonProfile, challenge);
    const sent = await enrolment({ announced, clock: Date }, { key, plaintext });
    const url = 'http://intune.test/scep?operation=PKIOperation';
    const request = new Request(url, { method: 'POST', body: sent.message });
    const answer = await makeApp(deps).fetch(request);
    const result = await sent.read(new Uint8Array(await answer.arrayBuffer()));
    assert.ok(result.pkiStatus === 'SUCCESS', JSON.stringify(result));
    const { serialNumber } = new X509Certificate(result.certificates[0] ?? concat([]));
    assert.equal(intune.successes[0]?.certificateSerialNumber, serialNumber);
    const order = (requestContext: string, of: string) => ({
      ...{ requestContext, serialNumber: of, issuerName: 'CN=Intune CA' },
      caConfiguration: 'default',
    });
    intune.orders.push(order('wiped', serialNumber), order('strange', '0123456789ABCDEF'));
    const job = jobsOf(deps).find(({ name }) => name === 'revocations contoso');
    assert.deepEqual(await job?.run(), { revoked: 1, failed: 1 });
    assert.deepEqual(
      intune.results.map(({ requestContext, errorCode }) => `${requestContext} ${errorCode}`),
      ['wiped 0', 'strange 4004'],
    );
    assert.deepEqual(intune.orders, []);
    const at = certificateKey('default', serialNumber.toLowerCase());
    const [record] = await deps.store.read([{ kind: 'certificate', key: at }]);
    assert.equal(Object(record?.record).state, 'revoked');
    // Neither the log nor a file has the secret, a token, or the challenge.
    const tokens = intune.calls.flatMap(({ headers }) => headers.authorization?.slice(7) ?? []);
    const files = readdirSync(dataDir, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => readFileSync(join(dataDir, name)));
    assert.ok(files.length > 1 && tokens.length > 3);
    for (const hidden of [secret, challenge, ...tokens]) {
      assert.ok(!JSON.stringify(log).includes(hidden));
      for (const file of files) assert.ok(!file.includes(hidden));
    }
  } finally {
    close();
  }
});
