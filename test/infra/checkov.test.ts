// The Terraform module by the rules of checkov. What it is allowed to find stands at its resource, with the reason.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporary } from '../support/process.ts';
import { installPython, terraform } from './tools.ts';

const files = readdirSync(terraform).filter((name) => name.endsWith('.tf'));

test('checkov has nothing to say about the module, but for what has a reason where it stands', async () => {
  const python = await installPython('requirements-checkov.txt');
  // A copy of the module alone: its examples and tests are other folders.
  const folder = temporary('checkov');
  for (const name of files) cpSync(join(terraform, name), join(folder, name));
  const args = ['-d', folder, '--framework', 'terraform', '--output', 'json', '--compact'];
  const { stdout, stderr } = spawnSync(join(python, 'checkov'), [...args, '--skip-download'], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  assert.ok(stdout.startsWith('{'), stderr);
  const { summary, results } = JSON.parse(stdout);
  const found = results.failed_checks.map(
    (one: { check_id: string; resource: string }) => `${one.check_id} ${one.resource}`,
  );
  assert.deepEqual(found, []);
  assert.equal(summary.parsing_errors, 0);
  assert.ok(summary.passed > 100);
  // One that is no longer found is not skipped either.
  const skipped = new Set(
    results.skipped_checks.map((one: { check_id: string; file_path: string }) =>
      [one.check_id, one.file_path.replace(/^\//, '')].join(' '),
    ),
  );
  const said = files.flatMap((name) =>
    [...readFileSync(join(terraform, name), 'utf8').matchAll(/checkov:skip=(\w+): (.+)$/gm)].map(
      ([, id, reason = '']) => {
        assert.match(reason, /^[A-Z].{15,}\.$/, `${id} in ${name}`);
        return `${id} ${name}`;
      },
    ),
  );
  assert.deepEqual([...skipped].toSorted(), [...new Set(said)].toSorted());
});
