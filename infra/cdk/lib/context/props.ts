// The props of the constructs, from the settings of their apps.

import { existsSync, readFileSync } from 'node:fs';
import type { TableClass } from 'aws-cdk-lib/aws-dynamodb';
import { SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import { CodeSigningConfig } from 'aws-cdk-lib/aws-lambda';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import type { BackupSettings } from '../backend/backup.ts';
import { ConfigFile } from '../backend/config-file.ts';
import { sizes } from '../functions.ts';
import type { BackendProps, ScepServiceProps, ServiceFunctionSettings } from '../props.ts';
import type { WorkerBackendProps } from '../worker-backend.ts';
import type { Context } from './context.ts';
import {
  boundaryOf,
  caKeysOf,
  keyOf,
  secretsOf,
  tableOf,
  topicOf,
  vaultOf,
  vpcOf,
} from './existing.ts';
import { adminOf, filesOf, ingressOf } from './ingress.ts';
import { fail, type Setting } from './settings.ts';

/** @throws {Error} with a sentence that names the setting */
export const backendPropsOf = (scope: Construct, context: Context): BackendProps => ({
  config: ConfigFile.read(context.required('config')),
  deployment: context.text('deployment'),
  breakGlassRoleArn: context.text('breakGlassRoleArn'),
  multiRegionKeys: context.flag('multiRegionKeys'),
  keysTrustRoleNames: context.flag('keysTrustRoleNames'),
  caKeys: caKeysOf(scope, context),
  sealingKey: keyOf(scope, context, 'sealingKeyArn'),
  logKey: keyOf(scope, context, 'logKeyArn'),
  logLock: { mode: context.text('logLockMode'), days: context.number('logLockDays') },
  keyAdministrators: context.list('keyAdministrators'),
  operators: context.list('operators'),
  maxWriteRequestUnits: context.number('maxWriteRequestUnits'),
  maxReadRequestUnits: context.number('maxReadRequestUnits'),
  tableClass: context.text('tableClass') as TableClass | undefined,
  deletionProtection: context.flag('deletionProtection'),
  table: tableOf(scope, context),
  backup: backupOf(scope, context),
  alarmTopic: topicOf(scope, context),
  tags: pairsOf(context, 'tags'),
  permissionsBoundary: boundaryOf(scope, context),
  rolePath: context.text('rolePath'),
  warmReadRequestUnits: context.number('warmReadRequestUnits'),
  warmWriteRequestUnits: context.number('warmWriteRequestUnits'),
});

/** @throws {Error} with a sentence that names the setting */
export function workerPropsOf(scope: Construct, context: Context): WorkerBackendProps {
  const path = context.text('trustAnchor');
  if (path !== undefined && !existsSync(path)) fail('trustAnchor', `there is no file ${path}`);
  const trustAnchor = path === undefined ? undefined : readFileSync(path, 'utf8');
  return { ...backendPropsOf(scope, context), trustAnchor };
}

/** @throws {Error} with a sentence that names the setting */
export function propsOf(scope: Construct, context: Context): ScepServiceProps {
  const reserved = context.text('reservedConcurrency');
  return {
    ...backendPropsOf(scope, context),
    packages: context.text('packages'),
    ...packagesOf(scope, context),
    ...networkOf(scope, context),
    functionSettings: functionSettingsOf(context),
    environmentKey: keyOf(scope, context, 'environmentKeyArn'),
    ingress: ingressOf(scope, context),
    files: filesOf(scope, context),
    admin: adminOf(context),
    decisionLinks: context.flag('decisionLinks'),
    challengePages: context.flag('challengePages'),
    reservedConcurrency: reserved === 'unreserved' ? -1 : context.number('reservedConcurrency'),
    secrets: secretsOf(scope, context),
  };
}

function backupOf(scope: Construct, context: Context): BackupSettings | undefined {
  const retentionDays = context.number('backupRetentionDays');
  if (retentionDays === undefined) {
    const more = ['backupLock', 'backupCopyToVaultArn', 'backupVaultKeyArn'] as const;
    const lockEnds = 'backupLockChangeableForDays';
    context.refuse('is of backups, and backupRetentionDays is missing', ...more, lockEnds);
    return undefined;
  }
  return {
    retentionDays,
    lock: context.flag('backupLock'),
    lockChangeableForDays: context.number('backupLockChangeableForDays'),
    copyToVault: vaultOf(scope, context),
    vaultKey: keyOf(scope, context, 'backupVaultKeyArn'),
  };
}

function pairsOf(context: Context, of: Setting): { [name: string]: string } | undefined {
  const pairs = context.list(of)?.map((pair) => {
    const [, name = '', value = ''] = /^([^=]+)=(.*)$/.exec(pair) ?? [];
    return name === '' ? fail(of, `must be NAME=VALUE, not "${pair}"`) : [name, value];
  });
  return pairs && Object.fromEntries(pairs);
}

function packagesOf(scope: Construct, context: Context): Partial<ScepServiceProps> {
  const bucket = context.text('packageBucket');
  const signing = context.arn(
    'codeSigningConfigArn',
    'lambda:[a-z0-9-]+:\\d{12}:code-signing-config:.+',
    'a configuration of code signing',
  );
  return {
    packageBucket:
      bucket === undefined ? undefined : Bucket.fromBucketName(scope, 'Packages', bucket),
    packagePrefix: context.text('packagePrefix'),
    codeSigningConfig:
      signing === undefined
        ? undefined
        : CodeSigningConfig.fromCodeSigningConfigArn(scope, 'CodeSigning', signing),
  };
}

function networkOf(scope: Construct, context: Context): Partial<ScepServiceProps> {
  const vpcId = context.text('vpcId');
  if (vpcId === undefined) {
    context.refuse('is of a VPC, and vpcId is missing', 'vpcSubnetIds', 'securityGroupIds');
    return {};
  }
  return {
    vpc: vpcOf(scope, context, 'vpcId', 'vpcSubnetIds'),
    securityGroups: context
      .list('securityGroupIds')
      ?.map((id) => SecurityGroup.fromSecurityGroupId(scope, id, id)),
  };
}

function functionSettingsOf(context: Context): ServiceFunctionSettings | undefined {
  const settings: Record<string, Record<string, number>> = {};
  for (const setting of ['memoryMb', 'timeoutSeconds'] as const) {
    for (const [name, value] of Object.entries(pairsOf(context, setting) ?? {})) {
      if (!Object.hasOwn(sizes, name) || !/^\d{1,5}$/.test(value)) {
        fail(
          setting,
          `must be scep=, admin=, maintenance=, sequencer= or challenges= and a number, not "${name}=${value}"`,
        );
      }
      settings[name] = { ...settings[name], [setting]: Number(value) };
    }
  }
  return Object.keys(settings).length === 0 ? undefined : settings;
}
