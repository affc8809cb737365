// The house rules that a compiler does not know: which room may import which, what the pure rooms
// may not touch, how long a file may be. README's picture of the house is this table.

import assert from 'node:assert/strict';
import { globSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative, sep } from 'node:path';
import { test } from 'node:test';
import { nameOf, unitTests } from './support/unit-tests.ts';

const root = join(import.meta.dirname, '..');

/** From the bottom up: each room may import those before it (shared design, section 2). */
const order = [
  ...['base', 'asn1', 'crypto', 'x509', 'cms', 'config', 'refusal', 'mdm', 'events', 'ports', 'ca'],
  ...['protocol', 'adapters', 'api', 'http', 'cli', 'functions'],
];

/** Rooms that may import less than all before them. */
const only: Readonly<Record<string, readonly string[]>> = {
  adapters: ['base', 'asn1', 'crypto', 'x509', 'ports'],
  api: ['base', 'config', 'refusal'],
  http: order.filter((room) => !['adapters', 'cli', 'functions'].includes(room)),
  cli: order.filter((room) => !['adapters', 'http', 'functions'].includes(room)),
};

const mayImport = (room: string): readonly string[] =>
  only[room] ?? order.slice(0, order.indexOf(room));

/** Packages: the only rooms that may import them. */
const packagesIn: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^(pkijs|asn1js)$/, ['asn1', 'x509', 'cms']],
  [/^hono(\/|$)/, ['http']],
  [/^@hono\//, ['functions']],
  [/^zod\//, ['config', 'api', 'http']],
  [/^(strip-json-comments|fastest-levenshtein)$/, ['config']],
  [/^commander$/, ['cli']],
  [/^jose$/, ['crypto']],
  [/^@(?:aws-sdk|smithy)\//, ['adapters']],
  [/^node:/, ['adapters', 'cli', 'functions']],
];

/** All below `ports`, the API's contract, and what is said on a wire. */
const isPure = ({ path, room }: Source): boolean =>
  order.indexOf(room) < order.indexOf('ports') ||
  ['api', 'mdm'].includes(room) ||
  /^lib\/protocol\/\w+\/(wire|client)\//.test(path);

type Source = { path: string; room: string; text: string; imports: string[] };

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'));
}

const roomOf = (path: string): string => {
  const [top = '', second = ''] = path.split('/');
  return top === 'lib' ? second : top;
};

const read = (...folders: readonly string[]): Source[] =>
  folders
    .flatMap(sources)
    .filter((path) => !path.endsWith('.d.ts'))
    .map((path) => {
      const text = readFileSync(join(root, path), 'utf8');
      const found = text.matchAll(/^(?:import|export)\s[^;]*?from '([^']+)'/gms);
      return { path, room: roomOf(path), text, imports: [...found].map(([, from]) => from ?? '') };
    });

const files = read('lib', 'functions');
/** The CDK's construct has no rooms of these, but is read as they are. */
const chapters = [...files, ...read('infra/cdk/lib')];

const local = (file: Source): string[] =>
  file.imports
    .filter((from) => from.startsWith('.'))
    .map((from) => posix.normalize(posix.join(posix.dirname(file.path), from)));

/** What adapters of one SDK share. */
const sharedByAdapters = ['lib/adapters/aws/aws.ts', 'lib/adapters/aws/signed.ts'];

/** Files of one adapter: those of a folder, below `aws` or beside it, or one file. */
const isSameAdapter = (one: string, other: string): boolean =>
  posix.dirname(one) === posix.dirname(other) &&
  /^lib\/adapters\/(?:aws\/\w|(?!aws\/)\w)/.test(posix.dirname(one).concat('/'));

/** The source without comments and string contents, where words do not count. */
const code = (text: string): string =>
  text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/^\s*\/\/.*$/gm, '')
    .replace(/'(?:[^'\\\n]|\\.)*'/g, "''");

test('every room imports only what stands below it', () => {
  assert.ok(files.length > 40, 'the sources were not found');
  for (const file of files) {
    assert.ok(order.includes(file.room), `${file.path} is in a room that the table does not know`);
    const allowed = mayImport(file.room);
    for (const target of local(file)) {
      if (target === 'package.json') continue;
      const room = roomOf(target);
      const near = isSameAdapter(file.path, target) || sharedByAdapters.includes(target);
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
      const native =
        path === 'lib/crypto/native.ts' && ['node:crypto', 'node:buffer'].includes(from);
      assert.ok(native || rule[1].includes(room), `${path} imports ${from}`);
    }
  }
});

test('the command line loads neither schemas nor SDKs before a command needs them', () => {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const packages = new Set<string>();
  const visit = (path: string, seen: Set<string>): void => {
    const file = byPath.get(path);
    if (!file || seen.has(path)) return;
    seen.add(path);
    for (const [, from = ''] of file.text.matchAll(/^import\s(?!type\b)[^;]*?from '([^']+)'/gms)) {
      if (from.startsWith('.')) visit(posix.normalize(posix.join(posix.dirname(path), from)), seen);
      else if (!from.startsWith('node:')) packages.add(from);
    }
  };
  visit('functions/cli.ts', new Set());
  const nouns = byPath.get('lib/cli/nouns.ts')?.text ?? '';
  const words = [...nouns.matchAll(/import\('\.(\/[^']+)'\)/g)].map(([, at]) => `lib/cli${at}`);
  assert.ok(words.length > 20);
  for (const path of words) visit(path, new Set());
  assert.deepEqual([...packages], ['commander']);
});

test('pure rooms take time, randomness, environment and I/O as arguments', () => {
  const banned =
    /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bgetRandomValues\b|\brandomUUID\b|\bprocess\b|\bBuffer\b|\bfetch\(|\bconsole\b|\bperformance\b/;
  for (const file of files) {
    // native.ts is the one file that may know the platform's Buffer.
    if (!isPure(file) || file.path === 'lib/crypto/native.ts') continue;
    assert.doesNotMatch(code(file.text), banned, file.path);
  }
});

test('the core never reads a clock or draws randomness but through its ports', () => {
  for (const { path, room, text } of files) {
    if (!['ca', 'protocol', 'http'].includes(room)) continue;
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
  for (const { path, text } of chapters) {
    const lines = text.trimEnd().split('\n').length;
    assert.match(text, /^\/\/ /, `${path} does not say what it is`);
    assert.ok(lines <= 350, `${path} has ${lines} lines`);
    const entry = /^functions\/(server|cli|worker|.*-lambda)\.ts$/.test(path);
    assert.ok(!entry || lines <= 60, `${path} has ${lines} lines`);
  }
});

test('a folder has at most 12 files', () => {
  for (const [folder, inIt] of Map.groupBy(chapters, ({ path }) => posix.dirname(path))) {
    assert.ok(inIt.length <= 12, `${folder} has ${inIt.length} files`);
  }
});

test('what a front door is made of is no business of another door, nor of the core', () => {
  for (const file of files) {
    for (const target of local(file)) {
      const [, door] = /^lib\/protocol\/(\w+)\//.exec(target) ?? [];
      const [, own] = /^lib\/protocol\/(\w+)\//.exec(file.path) ?? [];
      assert.ok(!door || !own || door === own, `${file.path} imports ${target}`);
    }
  }
});

test("the core, its records and events, and the reasons for a refusal speak no door's words", () => {
  const spoken =
    /\b(failInfo\w*|FailInfo|pkiStatus|messageTypes?|CertReps?|PKCSReq|RenewalReq|CertPoll)\b/;
  for (const { path, room, text } of files) {
    // Comments and texts too: but a text for the device names its message as its door does.
    if (['ca', 'events', 'ports'].includes(room)) assert.doesNotMatch(text, spoken, path);
    if (room === 'refusal') assert.doesNotMatch(code(text), spoken, path);
  }
});

test('an object identifier stands once: in its table, or in its row of the registry', () => {
  const tables = ['lib/asn1/oids.ts', 'lib/crypto/algorithms.ts'];
  const isTable = (path: string) =>
    tables.includes(path) || /^lib\/protocol\/\w+\/wire\/registry\.ts$/.test(path);
  const literal = /'(?:[12]|0\.9)(?:\.\d+){2,}'/g;
  for (const { path, text } of files) {
    if (!isTable(path)) assert.deepEqual(text.match(literal) ?? [], [], path);
  }
  const dotted = files
    .filter(({ path }) => isTable(path))
    .flatMap(({ text }) => text.match(literal) ?? []);
  assert.ok(dotted.length > 60);
  assert.equal(new Set(dotted).size, dotted.length);
});

test('every test file is run: by `npm test`, or by the suite of its folder', () => {
  const suites = /^test\/(dynamodb|infra|kill|kms|lambda|terraform|worker)\/[\w-]+\.test\.ts$/;
  const ofRooms = new Set(unitTests());
  const all = globSync('test/**/*.test.ts', { cwd: root }).map((one) => one.split(sep).join('/'));
  for (const path of all) assert.ok(ofRooms.has(path) || suites.test(path), path);
  const names = [...ofRooms].map(nameOf);
  assert.equal(new Set(names).size, names.length, 'a name is that of one file');
});

test('named exports only, no re-exports, no TODO', () => {
  for (const { path, text } of files) {
    // workerd takes a Worker's handlers from the default export of its module, and from nothing else.
    const named = path === 'functions/worker.ts' ? text.replace(/^export default /m, '') : text;
    assert.doesNotMatch(code(named), /^export default|^export \*|^export \{[^}]*\} from/m, path);
    assert.doesNotMatch(text, /TODO(?!\(#\d+\))|FIXME/, path);
  }
});

test('what is exported is imported somewhere, by a test at least', () => {
  const all = [...files.map(({ path }) => path), ...sources('test'), ...sources('build')];
  const imported = new Set<string>();
  for (const path of all) {
    const text = readFileSync(join(root, path), 'utf8');
    for (const [, names = '', from = ''] of text.matchAll(
      /^import\s(?:type\s)?[^;'{]*\{([^}]*)\}\sfrom '(\.[^']+)'/gm,
    )) {
      const target = posix.normalize(posix.join(posix.dirname(path), from));
      for (const name of names.split(',')) {
        const [, plain = ''] = /^\s*(?:type\s+)?(\w+)/.exec(name) ?? [];
        imported.add(`${target} ${plain}`);
      }
    }
    // A module that is loaded when it is needed, or as a whole.
    for (const [, from = ''] of text.matchAll(/(?:import\(|\* as \w+ from )'(\.[^']+)'/g)) {
      imported.add(`${posix.normalize(posix.join(posix.dirname(path), from))} *`);
    }
  }
  const exported = /^export (?:async )?(?:function\*?|const|class|type) (\w+)/gm;
  const unused = files.flatMap(({ path, text }) =>
    [...text.matchAll(exported)]
      .map(([, name = '']) => `${path} ${name}`)
      // What Lambda calls.
      .filter((one) => !one.endsWith(' handler') && !imported.has(`${path} *`))
      .filter((one) => !imported.has(one)),
  );
  assert.deepEqual(unused, [], 'needs no "export"');
});

test('an exported name means one thing', () => {
  const exported = files.flatMap(({ path, text }) =>
    [...text.matchAll(/^export (?:async )?(?:function\*?|const|class|type|interface) (\w+)/gm)].map(
      ([, name = '']) => ({ path, name }),
    ),
  );
  for (const [name, of] of Map.groupBy(exported, (one) => one.name)) {
    // What Lambda calls is named alike in every function.
    const places = [...new Set(of.map(({ path }) => path))];
    assert.ok(places.length === 1 || name === 'handler', `${name}: ${places.join(', ')}`);
  }
});
