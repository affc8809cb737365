// The house rules that a compiler does not know: which room may import which, what the pure rooms
// may not touch, how long a file may be. README's picture of the house is this table.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative, sep } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..');

/** Room: what it may import beside itself. `base` is lib/*.ts but for the files of `config`. */
const mayImport: Record<string, readonly string[]> = {
  base: [],
  config: ['base', 'x509'],
  ports: ['base'],
  cms: ['base', 'x509'],
  x509: ['base', 'cms'],
  scep: ['base', 'cms', 'x509'],
  log: ['base'],
  ca: ['base', 'config', 'ports', 'cms', 'x509', 'scep', 'log'],
  adapters: ['base', 'ports'],
  http: ['base', 'config', 'ports', 'cms', 'x509', 'scep', 'log', 'ca'],
  cli: ['base', 'config', 'ports', 'cms', 'x509', 'scep', 'log', 'ca'],
  functions: [
    ...['base', 'config', 'ports', 'cms', 'x509', 'scep', 'log', 'ca', 'adapters', 'http', 'cli'],
  ],
};

/** Packages: the only rooms that may import them. */
const packagesIn: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^(pkijs|asn1js)$/, ['cms', 'x509']],
  [/^hono(\/|$)/, ['http']],
  [/^@hono\//, ['functions']],
  [/^zod\//, ['config', 'http']],
  [/^commander$/, ['cli']],
  [/^@aws-sdk\//, ['adapters']],
  [/^node:/, ['adapters', 'cli', 'functions']],
];

const pureRooms = ['base', 'config', 'cms', 'x509', 'scep', 'log'];

type Source = { path: string; room: string; text: string; imports: string[] };

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'));
}

function roomOf(path: string): string {
  const [top = '', second = '', ...deeper] = path.split('/');
  if (top === 'functions') return 'functions';
  if (deeper.length > 0) return second;
  return ['config.ts', 'enrolment.ts', 'profile.ts', 'schema.ts'].includes(second)
    ? 'config'
    : 'base';
}

const files: Source[] = [...sources('lib'), ...sources('functions')]
  .filter((path) => !path.endsWith('.d.ts'))
  .map((path) => {
    const text = readFileSync(join(root, path), 'utf8');
    const found = text.matchAll(/^(?:import|export)\s[^;]*?from '([^']+)'/gms);
    return { path, room: roomOf(path), text, imports: [...found].map(([, from]) => from ?? '') };
  });

const local = (file: Source): string[] =>
  file.imports
    .filter((from) => from.startsWith('.'))
    .map((from) => posix.normalize(posix.join(posix.dirname(file.path), from)));

/** What adapters of one SDK share. */
const sharedByAdapters = ['lib/adapters/aws.ts'];

/** Files of one adapter: `dynamodb.ts`, `dynamodb-table.ts`. */
const sameThing = (...paths: string[]): boolean =>
  new Set(paths.map((path) => /^lib\/adapters\/(\w+)/.exec(path)?.[1])).size === 1;

/** The source without comments and string contents, where words do not count. */
const code = (text: string): string =>
  text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/^\s*\/\/.*$/gm, '')
    .replace(/'(?:[^'\\\n]|\\.)*'/g, "''");

test('every room imports only what stands below it', () => {
  assert.ok(files.length > 40, 'the sources were not found');
  for (const file of files) {
    const allowed = mayImport[file.room];
    assert.ok(allowed, `${file.path} is in a room that the table does not know`);
    for (const target of local(file)) {
      if (target === 'package.json') continue;
      const room = roomOf(target);
      const near = sameThing(file.path, target) || sharedByAdapters.includes(target);
      if (room === file.room && (room !== 'adapters' || near)) continue;
      assert.ok(allowed.includes(room), `${file.path} imports ${target}`);
    }
  }
});

test('no file imports itself through others', () => {
  const graph = new Map(files.map((file) => [file.path, local(file)]));
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    assert.ok(!trail.includes(path), `import cycle: ${[...trail, path].join(' -> ')}`);
    if (done.has(path)) return;
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
});

test('a package is imported only in the rooms it belongs to', () => {
  for (const { path, room, imports } of files) {
    for (const from of imports.filter((name) => !name.startsWith('.'))) {
      const rule = packagesIn.find(([pattern]) => pattern.test(from));
      assert.ok(rule, `${path} imports ${from}, which has no place in the table`);
      const native = path === 'lib/cms/native.ts' && ['node:crypto', 'node:buffer'].includes(from);
      assert.ok(native || rule[1].includes(room), `${path} imports ${from}`);
    }
  }
});

test('pkijs and asn1js types appear in no exported signature outside x509', () => {
  for (const { path, imports } of files) {
    if (imports.some((from) => from === 'pkijs' || from === 'asn1js')) {
      assert.match(path, /^lib\/(x509|cms)\//);
    }
  }
});

test('pure rooms take time, randomness, environment and I/O as arguments', () => {
  const banned =
    /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bgetRandomValues\b|\brandomUUID\b|\bprocess\b|\bBuffer\b|\bfetch\(|\bconsole\b|\bperformance\b/;
  for (const { path, room, text } of files) {
    // native.ts is the one file that may know the platform's Buffer.
    if (!pureRooms.includes(room) || path === 'lib/cms/native.ts') continue;
    assert.doesNotMatch(code(text), banned, path);
  }
});

test('the core never reads a clock or draws randomness but through its ports', () => {
  for (const { path, room, text } of files) {
    if (room !== 'ca' && room !== 'http') continue;
    assert.doesNotMatch(code(text), /\bDate\.now\b|\bgetRandomValues\b|\bprocess\.env\b/, path);
  }
});

test('the environment is read in one file', () => {
  for (const { path, text } of files) {
    if (path !== 'functions/env.ts') assert.doesNotMatch(code(text), /process\.env/, path);
  }
});

test("pkijs' SignedData.verify is never called, nor its signature code used", () => {
  for (const { path, text } of files) {
    assert.doesNotMatch(code(text), /\bSignedData\s*\(|setEngine|getCrypto\(/, path);
  }
});

test('files are chapters: a heading of why, at most 350 lines, entry points at most 60', () => {
  for (const { path, text } of files) {
    const lines = text.trimEnd().split('\n').length;
    assert.match(text, /^\/\/ /, `${path} does not say what it is`);
    assert.ok(lines <= 350, `${path} has ${lines} lines`);
    const entry = /^functions\/(server|cli|worker|.*-lambda)\.ts$/.test(path);
    assert.ok(!entry || lines <= 60, `${path} has ${lines} lines`);
  }
});

test('named exports only, no re-exports, no TODO', () => {
  for (const { path, text } of files) {
    // workerd takes a Worker's handlers from the default export of its module, and from nothing else.
    const named = path === 'functions/worker.ts' ? text.replace(/^export default /m, '') : text;
    assert.doesNotMatch(code(named), /^export default|^export \*|^export \{[^}]*\} from/m, path);
    assert.doesNotMatch(text, /TODO(?!\(#\d+\))|FIXME/, path);
  }
});
