// npm run dev:aws, npm run dev:worker: the production path on one machine, without an account: as much
// of AWS as it needs, a CA made by `scepter ca init`, and the server over both, on plain Node or as the
// Worker that `wrangler dev` runs. Everything is in memory and ends with it.

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setUp } from '../../functions/node/command.ts';
import { whenStarterEnds } from '../../functions/node/signals.ts';
import { root } from '../support/installed.ts';
import { type LocalAws, startLocalAws } from '../support/local-aws.ts';
import { guarded } from '../support/server-process.ts';
import { startWorker } from '../support/wrangler-dev.ts';

const worker = process.argv[2] === 'worker';
const say = (text: string) => process.stdout.write(`${text}\n`);

// What was begun ends with this process: so it does at once, until something serves.
let stop = (_signal: NodeJS.Signals): void => process.exit(1);
/** Ends what serves, and waits for that. */
let quit = async (): Promise<void> => {};
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => stop(signal));
}
whenStarterEnds(() => stop('SIGTERM'));

function notRun({ message }: Error): void {
  say(`NOT RUN: dev:${worker ? 'worker' : 'aws'} (${message.split('\n', 1)[0]})`);
}

say('Starting DynamoDB Local and the KMS emulator ...');
const aws = await startLocalAws().catch((error: Error) => {
  notRun(error);
  process.exit(1);
});
let over = false;
// Without its records or keys, what serves would go on answering that they are away.
void aws.ended.then(async (part) => {
  if (over) return;
  say(`\n${part} has ended, and dev:${worker ? 'worker' : 'aws'} with it: start it again`);
  await quit();
  process.exit(1);
});
try {
  process.exitCode = await (worker ? serveByWorker(aws) : serveByNode(aws));
} finally {
  over = true;
  await aws.stop();
}

async function serveByNode({ env }: LocalAws): Promise<number> {
  const { PORT, SCEPTER_CONFIG } = process.env;
  const dataDir = mkdtempSync(join(tmpdir(), 'scepter-dev-aws-'));
  process.once('exit', () => rmSync(dataDir, { recursive: true, force: true }));
  const settings = {
    ...env,
    SCEPTER_DATA_DIR: dataDir,
    ...(PORT ? { PORT } : {}),
    ...(SCEPTER_CONFIG ? { SCEPTER_CONFIG } : {}),
  };
  if (!(await makeCa(settings))) return 1;
  sayExport(settings);
  const server = start(['functions/server.ts'], settings);
  const done = ended(server);
  stop = (signal) => server.kill(signal);
  quit = async () => {
    server.kill();
    await done;
  };
  return done;
}

async function serveByWorker({ env }: LocalAws): Promise<number> {
  const port = Number(process.env.PORT || 8787);
  const url = `http://127.0.0.1:${port}`;
  const legacy = { sha1: true, des3: true, des: true };
  const document = {
    publicUrl: url,
    cas: { default: { subject: 'CN=Scepter CA,O=Scepter' } },
    endpoints: { default: { ca: 'default' }, legacy: { ca: 'default', legacy } },
  };
  const settings = {
    ...env,
    SCEPTER_CONFIG: process.env.SCEPTER_CONFIG || JSON.stringify(document),
    SCEPTER_ADMIN_TOKEN: randomBytes(32).toString('base64url'),
  };
  if (!(await makeCa(settings))) return 1;
  const onOutput = (text: string) => process.stdout.write(text);
  const started = await startWorker({ env: settings, port, onOutput }).catch(notRun);
  if (!started) {
    say('Another port: PORT=8788 npm run dev:worker');
    return 1;
  }
  quit = () => started.stop();
  stop = () => void quit();
  // Nothing calls the schedule of a Worker on this machine.
  const upkeep = () => started.upkept().catch(() => undefined);
  const minutely = setInterval(upkeep, 60_000);
  await upkeep();
  const { SCEPTER_ADMIN_TOKEN: token, ...rest } = settings;
  sayExport({ ...rest, SCEPTER_URL: url, SCEPTER_TOKEN: token });
  say(`  scepter challenge create |
    scepter enrol --url ${url}/scep --challenge-stdin --subject CN=device-1 --out device-1\n`);
  await started.ended;
  clearInterval(minutely);
  return 0;
}

async function makeCa(settings: Readonly<Record<string, string>>): Promise<boolean> {
  say('$ scepter ca init');
  return (await ended(start(['functions/cli.ts', 'ca', 'init'], settings))) === 0;
}

function sayExport(settings: Readonly<Record<string, string>>): void {
  say('\nIn another terminal, for every command of the CLI (such as "scepter ca rotate-ra"):');
  for (const line of setUp()) say(line);
  const set = Object.entries(settings).map(([name, value]) =>
    /^[\w.:/=-]*$/.test(value) ? `${name}=${value}` : `${name}='${value}'`,
  );
  say(`  export ${set.join(' ')}\n`);
}

/** On this Node, and with nothing of an account that this shell may have. */
function start(args: readonly string[], settings: Readonly<Record<string, string>>) {
  const own = Object.entries(process.env).filter(([name]) => !/^(AWS|SCEPTER)_/.test(name));
  const env = { ...Object.fromEntries(own), ...settings };
  return spawn('sh', ['-c', guarded, 'sh', process.execPath, ...args], {
    cwd: root,
    env,
    stdio: ['pipe', 'inherit', 'inherit'],
    detached: true,
  });
}

async function ended(child: ReturnType<typeof start>): Promise<number> {
  const [code] = await once(child, 'exit');
  // What guards it ends with its input.
  child.stdin?.end();
  return typeof code === 'number' ? code : 1;
}
