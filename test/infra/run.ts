// npm run test:infra: the CDK construct, its templates, the Terraform module, and whether both say the
// same. What is missing is said not to have run; `.ci/run` then counts the suite as failed.

import { spawnSync } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleFunction, functionNames } from '../../build/bundle.ts';
import { makeCdkPackage } from '../../build/cdk-package.ts';
import { zip } from '../../build/zip.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { root, tool } from '../support/installed.ts';
import { runTests, testFilesIn } from '../support/run-tests.ts';
import { contexts } from './contexts.ts';
import { cache, cdk, installCdk, installPython } from './tools.ts';

/** As `npm run release` makes them. */
async function makePackages(): Promise<string> {
  const folder = join(cache, 'packages');
  const cdkPackage = join(cache, 'cdk-package');
  for (const each of [folder, cdkPackage]) await rm(each, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const zips = new Map<string, Uint8Array>();
  for (const name of functionNames) {
    zips.set(`scepter-${name}-${packageJson.version}.zip`, zip(await bundleFunction(name)));
  }
  for (const [file, octets] of zips) await writeFile(join(folder, file), octets);
  await makeCdkPackage(zips, cdkPackage);
  await tool('npm', ['pack', '--silent', '--pack-destination', folder], cdkPackage, 'npm');
  return folder;
}

/** By the app of the quick start. @returns the folder with the templates */
function synthesise(name: string, packages: string): string {
  const outdir = join(cache, 'templates', name);
  const { entry, context } = contexts[name as keyof typeof contexts];
  const { status, stderr } = spawnSync(process.execPath, [join(cdk, 'bin', `${entry}.ts`)], {
    cwd: cdk,
    encoding: 'utf8',
    env: {
      ...process.env,
      CDK_OUTDIR: outdir,
      CDK_CONTEXT_JSON: JSON.stringify({ ...context, ...(entry === 'app' ? { packages } : {}) }),
    },
  });
  if (status !== 0) throw new Error(`infra/cdk/bin/${entry}.ts: ${stderr}`);
  return outdir;
}

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
  const packages = await makePackages();
  for (const name of Object.keys(contexts)) synthesise(name, packages);
  const failed = await tests({
    INFRA_PYTHON: python,
    INFRA_PACKAGES: packages,
    INFRA_TEMPLATES: join(cache, 'templates'),
  });
  process.exitCode = tsc.status === 0 ? failed : 1;
}
