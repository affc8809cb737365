// What a deployment may say about itself, with every default, and the refusal of what it may not:
// one sentence that names the prop, says what it is and what it may be.

import { Token } from 'aws-cdk-lib';
import type { ICertificate } from 'aws-cdk-lib/aws-certificatemanager';
import type { ITableV2 } from 'aws-cdk-lib/aws-dynamodb';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { IHostedZone } from 'aws-cdk-lib/aws-route53';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { type Config, type ConfigDocument, checkConfig } from '../../../lib/config.ts';

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
   * A table that exists, with the keys and indexes of `lib/adapters/dynamodb-table.ts`.
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
   * A customer managed key that the new table is encrypted with.
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
   * ARNs of the roles that administer the new keys and cannot use them. Who deploys must be one.
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
   * A key that the log groups are encrypted with.
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
   * Also answers plain http, on the paths of SCEP and of CRLs and CA certificates, for devices that
   * cannot do better. The configuration's publicUrl decides what certificates point to.
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
};

export type Domain = {
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
      readonly audience: readonly string[];
    };

/** Of an SSM parameter of the advanced tier. */
const MAX_CONFIG_OCTETS = 8192;

const known = (value: unknown): boolean => !Token.isUnresolved(value);

function fail(prop: string, sentence: string): never {
  throw new Error(`${prop}: ${sentence}`);
}

function checkNumber(prop: string, value: number | undefined, min: number, max: number): void {
  if (value === undefined || !known(value)) return;
  if (Number.isInteger(value) && value >= min && value <= max) return;
  fail(prop, `must be a whole number from ${min} to ${max}, not ${value}`);
}

function checkArn(prop: string, value: string, service: string, what: string): void {
  if (!known(value)) return;
  if (new RegExp(`^arn:aws[a-z-]*:${service}$`).test(value)) return;
  fail(prop, `must be the ARN of ${what}, not "${value}"`);
}

/**
 * @param region of the stack; a token where the stack does not say
 * @returns the configuration as it is understood
 * @throws {Error} with a sentence that names the prop
 */
export function checkProps(props: ScepServiceProps, region: string): Config {
  if (typeof props.config !== 'object') fail('config', "must be Scepter's configuration document");
  const config = checkConfig(props.config);
  const { cas, endpoints } = config;
  const octets = Buffer.byteLength(JSON.stringify(props.config));
  if (octets > MAX_CONFIG_OCTETS) {
    fail('config', `has ${octets} octets as JSON, and an SSM parameter takes ${MAX_CONFIG_OCTETS}`);
  }
  const { deployment = 'scepter' } = props;
  if (!/^[a-z][a-z0-9-]{0,31}$/.test(deployment)) {
    fail(
      'deployment',
      `must be 1 to 32 lower case letters, digits and hyphens, first a letter, not "${deployment}"`,
    );
  }
  const { secrets = {} } = props;
  for (const { id, enrol } of endpoints.values()) {
    const name = enrol.staticChallenge?.secret.replace(/^env:/, '');
    if (name !== undefined && !Object.hasOwn(secrets, name)) {
      fail(
        `secrets.${name}`,
        `the static challenge of the endpoint "${id}" refers to it: name its secret`,
      );
    }
  }
  for (const name of Object.keys(secrets)) {
    if (!/^[A-Z][A-Z0-9_]*$/.test(name) || /^(AWS|SCEPTER|NODE|LAMBDA)_/.test(name)) {
      fail(`secrets.${name}`, 'must be the name of an environment variable that nothing else has');
    }
  }
  for (const name of Object.keys(props.caKeys ?? {})) {
    if (!cas.has(name)) fail(`caKeys.${name}`, `the configuration has no CA "${name}"`);
  }
  checkNumber('maxWriteRequestUnits', props.maxWriteRequestUnits, 50, 40_000);
  const { reservedConcurrency } = props;
  if (reservedConcurrency !== 'unreserved') {
    checkNumber('reservedConcurrency', reservedConcurrency, 1, 10_000);
  }
  if (props.breakGlassRoleArn !== undefined) {
    checkArn('breakGlassRoleArn', props.breakGlassRoleArn, 'iam::\\d{12}:role/.+', 'a role');
  }
  for (const [i, arn] of (props.keyAdministrators ?? []).entries()) {
    checkArn(`keyAdministrators[${i}]`, arn, 'iam::\\d{12}:(role|user)/.+', 'a role or user');
  }
  for (const [i, arn] of (props.operators ?? []).entries()) {
    checkArn(`operators[${i}]`, arn, 'iam::\\d{12}:(role|user)/.+', 'a role or user');
  }
  if (props.table && (props.tableKey || props.maxWriteRequestUnits !== undefined)) {
    fail('table', 'exists, so tableKey and maxWriteRequestUnits say nothing: leave them out');
  }
  checkIngress(props.ingress ?? { type: 'cloudfront' }, region);
  checkAdmin(props.admin, props.ingress);
  return config;
}

function checkIngress(ingress: Ingress, region: string): void {
  if (ingress.type === 'functionUrl') return;
  if (ingress.type !== 'httpApi' && ingress.type !== 'cloudfront') {
    const { type } = ingress as { type: unknown };
    fail('ingress.type', `must be "cloudfront", "httpApi" or "functionUrl", not "${type}"`);
  }
  checkNumber('ingress.requestsPerSecond', ingress.requestsPerSecond, 1, 10_000);
  const { domain } = ingress;
  if (domain && known(domain.name) && !/^([a-z0-9-]{1,63}\.)+[a-z]{2,63}$/.test(domain.name)) {
    fail('ingress.domain.name', `must be a host name in lower case, not "${domain.name}"`);
  }
  if (ingress.type === 'httpApi') return;
  checkNumber('ingress.rateLimit', ingress.rateLimit, 10, 2_000_000_000);
  const elsewhere = known(region) && region !== 'us-east-1';
  const where = `the stack is in ${region}, and CloudFront takes it from us-east-1 only`;
  if (ingress.webAclArn !== undefined) {
    checkArn(
      'ingress.webAclArn',
      ingress.webAclArn,
      'wafv2:us-east-1:\\d{12}:global/webacl/.+',
      'a web ACL of scope CLOUDFRONT in us-east-1',
    );
    if (ingress.rateLimit !== undefined) {
      fail(
        'ingress.rateLimit',
        'is of a new web ACL, and ingress.webAclArn names one: leave one out',
      );
    }
  } else if (elsewhere) {
    fail('ingress.webAclArn', `${where}: deploy bin/edge.ts there first and name its web ACL`);
  }
  if (domain && !domain.certificate && elsewhere) {
    fail('ingress.domain.certificate', `${where}: make one there and name it`);
  }
}

function checkAdmin(admin: AdminAccess | undefined, ingress: Ingress | undefined): void {
  if (!admin || admin.type === 'iam') return;
  if (admin.type !== 'jwt') {
    const { type } = admin as { type: unknown };
    fail('admin.type', `must be "iam" or "jwt", not "${type}"; without admin it has no URL`);
  }
  if (ingress?.type === 'functionUrl') {
    fail(
      'admin.type',
      'must be "iam" where ingress is "functionUrl", which has no routes for a JWT',
    );
  }
  if (known(admin.issuer) && !/^https:\/\/[^\s/]+(\/\S*)?$/.test(admin.issuer)) {
    fail('admin.issuer', `must be an https URL, not "${admin.issuer}"`);
  }
  if (admin.audience.length === 0) {
    fail('admin.audience', 'must name at least one audience, or any token of the issuer would do');
  }
}
