// The documentation of the admin API: valid OpenAPI 3.1 by a validator that is not ours (it knows the
// official schema, and nothing of this project), current, and complete.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { routes } from '../../lib/api/api.ts';
import { openApi } from '../../lib/api/openapi.ts';
import { openApiPath, openApiText } from '../support/docs.ts';
import { makeLab } from '../support/lab.ts';

type Operation = {
  readonly operationId: string;
  readonly summary: string;
  readonly responses: Readonly<Record<string, unknown>>;
};
const document = openApi() as {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
};
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);

test('the document is valid OpenAPI 3.1', async () => {
  const { valid, errors } = await new Validator().validate(structuredClone(document));
  assert.ok(valid, JSON.stringify(errors));
  assert.match(document.openapi, /^3\.1\./);
});

test('the validator refuses a document that is not OpenAPI', async () => {
  const { paths: _paths, ...bent } = { ...document, info: {} };
  assert.equal((await new Validator().validate(bent)).valid, false);
});

test('docs/openapi.json is what `npm run docs` writes, and what the service answers', async () => {
  const kept = readFileSync(openApiPath, 'utf8');
  assert.ok(kept === openApiText(), 'docs/openapi.json is not current: npm run docs');
  const lab = await makeLab();
  const response = await lab.fetch('/openapi.json');
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'application/json');
  assert.deepEqual(await response.json(), JSON.parse(kept));
});

test('every route is in the document, once, under a name of its own, with its refusals', () => {
  assert.deepEqual(
    operations.map(({ method, path }) => `${method} ${path}`).sort(),
    routes.map(({ method, path }) => `${method.toLowerCase()} ${path}`).sort(),
  );
  assert.equal(
    new Set(operations.map(({ operation }) => operation.operationId)).size,
    routes.length,
  );
  for (const { path, operation } of operations) {
    assert.match(operation.summary, /^[A-Z]/, path);
    for (const status of ['401', '403', '503']) assert.ok(operation.responses[status], path);
  }
});
