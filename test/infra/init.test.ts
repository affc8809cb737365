// What `scepter init` writes, taken by the tools that it is for: the CDK, and a reader of HCL.
// Terraform's own look is in test/terraform/run.ts, where its provider is to be had.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseJsonc } from '../../lib/config/schema.ts';
import { root } from '../support/installed.ts';
import { run, temporary } from '../support/process.ts';

const json = (...path: string[]): Readonly<Record<string, unknown>> =>
  parseJsonc(readFileSync(join(...path), 'utf8')) as never;
const domain = ['--domain', 'scep.example.com'];
const zone = ['--zone', 'Z0123456789'];
const account = ['-c', 'account=111122223333'];

async function written(...args: string[]): Promise<string> {
  const folder = join(temporary('stub'), 'deployment');
  const { code, err } = await run('bin/scepter.js', ['init', folder, ...args, '--yes']);
  assert.equal(code, 0, err);
  return folder;
}

function ran(folder: string, command: string, args: readonly string[], more = {}): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    env: {
      ...process.env,
      ...{ CI: 'true', NO_COLOR: '1', AWS_EC2_METADATA_DISABLED: 'true' },
      CDK_DISABLE_CLI_TELEMETRY: '1',
      ...more,
    },
  });
  assert.equal(status, 0, `${error ?? ''}${stdout}${stderr}`);
  return stdout;
}

/** With what `npm run release` makes. */
function releasedRepository(): string {
  const folder = temporary('repository');
  mkdirSync(join(folder, 'infra', 'cdk'), { recursive: true });
  mkdirSync(join(folder, 'dist'));
  symlinkSync(process.env.INFRA_PACKAGES ?? '', join(folder, 'dist', 'release'));
  return folder;
}

test('the stub for AWS installs the package of the construct, and cdk synth takes it', async () => {
  const arn = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:challenge-AbCdEf';
  const isStatic = ['--mdm', 'static', '--names', 'mac-*', '--secret', arn];
  const place = ['--target', 'aws-cdk', '--region', 'eu-west-1'];
  const repository = releasedRepository();
  const at = ['--repository', repository];
  const folder = await written(...place, ...domain, ...zone, ...isStatic, ...at);
  ran(folder, 'sh', ['-c', `npm install --silent ${repository}/dist/release/cdk-scepter-*.tgz`]);
  // CloudFormation's own rules, too.
  ran(folder, 'npx', ['cdk', 'synth', '--quiet', ...account], { CDK_VALIDATION: 'true' });
  const [template = ''] = readdirSync(join(folder, 'cdk.out')).filter((name) =>
    name.endsWith('.template.json'),
  );
  const text = readFileSync(join(folder, 'cdk.out', template), 'utf8');
  assert.match(text, /"DomainName": "scep\.example\.com"/);
  assert.match(text, /challenge-AbCdEf/);
  const ours = json(root, 'infra', 'cdk', 'cdk.json').context as object;
  assert.partialDeepStrictEqual(json(folder, 'cdk.json').context, ours);
  const { dependencies, devDependencies } = json(folder, 'package.json');
  const { 'cdk-scepter': _, ...taken } = { ...Object(dependencies), ...Object(devDependencies) };
  const tried = Object(json(root, 'infra', 'cdk', 'package.json').devDependencies);
  for (const [name, version] of Object.entries(taken))
    assert.equal(version, `^${tried[name]}`, name);
});

test('the CDK takes the stub for Workers', async () => {
  const folder = await written('--target', 'workers', ...domain);
  const { app, context } = json(folder, 'cdk.json');
  const env = JSON.stringify({ ...(context as object), account: '111122223333' });
  ran(folder, 'sh', ['-c', `CDK_CONTEXT_JSON='${env}' CDK_OUTDIR=cdk.out ${app}`]);
  assert.ok(readdirSync(join(folder, 'cdk.out')).some((name) => name.endsWith('.template.json')));
});

test('the root module for Terraform is HCL, and sets only what the module has', async () => {
  const isStatic = ['--mdm', 'static', '--names', 'mac-*'];
  const folder = await written('--target', 'aws-terraform', ...domain, ...zone, ...isStatic);
  const python = join(process.env.INFRA_PYTHON ?? '', 'python');
  const hcl = (of: string) =>
    JSON.parse(ran(folder, python, [join(import.meta.dirname, 'hcl.py'), of]));
  const [{ scepter }] = hcl(folder)['main.tf'].module;
  const variables = hcl(join(root, 'infra', 'terraform'))['variables.tf'].variable.map(
    (one: object) => Object.keys(one)[0],
  );
  const { source, providers: _, ...set } = scepter;
  for (const name of Object.keys(set)) assert.ok(variables.includes(name), name);
  assert.equal(join(folder, source), join(root, 'infra', 'terraform'));
  assert.deepEqual(scepter.domain, { name: 'scep.example.com', zone_id: 'Z0123456789' });
});
