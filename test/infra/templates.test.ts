// The templates of the quick start, by the rules of cfn-lint.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { type ContextName, contexts } from './contexts.ts';
import { pathOf, python } from './templates.ts';

/** The CDK says what a resource needs even where a reference says it already. */
const idle = ['W3005'];

const lint = (...paths: string[]) => {
  const ignored = idle.flatMap((id) => ['--ignore-checks', id]);
  const args = ['--format', 'parseable', ...ignored, '--template', ...paths];
  const { status, stdout, stderr } = spawnSync(join(python, 'cfn-lint'), args, {
    encoding: 'utf8',
  });
  return { status, said: `${stdout}${stderr}` };
};

test('cfn-lint has nothing to say about any template', () => {
  const paths = Object.keys(contexts).map((name) => pathOf(name as ContextName));
  assert.deepEqual(lint(...paths), { status: 0, said: '' });
});
