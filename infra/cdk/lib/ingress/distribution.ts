// CloudFront in front of the HTTP API: a web ACL, TLS, and, if configured, plain http on some paths. It never
// redirects, because devices lose the body of a POST when they follow.

import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import {
  AllowedMethods,
  type BehaviorOptions,
  CachePolicy,
  Distribution,
  HttpVersion,
  OriginProtocolPolicy,
  OriginRequestPolicy,
  OriginSslPolicy,
  ViewerProtocolPolicy,
} from 'aws-cdk-lib/aws-cloudfront';
import { HttpOrigin } from 'aws-cdk-lib/aws-cloudfront-origins';
import { CloudFrontTarget } from 'aws-cdk-lib/aws-route53-targets';
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import type { CfnWebACL } from 'aws-cdk-lib/aws-wafv2';
import type { Construct, IConstruct } from 'constructs';
import type { ScepServiceProps } from '../props.ts';
import type { CloudFrontOptions } from './access.ts';
import { makeRecords, namedBy } from './domain.ts';
import { WebAcl } from './edge.ts';
import type { FileBehaviors } from './files.ts';
import { pageBehavior } from './mdm-pages.ts';

/** The header by which the SCEP function recognizes CloudFront (`functions/lambda/instance.ts`). */
export const originHeader = 'x-scepter-origin';

/** Not `/certsrv/mscep_admin/`, which hands out challenges (`mdm-pages.ts`). */
const scepPaths = ['/scep*', '/cgi-bin/pkiclient.exe', '/certsrv/mscep/*'];

/** As long as Cache-Control says: a checkpoint for seconds, a tile for ever. */
const asCached = {
  allowedMethods: AllowedMethods.ALLOW_GET_HEAD,
  cachePolicy: CachePolicy.CACHING_OPTIMIZED,
  originRequestPolicy: undefined,
};

const LOG_DAYS = 365;

type Origin = {
  readonly host: string;
  readonly originSecret: string;
  /** The functions that recognize CloudFront by the secret. */
  readonly shownTo: readonly IConstruct[];
  /** CRLs and certificates of CAs. */
  readonly files: FileBehaviors | undefined;
};

export type Distributed = {
  /** The name that devices know. */
  readonly name: string;
  readonly distribution: Distribution;
  /** What a domain stands for. */
  readonly dnsTarget?: string;
  /** The new one, if none was named. */
  readonly webAcl?: CfnWebACL;
  readonly accessLogs: Bucket;
};

export function makeDistribution(
  scope: Construct,
  props: ScepServiceProps,
  ingress: CloudFrontOptions,
  { host, originSecret, shownTo, files }: Origin,
): Distributed {
  const { deployment = 'scepter' } = props;
  const { domain, plainHttp = false, rateLimit, webAclArn } = ingress;
  const httpsOnly: BehaviorOptions = {
    origin: new HttpOrigin(host, {
      protocolPolicy: OriginProtocolPolicy.HTTPS_ONLY,
      originSslProtocols: [OriginSslPolicy.TLS_V1_2],
      readTimeout: Duration.seconds(30),
      customHeaders: { [originHeader]: originSecret },
    }),
    allowedMethods: AllowedMethods.ALLOW_ALL,
    cachePolicy: CachePolicy.CACHING_DISABLED,
    originRequestPolicy: OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
    viewerProtocolPolicy: ViewerProtocolPolicy.HTTPS_ONLY,
    compress: false,
  };
  const { ALLOW_ALL, HTTPS_ONLY } = ViewerProtocolPolicy;
  const public_ = { ...httpsOnly, viewerProtocolPolicy: plainHttp ? ALLOW_ALL : HTTPS_ONLY };
  const webAcl =
    webAclArn === undefined
      ? new WebAcl(scope, 'WebAcl', { deployment, rateLimit }).resource
      : undefined;
  const accessLogs = makeLogBucket(scope);
  const distribution = new Distribution(scope, 'Distribution', {
    comment: `Scepter ${deployment}`,
    defaultBehavior: httpsOnly,
    additionalBehaviors: {
      ...Object.fromEntries(scepPaths.map((path) => [path, public_])),
      ...files?.(plainHttp),
      // Events are for auditors, each time; the other files of the logs are the same for everybody.
      '/log/*/tile/entries/*': httpsOnly,
      '/log/*': { ...httpsOnly, ...asCached },
      ...pageBehavior(scope, props, httpsOnly),
    },
    // CloudFront caches some errors whatever Cache-Control says; with a TTL of 0 the next request asks again.
    // The query is not in the cache key, so a cached error would also answer requests with other queries: an
    // outage, for example, or a 414 for one message that the API finds too long.
    errorResponses: [404, 414, 500, 501, 502, 503, 504].map((httpStatus) => ({
      httpStatus,
      ttl: Duration.seconds(0),
    })),
    httpVersion: HttpVersion.HTTP2_AND_3,
    webAclId: webAcl?.attrArn ?? webAclArn,
    enableLogging: true,
    logBucket: accessLogs,
    ...namedBy(scope, 'Certificate', domain),
  });
  // CloudFront sends a new secret only once the function knows it.
  distribution.node.addDependency(...shownTo);
  if (domain) makeRecords(scope, '', domain, new CloudFrontTarget(distribution));
  const name = domain?.name ?? distribution.distributionDomainName;
  const dnsTarget = domain && distribution.distributionDomainName;
  return { name, distribution, webAcl, accessLogs, dnsTarget };
}

export function makeLogBucket(scope: Construct): Bucket {
  return new Bucket(scope, 'AccessLogs', {
    blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
    encryption: BucketEncryption.S3_MANAGED,
    enforceSSL: true,
    // CloudFront delivers its logs by ACL, a load balancer by the policy of the bucket.
    objectOwnership: ObjectOwnership.BUCKET_OWNER_PREFERRED,
    lifecycleRules: [
      {
        expiration: Duration.days(LOG_DAYS),
        abortIncompleteMultipartUploadAfter: Duration.days(7),
      },
    ],
    removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
  });
}
