// The bucket of what relying parties fetch: CRLs and certificates of CAs. It is the store of the CRLs, so that a table
// that goes back to a moment takes none of them with it, and CloudFront serves its objects as they are.

import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { AnyPrincipal, Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';

/** How long a CRL that was written over can be looked at. */
const KEPT_DAYS = 90;

export function makeFiles(scope: Construct): Bucket {
  const bucket = new Bucket(scope, 'Files', {
    blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
    // All of it is public, and CloudFront reads it.
    encryption: BucketEncryption.S3_MANAGED,
    objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
    versioned: true,
    lifecycleRules: [{ noncurrentVersionExpiration: Duration.days(KEPT_DAYS) }],
    removalPolicy: RemovalPolicy.RETAIN,
  });
  // CloudFront asks a bucket in the protocol that it was asked in, and relying parties fetch by plain http.
  bucket.addToResourcePolicy(
    new PolicyStatement({
      ...{ sid: 'OnlyWithTls', effect: Effect.DENY, actions: ['s3:*'] },
      principals: [new AnyPrincipal()],
      resources: [bucket.bucketArn, bucket.arnForObjects('*')],
      conditions: {
        Bool: { 'aws:SecureTransport': 'false', 'aws:PrincipalIsAWSService': 'false' },
      },
    }),
  );
  return bucket;
}
