// What a deployment is brought back with: backups of the table, keys that know roles by their names, a table and keys
// that exist.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { App } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { BackupVault } from 'aws-cdk-lib/aws-backup';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { Ingress } from '../lib/ingress/access.ts';
import { makeStack } from '../lib/quick-start.ts';
import {
  account,
  at,
  listOf,
  make,
  makeBackend,
  packages,
  resourcesOf,
  root,
  stackOf,
  statementsOf,
  templateOf,
} from './support.ts';

const vaultArn = `arn:aws:backup:eu-west-1:${account}:backup-vault:scepter-copies`;
const keyArn = (id: string) => `arn:aws:kms:us-east-1:${account}:key/mrk-${id.padEnd(32, '0')}`;

test('nothing is backed up twice without being asked for', () => {
  templateOf().resourceCountIs('AWS::Backup::BackupVault', 0);
});

test('a backup a day is kept, locked and copied as it was asked for, by a role that can bring it back', () => {
  const template = templateOf((stack) => ({
    backup: {
      lock: true,
      lockChangeableForDays: 7,
      copyToVault: BackupVault.fromBackupVaultArn(stack, 'Copies', vaultArn),
      vaultKey: Key.fromKeyArn(stack, 'VaultKey', keyArn('a')),
    },
  }));
  template.hasResource('AWS::Backup::BackupVault', {
    DeletionPolicy: 'RetainExceptOnCreate',
    Properties: {
      EncryptionKeyArn: keyArn('a'),
      LockConfiguration: { MinRetentionDays: 35, ChangeableForDays: 7 },
    },
  });
  template.hasResourceProperties('AWS::Backup::BackupPlan', {
    BackupPlan: {
      BackupPlanRule: [
        {
          RuleName: 'daily',
          ScheduleExpression: 'cron(0 3 * * ? *)',
          Lifecycle: { DeleteAfterDays: 35 },
          CopyActions: [
            { DestinationBackupVaultArn: vaultArn, Lifecycle: { DeleteAfterDays: 35 } },
          ],
        },
      ],
    },
  });
  const policies = JSON.stringify(template.findResources('AWS::IAM::Role'));
  for (const kind of ['ForBackup', 'ForRestores']) {
    assert.ok(policies.includes(`AWSBackupServiceRolePolicy${kind}"`), kind);
  }
});

test('the AWS side of a Worker can have backups, too, and its alarm tells a topic', () => {
  const { stack, backend } = makeBackend({ backup: { retentionDays: 7 } });
  Template.fromStack(stack).hasResourceProperties('AWS::Backup::BackupSelection', {
    BackupSelection: { Resources: [stack.resolve(backend.table.tableArn)] },
  });
  assert.ok(backend.backup);
});

test('whoever changes a key of a Worker is in a log, and its alarm tells the topic', () => {
  const stack = stackOf();
  const topic = `arn:aws:sns:us-east-1:${account}:alarms`;
  const alarmTopic = Topic.fromTopicArn(stack, 'Topic', topic);
  const { backend } = makeBackend({ alarmTopic }, stack);
  const template = Template.fromStack(stack);
  template.hasResourceProperties('AWS::Events::Rule', {
    EventPattern: {
      source: ['aws.kms'],
      detail: {
        resources: {
          ARN: [backend.keys.sealing, backend.keys.log, ...Object.values(backend.keys.cas)].map(
            ({ keyArn }) => stack.resolve(keyArn),
          ),
        },
      },
    },
  });
  template.hasResourceProperties('AWS::Logs::MetricFilter', {
    LogGroupName: stack.resolve(backend.keysLog.logGroupName),
    MetricTransformations: [{ MetricName: 'KeyChanged', MetricNamespace: 'Scepter/scepter' }],
  });
  template.hasResourceProperties('AWS::CloudWatch::Alarm', {
    MetricName: 'KeyChanged',
    AlarmActions: [topic],
  });
  assert.equal(backend.alarms.length, 1);
});

test('keys know their users by names alone, which roles then have, and everything else of their policies stays', () => {
  const name = (role: string) => `scepter-scepter-us-east-1-${role}`;
  const { stack, service } = make({ keysTrustRoleNames: true });
  const template = Template.fromStack(stack);
  const names = resourcesOf(template, 'AWS::IAM::Role').map(([, one]) => one.Properties.RoleName);
  for (const one of ['scep', 'admin', 'maintenance', 'sequencer', 'operator'])
    assert.ok(names.includes(name(one)));
  const users = Object.values(service.roles).map(({ roleArn }) => stack.resolve(roleArn));
  const plain = statementsOf(templateOf());
  const named = statementsOf(template).filter(({ type }) => type === 'AWS::KMS::Key');
  assert.equal(named.length, plain.filter(({ type }) => type === 'AWS::KMS::Key').length);
  let seen = 0;
  for (const { at: where, Sid, Action, Principal, Condition } of named) {
    const before = plain.find((one) => one.at === where && one.Sid === Sid) ?? assert.fail(Sid);
    assert.deepEqual(Action, before.Action);
    if (Sid === 'Administer' || Sid === 'OnlyTheBreakGlassRoleEndsOrMovesIt') {
      assert.deepEqual([Principal, Condition], [before.Principal, before.Condition]);
      continue;
    }
    const { ArnEquals, ...others } = Object(Condition);
    assert.deepEqual(Object.entries(others), Object.entries(before.Condition ?? {}));
    assert.match(JSON.stringify(at(Principal, 'AWS')), new RegExp(`:iam::${account}:root"`));
    const known = listOf(ArnEquals['aws:PrincipalArn']);
    for (const one of known)
      assert.ok(users.some((user) => JSON.stringify(user) === JSON.stringify(one)));
    seen += 1;
  }
  assert.ok(seen > 7);
});

test("a Worker's user has a fixed name, too, and a long name is cut as Terraform cuts it", () => {
  const { stack } = makeBackend({ keysTrustRoleNames: true });
  Template.fromStack(stack).hasResourceProperties('AWS::IAM::User', {
    UserName: 'scepter-scepter-us-east-1-worker',
  });
  const long = templateOf(
    { keysTrustRoleNames: true, deployment: 'a'.repeat(32), ingress: Ingress.httpApi() },
    stackOf('ap-southeast-2'),
  );
  const names = resourcesOf(long, 'AWS::IAM::Role').map(
    ([, { Properties }]) => Properties.RoleName,
  );
  const cut = names.find((one) => String(one).endsWith('-maintenance'));
  assert.match(String(cut), /^scepter-a{32}-ap-[0-9a-f]{8}-maintenance$/);
});

const adopt = (context: Readonly<Record<string, string>>) =>
  makeStack(
    new App({
      context: {
        ...{ region: 'us-east-1', account, packages },
        config: join(root, 'examples', 'minimal.json'),
        ...context,
      },
    }),
    {},
  );

test('a table and keys that exist take the places of new ones', () => {
  const template = Template.fromStack(
    adopt({
      tableName: 'scepter-records',
      tableStreamArn: `arn:aws:dynamodb:us-east-1:${account}:table/scepter-records/stream/1`,
      caKeys: `default=${keyArn('a')}`,
      sealingKeyArn: keyArn('b'),
      logKeyArn: keyArn('c'),
    }),
  );
  for (const type of ['AWS::DynamoDB::GlobalTable', 'AWS::KMS::Key', 'AWS::KMS::Alias']) {
    template.resourceCountIs(type, 0);
  }
  template.hasResourceProperties('AWS::Lambda::Function', {
    Environment: {
      Variables: Match.objectLike({
        SCEPTER_TABLE: 'scepter-records',
        SCEPTER_SEALING_KEY: keyArn('b'),
        SCEPTER_LOG_KEY: keyArn('c'),
      }),
    },
  });
  const signs = statementsOf(template).filter(({ Sid }) => Sid === 'SignDeviceCertificates');
  assert.deepEqual(
    signs.map(({ Resource }) => Resource),
    [keyArn('a')],
  );
});

test('what names no key, or a CA that is not there, is refused', () => {
  assert.throws(
    () => adopt({ caKeys: 'default=alias/x' }),
    /^Error: caKeys: must be NAME= and the ARN of a KMS key, not "default=alias\/x"$/,
  );
  assert.throws(
    () => adopt({ caKeys: `gone=${keyArn('a')}` }),
    /^Error: caKeys\.gone: the configuration has no CA "gone"$/,
  );
  assert.throws(
    () => adopt({ backupLock: 'true' }),
    /^Error: backupLock: is of backups, and backupRetentionDays is missing$/,
  );
  assert.throws(
    () => adopt({ backupRetentionDays: '35', backupLockChangeableForDays: '7' }),
    /^Error: backup\.lockChangeableForDays: is of a lock, and backup\.lock is not true$/,
  );
});

test('backups of the quick start are as its settings say, and an output names who restores them', () => {
  const template = Template.fromStack(
    adopt({
      ...{ backupRetentionDays: '14', backupLock: 'true', backupLockChangeableForDays: '3' },
      ...{ backupCopyToVaultArn: vaultArn, backupVaultKeyArn: keyArn('d') },
    }),
  );
  template.hasResourceProperties('AWS::Backup::BackupVault', {
    EncryptionKeyArn: keyArn('d'),
    LockConfiguration: { MinRetentionDays: 14, ChangeableForDays: 3 },
  });
  assert.ok('BackupRole' in template.findOutputs('*'));
});
