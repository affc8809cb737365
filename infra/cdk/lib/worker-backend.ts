// The AWS side of Scepter on Cloudflare Workers: the same table, keys and operator as on Lambda, and in
// place of the three functions one user, whose access key the Worker has, or one role, for which it has a certificate.
// Access key and certificate are made by hand and are in no template: whoever reads the stack must not be able to sign.

import type { Alarm } from 'aws-cdk-lib/aws-cloudwatch';
import type { ITableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { ManagedPolicy, type Role } from 'aws-cdk-lib/aws-iam';
import type { LogGroup } from 'aws-cdk-lib/aws-logs';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { acknowledge } from './acknowledged.ts';
import {
  configText,
  letOperate,
  letReadLogs,
  letUseTableKey,
  makeOperator,
  policyValuesOf,
  tag,
} from './backend/backend.ts';
import { type Backup, makeBackup } from './backend/backup.ts';
import { type ConfigObject, makeConfig } from './backend/config-object.ts';
import { makeFiles } from './backend/files.ts';
import { type Keys, makeKeys } from './backend/keys.ts';
import { makeLogs } from './backend/logs.ts';
import { renderPolicy } from './backend/policies.ts';
import { makeTable } from './backend/table.ts';
import { checkTrustAnchor, makeIdentity, type WorkerIdentity } from './backend/worker-identity.ts';
import { checkBackend } from './check-props.ts';
import type { BackendProps } from './props.ts';
import { makeKeyEvents, watchKeys } from './watch/key-events.ts';

/** The props of the AWS side of a Worker. */
export interface WorkerBackendProps extends BackendProps {
  /**
   * PEM of the CA that certifies the Worker for IAM Roles Anywhere, and nobody else: its credentials then end by
   * themselves. The certificate has the CN `scepter-<deployment>`.
   * @default - a user, whose access key the Worker has
   */
  readonly trustAnchor?: string;
}

/** The AWS side of Scepter on Cloudflare Workers. */
export class WorkerBackend extends Construct {
  /** The records: the new table, or the one that was named. */
  readonly table: ITableV2;
  /** The KMS keys: new ones, or those that were named. */
  readonly keys: Keys;
  /**
   * The backups of the table.
   * @default - none were asked for
   */
  readonly backup?: Backup;
  /** The configuration, for the Worker and for the operator. */
  readonly config: ConfigObject;
  /** CRLs and certificates of CAs. */
  readonly files: Bucket;
  /** The logs, which nobody can edit: what is in it is locked. */
  readonly logs: Bucket;
  /** For `scepter ca ...`: makes CAs and RA keys. */
  readonly operator: Role;
  /** Who the Worker is for AWS. */
  readonly identity: WorkerIdentity;
  /** The log group of what is done to the keys. */
  readonly keysLog: LogGroup;
  /** All alarms, for actions of your own. */
  readonly alarms: Alarm[];

  /** @throws {Error} with a sentence that names the prop that is wrong */
  constructor(scope: Construct, id: string, props: WorkerBackendProps) {
    super(scope, id);
    checkBackend(props);
    checkTrustAnchor(props.trustAnchor);
    this.identity = makeIdentity(this, props, props.trustAnchor);
    const { user, role } = this.identity;
    const users = user ? [user] : [];
    const roles = role ? [role] : [];
    this.operator = makeOperator(this, props);
    this.table = props.table ?? makeTable(this, props);
    const worker = { roleArn: role?.roleArn ?? user?.userArn ?? '' };
    this.keys = makeKeys(this, props, {
      scep: worker,
      admin: worker,
      maintenance: worker,
      sequencer: worker,
      operator: this.operator,
    });
    // Cloudflare gives the client's address in a header of its own.
    this.config = makeConfig(this, props, configText(props, 0));
    this.files = makeFiles(this);
    this.logs = makeLogs(this, props);
    const values = policyValuesOf(props, this);
    // A managed policy, because an inline one of a user may have only 2,048 characters.
    for (const name of ['worker', 'worker-keys', 'worker-logs'] as const) {
      new ManagedPolicy(this, `${name}-policy`, {
        description: `Scepter ${props.deployment ?? 'scepter'}: what the Worker may do`,
        document: renderPolicy(name, values),
        ...{ users, roles },
      });
    }
    letUseTableKey(this, props, this.table, { users, roles: [...roles, this.operator] });
    letOperate(this, this.operator, values);
    letReadLogs(this, values, [this.operator]);
    this.backup = makeBackup(this, props, this.table);
    this.keysLog = makeKeyEvents(this, props, this.keys);
    const keyChanged = watchKeys(this, props, this.keysLog);
    this.alarms = [keyChanged, ...(this.backup ? [this.backup.alarm] : [])];
    tag(this, props);
    acknowledge(this);
  }
}
