// What the apps of infra/cdk are told to synthesise: templates that everything here looks at.

import { join } from 'node:path';
import { root } from '../support/installed.ts';

const account = '111122223333';
const region = 'us-east-1';
const config = join(root, 'examples', 'minimal.json');
const start = { account, region, config };
const jwt = { admin: 'jwt', adminIssuer: 'https://login.example.com', adminAudience: 'scepter' };
/** Of what `estate.py` has. */
const id = '11111111-2222-3333-4444-555555555555';
const named = {
  domain: 'scep.example.com',
  hostedZoneId: 'Z0123456789',
  hostedZoneName: 'example.com',
};

export const contexts = {
  /** As it is by default. */
  cloudfront: { entry: 'app', context: start },
  domain: {
    entry: 'app',
    context: {
      ...start,
      ...named,
      ...jwt,
      decisionLinks: 'true',
      config: join(root, 'examples', 'mdm-challenges.json'),
      challengePages: 'true',
      secrets: ['WORKSPACE_ONE', 'JAMF']
        .map((name) => `${name}=arn:aws:secretsmanager:${region}:${account}:secret:${name}-AbCdEf`)
        .join(),
      plainHttp: 'true',
      filesDomain: 'pki.example.com',
      breakGlassRoleArn: `arn:aws:iam::${account}:role/break-glass`,
      alarmTopicArn: `arn:aws:sns:${region}:${account}:alarms`,
      backupRetentionDays: '35',
      backupLock: 'true',
      backupCopyToVaultArn: `arn:aws:backup:us-west-2:${account}:backup-vault:scepter-copies`,
    },
  },
  httpApi: {
    entry: 'app',
    context: { ...start, region: 'eu-central-1', ingress: 'httpApi', admin: 'iam' },
  },
  /** CRLs and certificates of CAs at an address of their own. */
  files: {
    entry: 'app',
    context: {
      ...start,
      ingress: 'functionUrl',
      filesDomain: 'pki.example.com',
      filesCertificateArn: `arn:aws:acm:us-east-1:${account}:certificate/${id}`,
    },
  },
  /** In the network of an organisation, by its rules. */
  alb: {
    entry: 'app',
    context: {
      ...start,
      ingress: 'alb',
      domain: 'scep.corp.example.com',
      certificateArn: `arn:aws:acm:${region}:${account}:certificate/${id}`,
      albVpcId: 'vpc-0123456789abcdef0',
      albSubnetIds: 'subnet-0123456789abcdef0,subnet-0123456789abcdef1',
      clients: '10.0.0.0/8',
      plainHttp: 'true',
      webAclArn: `arn:aws:wafv2:${region}:${account}:regional/webacl/corp/${id}`,
      vpcId: 'vpc-0123456789abcdef0',
      vpcSubnetIds: 'subnet-0123456789abcdef0,subnet-0123456789abcdef1',
      securityGroupIds: 'sg-0123456789abcdef0',
      permissionsBoundaryArn: `arn:aws:iam::${account}:policy/bounds`,
      rolePath: '/scep/',
      keysTrustRoleNames: 'true',
      environmentKeyArn: `arn:aws:kms:${region}:${account}:key/${id}`,
      memoryMb: 'scep=1024',
      timeoutSeconds: 'scep=20,maintenance=600',
      logLockMode: 'COMPLIANCE',
      logLockDays: '3650',
      tableClass: 'STANDARD_INFREQUENT_ACCESS',
      maxReadRequestUnits: '20000',
      maxWriteRequestUnits: '5000',
      warmReadRequestUnits: '15000',
      warmWriteRequestUnits: '5000',
      tags: 'team=pki',
    },
  },
  /** With names, certificates, packages and a web ACL that others look after. */
  elsewhere: {
    entry: 'app',
    context: {
      ...start,
      domain: 'scep.example.com',
      plainHttp: 'true',
      certificateArn: `arn:aws:acm:${region}:${account}:certificate/${id}`,
      webAclArn: `arn:aws:wafv2:${region}:${account}:global/webacl/edge/${id}`,
      packageBucket: 'corp-packages',
      packagePrefix: 'scepter/',
      codeSigningConfigArn: `arn:aws:lambda:${region}:${account}:code-signing-config:csc-0123456789abcdef0`,
    },
  },
  functionUrl: {
    entry: 'app',
    context: { ...start, ingress: 'functionUrl', admin: 'iam', reservedConcurrency: 'unreserved' },
  },
  edge: { entry: 'edge', context: { account } },
  heartbeat: {
    entry: 'heartbeat',
    context: {
      account,
      host: 'scep.example.com',
      alarmTopicArn: `arn:aws:sns:${region}:${account}:alarms`,
    },
  },
  /** Two CAs, and an endpoint that asks an approver. */
  worker: {
    entry: 'worker',
    context: {
      account,
      region: 'eu-central-1',
      config: join(root, 'examples', 'two-cas-and-approval.json'),
    },
  },
} as const;
export type ContextName = keyof typeof contexts;
