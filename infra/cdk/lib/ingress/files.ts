// CRLs and certificates of CAs as CloudFront serves them: out of the bucket, whatever becomes of the functions.

import { Duration } from 'aws-cdk-lib';
import {
  AccessLevel,
  AllowedMethods,
  type BehaviorOptions,
  CacheCookieBehavior,
  CacheHeaderBehavior,
  CachePolicy,
  CacheQueryStringBehavior,
  ResponseHeadersPolicy,
  ViewerProtocolPolicy,
} from 'aws-cdk-lib/aws-cloudfront';
import { S3BucketOrigin } from 'aws-cdk-lib/aws-cloudfront-origins';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';

/** How late a revocation is seen at most: MAX_CRL_AGE_S in lib/base/limits.ts. */
const CRL_AGE = Duration.seconds(600);

/** Behaviors by their paths. @param plainHttp whether they are served without TLS, too */
export function fileBehaviors(
  scope: Construct,
  deployment: string,
  bucket: Bucket,
  plainHttp: boolean,
): Record<string, BehaviorOptions> {
  const origin = S3BucketOrigin.withOriginAccessControl(bucket, {
    // Of what is not there S3 says so only to whoever may list.
    originAccessLevels: [AccessLevel.READ, AccessLevel.LIST],
  });
  const { ALLOW_ALL, HTTPS_ONLY } = ViewerProtocolPolicy;
  const files: BehaviorOptions = {
    origin,
    allowedMethods: AllowedMethods.ALLOW_GET_HEAD,
    viewerProtocolPolicy: plainHttp ? ALLOW_ALL : HTTPS_ONLY,
    compress: false,
  };
  // A CRL says by Expires when it ends, and CloudFront keeps it for the sooner of that and the policy's longest time.
  const cachePolicy = new CachePolicy(scope, 'CrlCache', {
    comment: `Scepter ${deployment}: CRLs, until they end`,
    minTtl: Duration.seconds(0),
    defaultTtl: CRL_AGE,
    maxTtl: CRL_AGE,
    cookieBehavior: CacheCookieBehavior.none(),
    headerBehavior: CacheHeaderBehavior.none(),
    queryStringBehavior: CacheQueryStringBehavior.none(),
  });
  // Caches beyond CloudFront, which may not know that policy, ask it each time.
  const responseHeadersPolicy = new ResponseHeadersPolicy(scope, 'CrlHeaders', {
    comment: `Scepter ${deployment}: CRLs, for caches beyond CloudFront`,
    customHeadersBehavior: {
      customHeaders: [{ header: 'Cache-Control', value: 'public, no-cache', override: true }],
    },
  });
  return {
    '/crl/*': { ...files, cachePolicy, responseHeadersPolicy },
    // As long as Cache-Control says.
    '/aia/*': { ...files, cachePolicy: CachePolicy.CACHING_OPTIMIZED },
  };
}
