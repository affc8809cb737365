// npm run test:infra: the CDK construct, its templates, the Terraform module, and whether both say the
// same. What is missing is said not to have run; `.ci/run` then counts the suite as failed.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from '../support/installed.ts';
import { runTests, testFilesIn } from '../support/run-tests.ts';
import { type ContextName, contexts } from './contexts.ts';
import { cdk, installCdk, installPython, makePackages, synthesise, templates } from './tools.ts';

function tests(env: Readonly<Record<string, string>>): Promise<number> {
  return runTests(testFilesIn(join(cdk, 'test'), import.meta.dirname), env);
}

const missing = (name: string) => (error: Error) => {
  console.log(`NOT RUN: ${name} (${error.message})`);
  process.exitCode = 1;
};

const [, python] = await Promise.all([
  installCdk().catch(missing('infra/cdk')),
  installPython().catch(missing('infra')),
]);
if (python !== undefined && process.exitCode === undefined) {
  const tsc = spawnSync(process.execPath, [
    join(root, 'node_modules', 'typescript', 'bin', 'tsc'),
    '-p',
    join(cdk, 'tsconfig.json'),
  ]);
  process.stdout.write(tsc.stdout);
  const packages = await makePackages({ withCdk: true });
  await synthesise(Object.keys(contexts) as ContextName[], packages);
  const failed = await tests({
    INFRA_PYTHON: python,
    INFRA_PACKAGES: packages,
    INFRA_TEMPLATES: templates,
    CDK_VALIDATION: 'false',
  });
  process.exitCode = tsc.status === 0 ? failed : 1;
}
