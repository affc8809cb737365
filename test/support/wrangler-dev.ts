// The Worker as `wrangler dev` runs it, in workerd, with its own configuration: offline, nothing of it
// kept, and nothing of an account that this shell may have.

import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { installFolder, root } from './installed.ts';
import { freePort } from './process.ts';
import { guarded } from './server-process.ts';
import { loggedIn, wranglerConfig } from './workerd.ts';

const folder = join(root, 'infra', 'cloudflare');
/** The Worker as it runs over emulators. */
export const patientWorker = join(import.meta.dirname, 'patient-worker.ts');
const wrangler = join('node_modules', 'wrangler', 'bin', 'wrangler.js');

export type WorkerProcess = {
  readonly url: string;
  /** What it has printed so far: what the Worker logs, and what wrangler says. */
  readonly printed: () => string;
  /** The lines that the Worker has logged, of one event. */
  logged(event: string): Readonly<Record<string, unknown>>[];
  /** As the cron trigger does. */
  scheduled(): Promise<Response>;
  /** The same, up to the end of the first of its two runs: the second, for the logs, is half a minute later. */
  upkept(): Promise<void>;
  readonly ended: Promise<void>;
  stop(): Promise<void>;
};

type Options = {
  /** Settings and secrets, in place of what wrangler.jsonc and .dev.vars have. */
  readonly env: Readonly<Record<string, string>>;
  readonly port?: number;
  readonly onOutput?: (text: string) => void;
};

/** As `secrets.required` of wrangler.jsonc has them: of what is not there, wrangler takes none. */
const isSecret = /^(?:AWS_ACCESS_KEY_ID|AWS_SECRET_ACCESS_KEY|SCEPTER_ADMIN_TOKEN)$/;

/** @throws {Error} with what is missing, or what wrangler said */
export async function startWorker({ env, port, onOutput }: Options): Promise<WorkerProcess> {
  await installFolder('infra/cloudflare');
  const at = port ?? (await freePort());
  const scratch = await mkdtemp(join(tmpdir(), 'scepter-worker-'));
  const variables = join(scratch, 'variables');
  const [secrets, vars] = [true, false].map((secret) =>
    Object.entries(env).filter(([name]) => isSecret.test(name) === secret),
  );
  const lines = (secrets ?? []).map(([name, value]) => `${name}='${value}'\n`);
  await writeFile(variables, lines.join(''), { mode: 0o600 });
  const args = [
    ...['dev', patientWorker, '--config', wranglerConfig],
    ...['--ip', '127.0.0.1', '--port', String(at)],
    ...['--inspector-port', String(await freePort()), '--env-file', variables],
    ...['--persist-to', join(scratch, 'state'), '--show-interactive-dev-session=false'],
    ...(vars ?? []).flatMap(([name, value]) => ['--var', `${name}:${value}`]),
    // The address that was asked for counts, also where a route has been configured.
    '--infer-origin-from-routes=false',
  ];
  const outside = Object.entries(process.env).filter(
    ([name]) => !/^(AWS|SCEPTER|CLOUDFLARE|WRANGLER|CF)_/.test(name),
  );
  const child = spawn(
    'sh',
    ['-c', guarded, 'sh', process.execPath, join(folder, wrangler), ...args],
    {
      cwd: folder,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
      env: {
        ...Object.fromEntries(outside),
        CI: 'true',
        NO_COLOR: '1',
        WRANGLER_SEND_METRICS: 'false',
        WRANGLER_SEND_ERROR_REPORTS: 'false',
        WRANGLER_HIDE_BANNER: 'true',
        WRANGLER_LOG_PATH: scratch,
        WRANGLER_REGISTRY_PATH: join(scratch, 'registry'),
        CLOUDFLARE_CF_FETCH_ENABLED: 'false',
      },
    },
  );
  let printed = '';
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const clear = (): void => rmSync(scratch, { recursive: true, force: true });
  process.once('exit', clear);
  const stop = async (): Promise<void> => {
    child.stdin.end();
    await ended;
    process.off('exit', clear);
    clear();
  };
  const ready = new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        printed += text;
        onOutput?.(text);
        if (/Ready on http/.test(printed)) resolve();
      });
    }
    void ended.then(() => reject(new Error(`wrangler dev has ended:\n${printed.slice(-2000)}`)));
  });
  await ready.catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  const url = `http://127.0.0.1:${at}`;
  const scheduled = () => fetch(`${url}/cdn-cgi/local/scheduled`);
  /** Of what comes last in a run. */
  const runs = () =>
    ['upkeep.done', 'upkeep.failed']
      .flatMap((event) => loggedIn(printed, event))
      .filter(({ task }) => task === 'search').length;
  return {
    url,
    printed: () => printed,
    logged: (event) => loggedIn(printed, event),
    scheduled,
    upkept: async () => {
      const before = runs();
      let isOver = false;
      const both = scheduled()
        .then(({ status }) => {
          if (status !== 200) throw new Error(`HTTP ${status}: ${printed.slice(-2000)}`);
        })
        .finally(() => {
          isOver = true;
        });
      const first = async (): Promise<void> => {
        while (!isOver && runs() === before) await sleep(100);
      };
      await Promise.race([both, first()]);
    },
    ended,
    stop,
  };
}
