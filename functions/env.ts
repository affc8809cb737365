// The only reader of the environment. Every setting, its default and what it means.

import { isIP } from 'node:net';
import { resolve } from 'node:path';
import type { AccessKey, AwsConnection } from '../lib/adapters/aws/aws.ts';
import type { RolesAnywhere } from '../lib/adapters/aws/roles-anywhere.ts';
import { ConfigError } from '../lib/config/error.ts';

export type Env = {
  /** `SCEPTER_DATA_DIR`: database, keys and token of the embedded default. */
  readonly dataDir: string;
  /** `SCEPTER_TABLE`: the DynamoDB table that keeps the records instead of the database. */
  readonly table: string | undefined;
  /** `SCEPTER_FILES`: the S3 bucket that has the CRLs and the certificates of the CAs where the records are in a table. */
  readonly files: string | undefined;
  /** `SCEPTER_LOGS`: the S3 bucket that has the files of the logs where the records are in a table. */
  readonly logs: string | undefined;
  /** `SCEPTER_LOG_KEY`: the KMS key that signs them, where keys are in KMS: the ARN of an ECC_NIST_P256 key. */
  readonly logKey: string | undefined;
  /** `HOST` and `PORT`: where the embedded server listens. */
  readonly host: string;
  readonly port: number;
  /** `SCEPTER_TLS_CERT` and `SCEPTER_TLS_KEY`: PEM files, with which it speaks TLS; without them plain http. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  /** `SCEPTER_HTTP_PORT`: where it speaks plain http beside TLS, for devices and relying parties only. */
  readonly httpPort: number | undefined;
  /** The URL of that server for clients on this machine. */
  readonly localUrl: string;
  /** The server listens on this machine only. */
  readonly loopback: boolean;
  /** Whether folder and address are those that every command looks for by itself. */
  readonly defaults: { readonly dataDir: boolean; readonly address: boolean };
  /** `NODE_ENV=production`. */
  readonly production: boolean;
  /** `SCEPTER_DEPLOYMENT`: which deployment of Scepter this is, where keys are sealed by KMS. */
  readonly deployment: string | undefined;
  /** `SCEPTER_SEALING_KEY`: the KMS key that seals RA and MAC keys: its id, ARN or alias. With it
   * CA keys are in KMS too; without it all keys are files in the data folder. */
  readonly sealingKey: string | undefined;
  /** `SCEPTER_ORIGIN_SECRETS`, separated by commas, each itself or `secretsmanager:` and the ARN of a secret: the SCEP
   * function accepts requests with one of them in CloudFront's header; without any it accepts all requests. */
  readonly originSecrets: readonly string[];
  /** `SCEPTER_ADMIN_TOKEN`: whoever shows this to a Worker is its admin. */
  readonly adminToken: string | undefined;
  /** `SCEPTER_PLAIN_HTTP=1`: a Worker answers plain http too, for SCEP, CRLs and CA certificates. */
  readonly plainHttp: boolean;
  /** `SCEPTER_CONFIG`: a file's path, the JSON itself, or `s3:BUCKET/KEY` of an object that is named by its
   * SHA-256. */
  readonly config: string | undefined;
  /** `AWS_ENDPOINT_URL_S3` and `AWS_ENDPOINT_URL_SECRETS_MANAGER`: where these are, if not at AWS; the SDK finds the
   * endpoints of the others itself. */
  readonly s3Endpoint: string | undefined;
  readonly secretsEndpoint: string | undefined;
  /** `NODE_ENV=production`, keys in files, and no `SCEPTER_ALLOW_SOFTWARE_KEYS=1`. */
  readonly refuseSoftwareKeys: boolean;
  /** `SCEPTER_URL` and `SCEPTER_TOKEN`: the server that the CLI asks, and its token. The URL may be
   * `lambda:` and the name or ARN of an admin function. */
  readonly url: string | undefined;
  readonly token: string | undefined;
  /** `SCEPTER_JWT`: the JWT for an ingress in front of that server that wants one. */
  readonly jwt: string | undefined;
  /** `SCEPTER_PAGER`, or else `PAGER`: the command line of the CLI's pager; empty: none. */
  readonly pager: string | undefined;
};

/** Of settings whose names do not say it. */
const purposes: Readonly<Record<string, string>> = {
  SCEPTER_FILES: 'the S3 bucket that has the CRLs',
  SCEPTER_LOGS: 'the S3 bucket that has the logs, and locks what it is given',
  SCEPTER_LOG_KEY: 'the ARN of the ECC_NIST_P256 key in KMS that signs the checkpoints of the logs',
};

/** @throws {ConfigError} with what it is for, where it is missing */
export function setting(name: string, value: string | undefined): string {
  if (value !== undefined) return value;
  const purpose = purposes[name];
  throw new ConfigError([`${name} must be set${purpose === undefined ? '' : `: ${purpose}`}`]);
}

/** @throws {Error} for a value that says neither yes nor no: it would be taken for no without a word */
function isOn(env: Readonly<Record<string, string | undefined>>, name: string): boolean {
  const value = env[name] ?? '';
  if (['', '0', '1'].includes(value)) return value === '1';
  throw new Error(`${name} must be 1 for yes, or 0, not "${value}"`);
}

/** Of a host as a URL has it or as it is listened at. */
export const isLoopback = (host: string): boolean =>
  /^(?:localhost|\[?::1\]?)$/.test(host) || (isIP(host) === 4 && host.startsWith('127.'));

/** @throws {Error} with a sentence that names the variable */
export function readEnv(env: Readonly<Record<string, string | undefined>> = process.env): Env {
  const host = env.HOST || '127.0.0.1';
  const port = portIn('PORT', env.PORT || '8080');
  const tls = tlsIn(env);
  const httpPort = env.SCEPTER_HTTP_PORT
    ? portIn('SCEPTER_HTTP_PORT', env.SCEPTER_HTTP_PORT)
    : undefined;
  if (httpPort !== undefined && !tls) {
    throw new Error(
      'SCEPTER_HTTP_PORT is for plain http beside TLS: set SCEPTER_TLS_CERT and SCEPTER_TLS_KEY too, or leave it out',
    );
  }
  const production = env.NODE_ENV === 'production';
  return {
    dataDir: resolve(env.SCEPTER_DATA_DIR || './.scepter'),
    table: env.SCEPTER_TABLE || undefined,
    files: env.SCEPTER_FILES || undefined,
    logs: env.SCEPTER_LOGS || undefined,
    logKey: env.SCEPTER_LOG_KEY || undefined,
    deployment: env.SCEPTER_DEPLOYMENT || undefined,
    sealingKey: env.SCEPTER_SEALING_KEY || undefined,
    originSecrets: (env.SCEPTER_ORIGIN_SECRETS ?? '').split(',').filter((one) => one !== ''),
    adminToken: env.SCEPTER_ADMIN_TOKEN || undefined,
    plainHttp: isOn(env, 'SCEPTER_PLAIN_HTTP'),
    ...{ host, port, tls, httpPort },
    localUrl: `${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`,
    loopback: isLoopback(host),
    defaults: { dataDir: !env.SCEPTER_DATA_DIR, address: !env.HOST && !env.PORT },
    production,
    config: env.SCEPTER_CONFIG || undefined,
    s3Endpoint: env.AWS_ENDPOINT_URL_S3 || undefined,
    secretsEndpoint: env.AWS_ENDPOINT_URL_SECRETS_MANAGER || undefined,
    refuseSoftwareKeys:
      production && !env.SCEPTER_SEALING_KEY && !isOn(env, 'SCEPTER_ALLOW_SOFTWARE_KEYS'),
    url: env.SCEPTER_URL || undefined,
    token: env.SCEPTER_TOKEN || undefined,
    jwt: env.SCEPTER_JWT || undefined,
    pager: env.SCEPTER_PAGER ?? env.PAGER,
  };
}

function portIn(name: string, text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port <= 65_535) return port;
  throw new Error(`${name} must be a number from 0 to 65535, not "${text}"`);
}

function tlsIn(env: Readonly<Record<string, string | undefined>>): Env['tls'] {
  const { SCEPTER_TLS_CERT: cert = '', SCEPTER_TLS_KEY: key = '' } = env;
  if (cert !== '' && key !== '') return { cert, key };
  if (cert === '' && key === '') return undefined;
  const [set, missing] = cert === '' ? ['KEY', 'CERT'] : ['CERT', 'KEY'];
  throw new Error(`SCEPTER_TLS_${set} is set without SCEPTER_TLS_${missing}: TLS needs both files`);
}

/** How a Worker reaches AWS, and by what: an access key, or a certificate for IAM Roles Anywhere. */
export type AwsSettings = Omit<AwsConnection, 'credentials'> &
  ({ readonly credentials: AccessKey } | { readonly rolesAnywhere: RolesAnywhere });

/**
 * How a Worker reaches AWS: there the SDK does not look for anything by itself. With `ROLES_ANYWHERE_ROLE` it takes
 * no access key.
 * @throws {ConfigError} with a sentence for each variable that is missing or cannot be right
 */
export function readAwsSettings(
  env: Readonly<Record<string, string | undefined>> = process.env,
): AwsSettings {
  const problems: string[] = [];
  const needed = (name: string, shape: RegExp, what: string): string => {
    const value = env[name] ?? '';
    if (value === '') problems.push(`${name} must be set`);
    else if (!shape.test(value)) problems.push(`${name} must be ${what}`);
    return value;
  };
  const region = needed(
    'AWS_REGION',
    /^[a-z]{2,}(?:-[a-z]+)+-\d+$/,
    'a region, such as eu-central-1',
  );
  const given = (value: string | undefined) => value || undefined;
  const place = {
    region,
    endpoints: {
      dynamodb: given(env.AWS_ENDPOINT_URL_DYNAMODB),
      kms: given(env.AWS_ENDPOINT_URL_KMS),
    },
  };
  if (env.ROLES_ANYWHERE_ROLE) {
    const arn = (name: string, of: string, what: string) =>
      needed(`ROLES_ANYWHERE_${name}`, new RegExp(`^arn:aws[a-z-]*:${of}`), `the ARN of ${what}`);
    const rolesAnywhere = {
      region,
      role: arn('ROLE', 'iam::\\d{12}:role/', 'a role'),
      profile: arn('PROFILE', 'rolesanywhere:.+:profile/', 'a profile of IAM Roles Anywhere'),
      trustAnchor: arn('TRUST_ANCHOR', 'rolesanywhere:.+:trust-anchor/', 'a trust anchor'),
      certificate: needed('ROLES_ANYWHERE_CERTIFICATE', /-----BEGIN CERTIFICATE-----/, 'PEM'),
      key: needed(
        'ROLES_ANYWHERE_KEY',
        /-----BEGIN PRIVATE KEY-----/,
        'PEM of PKCS #8: "openssl pkey" makes it of others',
      ),
      endpoint: given(env.AWS_ENDPOINT_URL_ROLESANYWHERE),
    };
    if (problems.length > 0) throw new ConfigError(problems);
    return { ...place, rolesAnywhere };
  }
  const accessKeyId = needed('AWS_ACCESS_KEY_ID', /^\w+$/, 'the id of an access key');
  const secretAccessKey = needed('AWS_SECRET_ACCESS_KEY', /^\S+$/, 'a secret without spaces');
  if (problems.length > 0) throw new ConfigError(problems);
  const sessionToken = given(env.AWS_SESSION_TOKEN);
  return { ...place, credentials: { accessKeyId, secretAccessKey, sessionToken } };
}

/** What a reference `env:NAME` of the configuration stands for. */
export const readVariable = (name: string): string | undefined => process.env[name];
