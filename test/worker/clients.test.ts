// Real clients against the Worker as `wrangler dev` runs it: they enrol, poll and renew; an operator
// decides and revokes over the admin API; the cron trigger publishes.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Certmonger, subjectOf } from '../interop/clients/certmonger.ts';
import * as micromdm from '../interop/clients/micromdm.ts';
import * as strongswan from '../interop/clients/strongswan.ts';
import { checkCertificate, openssl, serialOf } from '../interop/openssl.ts';
import { onlyMisplaced } from '../support/doctor.ts';
import { run, temporary } from '../support/process.ts';
import { answered } from '../support/server-process.ts';
import { startWorker, type WorkerProcess } from '../support/wrangler-dev.ts';
import { adminToken, type WorkerWorld, workerWorld } from './world.ts';

let world: WorkerWorld;
let worker: WorkerProcess;

before(async () => {
  world = await workerWorld();
  worker = await startWorker({ env: world.env });
});
after(() => worker?.stop());

/** `scepter`, as whoever has the admin token of the Worker. */
async function cli<T>(...args: readonly string[]): Promise<T> {
  const env = { SCEPTER_URL: worker.url, SCEPTER_TOKEN: adminToken };
  const { code, out, err } = await run('functions/cli.ts', [...args, '--json'], { env });
  assert.equal(code, 0, err);
  return JSON.parse(out) as T;
}
const challenges: string[] = [];
async function challengeFor(endpoint: string): Promise<string> {
  type Made = { readonly challenge: string };
  const { challenge } = await cli<Made>('challenge', 'create', '--endpoint', endpoint);
  challenges.push(challenge);
  return challenge;
}

type Held = { readonly certificate: string; readonly key: string; readonly ca: strongswan.CaFiles };
let held: Held;

describe('strongSwan', () => {
  test('strongSwan enrols, and renews with its certificate', async () => {
    const folder = temporary('worker-strongswan');
    const url = `${worker.url}/scep`;
    const ca = await strongswan.fetchCa(url, folder);
    const dn = 'C=US, O=Interop, CN=edge';
    const password = await challengeFor('default');
    const first = await strongswan.enrol({ url, ca, folder, dn, password });
    assert.equal(first.ran.code, 0, first.ran.stderr);
    const expected = { ca: ca.ca, subject: 'CN=edge,O=Interop,C=US' };
    await checkCertificate({ ...first, ...expected });
    const second = await strongswan.renew({ url, ca, folder, dn, old: first });
    assert.equal(second.ran.code, 0, second.ran.stderr);
    await checkCertificate({ ...second, ...expected });
    assert.notEqual(await serialOf(second.certificate), await serialOf(first.certificate));
    held = { ...second, ca };
  });

  test('strongSwan polls until an approver has decided', async () => {
    const folder = temporary('worker-polls');
    const url = `${worker.url}/scep/waits`;
    const ca = await strongswan.fetchCa(url, folder);
    // Whoever made the challenge approves nothing on it.
    const password = await world.lab.challenge({ endpoint: 'waits' });
    challenges.push(password);
    const enrolling = strongswan.enrol({
      ...{ url, ca, folder, dn: 'C=US, O=Interop, CN=waits', password },
      options: ['--interval', '1', '--maxpolltime', '60'],
    });
    type Listed = { transactions: readonly { readonly id: string }[] };
    const pending = async () =>
      (await cli<Listed>('txn', 'list', '--endpoint', 'waits', '--state', 'pending')).transactions;
    const { id } = await answered(async () => (await pending())[0] ?? assert.fail('nothing waits'));
    await cli('txn', 'approve', id, '--reason', 'test');
    const { ran, ...files } = await enrolling;
    assert.equal(ran.code, 0, ran.stderr);
    await checkCertificate({ ...files, ca: ca.ca, subject: 'CN=waits,O=Interop,C=US' });
  });
});

test('scepclient enrols with DES and SHA-1, where an endpoint takes them', async () => {
  const folder = temporary('worker-micromdm');
  const asked = { cn: 'old', challenge: await challengeFor('legacy'), folder };
  const enrolled = await micromdm.enrol({ url: `${worker.url}/scep/legacy`, ...asked });
  assert.equal(enrolled.ran.code, 0, enrolled.ran.stderr);
  await checkCertificate({ ...enrolled, ca: held.ca.ca, subject: micromdm.subjectOf('old') });
});

test('scepter doctor finds nothing to mend', () =>
  onlyMisplaced(`${worker.url}/scep`, 'http://scep.test'));

test('certmonger enrols by GET', async () => {
  const daemon = await Certmonger.start(temporary('worker-certmonger'));
  try {
    await daemon.addCa('edge', `${worker.url}/scep`);
    const { written, subject } = subjectOf('monger');
    const folder = temporary('worker-monger');
    const challenge = await challengeFor('default');
    const wanted = { ca: 'edge', id: 'edge', folder, subject: written, challenge };
    const enrolled = await daemon.request(wanted);
    assert.equal(enrolled.status, 'MONITORING', enrolled.ran.stderr);
    await checkCertificate({ ...enrolled, ca: held.ca.ca, subject });
  } finally {
    await daemon.stop();
  }
});

test('the cron trigger publishes a CRL with what was revoked; it is served from the cache', async () => {
  const serial = await serialOf(held.certificate);
  await cli('cert', 'revoke', serial, '--reason', 'superseded');
  await worker.upkept();
  // wrangler passes on what a Worker logs in its own time.
  await answered(() => {
    const tasks = worker.logged('upkeep.done').map(({ task }) => task);
    assert.deepEqual(tasks.toSorted(), [
      ...[
        'crl default',
        'expiry default',
        'lint default',
        'logs',
        'search',
        'search late',
        'sweep',
      ],
    ]);
  });
  const path = `${worker.url}/crl/default.crl`;
  const first = await fetch(path);
  const file = join(temporary('worker-crl'), 'default.crl');
  await writeFile(file, new Uint8Array(await first.arrayBuffer()));
  const shown = await openssl(['crl', '-inform', 'DER', '-in', file, '-noout', '-text']);
  const serials = [...shown.toString().matchAll(/Serial Number: (\w+)/g)].map(([, one]) => one);
  assert.deepEqual(serials, [serial.toUpperCase()]);
  const from = world.calls.length;
  const again = await fetch(`${path}?whatever`);
  assert.deepEqual(Buffer.from(await again.arrayBuffer()), await readFile(file));
  const etag = first.headers.get('etag') ?? '';
  const known = await fetch(path, { headers: { 'if-none-match': etag } });
  assert.equal(known.status, 304);
  assert.equal(world.calls.length, from, 'AWS was asked for what is in the cache');
});

test('the rate limit binding of wrangler.jsonc answers a flood with 429', async () => {
  const limit = 400;
  // wrangler counts anew with every minute of the clock, which may turn on the way to the first limit.
  let answer = await fetch(`${worker.url}/healthz`);
  for (let asked = 1; answer.status !== 429 && asked <= 2 * limit; asked++) {
    assert.equal(answer.status, 200);
    await answer.text();
    answer = await fetch(`${worker.url}/healthz`);
  }
  assert.equal(answer.status, 429);
  assert.equal(await answer.text(), 'too many requests, try again later\n');
  assert.equal(answer.headers.get('retry-after'), '60');
});

test('the log has no outage, no challenge and no token', () => {
  for (const event of ['http.outage', 'start.failed', 'upkeep.failed', 'http.uncounted']) {
    assert.deepEqual(worker.logged(event), []);
  }
  assert.equal(challenges.length, 4);
  for (const secret of [...challenges, adminToken]) assert.ok(!worker.printed().includes(secret));
});
