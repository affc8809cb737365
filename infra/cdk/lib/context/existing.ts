// What settings name that exists already, by ARN, name or id.

import { BackupVault, type IBackupVault } from 'aws-cdk-lib/aws-backup';
import { type ITableV2, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { type IVpc, Vpc } from 'aws-cdk-lib/aws-ec2';
import { type IManagedPolicy, ManagedPolicy } from 'aws-cdk-lib/aws-iam';
import { type IKey, Key } from 'aws-cdk-lib/aws-kms';
import { type ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { type ITopic, Topic } from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import type { Context } from './context.ts';
import { fail, type Setting } from './settings.ts';

export function tableOf(scope: Construct, context: Context): ITableV2 | undefined {
  const tableName = context.text('tableName');
  if (tableName !== undefined && !/^[a-zA-Z0-9_.-]{3,255}$/.test(tableName)) {
    fail('tableName', `must be the name of a table, not "${tableName}"`);
  }
  const stream = 'tableStreamArn';
  if (tableName === undefined) {
    context.refuse('is of a table that exists, and tableName is missing', stream);
    return undefined;
  }
  // A Worker asks what waits by itself.
  if (!context.has(stream)) return TableV2.fromTableName(scope, 'ExistingTable', tableName);
  const pattern = 'dynamodb:[a-z0-9-]+:\\d{12}:table/.+/stream/.+';
  const tableStreamArn = context.arn(stream, pattern, 'the stream of a table');
  if (tableStreamArn === undefined) {
    fail(
      stream,
      'is missing: the sequencer of the logs follows it (aws dynamodb describe-table --query Table.LatestStreamArn)',
    );
  }
  return TableV2.fromTableAttributes(scope, 'ExistingTable', { tableName, tableStreamArn });
}

/** @param region where an alarm's topic must be, which is where the alarm is */
export function topicOf(
  scope: Construct,
  context: Context,
  region = '[a-z0-9-]+',
): ITopic | undefined {
  const what = region.startsWith('[') ? 'an SNS topic' : `an SNS topic of ${region}`;
  const topic = context.arn('alarmTopicArn', `sns:${region}:\\d{12}:.+`, what);
  return topic === undefined ? undefined : Topic.fromTopicArn(scope, 'Alarms', topic);
}

export function boundaryOf(scope: Construct, context: Context): IManagedPolicy | undefined {
  const arn = context.arn('permissionsBoundaryArn', 'iam::(\\d{12}|aws):policy/.+', 'a policy');
  return arn === undefined
    ? undefined
    : ManagedPolicy.fromManagedPolicyArn(scope, 'PermissionsBoundary', arn);
}

const keyArn = 'kms:[a-z0-9-]+:\\d{12}:key/[\\w-]+';

export function keyOf(
  scope: Construct,
  context: Context,
  of: 'environmentKeyArn' | 'sealingKeyArn' | 'logKeyArn' | 'backupVaultKeyArn',
): IKey | undefined {
  const arn = context.arn(of, keyArn, 'a KMS key');
  return arn === undefined ? undefined : Key.fromKeyArn(scope, of, arn);
}

export function caKeysOf(scope: Construct, context: Context): Record<string, IKey> | undefined {
  const pairs = context.list('caKeys')?.map((pair) => {
    const [, name, arn = ''] = /^([^=]+)=(.+)$/.exec(pair) ?? [];
    if (!name || !new RegExp(`^arn:aws[a-z-]*:${keyArn}$`).test(arn))
      return fail('caKeys', `must be NAME= and the ARN of a KMS key, not "${pair}"`);
    return [name, Key.fromKeyArn(scope, `CaKey-${name}`, arn)] as const;
  });
  return pairs && Object.fromEntries(pairs);
}

export function vaultOf(scope: Construct, context: Context): IBackupVault | undefined {
  const pattern = 'backup:[a-z0-9-]+:\\d{12}:backup-vault:[\\w-]+';
  const arn = context.arn('backupCopyToVaultArn', pattern, 'a backup vault');
  return arn === undefined ? undefined : BackupVault.fromBackupVaultArn(scope, 'Copies', arn);
}

export function vpcOf(scope: Construct, context: Context, id: Setting, subnetIds: Setting): IVpc {
  context.required(subnetIds);
  const subnets = context.list(subnetIds) ?? [];
  return Vpc.fromVpcAttributes(scope, id, {
    vpcId: context.required(id),
    // Subnets are not chosen by zone here, so the names of the zones are never looked at.
    availabilityZones: subnets.map((_, i) => `zone-${i}`),
    privateSubnetIds: subnets,
  });
}

/** Secrets Manager appends six characters to the name. */
const secretArn = /^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@-]+-\w{6}$/;

export function secretsOf(scope: Construct, context: Context): Record<string, ISecret> | undefined {
  const pairs = context.list('secrets')?.map((pair) => {
    const [, name, arn = ''] = /^(\w+)=(.+)$/.exec(pair) ?? [];
    if (!name || !secretArn.test(arn))
      return fail('secrets', `must be NAME= and the ARN of a secret, not "${pair}"`);
    return [name, Secret.fromSecretCompleteArn(scope, `Secret-${name}`, arn)] as const;
  });
  return pairs && Object.fromEntries(pairs);
}

export function originSecretsOf(scope: Construct, context: Context): ISecret[] | undefined {
  return context.list('originSecrets')?.map((arn, i) => {
    if (!secretArn.test(arn)) fail('originSecrets', `must be ARNs of secrets, not "${arn}"`);
    return Secret.fromSecretCompleteArn(scope, `OriginSecret-${i}`, arn);
  });
}
