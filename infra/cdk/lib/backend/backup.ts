// Backups of the table that outlive it: a copy a day by AWS Backup, in a vault that may be locked, and one in a vault of
// another Region or account. Point-in-time recovery is on without them, and ends with the Region or the account.

import { Aws, Duration, Fn, RemovalPolicy } from 'aws-cdk-lib';
import {
  BackupPlan,
  BackupPlanRule,
  BackupResource,
  BackupVault,
  type IBackupVault,
} from 'aws-cdk-lib/aws-backup';
import { type Alarm, MathExpression, Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import type { ITableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Schedule } from 'aws-cdk-lib/aws-events';
import { type Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { Construct } from 'constructs';
import type { BackendProps } from '../props.ts';
import { alarmsOf } from '../watch/alarms.ts';
import { newRole } from './backend.ts';

/**
 * A backup of the table each day. Each is a whole one: 0.10 dollars for a GB and month of each, and the transfer of
 * copies.
 */
export interface BackupSettings {
  /**
   * Days that a backup and its copy are kept.
   * @default 35
   */
  readonly retentionDays?: number;

  /**
   * Nobody deletes a backup before its time, but for whoever may end the lock of the vault.
   * @default false
   */
  readonly lock?: boolean;

  /**
   * Days after which nobody at all can end or change the lock, from 3. It goes with `lock`.
   * @default - whoever has the permission for it can end the lock
   */
  readonly lockChangeableForDays?: number;

  /**
   * A vault of another Region or account that each backup is copied to: `BackupVault.fromBackupVaultArn`.
   * @default - none
   */
  readonly copyToVault?: IBackupVault;

  /**
   * A key that the new vault is encrypted with. Its policy lets AWS Backup's role use it.
   * @default - AWS Backup's own
   */
  readonly vaultKey?: IKey;
}

/** What backups of a deployment are made of. */
export interface Backup {
  /** That the backups are in. */
  readonly vault: BackupVault;
  /** By which AWS Backup takes and restores them. */
  readonly role: Role;
  /** "A backup of the table, or its copy, failed." */
  readonly alarm: Alarm;
}

/** @internal */
export function makeBackup(
  scope: Construct,
  props: BackendProps,
  { tableArn }: ITableV2,
): Backup | undefined {
  const { deployment = 'scepter', backup, alarmTopic } = props;
  if (backup === undefined) return undefined;
  const { retentionDays = 35, lock, lockChangeableForDays, copyToVault, vaultKey } = backup;
  const kept = Duration.days(retentionDays);
  const vault = new BackupVault(scope, 'BackupVault', {
    // CloudFormation gives a vault no name, and one that outlives its stack must not be met by the next stack.
    backupVaultName: `scepter-${deployment}-${Fn.select(0, Fn.split('-', Fn.select(2, Fn.split('/', Aws.STACK_ID))))}`,
    encryptionKey: vaultKey,
    removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    ...(lock
      ? {
          lockConfiguration: {
            minRetention: kept,
            ...(lockChangeableForDays === undefined
              ? {}
              : { changeableFor: Duration.days(lockChangeableForDays) }),
          },
        }
      : {}),
  });
  const plan = new BackupPlan(scope, 'BackupPlan', {
    backupVault: vault,
    backupPlanRules: [
      new BackupPlanRule({
        ruleName: 'daily',
        scheduleExpression: Schedule.cron({ hour: '3', minute: '0' }),
        deleteAfter: kept,
        copyActions: copyToVault && [{ destinationBackupVault: copyToVault, deleteAfter: kept }],
      }),
    ],
  });
  // Also for the way back, because roles cannot be made while IAM's Region is away.
  const role = newRole(scope, 'backup-role', props, {
    description: `Scepter ${deployment}: AWS Backup takes and restores backups of the table`,
    assumedBy: new ServicePrincipal('backup.amazonaws.com'),
  });
  plan.addSelection('table', {
    resources: [BackupResource.fromArn(tableArn)],
    role,
    allowRestores: true,
  });
  const count = (metricName: string): Metric =>
    new Metric({
      namespace: 'AWS/Backup',
      metricName,
      dimensionsMap: { BackupVaultName: vault.backupVaultName },
      statistic: Stats.SUM,
    });
  const alarm = alarmsOf(scope, deployment, alarmTopic)(
    'BackupFailed',
    'a backup of the table, or its copy, failed',
    new MathExpression({
      expression: 'SUM(METRICS())',
      usingMetrics: {
        failed: count('NumberOfBackupJobsFailed'),
        expired: count('NumberOfBackupJobsExpired'),
        copies: count('NumberOfCopyJobsFailed'),
      },
      period: Duration.hours(1),
    }),
    1,
  );
  return { vault, role, alarm };
}
