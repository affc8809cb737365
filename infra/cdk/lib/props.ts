// What a deployment may say about itself, with every default.

import type { ICertificate } from 'aws-cdk-lib/aws-certificatemanager';
import type { ITableV2 } from 'aws-cdk-lib/aws-dynamodb';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { IHostedZone } from 'aws-cdk-lib/aws-route53';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { ConfigDocument } from '../../../lib/config/config.ts';

export type ScepServiceProps = {
  /** Scepter's configuration document, as `docs/config.schema.json` has it. */
  readonly config: ConfigDocument;

  /**
   * The name of this deployment of Scepter. Sealed keys open only under the name that they were sealed
   * with, so it must never change.
   * @default 'scepter'
   */
  readonly deployment?: string;

  /**
   * Folder with a release: the packages of the three functions.
   * @default - `dist/release` of the repository, where `npm run release` puts one
   */
  readonly packages?: string;

  /**
   * A table that exists, with the keys and indexes of `lib/adapters/aws/dynamodb/table.ts`. One that is
   * encrypted with a customer managed key comes with that key (`TableV2.fromTableAttributes`).
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
   * flood can cost. A request takes 4 to 8; 50 instances that each read a CRL of 400 KB once in five seconds
   * take 1,000.
   * @default 4000
   */
  readonly maxReadRequestUnits?: number;

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
  readonly caKeys?: Readonly<Record<string, IKey>>;

  /**
   * A symmetric key that exists, to seal RA and MAC keys.
   * @default - a new one, rotated every year
   */
  readonly sealingKey?: IKey;

  /**
   * An ECC_NIST_P256 key that exists, to sign checkpoints of the transaction log.
   * @default - a new one
   */
  readonly logKey?: IKey;

  /**
   * ARNs of the roles that administer the new keys and cannot use them. The deploying role must be among
   * them, because KMS refuses a policy that its maker could not change again. That is CloudFormation's
   * role, in the toolkit's bootstrap `cdk-hnb659fds-cfn-exec-role-ACCOUNT-REGION`.
   * @default - the account, so that its IAM policies decide
   */
  readonly keyAdministrators?: readonly string[];

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
  readonly operators?: readonly string[];

  /**
   * How devices reach the service.
   * @default - CloudFront with a web ACL, https only
   */
  readonly ingress?: Ingress;

  /**
   * How operators reach the admin API over HTTP, on top of its own tokens: a Function URL for
   * requests signed with AWS credentials (`iam`), or routes that want a JWT.
   * @default - not at all: it has no URL, and is invoked as a function
   */
  readonly admin?: AdminAccess;

  /**
   * The most instances of the SCEP function at once, which bounds what a flood can cost. They are
   * taken from the account's quota, of which Lambda keeps 100 for all other functions. An account with
   * a quota too small for that sets `unreserved`.
   * @default 50
   */
  readonly reservedConcurrency?: number | 'unreserved';

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
   * Environment variables of the SCEP function that the configuration refers to with `env:NAME`, each
   * with the secret that is its value.
   * @default - none
   */
  readonly secrets?: Readonly<Record<string, ISecret>>;

  /**
   * The topic that alarms notify.
   * @default - none: alarms are only shown in CloudWatch
   */
  readonly alarmTopic?: ITopic;
};

/** The props of a deployment's parts at AWS, wherever its functions run. */
export type BackendProps = Pick<
  ScepServiceProps,
  | 'config'
  | 'deployment'
  | 'table'
  | 'maxWriteRequestUnits'
  | 'maxReadRequestUnits'
  | 'tableKey'
  | 'deletionProtection'
  | 'caKeys'
  | 'sealingKey'
  | 'logKey'
  | 'keyAdministrators'
  | 'breakGlassRoleArn'
  | 'operators'
>;

export type Ingress = FunctionUrlIngress | HttpApiIngress | CloudFrontIngress;

/** The function's own https URL: for a first look. No web ACL, no domain. */
export type FunctionUrlIngress = { readonly type: 'functionUrl' };

type Throttle = {
  /**
   * Requests a second that the API accepts.
   * @default 100
   */
  readonly requestsPerSecond?: number;
};

/** An API Gateway HTTP API. */
export type HttpApiIngress = Throttle & {
  readonly type: 'httpApi';
  /**
   * The name devices know; with it, the API's own address is closed.
   * @default - the API's own address
   */
  readonly domain?: Domain;
};

/** CloudFront in front of an HTTP API that answers to CloudFront alone. */
export type CloudFrontIngress = Throttle & {
  readonly type: 'cloudfront';
  /**
   * The name devices know; with it, the API's own address is closed too, and TLS is 1.2 or later.
   * @default - a name of CloudFront's
   */
  readonly domain?: Domain;
  /**
   * Also answers plain http, on the paths of SCEP and of CRLs and CA certificates in lower case, which is
   * how CloudFront knows them, for devices that cannot do better. The configuration's publicUrl decides
   * what certificates point to.
   * @default false
   */
  readonly plainHttp?: boolean;
  /**
   * Requests from one address in five minutes, from 10; more are refused.
   * @default 2000
   */
  readonly rateLimit?: number;
  /**
   * ARN of a web ACL of scope CLOUDFRONT, which is in us-east-1.
   * @default - a new one with the rate rule, which only a stack in us-east-1 can make
   */
  readonly webAclArn?: string;
  /**
   * Secrets by which the SCEP function recognizes CloudFront: letters and digits. CloudFront sends the first
   * one, and the function accepts each. To rotate, put a new one in front, deploy, and remove the old one a
   * day later.
   * @default - a new one
   */
  readonly originSecrets?: readonly ISecret[];
};

export type Domain = {
  /** In lower case, without a final dot. */
  readonly name: string;
  /** The public zone that the name is in. */
  readonly zone: IHostedZone;
  /**
   * Its certificate: for CloudFront one of us-east-1.
   * @default - a new one, validated in the zone
   */
  readonly certificate?: ICertificate;
};

export type AdminAccess =
  | { readonly type: 'iam' }
  | {
      readonly type: 'jwt';
      /** https URL of the issuer. */
      readonly issuer: string;
      /** A token must be for one of these audiences. */
      readonly audience: readonly string[];
    };
