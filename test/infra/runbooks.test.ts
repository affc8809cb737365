// What the runbooks let AWS do, by its own CLI in moto. What our service does with it, test/dynamodb/runbooks.test.ts shows.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { CreateTableCommand } from '@aws-sdk/client-dynamodb';
import { makeDynamoDbClient } from '../../lib/adapters/aws/dynamodb/calls.ts';
import { blocksOf } from '../support/blocks.ts';
import { root } from '../support/installed.ts';
import { temporary } from '../support/process.ts';
import { startMoto } from './stack.ts';
import { at, ofType, packages, python, templateAt } from './templates.ts';
import { cdk } from './tools.ts';

const [region, other] = ['eu-central-1', 'eu-west-1'];
const moto = await startMoto('module.py', region, 'https://scep.example.com');
after(() => moto.stop());
const endpoint = await moto.next<string>();
const cwd = temporary('runbook');
const env = {
  ...process.env,
  PATH: `${python}:${process.env.PATH}`,
  AWS_ENDPOINT_URL: endpoint,
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

/** Without the CLI, which whoever waits for an answer would wait for. */
async function createTable(where: string, TableName: string): Promise<void> {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const client = makeDynamoDbClient({ endpoint, region: where, credentials });
  const pk = { AttributeName: 'pk' };
  await client.send(
    new CreateTableCommand({
      ...{ TableName, BillingMode: 'PAY_PER_REQUEST' },
      AttributeDefinitions: [{ ...pk, AttributeType: 'S' }],
      KeySchema: [{ ...pk, KeyType: 'HASH' }],
    }),
  );
  client.destroy();
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

test('keys are replicated into another Region, for the roles that a deployment there will have', async () => {
  const create = 'aws kms create-key --multi-region --query KeyMetadata.Arn --output text';
  const [CA_KEY = '', SCEPTER_SEALING_KEY = '', SCEPTER_LOG_KEY = ''] = await Promise.all(
    [1, 2, 3].map(async () => (await shell(create)).trim()),
  );
  const role = `arn:aws:iam::111122223333:role/pki/scepter-scepter-${region}-scep`;
  const policy = JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        ...{ Sid: 'Use', Effect: 'Allow', Principal: { AWS: 'arn:aws:iam::111122223333:root' } },
        ...{ Action: 'kms:Sign', Resource: '*' },
        Condition: { ArnEquals: { 'aws:PrincipalArn': [role] } },
      },
    ],
  });
  writeFileSync(join(cwd, 'first.json'), policy);
  const keys = { CA_KEY, SCEPTER_SEALING_KEY, SCEPTER_LOG_KEY };
  await shell(
    'aws kms put-key-policy --key-id "$SCEPTER_LOG_KEY" --policy-name default --policy file://first.json',
    keys,
  );
  const there = { OTHER_REGION: other, AWS_REGION: region, SCEPTER_DEPLOYMENT: 'scepter' };
  await shell(scriptOf(['docs/recovery.md', 'replicas']), { ...keys, ...there });
  const put = JSON.parse(readFileSync(join(cwd, 'policy.json'), 'utf8'));
  assert.deepEqual(put, JSON.parse(policy.replace(region, other)));
  for (const key of Object.values(keys)) {
    const arn = key.replace(region, other);
    const described = `aws kms describe-key --region ${other} --key-id "${arn}" --query KeyMetadata.Arn`;
    assert.equal(JSON.parse(await shell(described)), arn);
  }
});

test('a vault of copies is made, and the newest copy in it becomes a table with all its settings', async (t) => {
  const OTHER_REGION = other;
  const said = await shell(scriptOf(['docs/recovery.md', 'copies']), { OTHER_REGION });
  assert.match(said, new RegExp(`^arn:aws:backup:${other}:\\d+:backup-vault:scepter-copies$`, 'm'));

  // AWS Backup as far as moto does not know it: what is in a vault, and what is made of it.
  const asked: unknown[] = [];
  const point = (id: number) => `arn:aws:backup:${other}:111122223333:recovery-point:${id}`;
  const server = createServer(async (request, response) => {
    const body = await text(request);
    if (request.method === 'PUT') {
      asked.push(JSON.parse(body));
      await createTable(other, 'scepter-restored');
    }
    const RecoveryPoints = [
      [1, 'COMPLETED'],
      [3, 'PARTIAL'],
      [2, 'COMPLETED'],
    ].map(([CreationDate, Status]) => ({
      ...{ RecoveryPointArn: point(Number(CreationDate)), CreationDate, Status },
    }));
    const answer = request.method === 'PUT' ? { RestoreJobId: '1' } : { RecoveryPoints };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const BACKUP_ROLE = 'arn:aws:iam::111122223333:role/backup';
  const key = (id: string) => `arn:aws:kms:${region}:111122223333:key/mrk-${id}`;
  const shown = 'echo "$CA_KEY $SCEPTER_LOG_KEY $SCEPTER_SEALING_KEY $SCEPTER_TABLE"';
  const restored = `${scriptOf(['docs/runbooks.md', 'region'])}\n${scriptOf(['docs/runbooks.md', 'settings'])}`;
  const out = await shell(`${restored}\n${shown}`, {
    ...{ OTHER_REGION, AWS_REGION: region, BACKUP_ROLE },
    ...{ CA_KEY: key('a'), SCEPTER_LOG_KEY: key('b'), SCEPTER_SEALING_KEY: key('c') },
    AWS_ENDPOINT_URL_BACKUP: `http://127.0.0.1:${port}`,
  });
  const there = ['a', 'b', 'c'].map((id) => key(id).replace(region, other)).join(' ');
  assert.equal(out.trim().split('\n').at(-1), `${there} scepter-restored`);
  assert.deepEqual(
    asked.map((one) => {
      const { RecoveryPointArn, IamRoleArn, Metadata } = Object(one);
      return [RecoveryPointArn, IamRoleArn, Metadata];
    }),
    [[point(2), BACKUP_ROLE, { targetTableName: 'scepter-restored', encryptionType: 'Default' }]],
  );
  const ttl = `aws dynamodb describe-time-to-live --region ${other} --table-name scepter-restored`;
  assert.equal(
    JSON.parse(await shell(`${ttl} --query TimeToLiveDescription.AttributeName`)),
    'ttl',
  );
});

test('the CDK deploys with the table and keys that exist', async () => {
  const key = (id: string) => `arn:aws:kms:${region}:111122223333:key/mrk-${id.repeat(32)}`;
  const config = join(root, 'examples', 'minimal.json');
  const options = `options=(-c config=${config} -c account=111122223333 -c region=${region} -c ingress=httpApi -c packages=${packages})`;
  // The toolkit itself makes the template of it, and no account is asked.
  const npx = `npx() { (cd '${cdk}' && env -u AWS_ENDPOINT_URL node_modules/.bin/cdk synth --quiet --output '${cwd}/adopted' "\${@:3:$# - 4}"); }`;
  const stream =
    'aws dynamodb update-table --table-name "$SCEPTER_TABLE" --stream-specification StreamEnabled=true,StreamViewType=KEYS_ONLY > stream.json';
  await shell(`${options}\n${npx}\n${stream}\n${scriptOf(['docs/runbooks.md', 'adopt'])}`, {
    ...{ SCEPTER_TABLE: 'scepter-records', CA_KEY: key('a') },
    ...{ SCEPTER_SEALING_KEY: key('b'), SCEPTER_LOG_KEY: key('c') },
  });
  const template = templateAt(join(cwd, 'adopted', 'Scepter.template.json'));
  for (const type of ['AWS::DynamoDB::GlobalTable', 'AWS::KMS::Key']) {
    assert.deepEqual(ofType(template, type), []);
  }
  const { SCEPTER_TABLE, SCEPTER_SEALING_KEY } = Object(
    at(ofType(template, 'AWS::Lambda::Function')[0], 'Environment.Variables'),
  );
  assert.deepEqual([SCEPTER_TABLE, SCEPTER_SEALING_KEY], ['scepter-records', key('b')]);
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

test('a table and each of its indexes are warmed as the guide says', async () => {
  const names = ['places', 'due', 'subjects', 'devices'];
  const attributes = ['pk', ...names].map((name) => `AttributeName=${name},AttributeType=S`);
  const indexes = names.map((IndexName) => ({
    IndexName,
    KeySchema: [{ AttributeName: IndexName, KeyType: 'HASH' }],
    Projection: { ProjectionType: 'KEYS_ONLY' },
  }));
  const SCEPTER_TABLE = 'scepter-warm';
  await shell(
    `aws dynamodb create-table --table-name "$SCEPTER_TABLE" --billing-mode PAY_PER_REQUEST \\
      --attribute-definitions ${attributes.join(' ')} --key-schema AttributeName=pk,KeyType=HASH \\
      --global-secondary-indexes '${JSON.stringify(indexes)}'`,
    { SCEPTER_TABLE },
  );
  await shell(scriptOf(['docs/deploy-aws.md', 'terraform-warm']), { SCEPTER_TABLE });
  const said = await shell(
    'aws dynamodb describe-table --table-name "$SCEPTER_TABLE" --query Table.WarmThroughput.ReadUnitsPerSecond',
    { SCEPTER_TABLE },
  );
  assert.equal(said.trim(), '15000');
});
