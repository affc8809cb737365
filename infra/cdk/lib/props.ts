// What a deployment may say about itself, with every default.

import type { ICertificate } from 'aws-cdk-lib/aws-certificatemanager';
import type { ITableV2 } from 'aws-cdk-lib/aws-dynamodb';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { IHostedZone } from 'aws-cdk-lib/aws-route53';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { ConfigDocument } from '../../../lib/config.ts';

export type ScepServiceProps = {
  /** Scepter's configuration document, as `docs/config.schema.json` has it. */
  readonly config: ConfigDocument;

  /**
   * Which deployment of Scepter this is. Sealed keys open only under the name that they were sealed
   * with, so it never changes.
   * @default 'scepter'
   */
  readonly deployment?: string;

  /**
   * Folder with a release: the packages of the three functions.
   * @default - `dist/release` of the repository, where `npm run release` puts one
   */
  readonly packages?: string;

  /**
   * A table that exists, with the keys and indexes of `lib/adapters/dynamodb-table.ts`. One that is
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
   * A customer managed key that the new table is encrypted with. Its policy lets the account's IAM
   * policies decide who uses it through DynamoDB; the roles made here get one that says so.
   * @default - a key that DynamoDB owns
   */
  readonly tableKey?: IKey;

  /**
   * Protects the new table from deletion. Only a deployment that is about to be torn down says false.
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
   * ARNs of the roles that administer the new keys and cannot use them. Who deploys must be one: KMS
   * takes no policy that its maker could not change again. That is the role that CloudFormation has, of
   * the toolkit's bootstrap `cdk-hnb659fds-cfn-exec-role-ACCOUNT-REGION`.
   * @default - the account: whom its IAM policies allow it
   */
  readonly keyAdministrators?: readonly string[];

  /**
   * ARN of the one role that may disable and delete the new keys, if its own policies let it. It
   * administers them too.
   * @default - nobody may, until the policy of the key is changed
   */
  readonly breakGlassRoleArn?: string;

  /**
   * ARNs of who may take the operator's role, which makes CAs and RA keys: `scepter ca ...`.
   * @default - whom the account's IAM policies allow it
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
   * taken from the account's quota, of which Lambda keeps 100 for all other functions: an account
   * that has not more says `unreserved`.
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
   * Where alarms are told.
   * @default - nowhere: they can be seen in CloudWatch
   */
  readonly alarmTopic?: ITopic;
};

/** Of these, what a deployment has at AWS wherever its functions run. */
export type BackendProps = Pick<
  ScepServiceProps,
  | 'config'
  | 'deployment'
  | 'table'
  | 'maxWriteRequestUnits'
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
   * Requests a second that the API lets through.
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
   * What the SCEP function knows CloudFront by: letters and digits. It is shown the first; each is
   * good. To rotate, put a new one in front, deploy, and leave the old one out a day later.
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
      /** A token has to be for one of them. */
      readonly audience: readonly string[];
    };
