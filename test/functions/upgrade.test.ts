// Data folders of every release, opened by the present code: nothing of what they hold is lost. docs/upgrade.md
// promises it; `test/support/make-data-folder.ts` has made them.

import assert from 'node:assert/strict';
import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openEmbedded } from '../../functions/node/embedded.ts';
import { fromBase64 } from '../../lib/base/bytes.ts';
import { AnsweringCas } from '../../lib/ca/authority/ca-certificates.ts';
import { sequenceAll } from '../../lib/ca/log/sequence.ts';
import { logStates } from '../../lib/ca/log/states.ts';
import { indexFresh } from '../../lib/ca/query/keep-index.ts';
import { checkConfig } from '../../lib/config/config.ts';
import { verifyTree } from '../../lib/events/verify.ts';
import { makeApp } from '../../lib/http/app.ts';
import { operatorHandlers } from '../../lib/http/operator/handlers.ts';
import { crlEntries, describeCrlEntry } from '../../lib/x509/describe/describe.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { temporary } from '../support/process.ts';

const folders = join(import.meta.dirname, '..', 'vectors', 'data-folders');

type Named = Readonly<Record<'id' | 'serial' | 'state', string>>;

/** A server over a copy of the folder, at the moment after it was made. */
async function opened(release: string) {
  const dataDir = join(temporary('upgrade'), 'data');
  cpSync(join(folders, release), dataDir, { recursive: true });
  const text = (name: string): string => readFileSync(join(dataDir, name), 'utf8').trim();
  const known = JSON.parse(text('known.json'));
  const env = { dataDir, table: undefined, sealingKey: undefined, deployment: undefined };
  const config = checkConfig(known.document);
  const logged: string[] = [];
  const { deps, made, close } = await openEmbedded(env, config, (entry) =>
    logged.push(`${entry.severity} ${entry.event} ${entry.detail ?? ''}`),
  );
  const clock = { ...deps.clock, now: () => known.madeAt + 1000 };
  const cas = new AnsweringCas({ ...deps, clock });
  const app = makeApp({ ...deps, clock, cas }, operatorHandlers);
  const api = async (method: string, path: string, token = text('token')) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const body = method === 'POST' ? { body: '{}' } : {};
    const url = `${known.document.publicUrl}/api/v1${path}`;
    const answer = await app.fetch(new Request(url, { method, headers, ...body }));
    return { status: answer.status, json: JSON.parse(await answer.text()) };
  };
  return {
    ...{ known, made, logged, deps, app, api, close },
    crl: () => deps.crls.newest('default'),
  };
}

test('there is a data folder of the present release', () => {
  assert.ok(
    readdirSync(folders).includes(packageJson.version),
    'node test/support/make-data-folder.ts',
  );
});

for (const release of readdirSync(folders)) {
  test(`a data folder of ${release} opens: CAs, certificates, CRL, tokens, challenges, pending requests and logs go on`, async () => {
    const { known, made, logged, deps, app, api, crl, close } = await opened(release);
    assert.deepEqual(made, [], 'no CA is made in place of one that is there');
    assert.deepEqual(
      logged.filter((line) => /^(error|warning)/.test(line)),
      [],
    );
    for (const [id, sha256] of Object.entries(known.fingerprints)) {
      const { json } = await api('GET', `/cas/${id}`);
      assert.equal(json.certificate.sha256, sha256);
    }
    const states = Object.entries({
      good: 'issued',
      revoked: 'revoked',
      held: 'held',
      elsewhere: 'issued',
    }).map(([name, state]) => [known.serials[name], state]);
    const { json: listed } = await api('GET', '/certificates');
    const found = listed.certificates.map((one: Named) => [one.serial, one.state]);
    assert.deepEqual(found.sort(), states.sort());
    const last = await crl();
    assert.ok(last && last.number >= known.crl, 'the number of the CRL does not go back');
    const revoked = crlEntries(last.der).map((one) => describeCrlEntry(one).serial);
    assert.deepEqual(revoked.sort(), [known.serials.revoked, known.serials.held].sort());
    const { json: open } = await api('GET', '/challenges?state=open');
    assert.ok(open.challenges.some(({ id }: Named) => id === known.challenge));
    const asAuditor = await api('GET', '/transactions?endpoint=waiting&state=pending', known.token);
    const [{ id }] = asAuditor.json.transactions;
    const denied = await api('POST', `/transactions/${id}/approve`, known.token);
    assert.equal(denied.status, 403, 'a token keeps its role');
    assert.equal((await api('POST', `/transactions/${id}/approve`)).status, 200);
    const url = `${known.document.publicUrl}/scep/waiting?operation=PKIOperation`;
    const body = fromBase64(known.waiting);
    const answer = await app.fetch(new Request(url, { method: 'POST', body }));
    assert.equal(answer.status, 200);
    const { json: one } = await api('GET', `/transactions/${id}`);
    assert.equal(one.state, 'issued', 'a request that waited gets its certificate');
    await indexFresh(deps);
    const { json: named } = await api('GET', '/certificates?search=upgrade');
    assert.ok(named.certificates.length >= states.length, 'searches find what was there before');
    const { sequencing: logs } = deps;
    assert.ok(logs);
    await sequenceAll({ ...deps, logs });
    for (const { log, checkpoint } of await logStates({ ...deps, logs })) {
      const read = (path: string) => logs.files.read(`${log}/${path}`);
      await verifyTree({ read, entries: true }, checkpoint);
    }
    close();
  });
}
