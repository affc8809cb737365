// Plain Node with its records in a table and its keys in KMS: the real server and the real CLI, from an
// empty table on; what is missing or wrong is said in a sentence, and keeps no other CA from working.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { fromPem } from '../../lib/base/bytes.ts';
import { checkCa } from '../support/check-ca.ts';
import { freshTable, rowsOf, tableEnv } from '../support/dynamodb.ts';
import { startDynamoProxy } from '../support/dynamodb-proxy.ts';
import { openKms } from '../support/kms.ts';
import { freePort, run, startServer, temporary } from '../support/process.ts';
import { loggedIn } from '../support/workerd.ts';

const root = join(import.meta.dirname, '..', '..');

/** The environment of a deployment in which nothing has been made. */
async function deployment() {
  const [table, kms, port] = [await freshTable(), await openKms(), await freePort()];
  const document = {
    publicUrl: `http://127.0.0.1:${port}`,
    cas: {
      default: { subject: 'CN=Table CA', key: 'ec:P-256' },
      second: { subject: 'CN=Second CA', key: 'ec:P-256' },
    },
    endpoints: { default: { ca: 'default' }, second: { ca: 'second' } },
  };
  const env = {
    ...(await kms.env()),
    ...tableEnv(table),
    SCEPTER_CONFIG: JSON.stringify(document),
    SCEPTER_DATA_DIR: join(temporary('kms-server'), 'data'),
    PORT: String(port),
  };
  const cli = (...args: string[]) => run('bin/scepter.js', args, { env });
  const refused = async (more: Record<string, string | undefined>): Promise<string> => {
    const { code, err } = await run('functions/server.ts', [], { env: { ...env, ...more } });
    assert.ok(code === 1 || code === 2, err);
    return err;
  };
  return { table, kms, env, cli, refused };
}

test('ca init, enrol, a second instance and a rotation work from an empty table; a CA that is not made delays no other', async (t) => {
  const { table, env, cli, refused } = await deployment();
  assert.match(
    await refused({}),
    /^scepter: the MAC key for "registry" is not on record: run "scepter ca init", or, if it was removed, "scepter ca mac-keys --restore FILE"\n$/,
  );
  const made = await cli('ca', 'init', '--json');
  assert.equal(made.code, 0, made.err);
  const { sha256 } = JSON.parse(made.out);

  const production = { ...env, NODE_ENV: 'production' };
  const server = await startServer(production, { until: /"server\.ready"/ });
  t.after(server.stop);
  const at = `records in the DynamoDB table ${table}, keys in AWS KMS`;
  assert.equal(loggedIn(server.logged(), 'server.ready')[0]?.at, at);
  assert.equal(loggedIn(server.logged(), 'server.ca')[0]?.sha256, sha256);
  const missing = 'the CA "second" has not been initialised: run "scepter ca init second"';
  assert.ok(server.logged().includes(JSON.stringify(missing)));
  const status = async (url: string, path: string) => (await fetch(`${url}${path}`)).status;
  assert.equal(await status(server.url, '/scep/second?operation=GetCACert'), 503);
  assert.equal(await status(server.url, '/crl/default.crl'), 200);

  const out = join(temporary('enrol'), 'device');
  const enrol = async (url: string, to: string) => {
    const created = await cli('challenge', 'create', '--json');
    assert.equal(created.code, 0, created.err);
    const { challenge } = JSON.parse(created.out);
    const asked = ['--challenge', challenge, '--subject', `CN=${to}`, '--out', `${out}-${to}`];
    const { code, err } = await cli('enrol', '--url', `${url}/scep`, ...asked);
    assert.equal(code, 0, err);
  };
  await enrol(server.url, 'one');
  await doctored(env);

  // Beside it a second one, which announces the next RA key first.
  for (const step of ['--prepare', '--activate']) {
    const { code, err } = await cli('ca', 'rotate-ra', step, '--force');
    assert.equal(code, 0, err);
  }
  const port = await freePort();
  const other = await startServer({ ...env, PORT: String(port) });
  t.after(other.stop);
  const url = `http://127.0.0.1:${port}`;
  const bags = await Promise.all(
    [server.url, url].map(async (at) => {
      const reply = await fetch(`${at}/scep?operation=GetCACert`);
      return Buffer.from(await reply.arrayBuffer()).toString('base64');
    }),
  );
  assert.notEqual(bags[0], bags[1]);
  for (const [at, to] of [
    [server.url, 'two'],
    [url, 'three'],
  ] as const) {
    await enrol(at, to);
  }
  const second = await cli('ca', 'init', 'second');
  assert.equal(second.code, 0, second.err);
  for (const at of [server.url, url]) {
    assert.equal(await status(at, '/scep/second?operation=GetCACert'), 200);
  }
  await Promise.all([server.stop(), other.stop()]);
  const delivered = ['one', 'two', 'three'].flatMap((to) =>
    fromPem('CERTIFICATE', readFileSync(join(`${out}-${to}`, 'cert.pem'), 'utf8')),
  );
  checkCa(await rowsOf(table), delivered);
});

/** STS, as far as it says who somebody is. */
async function startSts(arn: string) {
  const server = createServer((_, response) => {
    const result = `<Arn>${arn}</Arn><UserId>A</UserId><Account>111122223333</Account>`;
    const body = `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>${result}</GetCallerIdentityResult></GetCallerIdentityResponse>`;
    response.writeHead(200, { 'content-type': 'text/xml' }).end(body);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, stop: () => server.close() };
}

/** What scepter doctor says of a deployment to its operator, and with settings that are wrong. */
async function doctored(env: Readonly<Record<string, string>>): Promise<void> {
  const arn = 'arn:aws:sts::111122223333:assumed-role/operator/me';
  const sts = await startSts(arn);
  const proxy = await startDynamoProxy(process.env.AWS_ENDPOINT_URL_DYNAMODB ?? '');
  try {
    const doctor = async (more: Readonly<Record<string, string>> = {}) => {
      const all = { ...env, AWS_ENDPOINT_URL_STS: sts.url, ...more };
      const { code, out, err } = await run('bin/scepter.js', ['doctor', '-o', 'json'], {
        env: all,
      });
      assert.ok(out, err);
      type Section = { findings: { check: string; mark: string; says: string }[] };
      const { sections } = JSON.parse(out) as { sections: Section[] };
      const findings = sections.flatMap((section) => section.findings);
      return { code, said: findings.map(({ check, mark, says }) => `${check} ${mark} ${says}`) };
    };
    const { code, said } = await doctor();
    const troubles = said.filter((one) => !/^\w+ good /.test(one));
    const expected = [
      /^service warning the table \S+, the deployment test: its deletion protection is off/,
      /^keys fault CA default: the key \S+ leaves it to the IAM policies .* who may sign with it/,
      /^keys fault CA default: the key \S+ leaves it to the IAM policies .* open what it has sealed/,
      /^keys fault CA second: it has not been made yet/,
      // Of the endpoint default, whose CA has an EC key, then of the endpoint second.
      /^clients warning micromdm/,
      /^cert fault HTTP 503/,
    ];
    assert.equal(troubles.length, expected.length, said.join('\n'));
    expected.forEach((pattern, at) => {
      assert.match(troubles[at] ?? '', pattern);
    });
    assert.equal(code, 1);
    assert.ok(said.includes(`aws good ${arn}, in eu-central-1`), said.join('\n'));

    const badConfig = await doctor({ SCEPTER_CONFIG: '{"cas": {}}' });
    assert.match(badConfig.said[1] ?? '', /^configuration fault publicUrl: /);
    assert.equal(badConfig.code, 1);
    const noTable = await doctor({ SCEPTER_TABLE: 'none' });
    assert.match(
      noTable.said[1] ?? '',
      /^service fault the DynamoDB table "none" does not exist in/,
    );
    assert.equal(noTable.code, 1);
    proxy.arm(({ name }) => (name === 'Query' ? 'forbidden' : undefined));
    const unread = await doctor({ AWS_ENDPOINT_URL_DYNAMODB: proxy.url });
    assert.match(
      unread.said[1] ?? '',
      /^service fault the table \S+ cannot be read: what was printed above says why$/,
    );
    assert.equal(unread.code, 1);
    const nobody = await doctor({ AWS_ENDPOINT_URL_STS: 'http://127.0.0.1:9' });
    assert.match(nobody.said[0] ?? '', /^aws fault AWS does not say whose credentials these are: /);
    assert.deepEqual([nobody.code, nobody.said.length], [2, 1]);
  } finally {
    sts.stop();
    proxy.stop();
  }
}

test('a server with the wrong settings says which, and starts nothing', async () => {
  const { kms, cli, refused } = await deployment();
  const made = await cli('ca', 'init');
  assert.equal(made.code, 0, made.err);
  assert.match(
    await refused({ SCEPTER_DEPLOYMENT: undefined }),
    /^scepter: SCEPTER_DEPLOYMENT must be set\n$/,
  );
  assert.match(
    await refused({ SCEPTER_DEPLOYMENT: 'another' }),
    /scepter: KMS Decrypt of the MAC key for "registry" .*: it is damaged, or was sealed for another deployment, CA or purpose: restore the record, or make a new one\n$/,
  );
  const foreign = kms.sealingKey.replace('111122223333', '444455556666');
  assert.match(
    await refused({ SCEPTER_SEALING_KEY: foreign }),
    /scepter: KMS Decrypt .*AccessDeniedException, .*: allow it in the policy of this process's role and in the key's own\n$/,
  );
  const signs = await kms.make({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
  assert.match(
    await refused({ SCEPTER_SEALING_KEY: signs }),
    /scepter: KMS Decrypt .*InvalidKeyUsageException, .*: name a key of the right usage and spec/,
  );
  const gone = await refused({ AWS_ENDPOINT_URL_KMS: 'http://127.0.0.1:9' });
  assert.match(gone, /scepter: KMS Decrypt .*no answer in eu-central-1.*: see the route to KMS/);
});

test('npm run dev:aws makes a CA over emulators, the printed commands enrol, and Ctrl-C ends all of it', async () => {
  const port = await freePort();
  const child = spawn(process.execPath, [join(root, 'test/dev-aws/run.ts')], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'ignore'],
    // As a terminal has them: Ctrl-C is for the whole group.
    detached: true,
  });
  let printed = '';
  const ended = once(child, 'exit');
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (data) => {
      printed += data;
      if (/\n {4}scepter enrol .*\n/.test(printed)) resolve();
    });
    child.once('exit', () => reject(new Error(printed)));
  });
  try {
    const [, exported = ''] = /\n {2}export (?!PATH)(.*)\n/.exec(printed) ?? [];
    const env = Object.fromEntries(exported.split(' ').map((pair) => pair.split(/=(.*)/s)));
    const [, script = ''] = /from another terminal.*:\n((?: {2}.*\n)+)/.exec(printed) ?? [];
    const enrolled = spawnSync('bash', ['-euo', 'pipefail', '-c', script], {
      cwd: temporary('dev-aws'),
      encoding: 'utf8',
      env: { PATH: process.env.PATH, HOME: process.env.HOME },
    });
    assert.equal(enrolled.status, 0, enrolled.stderr);
    const shown = await run('bin/scepter.js', ['ca', 'show', '--json'], { env });
    assert.equal(shown.code, 0, shown.err);
    const [, sha256] = /\n {2}SHA-256 {6}([0-9a-f]{64})\n/.exec(printed) ?? [];
    assert.equal(JSON.parse(shown.out).cas[0].certificate.sha256, sha256);
    const { AWS_ENDPOINT_URL_DYNAMODB: dynamodb, AWS_ENDPOINT_URL_KMS: kms } = env;
    process.kill(-(child.pid ?? 0), 'SIGINT');
    assert.deepEqual(await ended, [0, null]);
    for (const url of [`http://127.0.0.1:${port}`, dynamodb, kms]) {
      await assert.rejects(fetch(String(url)), /fetch failed/);
    }
  } finally {
    if (child.exitCode === null) process.kill(-(child.pid ?? 0), 'SIGINT');
  }
});
