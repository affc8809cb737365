// What a deployment may say about itself, with every default.

import type { ITableV2, TableClass } from 'aws-cdk-lib/aws-dynamodb';
import type { ISecurityGroup, IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import type { IManagedPolicy } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { ICodeSigningConfig } from 'aws-cdk-lib/aws-lambda';
import type { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { BackupSettings } from './backend/backup.ts';
import type { LogLock } from './backend/logs.ts';
import type { AdminAccess, FilesOptions, Ingress } from './ingress/access.ts';

/** The props of a deployment's parts at AWS, wherever its functions run. */
export interface BackendProps {
  /** Scepter's configuration document, as `docs/config.schema.json` has it. */
  readonly config: { readonly [name: string]: unknown };

  /**
   * The name of this deployment of Scepter. Sealed keys open only under the name that they were sealed
   * with, so it must never change.
   * @default 'scepter'
   */
  readonly deployment?: string;

  /**
   * A table that exists, with the keys and indexes of `lib/adapters/aws/dynamodb/table.ts`. One that is
   * encrypted with a customer managed key comes with that key (`TableV2.fromTableAttributes`), and with `tableStreamArn`,
   * of its stream of keys, where the functions run on Lambda: the sequencer of the logs follows it.
   * @default - a new one: on demand, with point-in-time recovery, protected from deletion, retained
   */
  readonly table?: ITableV2;

  /**
   * The most write units a second that the new table and each of its indexes takes, which bounds what
   * a flood can cost. An enrolment takes 38.
   * @default 1000
   */
  readonly maxWriteRequestUnits?: number;

  /**
   * The most read units a second that the new table and each of its indexes gives, which bounds what a
   * flood can cost. A request takes 4 to 8.
   * @default 4000
   */
  readonly maxReadRequestUnits?: number;

  /**
   * Read units a second that the new table and each of its indexes can give at once, from 12,000, which AWS
   * gives without being asked; more costs once. It goes with `warmWriteRequestUnits`, and `maxReadRequestUnits`
   * is at least as much.
   * @default - what AWS gives
   */
  readonly warmReadRequestUnits?: number;

  /**
   * Write units a second that the new table and each of its indexes can take at once, from 4,000, which AWS
   * gives without being asked. It goes with `warmReadRequestUnits`, and `maxWriteRequestUnits` is at least as much.
   * @default - what AWS gives
   */
  readonly warmWriteRequestUnits?: number;

  /**
   * The class of the new table: infrequent access costs less where what is kept is most of it, from some 50,000
   * devices on. It may change twice in 30 days.
   * @default TableClass.STANDARD
   */
  readonly tableClass?: TableClass;

  /**
   * Backups of the table by AWS Backup, that outlive it.
   * @default - none: point-in-time recovery is on, and ends with the Region or the account
   */
  readonly backup?: BackupSettings;

  /**
   * A customer managed key that the new table is encrypted with. Its policy lets the account's IAM
   * policies decide who uses it through DynamoDB; the roles made here get one that says so.
   * @default - a key that DynamoDB owns
   */
  readonly tableKey?: IKey;

  /**
   * Protects the new table from deletion. Set it to false only before a deployment is torn down.
   * @default true
   */
  readonly deletionProtection?: boolean;

  /**
   * KMS keys of CAs that exist already, by the name of the CA. Their policies are their owner's.
   * @default - a new SIGN_VERIFY key for each CA of the configuration, of its kind (RSA-3072)
   */
  readonly caKeys?: { readonly [name: string]: IKey };

  /**
   * A symmetric key that exists, to seal RA and MAC keys.
   * @default - a new one, rotated every year
   */
  readonly sealingKey?: IKey;

  /**
   * An ECC_NIST_P256 key that exists, to sign checkpoints of the logs.
   * @default - a new one
   */
  readonly logKey?: IKey;

  /**
   * How long the bucket of the logs keeps what it is given, whoever wants it deleted.
   * @default - 400 days, which only whoever has `s3:BypassGovernanceRetention` shortens
   */
  readonly logLock?: LogLock;

  /**
   * The new keys are multi-Region keys, which the break-glass role, and no other, may replicate into another region:
   * without a copy there, a lost region ends the CA. It cannot be changed for a key that exists.
   * @default true
   */
  readonly multiRegionKeys?: boolean;

  /**
   * The policies of the new keys name the roles that use them by their names, which a role made anew has, too, and not
   * by their ids: keys that are adopted after a stack was deleted work at once. Roles then have fixed names. Whoever may
   * make a role of such a name may then use the keys.
   * @default false
   */
  readonly keysTrustRoleNames?: boolean;

  /**
   * ARNs of the roles that administer the new keys and cannot use them. The deploying role must be among
   * them, because KMS refuses a policy that its maker could not change again. That is CloudFormation's
   * role, in the toolkit's bootstrap `cdk-hnb659fds-cfn-exec-role-ACCOUNT-REGION`.
   * @default - the account, so that its IAM policies decide
   */
  readonly keyAdministrators?: string[];

  /**
   * ARN of the one role that may disable and delete the new keys, if its own policies let it. It
   * administers them too.
   * @default - no role, until the policy of the key is changed
   */
  readonly breakGlassRoleArn?: string;

  /**
   * ARNs of the principals that may assume the operator's role, which makes CAs and RA keys (`scepter ca`).
   * @default - the account, so that its IAM policies decide
   */
  readonly operators?: string[];

  /**
   * The managed policy that bounds what each new role, and a Worker's new user, may ever do.
   * @default - none
   */
  readonly permissionsBoundary?: IManagedPolicy;

  /**
   * The path of new roles, and of a Worker's new user: it begins and ends with a slash.
   * @default '/'
   */
  readonly rolePath?: string;

  /**
   * The topic that alarms notify.
   * @default - none: alarms are only shown in CloudWatch
   */
  readonly alarmTopic?: ITopic;

  /**
   * How long logs are kept.
   * @default RetentionDays.ONE_YEAR
   */
  readonly logRetention?: RetentionDays;

  /**
   * A key that the log groups are encrypted with. Its policy lets CloudWatch Logs use it.
   * @default - a key that CloudWatch Logs owns
   */
  readonly logGroupKey?: IKey;

  /**
   * Tags of everything that is made here and can have some.
   * @default - none
   */
  readonly tags?: { readonly [name: string]: string };
}

/** What a function may take. */
export interface FunctionSettings {
  /**
   * Memory in MB, from 256 to 10,240; the processor's share grows with it.
   * @default 512
   */
  readonly memoryMb?: number;

  /**
   * Seconds that a request or a run may take: at most 29 for `scep`, `admin` and `challenges`, because an API waits no
   * longer, and from 60 to 900 for `maintenance` and `sequencer`.
   * @default - 15 for scep and challenges, 29 for admin, 300 for maintenance and sequencer
   */
  readonly timeoutSeconds?: number;
}

/** What each of the functions may take. */
export interface ServiceFunctionSettings {
  /**
   * SCEP, CRLs and CA certificates.
   * @default - the defaults of each setting
   */
  readonly scep?: FunctionSettings;

  /**
   * The admin API.
   * @default - the defaults of each setting
   */
  readonly admin?: FunctionSettings;

  /**
   * Upkeep and CRLs.
   * @default - the defaults of each setting
   */
  readonly maintenance?: FunctionSettings;

  /**
   * The sequencer of the logs.
   * @default - the defaults of each setting
   */
  readonly sequencer?: FunctionSettings;

  /**
   * Challenges for MDMs.
   * @default - the defaults of each setting
   */
  readonly challenges?: FunctionSettings;
}

/** The props of a deployment whose functions run on Lambda. */
export interface ScepServiceProps extends BackendProps {
  /**
   * Folder with a release: the packages of the functions.
   * @default - those of this npm package; in the repository `dist/release`, where `npm run release` puts them
   */
  readonly packages?: string;

  /**
   * A bucket with the packages of the functions, in place of the folder; code that is signed must come from one.
   * They have the names that the release gives them, such as `scepter-scep-lambda-0.1.0.zip`.
   * @default - none: they are uploaded from the folder
   */
  readonly packageBucket?: IBucket;

  /**
   * What the names of the packages begin with in that bucket, such as `scepter/`.
   * @default - nothing
   */
  readonly packagePrefix?: string;

  /**
   * The configuration of code signing, which says who must have signed the packages. Sign those of
   * `packageBucket`.
   * @default - none
   */
  readonly codeSigningConfig?: ICodeSigningConfig;

  /**
   * Memory and time of the functions.
   * @default - the defaults of each setting
   */
  readonly functionSettings?: ServiceFunctionSettings;

  /**
   * A key that the environments of the functions are encrypted with. Its policy lets the account's IAM policies
   * decide who uses it; the functions' roles get one that says so. Whoever deploys must be allowed `kms:Encrypt`
   * and `kms:CreateGrant`.
   * @default - a key of Lambda's
   */
  readonly environmentKey?: IKey;

  /**
   * The VPC that the functions run in. From there they must reach DynamoDB, KMS, S3, CloudWatch Logs, X-Ray and,
   * where the configuration names secrets, Secrets Manager: by endpoints of the VPC or by NAT. Validators outside, such as
   * Microsoft Intune, are reached by NAT.
   * @default - none
   */
  readonly vpc?: IVpc;

  /**
   * The VPC's subnets that the functions run in.
   * @default - the private ones
   */
  readonly vpcSubnets?: SubnetSelection;

  /**
   * The security groups of the functions in the VPC; nothing has to be let in.
   * @default - a new one for each function, that lets everything out
   */
  readonly securityGroups?: ISecurityGroup[];

  /**
   * How devices reach the service.
   * @default - CloudFront with a web ACL, https only
   */
  readonly ingress?: Ingress;

  /**
   * CloudFront for CRLs and certificates of CAs alone, by http and https: without a web ACL and without logs, so that a
   * fetch costs the least, and nothing that happens to the service reaches whoever checks certificates. They name it
   * where the configuration has `filesUrl` of the service as its own; they are still served where SCEP is, too.
   * @default - with CloudFront as ingress one under a name of CloudFront's; else none
   */
  readonly files?: FilesOptions;

  /**
   * How operators reach the admin API over HTTP, on top of its own tokens.
   * @default - not at all: it has no URL, and is invoked as a function
   */
  readonly admin?: AdminAccess;

  /**
   * Opens `/decide` of the admin function, and nothing else of it, to browsers without an identity: the page of decision
   * links, which the configuration turns on with `decisionUrl`. For CloudFront and an HTTP API.
   * @default false
   */
  readonly decisionLinks?: boolean;

  /**
   * Answers MDMs that ask for challenges, by a function that makes these and nothing else: the pages and hooks that
   * endpoints of the configuration have (`ndes`, `jamf`). For CloudFront and an HTTP API.
   * @default false
   */
  readonly challengePages?: boolean;

  /**
   * The most instances of the SCEP function at once, which bounds what a flood can cost. They are
   * taken from the account's quota, of which Lambda keeps 100 for all other functions. An account with
   * a quota too small for that says -1: none are reserved.
   * @default 50
   */
  readonly reservedConcurrency?: number;

  /**
   * Secrets that the configuration refers to with `env:NAME`, by that name. The environment of the SCEP function has
   * their ARNs, but for those of pages and hooks, which that of the function for them has; that of maintenance has those
   * of validators. Each function reads its own at its start.
   * The policy of a secret's own key lets it do so.
   * @default - none
   */
  readonly secrets?: { readonly [name: string]: ISecret };
}
