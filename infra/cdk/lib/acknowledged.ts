// Findings of cdk-nag that are accepted, each with its reason. A test checks that there are no others, and
// that each of these still occurs.

import { CfnElement, Stack, Validations } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { providerId } from './backend/config-object.ts';

export type Acknowledged = {
  /** Children of ScepService, WorkerBackend or their stack; missing ones are skipped. */
  readonly children: readonly string[];
  /** `<Configs>`, `<Files>` and `<Logs>` stand for what CloudFormation calls these buckets. */
  readonly id: string;
  readonly reason: string;
};

export const acknowledged: readonly Acknowledged[] = [
  {
    children: [
      'scep-policy',
      'admin-policy',
      'maintenance-policy',
      'sequencer-policy',
      'challenges-policy',
    ],
    id: 'AwsSolutions::AwsSolutions-IAM5[Resource::*]',
    reason: 'X-Ray knows no resource for the two actions that write traces.',
  },
  {
    children: [
      'scep-policy',
      'admin-policy',
      'maintenance-policy',
      'sequencer-policy',
      'challenges-policy',
      'operator-policy',
      'worker-policy',
    ],
    id: 'AwsSolutions::AwsSolutions-IAM5[Resource::<Configs.Arn>/config/*]',
    reason:
      'While a deployment changes the configuration, instances start with the one before and with the new one; each believes the object alone that its environment names.',
  },
  {
    children: [
      'scep-policy',
      'admin-policy',
      'maintenance-policy',
      'operator-policy',
      'worker-policy',
    ],
    id: 'AwsSolutions::AwsSolutions-IAM5[Resource::<Files.Arn>/crl/*]',
    reason:
      'It is the CRLs of all CAs and of all partitions, of which there are more than a policy can name; each is signed, and what is not is replaced.',
  },
  {
    children: ['maintenance-policy', 'challenges-policy', 'worker-policy'],
    id: 'AwsSolutions::AwsSolutions-IAM5[Resource::<Files.Arn>/aia/*]',
    reason: 'It is the certificates of all CAs, also of those that are yet to be made.',
  },
  {
    children: ['read-logs-policy', 'sequencer-policy', 'worker-logs-policy'],
    id: 'AwsSolutions::AwsSolutions-IAM5[Resource::<Logs.Arn>/log/*]',
    reason:
      'It is the files of the logs of all CAs, of which more come all the time; what is written over stays under Object Lock.',
  },
  ...['staged/*', 'tile/*.p/*'].map((path) => ({
    children: ['sequencer-policy', 'worker-logs-policy'],
    id: `AwsSolutions::AwsSolutions-IAM5[Resource::<Logs.Arn>/log/*/${path}]`,
    reason: 'It is what fuller files take the place of; what is removed stays under Object Lock.',
  })),
  {
    children: ['Logs'],
    id: 'AwsSolutions::AwsSolutions-S1',
    reason:
      'Nobody can change what is in it unseen, and most of it is public; CloudTrail has data events for whoever wants each read.',
  },
  {
    children: ['Files'],
    id: 'AwsSolutions::AwsSolutions-S1',
    reason:
      'What is in it is public, and the functions and CloudFront read it; CloudTrail has data events for whoever wants each read.',
  },
  {
    children: ['vpc-policy'],
    id: 'AwsSolutions::AwsSolutions-IAM5[Resource::*]',
    reason:
      "Lambda makes network interfaces before they have names, and describes all that there are; the functions' own code may do neither.",
  },
  ...(['ForBackup', 'ForRestores'] as const).map((kind) => ({
    children: ['backup-role'],
    id: `AwsSolutions::AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSBackupServiceRolePolicy${kind}]`,
    reason:
      'AWS Backup alone assumes the role, and AWS alone knows what it needs: one of our own would miss what it needs next, and backups would stop.',
  })),
  {
    children: ['Configs'],
    id: 'AwsSolutions::AwsSolutions-S1',
    reason:
      'Its objects are read by starts of functions and by operators; CloudTrail has data events for whoever wants each read.',
  },
  {
    children: [providerId],
    id: 'AwsSolutions::AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole]',
    reason: "It is the CDK's own function for custom resources, and that policy is for its log.",
  },
  {
    children: [providerId],
    id: 'Serverless::Serverless-LambdaDLQ',
    reason: 'CloudFormation waits for its answer, and a deployment fails without one.',
  },
  {
    children: [providerId],
    id: 'Serverless::Serverless-LambdaTracing',
    reason: "It is the CDK's own function for custom resources, and runs in deployments only.",
  },
  {
    children: ['Api'],
    id: 'AwsSolutions::AwsSolutions-APIG4',
    reason:
      'SCEP is for devices that have nothing yet: each message is authorized by what is in it. So is a decision link. Routes of the admin API have an authorizer.',
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
    children: ['Distribution', 'FilesDistribution'],
    id: 'AwsSolutions::AwsSolutions-CFR1',
    reason: 'Devices roam; which countries they may come from is for their owner to say.',
  },
  {
    children: ['FilesDistribution'],
    id: 'AwsSolutions::AwsSolutions-CFR2',
    reason:
      'What it serves is public, signed and the same for everybody, and no code is behind it.',
  },
  {
    children: ['FilesDistribution'],
    id: 'AwsSolutions::AwsSolutions-CFR3',
    reason:
      'Every device would be in it every day with its address, to fetch what is public; CloudFront counts requests and errors without it.',
  },
  {
    children: ['Distribution', 'FilesDistribution'],
    id: 'AwsSolutions::AwsSolutions-CFR4',
    reason:
      'Without a domain it is a name of CloudFront, whose TLS versions are not ours to choose.',
  },
  {
    children: [
      'scep-function',
      'admin-function',
      'challenges-function',
      'maintenance-function',
      'sequencer-function',
    ],
    id: 'Serverless::Serverless-LambdaDLQ',
    reason:
      'SCEP, the admin API and pages are called synchronously; upkeep and the sequencer do whatever is due every minute, so a run that failed is made up by the next.',
  },
  {
    children: ['maintenance-function', 'sequencer-function'],
    id: 'Serverless::Serverless-LambdaAsyncFailureDestination',
    reason: 'A run that failed is made up by the next, a minute later; an alarm counts failures.',
  },
  {
    children: ['Waiting'],
    id: 'Serverless::Serverless-LambdaEventSourceMappingDestination',
    reason:
      'A batch says only that something waits, and a run takes all that does: one that failed is made up by the next.',
  },
  {
    children: ['EveryMinute'],
    id: 'Serverless::Serverless-EventBusDLQ',
    reason: 'The next event comes a minute later and means the same; an alarm misses runs.',
  },
  {
    children: ['KeyEvents'],
    id: 'Serverless::Serverless-EventBusDLQ',
    reason: 'EventBridge tries for a day to write an event into its log, and CloudTrail keeps it.',
  },
];

export function acknowledge(scope: Construct): void {
  const stack = Stack.of(scope);
  const idOf = (bucket: string): string => {
    const made = scope.node.tryFindChild(bucket)?.node.defaultChild;
    return CfnElement.isCfnElement(made) ? stack.getLogicalId(made) : '';
  };
  const buckets = ['Configs', 'Files', 'Logs'] as const;
  const ids = buckets.map((bucket) => [`<${bucket}.`, `<${idOf(bucket)}.`] as const);
  for (const { children, id, reason } of acknowledged) {
    for (const name of children) {
      const child = (name === providerId ? stack : scope).node.tryFindChild(name);
      const named = ids.reduce((text, [bucket, made]) => text.replace(bucket, made), id);
      if (child) Validations.of(child).acknowledge({ id: named, reason });
    }
  }
}
