// What a command of the installed release costs before it does anything, on the `node` of the PATH, which may have
// to start the Node that the package brings: CPU of all processes, beside that of this `node` doing nothing.

import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { writeFiles } from '../../build/build.ts';
import { bundleCli } from '../../build/bundle.ts';
import { root } from '../support/installed.ts';
import { temporary } from '../support/process.ts';

/** `status` and `cert list` of a folder without a server: they end before they ask one. */
const commands = [['--help'], ['cert', 'list'], ['status']] as const;

/** With this process's own Node out of its way. */
const path = (process.env.PATH ?? '')
  .split(delimiter)
  .filter((folder) => !folder.includes('node_modules'))
  .join(delimiter);

/** Milliseconds, user and system, of a process and of those that it has waited for. */
function cpuOf(args: readonly string[], folder: string): number {
  const script = 'TIMEFORMAT="%U %S"; { time node "$@" >/dev/null 2>&1; } 2>&1 || true';
  const env = { PATH: path, SCEPTER_DATA_DIR: folder, LC_ALL: 'C' };
  const said = execFileSync('bash', ['-c', script, 'bash', ...args], {
    env,
    encoding: 'utf8',
    // Of a socket bash takes itself for a shell from afar, and reads what a person has set up.
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return said.split(' ').reduce((sum, seconds) => sum + Number(seconds) * 1000, 0);
}

type Cost = { readonly ms: number; readonly ratio: number };

/** @param rounds by turns; of each the lower quartile counts, for a busy machine only adds */
export async function commandCosts(rounds: number): Promise<Record<string, Cost>> {
  const folder = temporary('bench-commands');
  const installed = join(folder, 'node_modules', 'scepter');
  mkdirSync(installed, { recursive: true });
  cpSync(join(root, 'bin'), join(installed, 'bin'), { recursive: true });
  await writeFiles(join(installed, 'dist', 'cli'), await bundleCli());
  symlinkSync(join(root, 'node_modules'), join(installed, 'node_modules'));
  const bin = join(installed, 'bin', 'scepter.js');
  const all = [['-e', '0'], ...commands.map((words) => [bin, ...words])];
  const spent = all.map((): number[] => []);
  // The first round fills the cache of compiled code.
  for (let round = 0; round <= rounds; round++) {
    for (const [i, args] of all.entries()) {
      const ms = cpuOf(args, folder);
      if (round > 0) spent[i]?.push(ms);
    }
  }
  const [nothing = Number.NaN, ...costs] = spent.map(
    (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 4)] ?? Number.NaN,
  );
  return Object.fromEntries(
    commands.map((words, i) => {
      const ms = costs[i] ?? Number.NaN;
      return [words.join(' '), { ms, ratio: ms / nothing }];
    }),
  );
}
