// /metrics: who may read it, what it counts, and that the dashboard asks for nothing that is not there.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { roles } from '../../lib/base/words.ts';
import { families, Metrics, seriesOf } from '../../lib/ca/metrics.ts';
import { makeApp } from '../../lib/http/app.ts';
import { countedLog, gauges } from '../../lib/http/metrics.ts';
import { tokenOf } from '../support/api.ts';
import { makeLab } from '../support/lab.ts';
import { enrolment } from '../support/messages.ts';

const lab = await makeLab();
const metrics = new Metrics(lab.clock);
const deps = {
  ...lab.deps,
  metrics,
  log: countedLog(metrics, lab.deps.log),
  store: metrics.store(lab.deps.store),
  signer: metrics.signer(lab.deps.signer),
};
const app = makeApp(deps);
const scrape = (token?: string, path = '/metrics') =>
  app.fetch(
    new Request(`http://scepter.test${path}`, {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    }),
  );
const numbers = async (): Promise<ReadonlyMap<string, number>> =>
  new Map(
    (await (await scrape(lab.adminToken)).text())
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]),
  );

test('nobody reads it without a token, and Prometheus gets its own media type', async () => {
  assert.equal((await scrape()).status, 401);
  assert.equal((await scrape('x'.repeat(40))).status, 401);
  const response = await scrape(lab.adminToken);
  assert.equal(response.status, 200);
  const type = 'text/plain; version=0.0.4; charset=utf-8';
  assert.equal(response.headers.get('content-type'), type);
  assert.equal(response.headers.get('cache-control'), 'no-store');
});

test('of the roles, admin and auditor read it; approver and challenger get 403', async () => {
  for (const role of roles) {
    const { status } = await scrape(await tokenOf(lab.deps.store, role));
    assert.equal(status, ['admin', 'auditor'].includes(role) ? 200 : 403, role);
  }
});

test('a process that counts nothing has no such path', async () => {
  const response = await lab.fetch('/metrics');
  assert.equal(response.status, 404);
});

test('an enrolment and a refusal are counted: message, code, events, signature, store, HTTP', async () => {
  const send = async (challenge: string) => {
    const { message } = await enrolment(lab, { challenge });
    const url = 'http://scepter.test/scep?operation=PKIOperation';
    await app.fetch(new Request(url, { method: 'POST', body: message }));
  };
  const before = await numbers();
  await send(await lab.challenge());
  await send('never-made-never-made-never');
  const after = await numbers();
  const more = (series: string) => (after.get(series) ?? 0) - (before.get(series) ?? 0);
  const operation = { endpoint: 'default', type: 'PKCSReq' };
  const operations = 'scepter_pki_operations_total';
  assert.equal(more(seriesOf(operations, { ...operation, status: 'SUCCESS', code: '' })), 1);
  const refused = [...after.keys()].filter((one) => /status="FAILURE",code="SCEP-\d+"/.test(one));
  assert.equal(refused.length, 1);
  assert.equal(more('scepter_events_total{type="certificate.issued"}'), 1);
  assert.equal(more('scepter_signature_duration_seconds_count{outcome="ok"}'), 1);
  assert.ok(more('scepter_store_duration_seconds_count{call="write",outcome="ok"}') >= 2);
  assert.equal(more('scepter_http_request_duration_seconds_count{part="scep",status="200"}'), 2);
});

test('a store that fails is counted', async () => {
  const broken = metrics.store({
    ...lab.deps.store,
    read: () => Promise.reject(new Error('no disk')),
  });
  await assert.rejects(broken.read([]));
  assert.equal((await numbers()).get('scepter_store_errors_total{call="read"}'), 1);
});

test('times fall into cumulative buckets, and what was sent becomes no label', async () => {
  const own = new Metrics(lab.clock);
  for (const ms of [4, 5, 6, 20_000]) own.observe('scepter_signature_duration_seconds', {}, ms);
  const log = countedLog(own, () => {});
  log({
    event: 'scep.pkiOperation',
    severity: 'info',
    endpoint: 'default',
    messageType: 'x"}\n1',
    pkiStatus: 'FAILURE',
  });
  const text = own.print();
  assert.match(text, /_bucket\{le="0\.005"\} 2\n/);
  assert.match(text, /_bucket\{le="0\.01"\} 3\n/);
  assert.match(text, /_bucket\{le="\+Inf"\} 4\n/);
  assert.match(text, /type="other"/);
  assert.equal(seriesOf('a', { b: 'c\\"\n' }), 'a{b="c\\\\\\"\\n"}');
});

test('CAs, CRLs and the store are as "scepter status" tells them', async () => {
  const found = await numbers();
  const crl = await lab.deps.crls.newest('default');
  assert.equal(found.get('scepter_crl_number{ca="default"}'), crl?.number);
  const { notAfter } = await lab.deps.cas.certificate('default');
  assert.equal(found.get('scepter_ca_not_after_timestamp_seconds{ca="default"}'), notAfter / 1000);
  assert.equal(found.get('scepter_store_writable{}'), 1);
  assert.equal(found.get('scepter_store_reachable{}'), 1);
  assert.ok(found.has('scepter_ra_not_after_timestamp_seconds{ca="default"}'));
});

test('the dashboard and the alerts of the guide ask only for metrics that there are', () => {
  const docs = join(import.meta.dirname, '..', '..', 'docs');
  const known = new Set(Object.keys(gauges));
  for (const [name, { type }] of Object.entries(families)) {
    const parts = type === 'histogram' ? ['', '_bucket', '_sum', '_count'] : [''];
    for (const part of parts) known.add(name + part);
  }
  const board = readFileSync(join(docs, 'grafana-dashboard.json'), 'utf8');
  const { panels } = JSON.parse(board) as {
    panels: { targets: { expr: string }[] }[];
  };
  const asked = [
    ...panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
    readFileSync(join(docs, 'production.md'), 'utf8'),
  ].flatMap((text) => text.match(/\bscepter_\w+/g) ?? []);
  assert.ok(panels.length >= 10 && asked.length >= panels.length);
  for (const name of asked) assert.ok(known.has(name), name);
  for (const name of Object.keys(gauges)) {
    if (!['scepter_store_reachable', 'scepter_crl_number'].includes(name)) {
      assert.ok(board.includes(name), `the dashboard shows ${name}`);
    }
  }
});
