// How a server starts and ends: what it makes, says and refuses, and what a signal does.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { closed } from '../../functions/node/listen.ts';
import { root } from '../support/installed.ts';
import {
  freePort,
  freshService,
  isFree,
  type Running,
  run,
  startServer as start,
  temporary,
} from '../support/process.ts';
import { answered } from '../support/server-process.ts';
import { loggedIn } from '../support/workerd.ts';

const fresh = async (more: Readonly<Record<string, string>> = {}) => ({
  SCEPTER_DATA_DIR: join(temporary('start'), 'data'),
  PORT: String(await freePort()),
  ...more,
});
/** Where what a new folder gets by itself is not what the test is about. */
const cheap = async () => (await freshService('start')).env;
// A test that fails must not leave its server running.
const started = new Set<Running>();
after(() => {
  for (const { child } of started) child.kill('SIGKILL');
});
const startServer: typeof start = async (...args) => {
  const server = await start(...args);
  started.add(server);
  return server;
};
const refusal = (env: Readonly<Record<string, string>>) => run('functions/server.ts', [], { env });
const document = (more: object = {}) => ({
  publicUrl: 'http://scep.example.com',
  cas: { default: { subject: 'CN=CA', key: 'ec:P-256' } },
  endpoints: { default: { ca: 'default' } },
  ...more,
});
/** Runs a file as if this Node were version 20. */
const old = [
  '--import',
  'data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"20.1.0"}})',
];
const written = (path: string, value: object): void => writeFileSync(path, JSON.stringify(value));

describe('a start that is refused makes nothing', () => {
  test('a start makes no folder, no key and no CA while another process has the port', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    after(() => other.close());
    await once(other, 'listening');
    const address = other.address();
    assert.ok(typeof address === 'object' && address);
    const env = await fresh({ PORT: String(address.port) });
    const { code, err } = await refusal(env);
    assert.equal(code, 1);
    assert.equal(
      err,
      `scepter: PORT: another process has port ${address.port} of 127.0.0.1: stop it, or set another one\n`,
    );
    assert.ok(!existsSync(env.SCEPTER_DATA_DIR));
  });

  test('an address that is not of this machine is named, and so is a name without address', async () => {
    const cases = [
      ['192.0.2.1', /^scepter: HOST: 192\.0\.2\.1 is no address of this machine: set /],
      ['nowhere.invalid', /^scepter: HOST: /],
    ] as const;
    for (const [HOST, said] of cases) {
      const env = await fresh({ HOST });
      const { code, err } = await refusal(env);
      assert.equal(code, 1);
      assert.match(err, said);
      assert.doesNotMatch(err, /\n {4}at /);
      assert.ok(!existsSync(env.SCEPTER_DATA_DIR));
    }
  });

  const tokens: [string, (path: string) => void, RegExp][] = [
    ['is too short', (path) => writeFileSync(path, 'abc\n'), /token holds no admin token: one has/],
    ['has lines', (path) => writeFileSync(path, `${'a'.repeat(40)}\nb\n`), /holds no admin token/],
    ['cannot be read', (path) => mkdirSync(path), /token in \S+ cannot be read: EISDIR/],
  ];
  for (const [name, spoil, said] of tokens) {
    test(`a token file that ${name} is refused with a sentence`, async () => {
      const env = await fresh();
      mkdirSync(env.SCEPTER_DATA_DIR);
      spoil(join(env.SCEPTER_DATA_DIR, 'token'));
      const { code, err } = await refusal(env);
      assert.equal(code, 1);
      assert.match(err, said);
      assert.match(err, /^scepter: .*\n$/);
      assert.deepEqual(readdirSync(env.SCEPTER_DATA_DIR), ['token']);
    });
  }
});

describe('what a start says', () => {
  test('a challenge is printed by the first start only, bound to the device of its command; a later one prints commands that enrol', async () => {
    const env = await fresh();
    const first = await startServer(env);
    assert.match(first.printed(), /\n {2}Challenge {4}\S{26} {3}one use, for CN=device-1, until /);
    const [, challenge = ''] = /Challenge {4}(\S+)/.exec(first.printed()) ?? [];
    const other = ['enrol', '--url', `${first.url}/scep`, '--challenge', challenge];
    const out = join(temporary('start'), 'device');
    const refused = await run('bin/scepter.js', [...other, '--subject', 'CN=other', '--out', out]);
    assert.match(refused.err, /SCEP-311/);
    await first.stop();
    const second = await startServer(env);
    assert.doesNotMatch(second.printed(), /Challenge/);
    assert.match(second.printed(), /\n {2}scepter challenge create --url \S+ --token-file \S+ /);
    // From its folder nothing else has to be known of it.
    const { SCEPTER_DATA_DIR } = env;
    const { code, err } = await run('bin/scepter.js', ['status'], { env: { SCEPTER_DATA_DIR } });
    assert.equal(code, 0, err);
    // The commands that it prints enrol as they stand, in any folder.
    const [, script = ''] =
      /from another terminal[^\n]*:\n((?: {2}.*\n)+)/.exec(second.printed()) ?? [];
    const folder = temporary('start');
    const { status, stderr } = spawnSync('bash', ['-euo', 'pipefail', '-c', script], {
      cwd: folder,
      encoding: 'utf8',
      env: { PATH: process.env.PATH, HOME: folder },
    });
    await second.stop();
    assert.equal(status, 0, `${script}${stderr}`);
    assert.deepEqual(readdirSync(join(folder, 'device-1')).sort(), [
      'ca.pem',
      'cert.pem',
      'key.pem',
    ]);
  });

  test('a start in production prints nothing, makes no challenge and no endpoint legacy, and its log is JSON', async () => {
    const env = await fresh({ NODE_ENV: 'production', SCEPTER_ALLOW_SOFTWARE_KEYS: '1' });
    const server = await startServer(env, { until: /"server\.ready"/ });
    const legacy = await fetch(`http://127.0.0.1:${env.PORT}/scep/legacy?operation=GetCACaps`);
    assert.equal(legacy.status, 404);
    const args = ['challenge', 'list', '--json'];
    const { out } = await run('bin/scepter.js', args, { env });
    assert.deepEqual(JSON.parse(out), { challenges: [], next: null });
    await server.stop();
    assert.equal(server.printed(), '');
    for (const line of server.logged().trimEnd().split('\n')) JSON.parse(line);
    const [ready] = loggedIn(server.logged(), 'server.ready');
    assert.equal(ready?.address, `http://127.0.0.1:${env.PORT}`);
    assert.match(String(loggedIn(server.logged(), 'server.ca')[0]?.sha256), /^[0-9a-f]{64}$/);
  });

  test('scepter serve --json says where it is in one line', async () => {
    const env = await cheap();
    const child = spawn(process.execPath, [join(root, 'bin/scepter.js'), 'serve', '--json'], {
      env: { PATH: process.env.PATH, ...env },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const ended = once(child, 'exit');
    try {
      const [line] = await once(child.stdout, 'data');
      const { address, publicUrl } = JSON.parse(String(line));
      assert.deepEqual([address, publicUrl], Array(2).fill(`http://127.0.0.1:${env.PORT}`));
      assert.equal((await fetch(`${address}/readyz`)).status, 200);
      child.kill('SIGTERM');
      assert.deepEqual(await ended, [0, null]);
    } finally {
      child.kill('SIGKILL');
    }
  });

  test('HOST=0.0.0.0: no endpoint legacy; tokens cross the network in clear, and which name certificates point to', async () => {
    const server = await startServer(await fresh({ HOST: '0.0.0.0', SCEPTER_LOG_KEY: 'arn' }));
    await server.stop();
    const [key] = loggedIn(server.logged(), 'start.logKey');
    assert.match(String(key?.detail), /^SCEPTER_LOG_KEY is set and SCEPTER_SEALING_KEY is not/);
    const [plain] = loggedIn(server.logged(), 'start.plainHttp');
    assert.match(
      String(plain?.detail),
      /^HOST is 0\.0\.0\.0, .* plain http: tokens of the admin API/,
    );
    const [named] = loggedIn(server.logged(), 'start.publicUrl');
    const said = `publicUrl is http://${hostname()}:`;
    assert.ok(String(named?.detail).startsWith(said), String(named?.detail));
    assert.ok(server.printed().includes(said));
    assert.match(server.printed(), /\nHOST is 0\.0\.0\.0, /);
    assert.doesNotMatch(server.printed(), /legacy/);
  });

  test('a publicUrl with another port than the one listened at is warned of, and the real one is shown', async () => {
    const config = document({ publicUrl: 'http://127.0.0.1:8080' });
    const env = await fresh({ SCEPTER_CONFIG: JSON.stringify(config) });
    const server = await startServer(env);
    await server.stop();
    const [warned] = loggedIn(server.logged(), 'start.publicUrl');
    const here = `http://127.0.0.1:${env.PORT}`;
    const said = `publicUrl is http://127.0.0.1:8080, but this server listens at ${here}: `;
    assert.ok(String(warned?.detail).startsWith(said), server.logged());
    assert.ok(server.printed().includes(`\n  listens at   ${here}\n`));
  });

  test('behind a proxy, a publicUrl of another name is not warned of', async () => {
    const env = await fresh({ SCEPTER_CONFIG: JSON.stringify(document()) });
    const server = await startServer(env);
    await server.stop();
    assert.deepEqual(loggedIn(server.logged(), 'start.publicUrl'), []);
  });
});

describe('SIGHUP', () => {
  const serve = async () => {
    const path = join(temporary('start'), 'scepter.json');
    written(path, document());
    const env = await fresh({ SCEPTER_CONFIG: path });
    const server = await startServer(env);
    const status = async (endpoint: string) =>
      (await fetch(`http://127.0.0.1:${env.PORT}/scep/${endpoint}?operation=GetCACaps`)).status;
    const hangUp = async (event: string) => {
      const before = loggedIn(server.logged(), event).length;
      server.child.kill('SIGHUP');
      return answered(() => {
        const last = loggedIn(server.logged(), event).slice(before).at(-1);
        assert.ok(last, server.logged());
        return last;
      });
    };
    return { path, env, server, status, hangUp };
  };

  test('the document is read again: an endpoint and a CA come and go, and nothing else changes', async () => {
    const { path, env, server, status, hangUp } = await serve();
    const certificate = async (ca: string) =>
      (await fetch(`http://127.0.0.1:${env.PORT}/aia/${ca}.cer`)).text();
    const before = await certificate('default');
    assert.equal(await status('vpn'), 404);
    const cas = { ...document().cas, second: { subject: 'CN=Second', key: 'ec:P-256' } };
    written(
      path,
      document({ cas, endpoints: { default: { ca: 'default' }, vpn: { ca: 'second' } } }),
    );
    const { detail } = await hangUp('config.reloaded');
    assert.match(String(detail), /scepter\.json as it is now, and made the CA second; .* restart$/);
    assert.equal(await status('vpn'), 200);
    assert.equal(await certificate('default'), before);
    const { code, err } = await run(
      'bin/scepter.js',
      ['challenge', 'create', '--endpoint', 'vpn'],
      {
        env,
      },
    );
    assert.equal(code, 0, err);
    const publicUrl = 'http://127.0.0.1:9';
    written(path, document({ cas, publicUrl }));
    await hangUp('config.reloaded');
    assert.equal(await status('vpn'), 404);
    // What a start would warn of, and where the token of the folder may go.
    await answered(() =>
      assert.match(
        server.logged(),
        /"start\.publicUrl".*publicUrl is http:\/\/127\.0\.0\.1:9, but this/,
      ),
    );
    const addresses = readFileSync(join(env.SCEPTER_DATA_DIR, 'address'), 'utf8');
    assert.deepEqual(addresses.trim().split('\n'), [`http://127.0.0.1:${env.PORT}`, publicUrl]);
    await server.stop();
    assert.equal(server.child.exitCode, 0);
  });

  test('a document that is wrong is refused in the log with its sentences, and the old one stays', async () => {
    const { path, server, status, hangUp } = await serve();
    written(path, document({ publicUrl: 'x', endpoints: { vpn: { ca: 'none' } } }));
    const { detail, severity } = await hangUp('config.notReloaded');
    assert.equal(severity, 'error');
    assert.match(
      String(detail),
      /^publicUrl: must be an http or https origin.* \(the configuration that was in force stays\)$/,
    );
    assert.equal(await status('default'), 200);
    const reference = 'env:NOT_SET_HERE';
    const enrol = {
      authorize: ['staticChallenge'],
      staticChallenge: { secret: reference, subject: { CN: ['cam-*'] } },
    };
    written(path, document({ endpoints: { default: { ca: 'default', enrol } } }));
    assert.match(String((await hangUp('config.notReloaded')).detail), /NOT_SET_HERE is not set/);
    writeFileSync(path, '{');
    assert.match(String((await hangUp('config.notReloaded')).detail), /SCEPTER_CONFIG is not JSON/);
    assert.equal(await status('default'), 200);
    await server.stop();
  });

  test('the log says why SIGHUP has no file to read again, and what a restart changes', async () => {
    const settings: [Record<string, string>, RegExp][] = [
      [{}, /^SCEPTER_CONFIG names no document .* HOST, PORT, SCEPTER_DATA_DIR/],
      [{ SCEPTER_CONFIG: JSON.stringify(document()) }, /^SCEPTER_CONFIG is the document itself: /],
    ];
    for (const [more, said] of settings) {
      const server = await startServer(await fresh(more));
      server.child.kill('SIGHUP');
      await answered(() => {
        const [last] = loggedIn(server.logged(), 'config.notReloaded');
        assert.match(String(last?.detail), said);
      });
      await server.stop();
    }
  });
});

const noScript =
  process.platform === 'linux' ? false : 'script(1) of util-linux makes the terminal';

test('a closed terminal ends the server in it, and reads no configuration', {
  skip: noScript,
}, async () => {
  const env = await cheap();
  const command = `"${process.execPath}" functions/server.ts`;
  const terminal = spawn('script', ['-qec', command, '/dev/null'], {
    cwd: root,
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let printed = '';
  terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  await answered(() => assert.match(printed, /Scepter is ready at/));
  terminal.kill('SIGKILL');
  await answered(async () => assert.ok(await isFree(Number(env.PORT)), 'it still listens'));
});

describe('the end of a server', () => {
  /** Sends a POST but for the last octet of its body, once the server has begun to read it. */
  const begun = async ({ PORT, SCEPTER_DATA_DIR }: Awaited<ReturnType<typeof fresh>>) => {
    const socket = connect(Number(PORT), '127.0.0.1').setEncoding('utf8');
    const token = readFileSync(join(SCEPTER_DATA_DIR, 'token'), 'utf8').trim();
    const head = ['POST /api/v1/challenges HTTP/1.1', 'Host: a', `Authorization: Bearer ${token}`];
    const body = ['Content-Type: application/json', 'Content-Length: 2', 'Expect: 100-continue'];
    socket.write(`${[...head, ...body].join('\r\n')}\r\n\r\n{`);
    assert.match(String(await once(socket, 'data')), /^HTTP\/1\.1 100 /);
    return async (): Promise<string> => {
      socket.write('}');
      let answer = '';
      for await (const piece of socket) answer += piece;
      return answer;
    };
  };

  test('SIGTERM: what has begun is answered, also where the signal comes twice, and the exit code is 0', async () => {
    // With a Node that is too old there are two processes, and the first passes on what both have got.
    const env = await cheap();
    const args = [...old, join(root, 'bin', 'scepter.js'), 'serve'];
    const child = spawn(process.execPath, args, {
      env: { PATH: process.env.PATH, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const { pid = 0 } = child;
    const ended = once(child, 'close');
    try {
      let [printed, logged] = ['', ''];
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        logged += text;
      });
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        printed += text;
      });
      await answered(() => assert.match(printed, /Scepter is ready at/));
      const goOn = await begun(env);
      process.kill(pid, 'SIGSTOP');
      process.kill(-pid, 'SIGTERM');
      await answered(async () => assert.ok(await isFree(Number(env.PORT)), 'it still listens'));
      process.kill(pid, 'SIGCONT');
      const answer = await goOn();
      assert.match(answer, /^HTTP\/1\.1 201 [\s\S]*\r\nConnection: close\r\n/i);
      assert.deepEqual(await ended, [0, null]);
      assert.equal(loggedIn(logged, 'server.stopping').length, 1);
    } finally {
      if (child.exitCode === null) process.kill(-pid, 'SIGKILL');
    }
  });

  test('whoever still sends after five seconds is cut off, and work that does not end after eight', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const did: string[] = [];
    const server = {
      close: () => did.push('close'),
      closeAllConnections: () => did.push('hang up'),
    } as unknown as Server;
    void closed([server], new Promise(() => {}), () => did.push('cut off'));
    t.mock.timers.tick(4999);
    assert.deepEqual(did, ['close']);
    t.mock.timers.tick(1);
    assert.deepEqual(did, ['close', 'hang up']);
    t.mock.timers.tick(3000);
    assert.deepEqual(did, ['close', 'hang up', 'cut off']);
  });
});

describe('npm start', () => {
  /** The processes of it: npm, the shell between if there is one, and the server. */
  const npmStart = async () => {
    const env = await cheap();
    const child = spawn('npm', ['start'], {
      cwd: root,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let printed = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
    await answered(() => assert.match(printed, /Scepter is ready at/));
    const table = spawnSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).stdout;
    const pairs = table
      .trim()
      .split('\n')
      .map((line) => line.trim().split(/\s+/).map(Number));
    const below = (parent: number): number[] =>
      pairs.flatMap(([pid = 0, of]) => (of === parent ? [pid, ...below(pid)] : []));
    return { port: Number(env.PORT), npm: child.pid ?? 0, below: below(child.pid ?? 0) };
  };

  for (const [name, signal, whom] of [
    ['npm', 'SIGTERM', 'npm'],
    ['npm', 'SIGKILL', 'npm'],
    ['its shell', 'SIGTERM', 'shell'],
  ] as const) {
    test(`${signal} of ${name} ends the server too`, async () => {
      const { port, npm, below } = await npmStart();
      const [shell = 0, ...more] = below;
      try {
        if (whom === 'shell' && more.length === 0) return;
        process.kill(whom === 'npm' ? npm : shell, signal);
        await answered(async () => assert.ok(await isFree(port), 'it still listens'));
        await answered(() => {
          for (const pid of below) assert.throws(() => process.kill(pid, 0), String(pid));
        });
      } finally {
        for (const pid of [npm, ...below]) {
          try {
            process.kill(pid, 'SIGKILL');
          } catch {
            // It has ended.
          }
        }
      }
    });
  }

  test('a server that nothing of npm started outlives its parent, as under nohup', async () => {
    const env = await fresh();
    const line = `"${process.execPath}" functions/server.ts >/dev/null 2>&1 & echo $!`;
    const { stdout } = spawnSync('sh', ['-c', line], {
      cwd: root,
      encoding: 'utf8',
      env: { PATH: process.env.PATH, ...env },
    });
    const pid = Number(stdout);
    try {
      const ask = () => fetch(`http://127.0.0.1:${env.PORT}/readyz`);
      await answered(async () => assert.equal((await ask()).status, 200));
      await new Promise((resolve) => setTimeout(resolve, 1000));
      assert.equal((await ask()).status, 200);
    } finally {
      process.kill(pid, 'SIGKILL');
    }
  });
});

describe('a system whose Node is too old', () => {
  const bin = join(root, 'bin', 'scepter.js');

  test('without the Node that the project brings, a sentence says how to get one', () => {
    const folder = temporary('old-node');
    cpSync(join(root, 'bin'), join(folder, 'bin'), { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    const args = [...old, join(folder, 'bin', 'scepter.js'), 'serve'];
    const { status, stderr, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    assert.equal(status, 1);
    assert.equal(stdout, '');
    assert.match(
      stderr,
      /^scepter: needs Node 24 or later; this is Node 20\.1\.0 on \S+, .*install Node 24 or later\n$/,
    );
  });

  test('with it, the server runs on that, and ends when whoever started it is killed', async () => {
    const env = await fresh();
    const child = spawn(process.execPath, [...old, bin, 'serve'], {
      env: { PATH: process.env.PATH, ...env },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const ended = once(child, 'exit');
    let printed = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
    await answered(() => assert.match(printed, /Scepter is ready at/));
    child.kill('SIGKILL');
    await ended;
    await answered(async () => assert.ok(await isFree(Number(env.PORT)), 'it still listens'));
  });
});
