// A backup of a CA that has got more partitions since: the CRLs that it published go on, those of the new generation too.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { backupsOf } from '../../functions/backup/backups.ts';
import { readEnv } from '../../functions/env.ts';
import { openEmbedded } from '../../functions/node/embedded.ts';
import { type Bytes, hex } from '../../lib/base/bytes.ts';
import { createChallenge } from '../../lib/ca/challenge/challenges.ts';
import { crlNames, partitionOf } from '../../lib/ca/revoke/partitions.ts';
import { publishCrls } from '../../lib/ca/revoke/publish-crl.ts';
import { raisePartitions } from '../../lib/ca/revoke/raise-partitions.ts';
import { revoke } from '../../lib/ca/revoke/revoke.ts';
import { checkConfig } from '../../lib/config/config.ts';
import { makeApp } from '../../lib/http/app.ts';
import { generateKey, readCaCertificates } from '../../lib/protocol/scep/client/client.ts';
import { readCertificate } from '../../lib/x509/certificate.ts';
import { readCrlHead } from '../../lib/x509/crl-head.ts';
import { crlEntries, describeCrlEntry } from '../../lib/x509/describe/describe.ts';
import { enrolment } from '../support/messages.ts';
import { temporary } from '../support/process.ts';

const actor = { kind: 'admin', id: 'tester' } as const;
const document = (crlPartitions: number) => ({
  publicUrl: 'http://backup.test',
  cas: { default: { subject: 'CN=Backup CA', key: 'ec:P-256', crlPartitions } },
  endpoints: { default: { ca: 'default' } },
});
const envOf = (dataDir: string, partitions: number) =>
  readEnv({
    SCEPTER_DATA_DIR: dataDir,
    SCEPTER_CONFIG: JSON.stringify(document(partitions)),
  });

async function openServer(dataDir: string, partitions: number) {
  const config = checkConfig(document(partitions));
  const { deps, close } = await openEmbedded(envOf(dataDir, partitions), config, () => {});
  const { fetch } = makeApp(deps);
  const announced = readCaCertificates((await deps.cas.of('default')).bag);
  const endpoint = config.endpoints.get('default') ?? assert.fail();
  return {
    ...{ deps, close, config },
    async enrolled(subject: string): Promise<Bytes> {
      const wanted = { binding: { names: [] }, uses: 1, ttlMs: endpoint.challengeTtlMs };
      const { challenge } = await createChallenge(deps, endpoint, wanted, { actor });
      const key = await generateKey({ type: 'EC', curve: 'P-256' });
      const sent = await enrolment({ announced, clock: Date }, { challenge, key, subject });
      const url = 'http://backup.test/scep?operation=PKIOperation';
      const response = await fetch(new Request(url, { method: 'POST', body: sent.message }));
      const answer = await sent.read(new Uint8Array(await response.arrayBuffer()));
      assert.ok(answer.pkiStatus === 'SUCCESS', JSON.stringify(answer));
      return answer.certificates[0] ?? assert.fail();
    },
    issuer: () => deps.cas.issuer('default'),
  };
}

test('what a generation of partitions has revoked that came after the backup is revoked after the restore', async () => {
  const root = temporary('backup-partitions');
  const dataDir = join(root, 'data');
  (await openServer(dataDir, 2)).close();
  const path = join(root, 'one.backup');
  const nobody = () => assert.fail('no server runs');
  const making = { passphrase: undefined, askServer: nobody, sleep: nobody };
  await backupsOf(envOf(dataDir, 2)).make(path, making);

  const server = await openServer(dataDir, 3);
  const { deps } = server;
  const operator = deps.operator ?? assert.fail();
  await raisePartitions(operator, { id: 'default', crlPartitions: 3 }, actor);
  deps.cas.reload();
  const certificate = readCertificate(await server.enrolled('CN=later'));
  const serial = hex(certificate.serial);
  const issuer = await server.issuer();
  const partition = partitionOf(issuer, certificate) ?? assert.fail();
  assert.match(partition, /^2-[0-2]$/);
  await revoke(deps, { ca: 'default', serial, reason: 'superseded', actor });
  for (let i = 0; i < 3; i++) await publishCrls(deps, issuer, { actor });
  const published = await Promise.all(crlNames(issuer).map((name) => deps.crls.newest(name)));
  server.close();

  const back = join(root, 'back');
  const crls = published.map((crl, at) => ({ name: `${at}.crl`, der: crl?.der ?? assert.fail() }));
  const restoring = { passphrase: undefined, crls, withoutCrl: false };
  const { cas } = await backupsOf(envOf(back, 3)).restore(path, restoring);
  assert.deepEqual(
    cas.map(({ revoked, known }) => ({ revoked, known })),
    [{ revoked: [serial], known: true }],
  );
  const again = await openServer(back, 3);
  const restored = await again.issuer();
  assert.deepEqual(restored.partitions, issuer.partitions);
  for (const [at, name] of crlNames(restored).entries()) {
    const crl = (await again.deps.crls.newest(name)) ?? assert.fail(name);
    const before = readCrlHead(crls[at]?.der ?? assert.fail())?.number ?? Number.NaN;
    assert.ok(crl.number > before, `${name}: ${crl.number} after ${before}`);
    assert.deepEqual(
      crlEntries(crl.der).map((one) => describeCrlEntry(one).serial),
      name === `default/${partition}` ? [serial] : [],
    );
  }
  again.close();
});
