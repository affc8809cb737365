// One test file in a workerd process of its own, the binary that wrangler brings: an isolate that no
// other file has touched, and a crash that is this file's. Random values, timers, HTTP and files are
// the runtime's own; whatever the tests fetch goes to servers that they have themselves.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { root } from '../support/installed.ts';
import { compatibilityDate, workerdBinary } from '../support/workerd.ts';
import { type Message, mark } from './message.ts';

/** Longer than any file takes on a busy machine. */
const LIMIT_MS = 180_000;

/** Folders of the repository that tests read. */
const shown = ['test/vectors'];

export type Workerd = {
  /** @returns nothing, or how the process ended if not by itself, with what it said last */
  run(file: string, hear: (message: Message) => void): Promise<string | undefined>;
  close(): Promise<void>;
};

/** @param bundle of `bundleTests` */
export async function prepareWorkerd(bundle: Uint8Array): Promise<Workerd> {
  const folder = await mkdtemp(join(tmpdir(), 'scepter-runtime-'));
  await writeFile(join(folder, 'bundle.js'), bundle);
  const binary = workerdBinary();
  const running = new Set<ChildProcess>();
  process.once('exit', () => {
    for (const child of running) child.kill('SIGKILL');
  });
  return {
    async run(file, hear) {
      const config = join(folder, `${file.replaceAll('/', '-')}.capnp`);
      await writeFile(config, configOf(file));
      const child = spawn(binary, ['test', '--experimental', '--no-verbose', '-I', root, config], {
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: LIMIT_MS,
        killSignal: 'SIGKILL',
      });
      running.add(child);
      const [said, [code, signal]] = await Promise.all([
        text(child.stderr),
        once(child, 'close') as Promise<[number | null, string | null]>,
        heard(child, hear),
      ]);
      running.delete(child);
      if (code === 0) return undefined;
      return `workerd ended with ${signal ?? code}: ${said.trim().slice(-2000)}`;
    },
    close: () => rm(folder, { recursive: true }),
  };
}

async function heard(child: ChildProcess, hear: (message: Message) => void): Promise<void> {
  if (!child.stdout) throw new Error('workerd has no output');
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith(mark)) hear(JSON.parse(line.slice(mark.length)) as Message);
  }
}

/**
 * A path after `embed` that begins with a slash is below the folder of -I. Making functions from text
 * is an experiment of workerd's, so the flag; it opens nothing else without a compatibility flag.
 */
function configOf(file: string): string {
  const bindings = [
    `(name = "FILE", text = ${JSON.stringify(file)})`,
    '(name = "MAKE_FUNCTION", unsafeEval = void)',
    ...(process.env.SLOW ? [`(name = "SLOW", text = ${JSON.stringify(process.env.SLOW)})`] : []),
  ];
  const files = shown
    .flatMap((folder) => readdirSync(join(root, folder), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .map((path) => JSON.stringify(path))
    .map((name) => `(name = ${name}, data = embed ${name.replace('"', '"/')})`);
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "tests", worker = .tests)],
  v8Flags = ["--expose-gc"],
);
const tests :Workerd.Worker = (
  compatibilityDate = ${JSON.stringify(compatibilityDate())},
  modules = [(name = "main", esModule = embed "bundle.js"), ${files.join(', ')}],
  bindings = [${bindings.join(', ')}],
  globalOutbound = "tests",
);
`;
}
