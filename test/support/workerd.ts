// A Worker's bundle in workerd itself, the runtime of Workers, without anything of wrangler's around it.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { installFolder, root } from './installed.ts';
import { freePort } from './process.ts';

const folder = join(root, 'infra', 'cloudflare');
export const wranglerConfig = join(folder, 'wrangler.jsonc');

/** As wrangler.jsonc has it. */
export function compatibilityDate(): string {
  const [, date] =
    /"compatibility_date": "([\d-]+)"/.exec(readFileSync(wranglerConfig, 'utf8')) ?? [];
  if (date === undefined) throw new Error('wrangler.jsonc has no compatibility_date');
  return date;
}

/** The runtime that wrangler brings. */
export function workerdBinary(): string {
  const found: unknown = createRequire(join(folder, 'package.json'))('workerd');
  const { default: path } = found as { default?: unknown };
  if (typeof path !== 'string') throw new Error('the package workerd names no binary');
  return path;
}

/** The lines of JSON of one event among all that was printed; one that has not ended yet is none. */
export const loggedIn = (printed: string, event: string): Readonly<Record<string, unknown>>[] =>
  printed
    .split('\n')
    .slice(0, -1)
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))
    .filter((line) => line.event === event);

/**
 * What `wrangler deploy` would upload, as wrangler bundles it, and what it says of its size.
 * @param entry another module in place of the one that is deployed
 */
export async function bundleWorker(...entry: readonly string[]) {
  await installFolder('infra/cloudflare');
  const out = mkdtempSync(join(tmpdir(), 'scepter-bundle-'));
  process.once('exit', () => rmSync(out, { recursive: true, force: true }));
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [
      join(folder, 'node_modules', 'wrangler', 'bin', 'wrangler.js'),
      ...['deploy', ...entry, '--dry-run', '--config', wranglerConfig, '--outdir', out],
    ],
    {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, CI: 'true', NO_COLOR: '1', WRANGLER_SEND_METRICS: 'false' },
    },
  );
  if (status !== 0) throw new Error(`wrangler deploy --dry-run: ${stderr.slice(-2000)}`);
  const name = `${basename(entry[0] ?? 'worker', '.ts')}.js`;
  return { path: join(out, name), said: stdout };
}

export type Workerd = {
  readonly url: string;
  readonly pid: number;
  /** Lines that the Worker has logged, of one event. */
  logged(event: string): Readonly<Record<string, unknown>>[];
  printed(): string;
  stop(): Promise<void>;
};

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** What there is of the rate limit binding: counting is Cloudflare's, and `wrangler dev` has it. */
const floodsBy = {
  'let in': 'export default () => ({ limit: async () => ({ success: true }) });',
  'keep out': 'export default () => ({ limit: async () => ({ success: false }) });',
  broken: 'export default () => ({ limit: async () => { throw new Error("away"); } });',
  none: '',
} as const;

const patience = readFileSync(join(import.meta.dirname, 'patience.js'), 'utf8');

export type WorkerdOptions = {
  readonly floods?: keyof typeof floodsBy;
  /** With what time there is for a call: for tests in which there is no answer. */
  readonly hurried?: boolean;
};

/** An isolate that has done nothing yet. */
export async function startWorkerd(
  bundle: string,
  env: Readonly<Record<string, string>>,
  { floods = 'let in', hurried = false }: WorkerdOptions = {},
): Promise<Workerd> {
  const port = await freePort();
  const scratch = mkdtempSync(join(tmpdir(), 'scepter-workerd-'));
  const text = (value: string): string => JSON.stringify(value);
  const bindings = [
    ...(floods === 'none' ? [] : ['(name = "FLOODS", wrapped = (moduleName = "test:floods"))']),
    ...Object.entries(env).map(([name, value]) => `(name = ${text(name)}, text = ${text(value)})`),
  ];
  // What a configuration embeds is looked for beside it.
  const worker = readFileSync(bundle, 'utf8');
  writeFileSync(join(scratch, 'worker.js'), hurried ? worker : patience + worker);
  const config = join(scratch, 'config.capnp');
  writeFileSync(
    config,
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "internet", network = (allow = ["private", "public"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (forwardedProtoHeader = "x-forwarded-proto"), service = "main")],
  extensions = [(modules = [(name = "test:floods", internal = true, esModule = ${text(floodsBy[floods])})])],
);
const worker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = ${text(compatibilityDate())},
  bindings = [
    ${bindings.join(',\n    ')}
  ],
);
`,
  );
  const child = spawn(workerdBinary(), ['serve', config], { stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (said: string) => {
      printed += said;
    });
  }
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  running.add(child);
  const url = `http://127.0.0.1:${port}`;
  const stop = async (): Promise<void> => {
    running.delete(child);
    child.kill('SIGKILL');
    await ended;
    rmSync(scratch, { recursive: true, force: true });
  };
  await listening(url, () => child.exitCode !== null).catch(async () => {
    await stop();
    throw new Error(`workerd did not start: ${printed.slice(-2000)}`);
  });
  return {
    url,
    pid: child.pid ?? 0,
    printed: () => printed,
    logged: (event) => loggedIn(printed, event),
    stop,
  };
}

/** Waits for its socket, without asking the Worker anything. */
async function listening(url: string, hasEnded: () => boolean): Promise<void> {
  const { hostname, port } = new URL(url);
  const until = Date.now() + 60_000;
  while (Date.now() < until) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(Number(port), hostname);
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (open) return;
    if (hasEnded()) break;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error('nobody listens');
}
