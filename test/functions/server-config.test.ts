// A server whose configuration is changed between two starts: its CAs go on as they were made, and what the
// configuration says otherwise is said.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePort, run, startServer, temporary } from '../support/process.ts';

const dataDir = join(temporary('server-config'), 'data');
const port = await freePort();
const publicUrl = `http://127.0.0.1:${port}`;
const one = { subject: 'CN=One', key: 'ec:P-256' };
const two = { subject: 'CN=Two', key: 'ec:P-256' };

const envFor = (cas: Readonly<Record<string, object>>) => ({
  SCEPTER_DATA_DIR: dataDir,
  PORT: String(port),
  SCEPTER_CONFIG: JSON.stringify({
    publicUrl,
    cas,
    endpoints: Object.fromEntries(Object.keys(cas).map((ca) => [ca, { ca }])),
  }),
});
type Env = ReturnType<typeof envFor>;

const caKeys = () =>
  readdirSync(join(dataDir, 'keys'))
    .filter((name) => /^ca-.*\.p8$/.test(name))
    .map((name) => name.replace(/-[0-9a-f]{8}\.p8$/, ''))
    .sort();

/** What it answers and says while it runs with this configuration. */
async function served(env: Env, paths: readonly string[]) {
  const server = await startServer(env);
  try {
    const answers = await Promise.all(paths.map((path) => fetch(server.url + path)));
    const status = await run('bin/scepter.js', ['status'], { env });
    return { answers: answers.map((one) => one.status), status, logged: server.logged() };
  } finally {
    await server.stop();
  }
}

test('a CA that is taken out, renamed or changed in the configuration goes on as it was made, until it is retired', async () => {
  const paths = ['/crl/one.crl', '/crl/two.crl'];
  const first = await served(envFor({ one, two }), paths);
  assert.deepEqual([first.answers, first.status.code], [[200, 200], 0], first.status.out);
  assert.doesNotMatch(first.logged, /ca\.warning/);
  assert.deepEqual(caKeys(), ['ca-one', 'ca-two']);

  const changed = await served(envFor({ one: { ...one, validity: '90d' } }), paths);
  assert.deepEqual([changed.answers, changed.status.code], [[200, 200], 1]);
  for (const said of [changed.status.out, changed.logged]) {
    assert.match(
      said,
      /the configuration has the validity \W*90d\W*, and it was made with \W*3650d/,
    );
    assert.match(said, /the configuration does not name it: it issues nothing and its CRL goes on/);
  }

  const renamed = envFor({ one, second: two });
  const scep = '/scep/second?operation=GetCACert';
  const other = await served(renamed, [...paths, '/scep/one?operation=GetCACert', scep]);
  assert.deepEqual([other.answers, other.status.code], [[200, 200, 200, 503], 1]);
  for (const said of [other.status.out, other.logged]) {
    assert.match(
      said,
      /it has not been made, because \W*two\W* exists and the configuration does not name it/,
    );
  }
  assert.deepEqual(caKeys(), ['ca-one', 'ca-two'], 'no CA was made silently');

  const cli = (...args: string[]) => run('bin/scepter.js', args, { env: renamed });
  const retired = await cli('ca', 'retire', 'two', '--yes');
  assert.equal(retired.code, 0, retired.err);
  const made = await served(renamed, [...paths, scep]);
  assert.deepEqual([made.answers, made.status.code], [[200, 404, 200], 0], made.status.out);
  assert.deepEqual(caKeys(), ['ca-one', 'ca-second', 'ca-two']);
});
