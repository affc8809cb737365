// The settings of the quick start's apps, by name.

/** Names and what they mean; `docs/deploy-aws.md` has them too. */
export const settings = {
  account: 'the AWS account; that of the credentials by default',
  region: 'the AWS region; that of the credentials by default',
  config: "path of Scepter's configuration",
  deployment: 'name of the deployment',
  packages: "folder of the release's packages",
  ingress: 'cloudfront, httpApi, alb or functionUrl',
  plainHttp: 'true: CloudFront or a load balancer answers plain http, too',
  rateLimit: 'requests of one address in five minutes',
  requestsPerSecond: 'requests of all in a second',
  webAclArn: 'web ACL of us-east-1, for a stack elsewhere; for a load balancer a regional one',
  originSecrets: 'ARNs of what CloudFront shows and what it showed before, with commas between',
  domain: 'name that devices know',
  hostedZoneId: 'id of the zone that the domain is in, unless DNS is elsewhere',
  hostedZoneName: 'name of that zone',
  certificateArn: "ARN of the domain's certificate",
  files: 'true: CloudFront for CRLs and CA certificates alone, also where ingress is another',
  filesDomain: 'name of that distribution',
  filesCertificateArn: 'ARN of its certificate, of us-east-1',
  albVpcId: 'VPC that the load balancer is in',
  albSubnetIds: 'ids of its subnets for the load balancer, with commas between',
  clients: 'CIDR blocks that may connect to the load balancer, with commas between',
  admin: 'iam or jwt',
  adminIssuer: 'issuer of the JWTs',
  adminAudience: 'audiences of the JWTs, with commas between',
  decisionLinks: 'true: /decide answers browsers without an identity, for decision links',
  challengePages: 'true: MDMs get challenges, from the pages and hooks of the configuration',
  breakGlassRoleArn: 'the role that may end keys',
  multiRegionKeys: 'false: the new keys stay in their region',
  keysTrustRoleNames: 'true: the policies of the new keys name roles by their names',
  caKeys: 'NAME=ARN of the key of a CA that exists, with commas between',
  sealingKeyArn: 'a key that seals and exists',
  logKeyArn: 'a key of the logs that exists',
  logLockMode: 'COMPLIANCE: nobody at all ends a version of a file of the logs before',
  logLockDays: 'days that the bucket of the logs keeps each version, from 400',
  keyAdministrators: 'ARNs, with commas between',
  operators: 'ARNs, with commas between',
  reservedConcurrency: 'instances of the SCEP function, or unreserved',
  maxWriteRequestUnits: 'cap of the table, for writes',
  maxReadRequestUnits: 'cap of the table, for reads',
  tableClass: 'STANDARD_INFREQUENT_ACCESS: storage costs less and units more',
  deletionProtection: 'false: the table may be deleted',
  backupRetentionDays: 'days that a daily backup of the table is kept; without it there is none',
  backupLock: 'true: nobody deletes a backup before its time',
  backupLockChangeableForDays: 'days after which nobody can end that lock',
  backupCopyToVaultArn: 'vault of another region or account that each backup is copied to',
  backupVaultKeyArn: 'KMS key of the vault',
  tableName: 'a table that exists, in place of a new one',
  tableStreamArn: 'its stream of keys',
  secrets: 'NAME=ARN of a secret, with commas between, for env:NAME in the configuration',
  alarmTopicArn: 'SNS topic of the alarms',
  tags: 'NAME=VALUE of tags, with commas between',
  permissionsBoundaryArn: 'managed policy that bounds what new roles may do',
  rolePath: 'path of new roles, such as /team/',
  environmentKeyArn: 'KMS key of the environments of the functions',
  codeSigningConfigArn: 'who must have signed the packages',
  packageBucket: "name of a bucket with the release's packages, in place of their folder",
  packagePrefix: 'what their names begin with in that bucket',
  memoryMb: 'memory of functions, as scep=1024, with commas between',
  timeoutSeconds: 'time of functions, as scep=20, with commas between',
  warmReadRequestUnits: 'reads that the table can give at once',
  warmWriteRequestUnits: 'writes that the table can take at once',
  vpcId: 'VPC that the functions run in',
  vpcSubnetIds: 'ids of its private subnets, with commas between',
  securityGroupIds: 'ids of the security groups of the functions, with commas between',
} as const;
/** Of the app for a Worker's AWS side alone. */
const ofWorker = {
  trustAnchor: 'path of the certificate, in PEM, of the CA that certifies the Worker',
} as const;
/** Of the app for a Worker's heartbeat alone. */
const ofHeartbeat = { host: 'host name that devices know the Worker by' } as const;
export const described = { ...settings, ...ofWorker, ...ofHeartbeat };
export type Setting = keyof typeof described;

/** The settings of the app for a Worker's AWS side. */
export const backendSettings = [
  'account',
  'region',
  'config',
  'deployment',
  'breakGlassRoleArn',
  'multiRegionKeys',
  'keysTrustRoleNames',
  'caKeys',
  'sealingKeyArn',
  'logKeyArn',
  'logLockMode',
  'logLockDays',
  'keyAdministrators',
  'operators',
  'maxWriteRequestUnits',
  'maxReadRequestUnits',
  'tableClass',
  'deletionProtection',
  'backupRetentionDays',
  'backupLock',
  'backupLockChangeableForDays',
  'backupCopyToVaultArn',
  'backupVaultKeyArn',
  'alarmTopicArn',
  'tableName',
  'tags',
  'permissionsBoundaryArn',
  'rolePath',
  'warmReadRequestUnits',
  'warmWriteRequestUnits',
  'trustAnchor',
] as const satisfies readonly Setting[];

/** The settings of the app for the web ACL. */
export const edgeSettings = [
  'account',
  'deployment',
  'rateLimit',
  'alarmTopicArn',
] as const satisfies readonly Setting[];

/** The settings of the app for a Worker's heartbeat. */
export const heartbeatSettings = [
  'account',
  'deployment',
  'host',
  'alarmTopicArn',
] as const satisfies readonly Setting[];

/** @throws {Error} naming the setting */
export function fail(name: string, sentence: string): never {
  throw new Error(`${name}: ${sentence}`);
}
