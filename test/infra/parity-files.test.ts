// The bucket of CRLs and certificates of CAs, and how CloudFront serves it, by the CDK and by Terraform.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_CRL_AGE_S } from '../../lib/base/limits.ts';
import { assertClosedAlike } from './same.ts';
import {
  at,
  expression,
  hclOf,
  listAt,
  localsOf,
  maybe,
  resourceOf,
  templateOf,
  text,
  theOne,
} from './templates.ts';

const hcl = hclOf();
const locals = localsOf(hcl);
const templates = {
  cloudfront: templateOf('cloudfront'),
  httpApi: templateOf('httpApi'),
  worker: templateOf('worker'),
};

const filesOf = (name: keyof typeof templates, kind: 'Bucket' | 'BucketPolicy'): unknown => {
  const found = Object.entries(templates[name].Resources).find(
    ([id, { Type }]) => /^(?:Service|Backend)Files/.test(id) && Type === `AWS::S3::${kind}`,
  );
  return (found ?? assert.fail(`${name} ${kind}`))[1].Properties;
};

test('every deployment has a bucket of files, closed alike, whose old versions are kept as long', () => {
  const of = (type: string) => resourceOf(hcl, `aws_s3_bucket${type}`, 'files');
  for (const name of ['cloudfront', 'httpApi', 'worker'] as const) {
    const bucket = filesOf(name, 'Bucket');
    assertClosedAlike(bucket, of);
    assert.deepEqual(
      [
        at(bucket, 'VersioningConfiguration.Status'),
        at(bucket, 'LifecycleConfiguration.Rules.0.NoncurrentVersionExpiration.NoncurrentDays'),
      ],
      [
        at(of('_versioning'), 'versioning_configuration.0.status'),
        at(
          of('_lifecycle_configuration'),
          'rule.0.noncurrent_version_expiration.0.noncurrent_days',
        ),
      ],
    );
  }
});

test('nobody but CloudFront reaches the files without TLS, and only CloudFront reads them beside the roles', () => {
  const policy = text(at(resourceOf(hcl, 'aws_s3_bucket_policy', 'files'), 'policy'));
  const [closed, ...none] = listAt(filesOf('httpApi', 'BucketPolicy'), 'PolicyDocument.Statement');
  assert.equal(none.length, 0);
  const tls = { Bool: { 'aws:SecureTransport': 'false', 'aws:PrincipalIsAWSService': 'false' } };
  assert.deepEqual([at(closed, 'Effect'), at(closed, 'Condition')], ['Deny', tls]);
  assert.match(
    policy,
    /"?aws:SecureTransport"? = "false", "?aws:PrincipalIsAWSService"? = "false"/,
  );
  const [, ...lets] = listAt(filesOf('cloudfront', 'BucketPolicy'), 'PolicyDocument.Statement');
  const actions = lets.flatMap((one) => {
    assert.deepEqual(at(one, 'Principal'), { Service: 'cloudfront.amazonaws.com' });
    assert.ok(at(one, 'Condition.StringEquals.AWS:SourceArn'));
    return at(one, 'Action');
  });
  assert.deepEqual(actions.toSorted(), ['s3:GetObject', 's3:ListBucket']);
  for (const action of actions) assert.ok(policy.includes(`"${action}"`), policy);
  assert.match(policy, /Principal = \{Service = "cloudfront\.amazonaws\.com"\}/);
  assert.match(policy, /AWS:SourceArn"? = aws_cloudfront_distribution\.this\[0\]\.arn/);
});

test('CloudFront signs what it asks of the bucket, and keeps a CRL until it ends, and no longer than we promise', () => {
  const { cloudfront } = templates;
  const control = 'OriginAccessControlConfig';
  const made = theOne(cloudfront, 'AWS::CloudFront::OriginAccessControl');
  const own = resourceOf(hcl, 'aws_cloudfront_origin_access_control', 'files');
  assert.deepEqual(
    ['OriginAccessControlOriginType', 'SigningBehavior', 'SigningProtocol'].map((name) =>
      at(made, `${control}.${name}`),
    ),
    ['origin_access_control_origin_type', 'signing_behavior', 'signing_protocol'].map((name) =>
      at(own, name),
    ),
  );
  const cache = at(theOne(cloudfront, 'AWS::CloudFront::CachePolicy'), 'CachePolicyConfig');
  const crls = resourceOf(hcl, 'aws_cloudfront_cache_policy', 'crls');
  const times = ['MinTTL', 'DefaultTTL', 'MaxTTL'].map((name) => at(cache, name));
  assert.deepEqual(times, [0, MAX_CRL_AGE_S, MAX_CRL_AGE_S]);
  assert.deepEqual(
    ['min_ttl', 'default_ttl', 'max_ttl'].map((name) => at(crls, name)),
    times,
  );
  const key = 'parameters_in_cache_key_and_forwarded_to_origin.0';
  const named = 'ParametersInCacheKeyAndForwardedToOrigin';
  assert.deepEqual(
    [
      'cookies_config.0.cookie',
      'headers_config.0.header',
      'query_strings_config.0.query_string',
    ].map((name) => at(crls, `${key}.${name}_behavior`)),
    ['CookiesConfig.Cookie', 'HeadersConfig.Header', 'QueryStringsConfig.QueryString'].map((name) =>
      at(cache, `${named}.${name}Behavior`),
    ),
  );
  const headers = theOne(cloudfront, 'AWS::CloudFront::ResponseHeadersPolicy');
  const custom = 'ResponseHeadersPolicyConfig.CustomHeadersConfig.Items.0';
  const item = 'custom_headers_config.0.items.0';
  const beyond = resourceOf(hcl, 'aws_cloudfront_response_headers_policy', 'crls');
  assert.deepEqual(
    ['Header', 'Value', 'Override'].map((name) => at(headers, `${custom}.${name}`)),
    ['header', 'value', 'override'].map((name) => at(beyond, `${item}.${name}`)),
  );
});

test('CloudFront has CRLs and certificates of CAs from the bucket, and nothing else', () => {
  const distribution = theOne(templates.cloudfront, 'AWS::CloudFront::Distribution');
  const config = at(distribution, 'DistributionConfig');
  const [api, files] = listAt(config, 'Origins');
  assert.equal(maybe(api, 'S3OriginConfig'), undefined);
  assert.ok(maybe(files, 'OriginAccessControlId'));
  const paths = listAt(config, 'CacheBehaviors')
    .filter((one) => at(one, 'TargetOriginId') === at(files, 'Id'))
    .map((one) => [
      at(one, 'PathPattern'),
      maybe(one, 'ResponseHeadersPolicyId') !== undefined,
      typeof at(one, 'CachePolicyId') === 'string' && at(one, 'CachePolicyId'),
    ]);
  assert.deepEqual(paths, [
    ['/crl/*', true, false],
    ['/aia/*', false, locals.caching_optimized],
  ]);
  const ours = text(locals.file_paths);
  assert.match(
    ours,
    /"?\/crl\/\*"? = \{cache = aws_cloudfront_cache_policy\.crls\[0\]\.id, headers = aws_cloudfront_response_headers_policy\.crls\[0\]\.id\}/,
  );
  assert.match(ours, /"?\/aia\/\*"? = \{cache = local\.caching_optimized, headers = null\}/);
  const resource = resourceOf(hcl, 'aws_cloudfront_distribution', 'this');
  assert.equal(
    at(resource, 'origin.1.domain_name'),
    expression('aws_s3_bucket.files.bucket_regional_domain_name'),
  );
});
