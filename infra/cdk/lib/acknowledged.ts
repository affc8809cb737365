// Findings of cdk-nag that are accepted, each with its reason. A test checks that there are no others, and
// that each of these still occurs.

import { Validations } from 'aws-cdk-lib';
import type { Construct } from 'constructs';

export type Acknowledged = {
  /** Children of ScepService; missing ones are skipped. */
  readonly children: readonly string[];
  readonly id: string;
  readonly reason: string;
};

export const acknowledged: readonly Acknowledged[] = [
  {
    children: ['scep-policy', 'admin-policy', 'maintenance-policy'],
    id: 'AwsSolutions::AwsSolutions-IAM5[Resource::*]',
    reason: 'X-Ray knows no resource for the two actions that write traces.',
  },
  {
    children: ['Api'],
    id: 'AwsSolutions::AwsSolutions-APIG4',
    reason:
      'SCEP is for devices that have nothing yet: each message is authorized by what is in it. Routes of the admin API have an authorizer.',
  },
  {
    children: ['OriginSecret'],
    id: 'AwsSolutions::AwsSolutions-SMG4',
    reason:
      'CloudFront takes a new value with a deployment only, so it is rotated by one. It authorizes nothing: it keeps clients from going around the web ACL.',
  },
  {
    children: ['AccessLogs'],
    id: 'AwsSolutions::AwsSolutions-S1',
    reason: 'It is the bucket of access logs; logs of its own would be logs of their delivery.',
  },
  {
    children: ['Distribution'],
    id: 'AwsSolutions::AwsSolutions-CFR1',
    reason: 'Devices roam; which countries they may come from is for their owner to say.',
  },
  {
    children: ['Distribution'],
    id: 'AwsSolutions::AwsSolutions-CFR4',
    reason:
      'Without a domain it is a name of CloudFront, whose TLS versions are not ours to choose.',
  },
  {
    children: ['scep-function', 'admin-function', 'maintenance-function'],
    id: 'Serverless::Serverless-LambdaDLQ',
    reason:
      'SCEP and the admin API are called synchronously; upkeep does whatever is due every minute, so a run that failed is made up by the next.',
  },
  {
    children: ['maintenance-function'],
    id: 'Serverless::Serverless-LambdaAsyncFailureDestination',
    reason: 'A run that failed is made up by the next, a minute later; an alarm counts failures.',
  },
  {
    children: ['EveryMinute'],
    id: 'Serverless::Serverless-EventBusDLQ',
    reason: 'The next event comes a minute later and means the same; an alarm misses runs.',
  },
];

export function acknowledge(scope: Construct): void {
  for (const { children, id, reason } of acknowledged) {
    for (const name of children) {
      const child = scope.node.tryFindChild(name);
      if (child) Validations.of(child).acknowledge({ id, reason });
    }
  }
}
