// What Terraform itself says of the module, of its examples, and of what `scepter init` writes beside a repository:
// fmt, validate, and the module's tests with providers that are not there.

import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '../support/installed.ts';
import { temporary } from '../support/process.ts';
import { copied, scepter, terraform } from './terraform.ts';

const module = join(root, 'infra', 'terraform');
/** The module's tests of what its variables refuse. */
const refusals = 'refusals.tftest.hcl';

/** What `scepter init` writes beside a repository, with all that it can. */
function stubBeside(repository: string): string {
  const stub = join(repository, 'stub');
  const places = [stub, '--repository', repository];
  const named = ['--domain', 'scep.example.com', '--zone', 'Z0123456789'];
  const isStatic = ['--mdm', 'static', '--names', 'mac-*'];
  const args = [...places, '--target', 'aws-terraform', ...named, ...isStatic, '--yes'];
  scepter('init', ...args);
  const stamped = scepter('config', 'validate', join(stub, 'scepter.jsonc'), '--stamp');
  writeFileSync(join(stub, 'stamped.json'), stamped);
  return stub;
}

test('the module, its examples and what scepter init writes are formatted and valid', async () => {
  const copy = copied();
  const folder = join(copy, 'infra', 'terraform');
  await terraform(folder, ['fmt', '-recursive', '-check', '-diff']);
  const stub = stubBeside(copy);
  await terraform(stub, ['fmt', '-check', '-diff']);
  const examples = readdirSync(join(folder, 'examples')).map((name) =>
    join(folder, 'examples', name),
  );
  assert.equal(examples.length, 2);
  for (const one of [...examples, stub]) {
    await terraform(one, ['init', '-backend=false']);
    await terraform(one, ['validate']);
  }
});

test("the module's own tests pass, and those of its parts for a Worker", async () => {
  const module_ = join(copied(), 'infra', 'terraform');
  const others = readdirSync(join(module_, 'tests'))
    .filter((name) => name.endsWith('.tftest.hcl') && name !== refusals)
    .map((name) => `-filter=tests/${name}`);
  assert.ok(others.length > 2);
  const parts = readdirSync(join(module_, 'modules')).map((name) => join(module_, 'modules', name));
  for (const folder of [module_, ...parts]) {
    const filters = folder === module_ ? others : [];
    await terraform(folder, ['init', '-backend=false']);
    const said = await terraform(folder, ['test', ...filters]);
    assert.match(said, /Success! \d+ passed, 0 failed\./);
  }
});

test('variables refuse what they have to', async () => {
  // Without the provider, which each run would start anew: a variable is refused before anything is planned.
  const folder = temporary('refusals');
  mkdirSync(join(folder, 'tests'));
  cpSync(join(module, 'variables.tf'), join(folder, 'variables.tf'));
  cpSync(join(module, 'tests', 'packages'), join(folder, 'tests', 'packages'), { recursive: true });
  const text = readFileSync(join(module, 'tests', refusals), 'utf8');
  const own = text.replace(/^mock_provider [\s\S]*?^\}\n/gm, '');
  writeFileSync(join(folder, 'tests', refusals), own);
  const runs = text.match(/^run "/gm)?.length ?? 0;
  assert.ok(runs > 50);
  assert.equal(text.match(/^ {2}expect_failures = /gm)?.length, runs);
  const said = await terraform(folder, ['test']);
  assert.match(said, new RegExp(`Success! ${runs} passed, 0 failed\\.`));
});
