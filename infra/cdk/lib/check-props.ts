// Refuses wrong props, with one sentence that names the prop, its value and what it may be.

import { Token } from 'aws-cdk-lib';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { MAX_CONFIG_OCTETS } from '../../../lib/base/limits.ts';
import { type Config, checkConfig } from '../../../lib/config/config.ts';
import { configText } from './backend.ts';
import type { AdminAccess, BackendProps, Domain, Ingress, ScepServiceProps } from './props.ts';

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

/** A context gives texts: "false" would count as true. */
function checkFlag(prop: string, value: boolean | undefined): void {
  if (value === undefined || typeof value === 'boolean') return;
  fail(prop, `must be true or false, not ${JSON.stringify(value)}`);
}

/** A text must not be taken for a list of its letters. */
function checkList(prop: string, value: readonly string[] | undefined): readonly string[] {
  if (value === undefined || Array.isArray(value)) return value ?? [];
  return fail(prop, `must be a list, not ${JSON.stringify(value)}`);
}

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
  const { secrets = {} } = props;
  for (const { id, enrol } of config.endpoints.values()) {
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
  const { reservedConcurrency } = props;
  if (reservedConcurrency !== 'unreserved') {
    checkNumber('reservedConcurrency', reservedConcurrency, 1, 10_000);
  }
  const { logRetention } = props;
  if (known(logRetention) && typeof RetentionDays[logRetention ?? 1] !== 'string') {
    fail('logRetention', `must be one of RetentionDays, not ${logRetention}`);
  }
  const { ingress = { type: 'cloudfront' } } = props;
  checkIngress(ingress, region);
  checkPublicUrl(config, ingress);
  checkAdmin(props.admin, props.ingress);
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
  const ofNewTable = ['tableKey', 'maxWriteRequestUnits', 'maxReadRequestUnits'] as const;
  for (const prop of [...ofNewTable, 'deletionProtection'] as const) {
    if (props.table && props[prop] !== undefined) {
      fail(prop, 'is of a new table, and table names one: leave one out');
    }
  }
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
  if (domain) checkZone(domain);
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

/** In another zone, records and certificates would be for a name that is never looked up. */
function checkZone({ name, zone: { zoneName } }: Domain): void {
  if (!known(name) || !known(zoneName)) return;
  const zone = zoneName.replace(/\.$/, '');
  if (name === zone || name.endsWith(`.${zone}`)) return;
  fail('ingress.domain.zone', `"${name}" is not in the zone "${zone}"`);
}

/** If certificates point to this deployment, it must answer with the scheme of that URL. */
function checkPublicUrl({ publicUrl }: Config, ingress: Ingress): void {
  const { protocol, hostname } = new URL(publicUrl);
  const domain = ingress.type === 'functionUrl' ? undefined : ingress.domain;
  const plainHttp = ingress.type === 'cloudfront' && ingress.plainHttp;
  const here = domain
    ? hostname === domain.name
    : /\.(amazonaws\.com|cloudfront\.net|on\.aws)$/.test(hostname);
  if (protocol === 'https:' || !here || plainHttp) return;
  fail(
    'config.publicUrl',
    `is "${publicUrl}", and nothing answers plain http there: say https, or have CloudFront with plainHttp`,
  );
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
  const audience = checkList('admin.audience', admin.audience);
  if (audience.length === 0 || audience.includes('')) {
    fail('admin.audience', 'must name at least one audience, or any token of the issuer would do');
  }
}
