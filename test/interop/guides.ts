// The commands of README, docs/enrol.md and the pages of MDMs, as their readers run them: each fenced block whose info string says
// `interop=NAME` goes unchanged to bash, in a copy of this checkout, beside a plain `npm start` on
// the default port. It must exit with 0 and leave a certificate of this CA and the key to it.

import { cp, mkdir, readdir, readFile, symlink } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { ownRecords } from './clients/certmonger.ts';
import { lastLines, plainEnv, run } from './command.ts';
import { fetchCa } from './lab.ts';
import { hold, publicKeyOf, verify } from './openssl.ts';
import { startServer } from './server.ts';
import { type Report, report } from './table.ts';

/** What they must show. */
const names = [
  'cli',
  'strongswan',
  'micromdm',
  'certmonger',
  'mdm-apple',
  'mdm-strongswan',
  'mdm-certmonger',
];
/** The last is written by suites beside this one, and what is in it may be gone when it is copied. */
const notCopied = ['node_modules', '.git', '.scepter', '.wrangler'];

const guides = ['README.md', 'docs/enrol.md', 'docs/mdm-apple.md', 'docs/mdm-linux.md'];

type Block = { readonly guide: string; readonly line: number; readonly text: string };

export async function guideReports(
  root: string,
  scratch: string,
  wanted: (name: string) => boolean,
): Promise<Report[]> {
  const blocks = new Map<string, Block[]>();
  for (const guide of guides) {
    const text = await readFile(join(root, guide), 'utf8');
    for (const [name, found] of blocksIn(guide, text)) {
      blocks.set(name, [...(blocks.get(name) ?? []), ...found]);
    }
  }
  const reports: Report[] = [];
  for (const name of new Set([...names, ...blocks.keys()])) {
    if (!wanted(`guide ${name}`)) continue;
    const mine = blocks.get(name) ?? [];
    const title = mine.map(({ guide, line }) => `${guide}, line ${line}`).join('; ');
    reports.push(await report(`guide ${name}`, title, () => runBlocks(root, scratch, name, mine)));
  }
  return reports;
}

/** By name; blocks of one name are steps of one guide. @throws {Error} for an unnamed one */
export function blocksIn(guide: string, markdown: string): Map<string, Block[]> {
  const blocks = new Map<string, Block[]>();
  const fenced = /^(```+)([^\n`]*)\n([\s\S]*?)^\1[ \t]*$/gm;
  for (const { index, 2: info = '', 3: text = '' } of markdown.matchAll(fenced)) {
    if (!/\binterop\b/.test(info)) continue;
    const line = markdown.slice(0, index).split('\n').length;
    const [, name] = /(?:^|\s)interop=([a-z0-9-]+)(?:\s|$)/.exec(info) ?? [];
    if (!name) throw new Error(`${guide}, line ${line}: "${info}" does not say interop=NAME`);
    blocks.set(name, [...(blocks.get(name) ?? []), { guide, line, text }]);
  }
  return blocks;
}

async function runBlocks(
  root: string,
  scratch: string,
  name: string,
  blocks: readonly Block[],
): Promise<string> {
  hold(blocks.length > 0, `a guide has a block "sh interop=${name}"`);
  const folder = join(scratch, `guide-${name}`);
  const copy = join(folder, 'scepter');
  await cp(root, copy, {
    recursive: true,
    filter: (path) => !notCopied.includes(basename(path)),
  });
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));
  const before = new Set(await filesBelow(copy));
  const records = join(folder, 'certmonger');
  await mkdir(records);
  // Nothing is set for the block but where certmonger keeps its records of this account, and our command as
  // README has it.
  const env = plainEnv(await ownRecords(records));
  env.PATH = `${join(copy, 'bin')}:${env.PATH}`;
  const server = await startServer({ root: copy, folder, settings: 'plain' });
  try {
    for (const { guide, line, text } of blocks) {
      const options = { cwd: copy, env };
      const { code, stdout, stderr } = await run('bash', ['-euo', 'pipefail', '-c', text], options);
      const said = lastLines(`${stdout}\n${stderr}`, 12);
      hold(code === 0, `the block of ${guide}, line ${line}, exits with 0, not ${code}:\n${said}`);
    }
    const { ca } = await fetchCa(server, join(folder, 'fetched'));
    const left = (await filesBelow(copy)).filter((path) => !before.has(path));
    const found = await certificateAndKey(left, ca);
    return found.map((path) => relative(copy, path)).join(', ');
  } finally {
    await server.stop();
  }
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter(
      (path) =>
        !relative(folder, path)
          .split('/')
          .some((part) => notCopied.includes(part)),
    );
}

/** Among these files, a certificate that verifies and the private key that is its own. */
async function certificateAndKey(paths: readonly string[], ca: string): Promise<string[]> {
  const keys = new Map<string, string>();
  for (const path of paths) {
    const { code, stdout } = await run('openssl', ['pkey', '-in', path, '-pubout']);
    if (code === 0) keys.set(stdout.toString().trim(), path);
  }
  for (const path of paths) {
    const key = keys.get(await publicKeyOf(path).catch(() => ''));
    if (!key) continue;
    const good = await verify(path, ca).then(
      () => true,
      () => false,
    );
    if (good) return [path, key];
  }
  const left = paths.map((path) => basename(path)).join(', ') || 'nothing';
  throw new Error(`no certificate of this CA with its key is left, but ${left}`);
}
