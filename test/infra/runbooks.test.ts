// What the runbooks let AWS do, by its own CLI in moto. What our service does with it, test/dynamodb/runbooks.test.ts shows.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { blocksOf } from '../support/blocks.ts';
import { temporary } from '../support/process.ts';
import { startMoto } from './stack.ts';
import { python } from './templates.ts';

const region = 'eu-central-1';
const moto = await startMoto('module.py', region, 'https://scep.example.com');
after(() => moto.stop());
const cwd = temporary('runbook');
const env = {
  ...process.env,
  PATH: `${python}:${process.env.PATH}`,
  AWS_ENDPOINT_URL: await moto.next<string>(),
  AWS_DEFAULT_REGION: region,
  AWS_ACCESS_KEY_ID: 'test',
  AWS_SECRET_ACCESS_KEY: 'test',
  SCEPTER_TABLE: 'scepter-records',
};

async function shell(script: string, more: Readonly<Record<string, string>> = {}): Promise<string> {
  const all = { cwd, env: { ...env, ...more } };
  const args = ['--norc', '-euo', 'pipefail', '-c', script];
  return (await promisify(execFile)('bash', args, all)).stdout;
}

function scriptOf([page, name]: readonly [string, string]): string {
  const script = blocksOf(page, name).map((block) => block.script);
  assert.notEqual(script.length, 0, `${page} has no block ${name}`);
  return script.join('\n');
}

test('a table is put back to a moment as another one, with expiry, recovery and protection', async () => {
  await shell(`aws dynamodb create-table --table-name "$SCEPTER_TABLE" --billing-mode PAY_PER_REQUEST \\
      --attribute-definitions AttributeName=pk,AttributeType=S --key-schema AttributeName=pk,KeyType=HASH
    aws dynamodb put-item --table-name "$SCEPTER_TABLE" --item '{"pk":{"S":"authorities#all"}}'
    aws dynamodb update-continuous-backups --table-name "$SCEPTER_TABLE" \\
      --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true`);
  await shell(scriptOf(['docs/runbooks.md', 'put-back']));
  const said = await shell(`aws dynamodb scan --table-name scepter-restored --query Count
    aws dynamodb describe-table --table-name scepter-restored --query Table.DeletionProtectionEnabled
    aws dynamodb describe-time-to-live --table-name scepter-restored --query TimeToLiveDescription.AttributeName
    aws dynamodb describe-continuous-backups --table-name scepter-restored \\
      --query ContinuousBackupsDescription.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus`);
  assert.deepEqual(
    said
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
    [...[1, true, 'ttl', 'ENABLED']],
  );
});

test('the policy of a key is taken, and another put in its place', async () => {
  const CA_KEY = (await shell('aws kms create-key --query KeyMetadata.KeyId --output text')).trim();
  await shell(scriptOf(['docs/runbooks.md', 'key-policy']), { CA_KEY });
  const said = await shell(
    'aws kms get-key-policy --key-id "$CA_KEY" --policy-name default --query Policy --output text | diff -B - policy.json',
    { CA_KEY },
  );
  assert.equal(said, '');
});
