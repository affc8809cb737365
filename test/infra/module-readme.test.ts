// The README of the Terraform module has its inputs and outputs as the module has them. After a change of theirs:
// UPDATE_README=1 npm run test:infra -- module-readme

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { at, blocksOf, hclOf, maybe } from './templates.ts';
import { terraform } from './tools.ts';

const path = join(terraform, 'README.md');
const cell = (text: unknown): string => String(text).replaceAll('|', '\\|');

/** What a variable is where nobody says anything; null is said so in its description. */
const defaultIn = (content: unknown): string => {
  if (!('default' in Object(content))) return 'must be given';
  const value = maybe(content, 'default');
  return value === null ? '–' : `\`${JSON.stringify(value)}\``;
};

function tables(): string {
  const module_ = hclOf();
  const inputs = blocksOf(module_, 'variable').map(({ labels: [name], content }) => {
    const type = String(at(content, 'type')).replace(/^\$\{(.*)\}$/s, '$1');
    return `| \`${name}\` | \`${cell(type)}\` | ${cell(defaultIn(content))} | ${cell(at(content, 'description'))} |`;
  });
  const outputs = blocksOf(module_, 'output').map(
    ({ labels: [name], content }) => `| \`${name}\` | ${cell(at(content, 'description'))} |`,
  );
  return `
## Inputs

| name | type | default | what |
|---|---|---|---|
${inputs.join('\n')}

## Outputs

| name | what |
|---|---|
${outputs.join('\n')}
`;
}

test('the README of the module has all inputs and outputs, as they are', () => {
  const text = readFileSync(path, 'utf8');
  const current = text.replace(/(<!-- begin: .* -->\n)[\s\S]*(<!-- end -->)/, `$1${tables()}$2`);
  if (process.env.UPDATE_README) writeFileSync(path, current);
  else assert.equal(text, current);
});
