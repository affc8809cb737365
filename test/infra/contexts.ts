// What the apps of infra/cdk are told to synthesise: templates that everything here looks at.

import { join } from 'node:path';
import { root } from '../support/installed.ts';

const account = '111122223333';
const region = 'us-east-1';
const config = join(root, 'examples', 'minimal.json');
const start = { account, region, config };
const jwt = { admin: 'jwt', adminIssuer: 'https://login.example.com', adminAudience: 'scepter' };
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
      plainHttp: 'true',
      breakGlassRoleArn: `arn:aws:iam::${account}:role/break-glass`,
      alarmTopicArn: `arn:aws:sns:${region}:${account}:alarms`,
    },
  },
  httpApi: {
    entry: 'app',
    context: { ...start, region: 'eu-central-1', ingress: 'httpApi', admin: 'iam' },
  },
  functionUrl: {
    entry: 'app',
    context: { ...start, ingress: 'functionUrl', admin: 'iam', reservedConcurrency: 'unreserved' },
  },
  edge: { entry: 'edge', context: { account } },
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
