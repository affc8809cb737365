// What the guide deploys: `npm run release`, also over what a version before this one left.

import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { functionNames } from '../../build/bundle.ts';
import { root } from '../support/installed.ts';
import { run } from '../support/process.ts';

test('a new release takes the place of the one before: one package of each function', async () => {
  const folder = join(root, 'dist', 'release');
  await mkdir(folder, { recursive: true });
  const before = join(folder, 'scepter-scep-lambda-0.0.0.zip');
  await writeFile(before, '');
  try {
    const { code, err } = await run('build/release.ts', []);
    assert.equal(code, 0, err);
    assert.ok(!existsSync(before));
    for (const name of functionNames) {
      const found = readdirSync(folder).filter((file) => file.startsWith(`scepter-${name}-`));
      assert.equal(found.length, 1, found.join(', '));
    }
  } finally {
    await rm(before, { force: true });
  }
});
