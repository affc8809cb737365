// The documents tell the truth: what they name exists, what they link to is there, every shell block is run or,
// where it needs an account, made of commands that exist.

import assert from 'node:assert/strict';
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import type { Command } from 'commander';
import * as allLimits from '../lib/base/limits.ts';
import * as pageLimits from '../lib/base/mdm-limits.ts';
import type { Io } from '../lib/cli/io.ts';
import { makeProgram } from '../lib/cli/main.ts';
import { checkConfig } from '../lib/config/config.ts';
import { reasons } from '../lib/refusal/reasons.ts';
import { withCoverage } from './support/coverage.ts';
import { hresultsPage } from './support/intune/page.ts';

const root = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const readme = read('README.md');
const documents = ['README.md', 'SECURITY.md', ...globSync('docs/*.md', { cwd: root })];

test('the coverage table is what `npm run docs` writes', () => {
  const page = read('docs/rfc8894.md');
  assert.equal(page, withCoverage(page));
});

test('the tables of what Intune is told, and says, are what `npm run docs` writes', () => {
  assert.equal(read('docs/intune-hresults.md'), hresultsPage());
});

test('every path that a document names exists', () => {
  for (const name of documents) {
    for (const [, path = ''] of read(name).matchAll(/`((?:lib|test|functions)\/[\w./-]+)`/g))
      assert.ok(existsSync(join(root, path)), `${name}: ${path}`);
  }
  const rooms = readme.matchAll(/^\d+\. `([a-z0-9]+\/[a-z-]+)`/gm);
  for (const [, room = ''] of rooms) assert.ok(existsSync(join(root, 'lib', `${room}.ts`)), room);
});

test('every link between documents leads to a file and to a heading in it', () => {
  const anchors = (markdown: string): string[] =>
    [...markdown.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replaceAll(/[^\w -]/g, '')
        .replaceAll(' ', '-'),
    );
  for (const name of documents) {
    for (const [, link = ''] of read(name).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(link)) continue;
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? name : relative(root, join(root, dirname(name), path));
      assert.ok(existsSync(join(root, target)), `${name}: ${link}`);
      if (anchor !== undefined)
        assert.ok(anchors(read(target)).includes(anchor), `${name}: ${link}`);
    }
  }
});

test('the index names every document', () => {
  const index = read('docs/README.md');
  for (const name of globSync('docs/*.md', { cwd: root })) {
    if (name === join('docs', 'README.md')) continue;
    assert.ok(index.includes(`](${relative('docs', name)})`), name);
  }
});

test('the example configuration is valid', () => {
  for (const name of ['README.md', 'docs/settings.md']) {
    const [, json = ''] = /```json\n([\s\S]*?)```/.exec(read(name)) ?? [];
    assert.equal(checkConfig(JSON.parse(json)).endpoints.size, 2);
  }
});

test('the examples with validators outside are valid', () => {
  const own = { publicUrl: 'https://scep.example.com', cas: { default: { subject: 'CN=CA' } } };
  for (const name of ['docs/settings.md', 'docs/webhooks.md']) {
    const [json = ''] = [...read(name).matchAll(/```json\n(\{[\s\S]*?\n)```/g)]
      .map(([, text = '']) => text)
      .filter((text) => text.includes('"validators"'));
    assert.ok(checkConfig({ ...own, ...JSON.parse(json) }).validators.size > 0, name);
  }
});

test('codes are unique, and named only where they exist', () => {
  const codes = Object.values(reasons).map(({ code }) => code);
  assert.equal(new Set(codes).size, codes.length);
  for (const name of documents) {
    for (const [code] of read(name).matchAll(/SCEP-\d{3}/g))
      assert.ok(
        codes.some((known) => known === code),
        `${name}: ${code}`,
      );
  }
});

type Block = { readonly name: string; readonly how: string; readonly script: string };

function shellBlocks(): Block[] {
  return documents.flatMap((name) =>
    [...read(name).matchAll(/^```sh *([^\n]*)\n([\s\S]*?)^```$/gm)].map(
      ([, how = '', script = '']) => ({ name, how, script }),
    ),
  );
}

test('every shell block says by what it is run', () => {
  const tests = globSync('test/**/*.ts', { cwd: root }).map(read).join('\n');
  for (const { name, how, script } of shellBlocks()) {
    assert.match(how, /^(?:interop=[\w-]+|tested=[\w-]+|guide=[\w,-]+)$/, `${name}:\n${script}`);
    if (how === 'tested=ci') {
      const ci = read('.ci/run');
      for (const command of script.trim().split(' && '))
        assert.ok(ci.includes(command) || command === 'npm start', command);
    } else if (how.startsWith('guide=')) {
      for (const followed of how.slice('guide='.length).split(','))
        assert.ok(
          tests.includes(`['${name}', '${followed}']`),
          `nobody follows ${followed} of ${name}`,
        );
    } else if (how.startsWith('tested=')) {
      const file = name.replace('docs/', '');
      assert.ok(
        tests.includes(`'${file}'`) || tests.includes(`'${name}'`),
        `no test reads ${name}`,
      );
    }
  }
});

const io = { out: () => undefined, note: () => undefined, env: {} } as unknown as Io;

/** The command that these words begin with. @returns it with the words that are left */
function commandOf(program: Command, words: readonly string[]): [Command, readonly string[]] {
  const [first] = words;
  const child = program.commands.find((one) => one.name() === first);
  return child ? commandOf(child, words.slice(1)) : [program, words];
}

test('every command of ours in a document exists, with its options', async () => {
  const program = await makeProgram('0', io);
  let count = 0;
  for (const name of documents) {
    const blocks = [...read(name).matchAll(/^```sh[^\n]*\n([\s\S]*?)^```$/gm)].map(
      ([, text]) => text,
    );
    const inline = [...read(name).matchAll(/`(scepter [^`]+)`/g)].map(([, text]) => text);
    for (const text of [...blocks, ...inline]) {
      const lines = (text ?? '').replaceAll(/\\?\n +(?=-)/g, ' ').replaceAll('\\\n', ' ');
      for (const [line] of lines.matchAll(/(?<=^|[|(] *|[A-Z]\S+ |&& )scepter [a-z][^|)\n]*/gm)) {
        const words = line.split(/\s+/).slice(1);
        const [command, rest] = commandOf(program, words);
        assert.notEqual(command, program, `${name}: ${line}`);
        assert.ok(
          command.commands.length === 0 || rest.length === 0,
          `${name}: ${line} (${command.name()} has no ${rest[0]})`,
        );
        const known = [...command.options, ...program.options].map(({ long }) => long);
        for (const [option] of line.matchAll(/(?<= )--[a-z][\w-]*/g))
          assert.ok(known.includes(option) || option === '--help', `${name}: ${line}: ${option}`);
        count += 1;
      }
    }
  }
  assert.ok(count > 40, `${count} commands`);
});

const limits = new Map<string, unknown>(Object.entries({ ...allLimits, ...pageLimits }));

test('the page of commands names every command', async () => {
  const page = read('docs/operate.md');
  const [table = ''] = /^\| command \| what \|\n(?:\|.*\n)+/m.exec(page) ?? [];
  const cells = [...table.matchAll(/^\| (`(?:\\\||[^|])+) \| /gm)].map(([, cell]) => cell).join();
  const named = [...cells.matchAll(/`([^`]+)`/g)].flatMap(([, text = '']) => {
    const [first = '', rest] = text.split(' ');
    return rest === undefined ? [first] : rest.split('\\|').map((one) => `${first} ${one}`);
  });
  const all = (await makeProgram('0', io)).commands
    .flatMap((command) => [command, ...command.commands])
    .filter(({ commands }) => commands.length === 0)
    .map((one) => (one.parent?.parent ? `${one.parent.name()} ${one.name()}` : one.name()));
  assert.deepEqual(named.toSorted(), all.toSorted());
});

/** What a number of the limits page is, in the unit of its constant. */
function inUnitOf(constant: string, text: string): number {
  const [, digits = '', unit = ''] = /^([\d,]+)(?: (.+))?$/.exec(text) ?? [];
  const factors: Readonly<Record<string, number>> = constant.endsWith('_MS')
    ? { ms: 1, s: 1000, min: 60_000, h: 3_600_000, days: 86_400_000 }
    : { KiB: 1024, octets: 1, s: 1, '': 1, bits: 1 };
  return Number(digits.replaceAll(',', '')) * (factors[unit] ?? Number.NaN);
}

test('every limit on the page of limits is the one of the code', () => {
  const rows = [
    ...read('docs/limits.md').matchAll(/^\| [^|]+ \| ([^|]+) \| [^|]+ \| (`[^|]+) \|$/gm),
  ];
  assert.ok(rows.length > 20);
  for (const [row, values = '', constants = ''] of rows) {
    const names = [...constants.matchAll(/`(\w+)`/g)].map(([, constant = '']) => constant);
    const numbers = values.split(/; | to /);
    assert.equal(numbers.length, names.length, row);
    for (const [i, constant] of names.entries())
      assert.equal(
        inUnitOf(constant, (numbers[i] ?? '').replace(/^(\d+)$/, '$1')),
        limits.get(constant),
        row,
      );
  }
});

test('no document and no message asks a registry for a name that is not ours', () => {
  const folders = ['docs', 'examples', 'functions', 'infra', 'lib', 'bin', 'build', 'test/dev-aws'];
  const files = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter(
        (name) => !name.includes('node_modules') && /\.(?:md|ts|tf|json|jsonc|js)$/.test(name),
      )
      .map((name) => join(folder, name)),
  );
  for (const name of ['README.md', 'SECURITY.md', ...files]) {
    for (const [line] of read(name).matchAll(/^.*\b(?:npx|npm exec)\b.*\bscepter\b.*$/gm)) {
      // README says why not.
      assert.match(line, /would fetch|`npx scepter` outside/, `${name}: ${line}`);
    }
  }
});
