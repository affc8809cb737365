// The configuration: an object of S3 that is named by the SHA-256 of its octets. The functions are told that name,
// and take nothing else; so a configuration is changed by a deployment, which has checked it, and going back is
// naming the document before, which is still there.

import { createHash } from 'node:crypto';
import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { AnyPrincipal, CfnRole, Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import {
  AwsCustomResource,
  AwsCustomResourcePolicy,
  PhysicalResourceId,
} from 'aws-cdk-lib/custom-resources';
import type { Construct, IDependable } from 'constructs';
import type { BackendProps, ScepServiceProps } from '../props.ts';

/**
 * What a stack has one of, whoever asks for it: it puts the configuration into its bucket.
 * @internal
 */
export const providerId = `AWS${AwsCustomResource.PROVIDER_FUNCTION_UUID.replaceAll('-', '')}`;

/** What of a bucket the configurations are under, and nothing else. */
const folder = 'config/';

/** The configuration of a deployment: an object of S3. */
export interface ConfigObject {
  /** It has nothing but configurations. */
  readonly bucket: Bucket;
  /** What `SCEPTER_CONFIG` is. */
  readonly reference: string;
  /** ARN of every configuration that was or will be. */
  readonly objects: string;
  /** When this is there, the object is. */
  readonly uploaded: IDependable;
}

/**
 * @param text of the document
 * @internal
 */
export function makeConfig(
  scope: Construct,
  {
    logRetention,
    logGroupKey,
    permissionsBoundary,
    rolePath,
  }: BackendProps & Pick<ScepServiceProps, 'logRetention' | 'logGroupKey'>,
  text: string,
): ConfigObject {
  const bucket = new Bucket(scope, 'Configs', {
    blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
    // No secret is in a configuration, and whether it is the right one its name says.
    encryption: BucketEncryption.S3_MANAGED,
    enforceSSL: true,
    objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
    versioned: true,
    removalPolicy: RemovalPolicy.RETAIN,
  });
  const objects = bucket.arnForObjects(`${folder}*`);
  const deny = (sid: string, actions: string[], conditions: Record<string, object>) =>
    bucket.addToResourcePolicy(
      new PolicyStatement({
        ...{ sid, effect: Effect.DENY, actions, resources: [objects], conditions },
        principals: [new AnyPrincipal()],
      }),
    );
  deny('NeverWriteOver', ['s3:PutObject'], {
    Null: { 's3:if-none-match': 'true' },
    Bool: { 's3:ObjectCreationOperation': 'true' },
  });
  deny('NeverDelete', ['s3:DeleteObject', 's3:DeleteObjectVersion'], {});

  const digest = createHash('sha256').update(text).digest('hex');
  const key = `${folder}${digest}.json`;
  // Another document is another resource: the one before is forgotten, and its object stays.
  const uploaded = new AwsCustomResource(scope, `Config-${digest.slice(0, 16)}`, {
    resourceType: 'Custom::ScepterConfig',
    onCreate: {
      service: 'S3',
      action: 'putObject',
      parameters: {
        ...{ Bucket: bucket.bucketName, Key: key, Body: text },
        ...{ ContentType: 'application/json', IfNoneMatch: '*' },
      },
      // It is there from before.
      ignoreErrorCodesMatching: '^PreconditionFailed$',
      outputPaths: ['ETag'],
      physicalResourceId: PhysicalResourceId.of(key),
    },
    policy: AwsCustomResourcePolicy.fromStatements([
      new PolicyStatement({
        ...{ sid: 'PutConfiguration', actions: ['s3:PutObject'] },
        resources: [bucket.arnForObjects(key)],
      }),
    ]),
    memorySize: 256,
    installLatestAwsSdk: false,
    serviceTimeout: Duration.minutes(5),
    logGroup: new LogGroup(scope, 'config-log', {
      retention: logRetention ?? RetentionDays.ONE_YEAR,
      encryptionKey: logGroupKey,
      removalPolicy: RemovalPolicy.DESTROY,
    }),
  });
  // Its role is made by the CDK, which asks for neither.
  for (const made of Stack.of(scope).node.findChild(providerId).node.findAll()) {
    if (!(made instanceof CfnRole)) continue;
    made.permissionsBoundary = permissionsBoundary?.managedPolicyArn;
    made.path = rolePath;
  }
  return { bucket, reference: `s3:${bucket.bucketName}/${key}`, objects, uploaded };
}
