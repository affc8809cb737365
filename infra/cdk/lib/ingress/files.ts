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
  Distribution,
  HttpVersion,
  ResponseHeadersPolicy,
  S3OriginAccessControl,
  ViewerProtocolPolicy,
} from 'aws-cdk-lib/aws-cloudfront';
import { S3BucketOrigin } from 'aws-cdk-lib/aws-cloudfront-origins';
import { CloudFrontTarget } from 'aws-cdk-lib/aws-route53-targets';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import type { ScepServiceProps } from '../props.ts';
import type { FilesOptions } from './access.ts';
import { makeRecords, namedBy } from './domain.ts';

/** How late a revocation is seen at most: MAX_CRL_AGE_S in lib/base/limits.ts. */
const CRL_AGE = Duration.seconds(600);

export type FileBehaviors = (plainHttp: boolean) => Record<'/crl/*' | '/aia/*', BehaviorOptions>;

/** @returns behaviors by their paths, for any distribution */
export function makeFileBehaviors(
  scope: Construct,
  { deployment = 'scepter' }: ScepServiceProps,
  bucket: Bucket,
): FileBehaviors {
  const origin = S3BucketOrigin.withOriginAccessControl(bucket, {
    originAccessControl: new S3OriginAccessControl(scope, 'FilesAccess'),
    // Of what is not there S3 says so only to whoever may list.
    originAccessLevels: [AccessLevel.READ, AccessLevel.LIST],
  });
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
  return (plainHttp) => {
    const { ALLOW_ALL, HTTPS_ONLY } = ViewerProtocolPolicy;
    const files: BehaviorOptions = {
      origin,
      allowedMethods: AllowedMethods.ALLOW_GET_HEAD,
      viewerProtocolPolicy: plainHttp ? ALLOW_ALL : HTTPS_ONLY,
      compress: false,
    };
    return {
      '/crl/*': { ...files, cachePolicy, responseHeadersPolicy },
      // As long as Cache-Control says.
      '/aia/*': { ...files, cachePolicy: CachePolicy.CACHING_OPTIMIZED },
    };
  };
}

/** CloudFront asks an origin that cannot be used at once, and after ten seconds: with 0 at the next request. */
const askedAgain = [403, 404, 500, 502, 503, 504].map((httpStatus) => ({
  httpStatus,
  ttl: Duration.seconds(0),
}));

export type ServedFiles = {
  readonly distribution: Distribution;
  /** What the configuration has as its `filesUrl`. */
  readonly url: string;
  /** What a domain stands for. */
  readonly dnsTarget?: string;
};

/**
 * CloudFront for the files alone: no function, no web ACL and no log is behind it, so that a fetch costs as little as it
 * can, and nothing that happens to the service reaches whoever checks certificates.
 */
export function makeFilesDistribution(
  scope: Construct,
  { deployment = 'scepter' }: ScepServiceProps,
  { domain }: FilesOptions,
  behaviors: FileBehaviors,
): ServedFiles {
  const { '/aia/*': issuers, '/crl/*': crls } = behaviors(true);
  const distribution = new Distribution(scope, 'FilesDistribution', {
    comment: `Scepter ${deployment}: CRLs and certificates of CAs`,
    defaultBehavior: issuers,
    additionalBehaviors: { '/crl/*': crls },
    // Nothing is called so: the root would list the bucket.
    defaultRootObject: 'nothing',
    errorResponses: askedAgain,
    httpVersion: HttpVersion.HTTP2_AND_3,
    ...namedBy(scope, 'FilesCertificate', domain),
  });
  const { distributionDomainName } = distribution;
  if (domain) makeRecords(scope, 'Files', domain, new CloudFrontTarget(distribution));
  const url = `http://${domain?.name ?? distributionDomainName}`;
  return { distribution, url, dnsTarget: domain && distributionDomainName };
}
