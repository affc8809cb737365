// Refuses wrong props, with one sentence that names the prop, its value and what it may be.

import { TableClass } from 'aws-cdk-lib/aws-dynamodb';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { MAX_CONFIG_OCTETS } from '../../../lib/base/limits.ts';
import { type Config, checkConfig } from '../../../lib/config/config.ts';
import { configText } from './backend/backend.ts';
import type { BackupSettings } from './backend/backup.ts';
import { checkLogLock } from './backend/logs.ts';
import { MAX_CAS } from './backend/policies.ts';
import { checkSecrets } from './backend/secrets.ts';
import { checkArn, checkFlag, checkList, checkNumber, fail, known } from './checks.ts';
import type { FunctionName } from './functions.ts';
import {
  AdminAccess,
  type AdminSettings,
  type Domain,
  Ingress,
  type IngressSettings,
  type LoadBalancerOptions,
} from './ingress/access.ts';
import { checkPages } from './ingress/mdm-pages.ts';
import type { BackendProps, ScepServiceProps } from './props.ts';

/** An ARN of a role, without wildcards, which a key policy would not match. */
function checkPrincipal(prop: string, arn: string, kinds: string, what: string): void {
  checkArn(prop, arn, `iam::\\d{12}:(${kinds})/[\\w+=,.@/-]+`, what);
}

/** @throws {Error} with a sentence that names it */
export function checkDeployment(deployment: string): void {
  if (/^[a-z][a-z0-9-]{0,31}$/.test(deployment)) return;
  fail(
    'deployment',
    `must be 1 to 32 lower case letters, digits and hyphens, first a letter, not "${deployment}"`,
  );
}

/** @throws {Error} with a sentence that names it */
export const checkRateLimit = (prop: string, value: number | undefined): void =>
  checkNumber(prop, value, 10, 2_000_000_000);

/**
 * @param region of the stack; a token where the stack does not say
 * @returns the configuration as it is understood
 * @throws {Error} with a sentence that names the prop
 */
export function checkProps(props: ScepServiceProps, region: string): Config {
  const config = checkBackend(props);
  checkSecrets(props.secrets, config);
  const { reservedConcurrency } = props;
  if (reservedConcurrency !== -1) {
    checkNumber('reservedConcurrency', reservedConcurrency, 1, 10_000);
  }
  checkFunctions(props);
  if (props.table && props.table.tableStreamArn === undefined) {
    fail(
      'table',
      'comes without its stream, which the sequencer of the logs follows: TableV2.fromTableAttributes takes a tableStreamArn',
    );
  }
  const { logRetention } = props;
  if (known(logRetention) && typeof RetentionDays[logRetention ?? 1] !== 'string') {
    fail('logRetention', `must be one of RetentionDays, not ${logRetention}`);
  }
  if (props.ingress !== undefined && !(props.ingress instanceof Ingress)) {
    fail('ingress', 'must be Ingress.cloudFront(), .httpApi(), .alb() or .functionUrl()');
  }
  if (props.admin !== undefined && !(props.admin instanceof AdminAccess)) {
    fail('admin', 'must be AdminAccess.iam() or AdminAccess.jwt(...); without it there is no URL');
  }
  const ingress = Ingress.settingsOf(props.ingress);
  checkIngress(ingress, region);
  if (props.files?.domain) checkFilesDomain(props.files.domain, region);
  checkPublicUrl(config, ingress);
  checkAdmin(AdminAccess.settingsOf(props.admin), ingress);
  checkFlag('decisionLinks', props.decisionLinks);
  if (props.decisionLinks && (ingress.type === 'functionUrl' || ingress.type === 'alb')) {
    fail('decisionLinks', 'needs CloudFront or an HTTP API, which have a route for them');
  }
  checkPages(props, config, ingress);
  return config;
}

/**
 * @returns the configuration as it is understood
 * @throws {Error} with a sentence that names the prop
 */
export function checkBackend(props: BackendProps): Config {
  if (typeof props.config !== 'object') fail('config', "must be Scepter's configuration document");
  const config = checkConfig(props.config);
  const octets = Buffer.byteLength(configText(props, 0));
  if (octets > MAX_CONFIG_OCTETS) {
    fail('config', `has ${octets} octets as JSON, and functions take ${MAX_CONFIG_OCTETS}`);
  }
  if (config.cas.size > MAX_CAS) {
    fail(
      'config.cas',
      `has ${config.cas.size} CAs, and the policy of a role holds the keys of ${MAX_CAS} (IAM gives a role 10,240 characters): divide them among deployments`,
    );
  }
  checkDeployment(props.deployment ?? 'scepter');
  for (const name of Object.keys(props.caKeys ?? {})) {
    if (!config.cas.has(name)) fail(`caKeys.${name}`, `the configuration has no CA "${name}"`);
  }
  checkNumber('maxWriteRequestUnits', props.maxWriteRequestUnits, 50, 40_000);
  checkNumber('maxReadRequestUnits', props.maxReadRequestUnits, 200, 40_000);
  if (props.breakGlassRoleArn !== undefined) {
    checkPrincipal('breakGlassRoleArn', props.breakGlassRoleArn, 'role', 'a role');
  }
  for (const prop of ['keyAdministrators', 'operators'] as const) {
    for (const [i, arn] of checkList(prop, props[prop]).entries()) {
      checkPrincipal(`${prop}[${i}]`, arn, 'role|user', 'a role or user');
    }
  }
  checkFlag('deletionProtection', props.deletionProtection);
  checkFlag('multiRegionKeys', props.multiRegionKeys);
  checkFlag('keysTrustRoleNames', props.keysTrustRoleNames);
  checkBackup(props.backup);
  checkLogLock(props.logLock);
  const classes = Object.values(TableClass);
  if (props.tableClass && !classes.includes(props.tableClass)) {
    fail('tableClass', `must be one of ${classes.join(', ')}, not "${props.tableClass}"`);
  }
  checkWarm(props);
  const { rolePath, permissionsBoundary } = props;
  if (rolePath !== undefined && known(rolePath) && !/^\/([\x21-\x7e]+\/)?$/.test(rolePath)) {
    fail('rolePath', `must begin and end with a slash, such as /team/, not "${rolePath}"`);
  }
  if (permissionsBoundary !== undefined && typeof permissionsBoundary !== 'object') {
    fail('permissionsBoundary', 'must be a managed policy: ManagedPolicy.fromManagedPolicyArn()');
  }
  for (const prop of ofNewTable) {
    if (props.table && props[prop] !== undefined) {
      fail(prop, 'is of a new table, and table names one: leave one out');
    }
  }
  return config;
}

const ofNewTable = [
  'tableKey',
  'maxWriteRequestUnits',
  'maxReadRequestUnits',
  'warmWriteRequestUnits',
  'warmReadRequestUnits',
  'deletionProtection',
  'tableClass',
] as const;

function checkBackup({ retentionDays, lock, lockChangeableForDays }: BackupSettings = {}): void {
  checkNumber('backup.retentionDays', retentionDays, 1, 36_500);
  checkFlag('backup.lock', lock);
  checkNumber('backup.lockChangeableForDays', lockChangeableForDays, 3, 36_500);
  if (lockChangeableForDays !== undefined && lock !== true) {
    fail('backup.lockChangeableForDays', 'is of a lock, and backup.lock is not true');
  }
}

/** What is warm above the cap is paid and never given. */
function checkWarm(props: BackendProps): void {
  const { warmReadRequestUnits: read, warmWriteRequestUnits: write } = props;
  if ((read === undefined) !== (write === undefined)) {
    const missing = read === undefined ? 'warmReadRequestUnits' : 'warmWriteRequestUnits';
    fail(missing, 'is missing: warm throughput is of reads and of writes');
  }
  const { maxReadRequestUnits = 4000, maxWriteRequestUnits = 1000 } = props;
  for (const [kind, warm, min, max] of [
    ['Read', read, 12_000, maxReadRequestUnits],
    ['Write', write, 4000, maxWriteRequestUnits],
  ] as const) {
    if (warm !== undefined && max < min) {
      fail(`max${kind}RequestUnits`, `is ${max}, and what is warm is ${min} or more: raise it`);
    }
    checkNumber(`warm${kind}RequestUnits`, warm, min, max);
  }
}

function checkFunctions(props: ScepServiceProps): void {
  for (const [name, [min, max]] of Object.entries(timeouts)) {
    const { memoryMb, timeoutSeconds } = props.functionSettings?.[name as FunctionName] ?? {};
    checkNumber(`functionSettings.${name}.memoryMb`, memoryMb, 256, 10_240);
    checkNumber(`functionSettings.${name}.timeoutSeconds`, timeoutSeconds, min, max);
  }
  const { packages, packageBucket, packagePrefix, codeSigningConfig } = props;
  if (packages !== undefined && packageBucket) {
    fail('packages', 'is a folder, and packageBucket names a bucket: leave one out');
  }
  if (packagePrefix !== undefined && !packageBucket) {
    fail('packagePrefix', 'is of packageBucket, which is missing');
  }
  if (codeSigningConfig && !packageBucket) {
    fail('codeSigningConfig', 'wants packages that are signed: name their packageBucket');
  }
  if (props.vpc) return;
  for (const prop of ['vpcSubnets', 'securityGroups'] as const) {
    if (props[prop] !== undefined) fail(prop, 'is of vpc, which is missing');
  }
}

/** An API waits for 30 s. */
const timeouts: Readonly<Record<FunctionName, readonly [min: number, max: number]>> = {
  scep: [5, 29],
  admin: [5, 29],
  maintenance: [60, 900],
  sequencer: [60, 900],
  challenges: [5, 29],
};

function checkIngress(ingress: IngressSettings, region: string): void {
  if (ingress.type === 'functionUrl') return;
  const { domain } = ingress;
  if (domain) checkDomain('ingress.domain', domain);
  if (domain && !domain.certificate && (!domain.zone || ingress.type === 'alb')) {
    fail(
      'ingress.domain.certificate',
      'must be given where none can be validated in a public zone',
    );
  }
  if (ingress.type === 'alb') {
    checkLoadBalancer(ingress);
    return;
  }
  checkNumber('ingress.requestsPerSecond', ingress.requestsPerSecond, 1, 10_000);
  if (ingress.type === 'httpApi') return;
  checkFlag('ingress.plainHttp', ingress.plainHttp);
  if (ingress.originSecrets?.length === 0) {
    fail('ingress.originSecrets', 'must name at least one secret, or be left out');
  }
  checkRateLimit('ingress.rateLimit', ingress.rateLimit);
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

function checkLoadBalancer({ plainHttp, clients, webAclArn }: LoadBalancerOptions): void {
  checkFlag('ingress.plainHttp', plainHttp);
  const listed = checkList('ingress.clients', clients);
  if (clients && listed.length === 0) {
    fail('ingress.clients', 'must name at least one CIDR block, or be left out');
  }
  for (const [i, client] of listed.entries()) {
    if (known(client) && !/^(\d{1,3}\.){3}\d{1,3}\/\d{1,2}$/.test(client)) {
      fail(`ingress.clients[${i}]`, `must be a CIDR block of IPv4, not "${client}"`);
    }
  }
  if (webAclArn === undefined) return;
  const regional = 'wafv2:[a-z0-9-]+:\\d{12}:regional/webacl/.+';
  checkArn('ingress.webAclArn', webAclArn, regional, 'a web ACL of scope REGIONAL');
}

/** @throws {Error} naming the prop */
export function checkHost(prop: string, name: string): void {
  if (known(name) && !/^([a-z0-9-]{1,63}\.)+[a-z]{2,63}$/.test(name)) {
    fail(prop, `must be a host name in lower case, not "${name}"`);
  }
}

/** In another zone, records and certificates would be for a name that is never looked up. */
function checkDomain(prop: string, { name, zone: of }: Domain): void {
  checkHost(`${prop}.name`, name);
  if (!of || !known(name) || !known(of.zoneName)) return;
  const zone = of.zoneName.replace(/\.$/, '');
  if (`.${name}`.endsWith(`.${zone}`)) return;
  fail(`${prop}.zone`, `"${name}" is not in the zone "${zone}"`);
}

/** CloudFront takes certificates from us-east-1 only. */
function checkFilesDomain(domain: Domain, region: string): void {
  checkDomain('files.domain', domain);
  if (domain.certificate) return;
  if (!domain.zone || (known(region) && region !== 'us-east-1')) {
    fail('files.domain.certificate', 'is missing: one of us-east-1, as none can be made here');
  }
}

/** If certificates point to this deployment, it must answer with the scheme of that URL. */
function checkPublicUrl({ publicUrl }: Config, ingress: IngressSettings): void {
  const { protocol, hostname } = new URL(publicUrl);
  const domain = ingress.type === 'functionUrl' ? undefined : ingress.domain;
  const plainHttp = (ingress.type === 'cloudfront' || ingress.type === 'alb') && ingress.plainHttp;
  const here = domain
    ? hostname === domain.name
    : /\.(amazonaws\.com|cloudfront\.net|on\.aws)$/.test(hostname);
  if (protocol === 'https:' || !here || plainHttp) return;
  fail(
    'config.publicUrl',
    `is "${publicUrl}", and nothing answers plain http there: say https, or have CloudFront or a load balancer with plainHttp`,
  );
}

function checkAdmin(admin: AdminSettings | undefined, ingress: IngressSettings): void {
  if (!admin || admin.type === 'iam') return;
  if (ingress.type === 'functionUrl' || ingress.type === 'alb') {
    const way = ingress.type === 'alb' ? 'load balancer' : 'Function URL';
    fail('admin', `must be AdminAccess.iam() with a ${way}, which has no routes for a JWT`);
  }
  if (known(admin.issuer) && !/^https:\/\/[^\s/]+(\/\S*)?$/.test(admin.issuer)) {
    fail('admin.issuer', `must be an https URL, not "${admin.issuer}"`);
  }
  const audience = checkList('admin.audience', admin.audience);
  if (audience.length === 0 || audience.includes('')) {
    fail('admin.audience', 'must name at least one audience, or any token of the issuer would do');
  }
}
