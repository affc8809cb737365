// The runbook of a deployment that was deleted by mistake, with Terraform itself in moto: the table and the keys outlive
// it, and are imported.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { startMoto } from '../infra/stack.ts';
import { packages } from '../infra/templates.ts';
import { blocksOf } from '../support/blocks.ts';
import { root } from '../support/installed.ts';
import { temporary } from '../support/process.ts';
import { stateIn, terraform } from './terraform.ts';

const region = 'eu-central-1';
const moto = await startMoto('module.py', region, 'https://scep.example.com');
after(() => moto.stop());
const url = await moto.next<string>();
const env = {
  ...{ AWS_ENDPOINT_URL: url, AWS_ENDPOINT_URL_S3: url, AWS_REGION: region },
  ...{ AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' },
  TF_CLI_ARGS_apply: '-auto-approve',
  TF_CLI_ARGS_destroy: '-auto-approve',
  TF_VAR_config_file: 'stamped.json',
};

/** The example, in a copy. */
function example(): string {
  const copy = temporary('deleted');
  for (const name of ['infra/terraform', 'infra/policies', 'examples']) {
    cpSync(join(root, name), join(copy, name), {
      recursive: true,
      verbatimSymlinks: true,
      filter: (path) => !path.includes('.terraform'),
    });
  }
  cpSync(packages, join(copy, 'dist', 'release'), { recursive: true });
  const config = join(copy, 'my.json');
  const minimal = readFileSync(join(root, 'examples', 'minimal.json'), 'utf8');
  writeFileSync(config, minimal.replaceAll('http:', 'https:'));
  const scepter = join(root, 'bin', 'scepter.js');
  const args = [scepter, 'config', 'validate', config, '--stamp'];
  const folder = join(copy, 'infra', 'terraform', 'examples', 'basic');
  const stamped = execFileSync(process.execPath, args, { encoding: 'utf8' });
  writeFileSync(join(folder, 'stamped.json'), stamped);
  return folder;
}

type Outputs = {
  readonly table_name: string;
  readonly ca_key_arns: { readonly default: string };
  readonly sealing_key_arn: string;
  readonly log_key_arn: string;
};
const outputsIn = (folder: string) => stateIn(folder).outputs.scepter?.value as Outputs;

test('what outlives a deployment that was destroyed is imported into the next one, the same table and keys', async () => {
  const folder = example();
  await terraform(folder, ['init'], env);
  await terraform(folder, ['apply'], env);
  const before = outputsIn(folder);
  const kept = (await terraform(folder, ['state', 'list'], env))
    .split('\n')
    .filter((one) => /aws_kms_key|aws_dynamodb_table/.test(one));
  assert.equal(kept.length, 4);
  for (const one of kept) await terraform(folder, ['state', 'rm', one], env);
  await terraform(folder, ['destroy'], env);

  const [block] = blocksOf(...(['docs/runbooks.md', 'import'] as const));
  const child = spawn('bash', ['--norc', '-euo', 'pipefail', '-c', block?.script ?? 'false'], {
    cwd: folder,
    env: {
      ...{ ...process.env, ...env, SCEPTER_DEPLOYMENT: 'scepter' },
      SCEPTER_TABLE: before.table_name,
      CA_KEY: before.ca_key_arns.default,
      SCEPTER_SEALING_KEY: before.sealing_key_arn,
      SCEPTER_LOG_KEY: before.log_key_arn,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'close');
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  assert.equal(code, 0, `${out}${err}`);
  assert.doesNotMatch(out, /must be replaced|[1-9]\d* destroyed/);
  // Buckets are others, and have others' names.
  const keptOf = ({ table_name, ca_key_arns, sealing_key_arn, log_key_arn }: Outputs) => [
    ...[table_name, ca_key_arns, sealing_key_arn, log_key_arn],
  ];
  assert.deepEqual(keptOf(outputsIn(folder)), keptOf(before));
});
