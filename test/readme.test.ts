// README tells the truth: its table is current, its rooms exist, its configuration is valid.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkConfig } from '../lib/config/config.ts';
import { reasons } from '../lib/refusal/reasons.ts';
import { withCoverage } from './support/coverage.ts';

const root = join(import.meta.dirname, '..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');

test('the coverage table is what `npm run docs` writes', () => {
  assert.equal(readme, withCoverage(readme));
});

test('every path that README names exists', () => {
  const named = readme.matchAll(/`((?:lib|test|functions)\/[\w./-]+)`/g);
  for (const [, path = ''] of named) assert.ok(existsSync(join(root, path)), path);
  const rooms = readme.matchAll(/^\d+\. `([a-z0-9]+\/[a-z-]+)`/gm);
  for (const [, room = ''] of rooms) assert.ok(existsSync(join(root, 'lib', `${room}.ts`)), room);
});

test('the example configuration is valid', () => {
  const [, json = ''] = /```json\n([\s\S]*?)```/.exec(readme) ?? [];
  assert.equal(checkConfig(JSON.parse(json)).endpoints.size, 2);
});

test('codes are unique, and named only where they exist', () => {
  const codes = Object.values(reasons).map(({ code }) => code);
  assert.equal(new Set(codes).size, codes.length);
  for (const [code] of readme.matchAll(/SCEP-\d{3}/g))
    assert.ok(codes.some((known) => known === code));
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
    const text = readFileSync(join(root, name), 'utf8');
    for (const [line] of text.matchAll(/^.*\b(?:npx|npm exec)\b.*\bscepter\b.*$/gm)) {
      // README says why not.
      assert.match(line, /would fetch|`npx scepter` outside/, `${name}: ${line}`);
    }
  }
});
