// The published JSON Schema, by a validator that is not ours, and the examples.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { checkConfig } from '../../lib/config/config.ts';
import { schemaPath, schemaText } from '../support/docs.ts';

const folder = join(import.meta.dirname, '..', '..', 'examples');
const examples = readdirSync(folder).map((name) => ({
  name,
  json: JSON.parse(readFileSync(join(folder, name), 'utf8')),
}));
const valid = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true }).compile(
  JSON.parse(schemaText()),
);

test('docs/config.schema.json is what `npm run docs` writes', () => {
  assert.equal(readFileSync(schemaPath, 'utf8'), schemaText());
});

test('every field of the schema says what it is for', () => {
  const silent: string[] = [];
  const walk = (node: unknown, path: string): void => {
    const { properties = {}, additionalProperties, anyOf = [] } = Object(node);
    for (const [name, field] of Object.entries<object>(properties)) {
      const here = `${path}.${name}`;
      if (!('description' in field) && !/\.keys\.rsa|\.pattern$/.test(here)) silent.push(here);
      walk(field, here);
    }
    for (const option of anyOf) walk(option, path);
    if (additionalProperties) walk(additionalProperties, `${path}.*`);
  };
  walk(JSON.parse(schemaText()), '');
  assert.deepEqual(silent, []);
});

for (const { name, json } of examples) {
  test(`examples/${name}: valid by the schema and by us`, () => {
    assert.ok(valid(json), JSON.stringify(valid.errors));
    assert.ok(checkConfig(json).endpoints.size > 0);
  });
}

test('checkConfig refuses what the schema refuses', () => {
  const [example] = examples;
  for (const bend of [
    (json: Record<string, unknown>) => ({ ...json, publicUrl: 'scep.example.com' }),
    (json: Record<string, unknown>) => ({ ...json, cas: { Default: { subject: 'CN=a' } } }),
    (json: Record<string, unknown>) => ({ ...json, profiles: { p: { validity: '1y' } } }),
    (json: Record<string, unknown>) => ({ ...json, profiles: { p: { names: { dns: 'any' } } } }),
    (json: Record<string, unknown>) => ({ ...json, more: 1 }),
  ]) {
    const bent = bend(example?.json);
    assert.ok(!valid(bent), JSON.stringify(bent));
    assert.throws(() => checkConfig(bent), { name: 'ConfigError' });
  }
});
