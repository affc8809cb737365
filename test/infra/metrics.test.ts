// /metrics as Prometheus's own parser reads it: every sample belongs to a family with a type and a help text.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { families, Metrics } from '../../lib/ca/metrics.ts';
import { makeApp } from '../../lib/http/app.ts';
import { countedLog, gauges } from '../../lib/http/metrics.ts';
import { makeLab } from '../support/lab.ts';
import { enrolment } from '../support/messages.ts';
import { python } from './templates.ts';

const script = `
import json, sys
from prometheus_client.parser import text_string_to_metric_families
print(json.dumps([[one.name, one.type, one.documentation, len(one.samples)]
  for one in text_string_to_metric_families(sys.stdin.read())]))`;

test("Prometheus's client library reads every family of /metrics, with its type", async () => {
  const lab = await makeLab();
  const metrics = new Metrics(lab.clock);
  const app = makeApp({
    ...lab.deps,
    metrics,
    log: countedLog(metrics, lab.deps.log),
    store: metrics.store(lab.deps.store),
    signer: metrics.signer(lab.deps.signer),
  });
  const challenge = await lab.challenge();
  const { message } = await enrolment(lab, { challenge });
  const url = 'http://scep.test/scep?operation=PKIOperation';
  await app.fetch(new Request(url, { method: 'POST', body: message }));
  const headers = { authorization: `Bearer ${lab.adminToken}` };
  const response = await app.fetch(new Request('http://scep.test/metrics', { headers }));
  const said = execFileSync(join(python, 'python'), ['-c', script], {
    input: await response.text(),
    encoding: 'utf8',
  });
  const found = new Map(
    (JSON.parse(said) as [string, string, string, number][]).map(([name, ...rest]) => [name, rest]),
  );
  for (const [name, { type, help }] of Object.entries(families)) {
    // The library leaves a counter's suffix to its samples.
    const [kind, told, samples = 0] = found.get(name.replace(/_total$/, '')) ?? [];
    assert.deepEqual([kind, told], [type, help], name);
    if (name !== 'scepter_store_errors_total') assert.ok(samples > 0, name);
  }
  for (const name of Object.keys(gauges)) assert.equal(found.get(name)?.[0], 'gauge', name);
});
