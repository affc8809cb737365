// scepter config: a document judged and completed, without a server.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { type Config, checkConfig } from '../../lib/config/config.ts';
import { openTerminal } from '../support/cli.ts';
import { makeLab } from '../support/lab.ts';
import { temporary } from '../support/process.ts';

const lab = await makeLab();
const terminal = await openTerminal(lab);
after(() => terminal.close());
const run = (args: string[], options = {}) => terminal.run(['config', ...args], options);

const folder = join(import.meta.dirname, '..', '..', 'examples');
const examples = readdirSync(folder).map((name) => join(folder, name));
const file = (content: string): string => {
  const path = join(temporary('config'), 'scepter.json');
  writeFileSync(path, content);
  return path;
};
const wrong = {
  publicUrl: 'scep.example.com/path',
  cas: { default: { subject: 'CN=CA', key: 'rsa:1024' } },
  endpoints: { default: { ca: 'default', approval: 'maybe', more: 1 } },
};
const sentences = [
  'publicUrl: must be an http or https origin without a path',
  'cas.default.key: must be "rsa:2048", "rsa:3072", "rsa:4096", "ec:P-256", "ec:P-384"',
  'endpoints.default.approval: must be "never", "always", "firstEnrolment", "newSubject"',
  'endpoints.default: "more" is not a field that exists here',
];
/** All that a document means, without how it was written. */
const meaning = ({ document: _, digest: _ofIt, ...rest }: Config): object => rest;

describe('config validate', () => {
  for (const path of examples) {
    test(`${path.slice(folder.length + 1)} is valid`, async () => {
      const { code, out, err } = await run(['validate', path]);
      assert.equal(code, 0, err);
      assert.match(out, /\.json is valid: \d CAs?, \d endpoints?\n$/);
      assert.equal(err, '');
    });
  }

  test('an invalid document is exit 2 with a sentence for each field and nothing on stdout', async () => {
    const path = file(JSON.stringify(wrong));
    const { code, out, err } = await run(['validate', path]);
    assert.equal(code, 2);
    assert.equal(out, '');
    const expected = [...sentences, `scepter: ${path} is not valid: 4 problems`];
    assert.deepEqual(err.trimEnd().split('\n').sort(), expected.sort());
  });

  test('config validate --json prints the sentences as data, and is exit 2', async () => {
    const { code, out } = await run(['validate', '-', '--json'], { stdin: JSON.stringify(wrong) });
    assert.equal(code, 2);
    const said = JSON.parse(out) as { valid: boolean; problems: string[] };
    assert.equal(said.valid, false);
    assert.deepEqual([...said.problems].sort(), [...sentences].sort());
    const good = await run(['validate', '--json']);
    assert.deepEqual(JSON.parse(good.out), { valid: true, problems: [] });
  });

  test('config validate --stamp prints a valid document with its release and its SHA-256, and no other', async () => {
    const path = file('{ // as Terraform writes it\n "b": 1, "publicUrl": "https://a.example" }');
    assert.deepEqual(
      await run(['validate', path, '--stamp']).then(({ code, out }) => ({ code, out })),
      { code: 2, out: '' },
    );
    const odd = { subject: 'CN=R&D \\<Büro\\>' };
    const document = {
      publicUrl: 'https://a.example',
      endpoints: { default: { ca: 'z' } },
      cas: { z: odd, a: { subject: 'CN=A' } },
    };
    const { code, out } = await run(['validate', file(JSON.stringify(document)), '--stamp']);
    assert.equal(code, 0);
    // What Terraform's jsonencode makes of it: members in order, and no character that HTML knows.
    const encoded = String.raw`{"cas":{"a":{"subject":"CN=A"},"z":{"subject":"CN=R\u0026D \\\u003cBüro\\\u003e"}},"endpoints":{"default":{"ca":"z"}},"publicUrl":"https://a.example"}`;
    const { scepter, sha256, ...rest } = JSON.parse(out);
    assert.match(scepter, /^\d+\.\d+\.\d+$/);
    assert.equal(sha256, createHash('sha256').update(encoded).digest('hex'));
    assert.deepEqual(rest, { document });
    const both = await run(['validate', path, '--stamp', '--json']);
    assert.deepEqual([both.code, both.err], [2, 'scepter: give --json or --stamp, not both\n']);
  });

  test('config validate without a file checks what a server started here would take', async () => {
    assert.equal(
      (await run(['validate'])).out,
      'the embedded default is valid: 1 CA, 2 endpoints\n',
    );
    const [path = ''] = examples;
    const { out } = await run(['validate'], { config: path });
    assert.ok(out.startsWith(`SCEPTER_CONFIG (${path}) is valid: `), out);
    const inline = await run(['validate'], { config: JSON.stringify(wrong) });
    assert.match(inline.err, /\nscepter: SCEPTER_CONFIG is not valid: 4 problems\n$/);
  });

  const unreadable: [string, string[], object, RegExp][] = [
    ['not there', ['/no/such/file.json'], {}, /\/no\/such\/file\.json cannot be read: ENOENT/],
    ['no JSON', [file('{')], {}, /scepter\.json is not JSON: /],
    ['no JSON on standard input', ['-'], { stdin: 'x' }, /standard input is not JSON: /],
    ['not there, by SCEPTER_CONFIG', [], { config: 'no.json' }, /SCEPTER_CONFIG cannot be read: /],
  ];
  for (const [name, args, options, said] of unreadable) {
    test(`${name}: exit 2 and one sentence`, async () => {
      for (const verb of ['validate', 'print']) {
        const { code, out, err } = await run([verb, ...args], options);
        assert.equal(code, 2);
        assert.equal(out, '');
        assert.match(err, said);
      }
    });
  }
});

describe('config print', () => {
  for (const path of examples) {
    test(`${path.slice(folder.length + 1)}: complete, means the same, stays as it is`, async () => {
      const { out, code } = await run(['print', path]);
      assert.equal(code, 0);
      const printed = JSON.parse(out);
      const written = JSON.parse(readFileSync(path, 'utf8'));
      assert.deepEqual(meaning(checkConfig(printed)), meaning(checkConfig(written)));
      for (const endpoint of Object.values<object>(printed.endpoints)) {
        const fields = ['ca', 'profile', 'enrol', 'approval', 'pendingTtl', 'legacy'];
        for (const field of fields) assert.ok(field in endpoint, field);
      }
      assert.ok(printed.profiles.device.names.dns);
      assert.equal((await run(['print', '-'], { stdin: out })).out, out);
      const line = await run(['print', path, '--json']);
      assert.match(line.out, /^[^\n]*\n$/);
      assert.deepEqual(JSON.parse(line.out), printed);
    });
  }

  test('config print of an invalid document is exit 2 with the first sentence and how to see the others', async () => {
    const { code, out, err } = await run(['print', '-'], { stdin: JSON.stringify(wrong) });
    assert.equal(code, 2);
    assert.equal(out, '');
    assert.match(
      err,
      /standard input is not valid: publicUrl: .* \(and 3 more: scepter config val/,
    );
  });

  test('a text that would act on a terminal is printed as an escape, of the same JSON', async () => {
    const document = {
      $schema: 'a\u202eb',
      publicUrl: 'http://a.example',
      cas: { default: { subject: 'CN=a' } },
      endpoints: { default: { ca: 'default' } },
    };
    const { out } = await run(['print', '-'], { stdin: JSON.stringify(document) });
    assert.ok(out.includes('a\\u202eb'));
    assert.equal(JSON.parse(out).$schema, 'a\u202eb');
  });
});
