// The pages of MDMs tell the truth: their configurations are valid, the commands that they show print what they show,
// and the refusals are ours.

import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { intuneCodes } from '../lib/adapters/intune/codes.ts';
import { sampleCa, uncertifiable } from '../lib/ca/policy/certifiable.ts';
import { checkConfig } from '../lib/config/config.ts';
import { type Reason, reasons } from '../lib/refusal/reasons.ts';
import { openTerminal } from './support/cli.ts';
import { makeLab } from './support/lab.ts';
import { pipelineOf, wordsOf } from './support/shell.ts';

const root = join(import.meta.dirname, '..');
const pages = globSync('docs/mdm*.md', { cwd: root }).map((name) => ({
  name,
  text: readFileSync(join(root, name), 'utf8'),
}));

/** What stands beside the endpoints where a page shows only those. */
const whole = { publicUrl: 'https://scep.example.com', cas: { default: { subject: 'CN=CA' } } };

test('the configurations of these pages are valid', async () => {
  const documents = pages.flatMap(({ name, text }) =>
    [...text.matchAll(/^```json\n([\s\S]*?)^```$/gm)].map(([, json = '']) => ({ name, json })),
  );
  assert.ok(documents.length > 0);
  for (const { name, json } of documents) {
    const config = checkConfig({ ...whole, ...JSON.parse(json) });
    for (const authority of config.cas.values()) {
      assert.deepEqual(await uncertifiable(config, sampleCa(authority)), [], name);
    }
  }
});

/** The commands of a page and what it shows of their output, as `$ COMMAND` in a fenced block. */
const shown = pages.flatMap(({ name, text }) =>
  [...text.matchAll(/^```\n\$ ([^\n]*(?:\n {4}[^\n]*)*)\n([\s\S]*?)^```$/gm)].map(
    ([, command = '', output = '']) => ({ name, text, command, output }),
  ),
);

/** What a page leaves out stands as "...". */
function pattern(output: string): RegExp {
  const exact = output.split('...').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`^${exact.join('[\\s\\S]*')}$`);
}

for (const { name, text, command, output } of shown) {
  test(`${name}: ${command.replace(/\s+/g, ' ')}`, async () => {
    const [, json] = /^```json\n([\s\S]*?)^```$/m.exec(text) ?? [];
    const lab = await makeLab({ config: { ...whole, ...JSON.parse(json ?? '{}') } });
    const terminal = await openTerminal(lab);
    try {
      let stdin = '';
      for (const one of pipelineOf(command)) {
        const [program, ...args] = wordsOf(one);
        assert.equal(program, 'scepter');
        const { code, out, err } = await terminal.run(args, { stdin });
        assert.equal(code, 0, err);
        stdin = out;
      }
      assert.match(stdin, pattern(output));
    } finally {
      await terminal.close();
    }
  });
}

test('a line of the log on these pages has the code of its reason', () => {
  let count = 0;
  for (const { name, text } of pages) {
    for (const [, reason = '', code] of text.matchAll(/"reason":"(\w+)","code":"(SCEP-\d+)"/g)) {
      assert.equal(reasons[reason as Reason]?.code, code, `${name}: ${reason}`);
      count += 1;
    }
  }
  assert.ok(count > 0);
});

test('what Intune says on its page is what it can say', () => {
  const { text = '' } = pages.find(({ name }) => name.endsWith('mdm-intune.md')) ?? {};
  const said = [...text.matchAll(/`([A-Z][a-z]+[A-Z][A-Za-z]+)`/g)].map(([, code = '']) => code);
  assert.ok(said.length >= 4);
  for (const code of said) assert.ok(Object.hasOwn(intuneCodes, code), code);
});

test('the page of all MDMs has each of the others', () => {
  const [index] = pages.filter(({ name }) => name === join('docs', 'mdm.md'));
  for (const { name } of pages) {
    const file = name.slice('docs/'.length);
    assert.ok(file === 'mdm.md' || index?.text.includes(`](${file})`), name);
  }
});
