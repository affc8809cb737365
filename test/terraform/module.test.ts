// What Terraform itself says of the module, of its examples, and of what `scepter init` writes beside a repository:
// fmt, validate, and the module's tests with providers that are not there.

import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { copied, scepter, terraform } from './terraform.ts';

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

test("the module's own tests pass, and those of the role of a Worker", async () => {
  const module_ = join(copied(), 'infra', 'terraform');
  for (const folder of [module_, join(module_, 'modules', 'worker-identity')]) {
    await terraform(folder, ['init', '-backend=false']);
    const said = await terraform(folder, ['test']);
    assert.match(said, /Success! \d+ passed, 0 failed\./);
  }
});
