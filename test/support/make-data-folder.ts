// Makes the data folder of an embedded server that `test/functions/upgrade.test.ts` opens with the present code, as
// this release leaves one: `node test/support/make-data-folder.ts`. A folder of a release that is out is never made
// anew: it stays as it is, and the next release has one of its own beside it.

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openDatabaseFile } from '../../functions/node/database.ts';
import { openEmbedded } from '../../functions/node/embedded.ts';
import { base64, hex } from '../../lib/base/bytes.ts';
import { createChallenge } from '../../lib/ca/challenge/challenges.ts';
import { sequenceAll } from '../../lib/ca/log/sequence.ts';
import { publishCrl } from '../../lib/ca/revoke/publish-crl.ts';
import { revoke } from '../../lib/ca/revoke/revoke.ts';
import { checkConfig } from '../../lib/config/config.ts';
import { makeApp } from '../../lib/http/app.ts';
import { operatorHandlers } from '../../lib/http/operator/handlers.ts';
import { readCaCertificates } from '../../lib/protocol/scep/client/client.ts';
import { fingerprint, readCertificate } from '../../lib/x509/certificate.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { deviceKey } from './keys.ts';
import { enrolment } from './messages.ts';

const folder = join(import.meta.dirname, '..', 'vectors', 'data-folders', packageJson.version);
const document = {
  publicUrl: 'http://upgrade.test',
  cas: {
    default: { subject: 'CN=Upgrade CA', key: 'ec:P-256', validity: '18250d' },
    other: { subject: 'CN=Other CA', key: 'rsa:2048', validity: '18250d' },
  },
  endpoints: {
    default: { ca: 'default' },
    waiting: { ca: 'default', approval: 'always' },
    other: { ca: 'other' },
  },
};
const config = checkConfig(document);
const actor = { kind: 'admin', id: 'tester' } as const;

rmSync(folder, { recursive: true, force: true });
const env = { dataDir: folder, table: undefined, sealingKey: undefined, deployment: undefined };
const { deps, close } = await openEmbedded(env, config, () => {});
const app = makeApp(deps, operatorHandlers);

async function enrol(name: string, device: string) {
  const endpoint = config.endpoints.get(name);
  if (!endpoint) throw new Error(name);
  const announced = readCaCertificates((await deps.cas.of(endpoint.ca)).bag);
  const wanted = { binding: { names: [] }, uses: 1, ttlMs: endpoint.challengeTtlMs };
  const { challenge } = await createChallenge(deps, endpoint, wanted, { actor });
  const key = deviceKey(device, { type: 'EC', curve: 'P-256' });
  const subject = `CN=${device},O=Upgrade`;
  const sent = await enrolment({ announced, clock: Date }, { challenge, key: await key, subject });
  const url = `${document.publicUrl}/scep/${name}?operation=PKIOperation`;
  const answer = await app.fetch(new Request(url, { method: 'POST', body: sent.message }));
  const result = await sent.read(new Uint8Array(await answer.arrayBuffer()));
  const der = result.pkiStatus === 'SUCCESS' ? result.certificates[0] : undefined;
  return { sent, serial: der ? hex(readCertificate(der).serial) : '' };
}

const good = await enrol('default', 'good');
const revoked = await enrol('default', 'revoked');
const held = await enrol('default', 'held');
const elsewhere = await enrol('other', 'elsewhere');
const waiting = await enrol('waiting', 'waiting');
for (const [{ serial }, reason] of [
  [revoked, 'keyCompromise'],
  [held, 'certificateHold'],
] as const) {
  await revoke(deps, { ca: 'default', serial, reason, actor });
}
const crl = await publishCrl(deps, await deps.cas.issuer('default'), { actor });
const open = config.endpoints.get('default');
if (!open) throw new Error('default');
const wanted = { binding: { subject: 'CN=open', names: [] }, uses: 2, ttlMs: 3_600_000 };
const { id: challenge } = await createChallenge(deps, open, wanted, { actor });
const headers = {
  authorization: `Bearer ${readFileSync(join(folder, 'token'), 'utf8').trim()}`,
  'content-type': 'application/json',
  'idempotency-key': crypto.randomUUID(),
};
const body = JSON.stringify({ name: 'auditor', roles: ['auditor'] });
const asked = new Request(`${document.publicUrl}/api/v1/tokens`, { method: 'POST', headers, body });
const { token } = (await (await app.fetch(asked)).json()) as { readonly token: string };
const { sequencing: logs } = deps;
if (!logs) throw new Error('this process sequences nothing');
await sequenceAll({ ...deps, logs });
const fingerprints: Record<string, string> = {};
for (const id of config.cas.keys()) {
  fingerprints[id] = fingerprint((await deps.cas.of(id)).certificate.der);
}
const known = {
  madeAt: Date.now(),
  ...{ document, fingerprints, crl: crl.number, challenge, token },
  serials: {
    good: good.serial,
    revoked: revoked.serial,
    held: held.serial,
    elsewhere: elsewhere.serial,
  },
  /** A request that waits for an approver, as it was sent. */
  waiting: base64(waiting.sent.message),
};
close();
// One file, without the log of its writes.
(await openDatabaseFile(folder)).close();
writeFileSync(join(folder, 'known.json'), `${JSON.stringify(known, null, 2)}\n`);
