// The buckets of CRLs and certificates of CAs and of the logs, and how CloudFront serves them, by the CDK and by Terraform.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_CRL_AGE_S } from '../../lib/base/limits.ts';
import { assertClosedAlike } from './same.ts';
import {
  at,
  blocksOf,
  distributionOf,
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
  files: templateOf('files'),
  worker: templateOf('worker'),
  alb: templateOf('alb'),
};

const bucketOf =
  (bucket: 'Files' | 'Logs') =>
  (name: keyof typeof templates, kind: 'Bucket' | 'BucketPolicy'): unknown => {
    const id = new RegExp(`^(?:Service|Backend)${bucket}`);
    const found = Object.entries(templates[name].Resources).find(
      ([one, { Type }]) => id.test(one) && Type === `AWS::S3::${kind}`,
    );
    return (found ?? assert.fail(`${name} ${kind}`))[1].Properties;
  };
const [filesOf, logsOf] = [bucketOf('Files'), bucketOf('Logs')];

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

test('every deployment has a bucket of logs, closed alike, which locks what it is given', () => {
  const of = (type: string) => resourceOf(hcl, `aws_s3_bucket${type}`, 'logs');
  for (const name of ['cloudfront', 'worker'] as const) {
    const bucket = logsOf(name, 'Bucket');
    assertClosedAlike(bucket, of);
    const rule = 'LifecycleConfiguration.Rules.0';
    assert.deepEqual(
      [
        at(bucket, 'VersioningConfiguration.Status'),
        at(bucket, 'ObjectLockEnabled'),
        at(bucket, `${rule}.NoncurrentVersionExpiration.NoncurrentDays`),
        at(bucket, `${rule}.ExpiredObjectDeleteMarker`),
      ],
      [
        at(of('_versioning'), 'versioning_configuration.0.status'),
        at(of(''), 'object_lock_enabled'),
        at(
          of('_lifecycle_configuration'),
          'rule.0.noncurrent_version_expiration.0.noncurrent_days',
        ),
        at(of('_lifecycle_configuration'), 'rule.0.expiration.0.expired_object_delete_marker'),
      ],
    );
    const [closed, ...none] = listAt(logsOf(name, 'BucketPolicy'), 'PolicyDocument.Statement');
    assert.deepEqual(none, []);
    const tls = { Bool: { 'aws:SecureTransport': 'false' } };
    assert.deepEqual([at(closed, 'Effect'), at(closed, 'Condition')], ['Deny', tls]);
  }
  const lock = (name: keyof typeof templates) =>
    ['Mode', 'Days'].map((one) =>
      at(logsOf(name, 'Bucket'), `ObjectLockConfiguration.Rule.DefaultRetention.${one}`),
    );
  assert.deepEqual(lock('alb'), ['COMPLIANCE', 3650]);
  const retention = at(of('_object_lock_configuration'), 'rule.0.default_retention.0');
  assert.deepEqual(
    ['mode', 'days'].map((one) => at(retention, one)),
    ['mode', 'days'].map((one) => expression(`var.log_lock.${one}`)),
  );
  const [{ content } = assert.fail()] = blocksOf(hcl, 'variable').filter(
    ({ labels: [name] }) => name === 'log_lock',
  );
  const [mode, days] = lock('cloudfront');
  const type = text(at(content, 'type'));
  assert.ok(type.includes(`"${mode}"`) && type.includes(`number, ${days})`), type);
  assert.match(
    text(at(resourceOf(hcl, 'aws_s3_bucket_policy', 'logs'), 'policy')),
    /SecureTransport/,
  );
});

test('CloudFront keeps checkpoints and tiles of the logs as long as they say, and no events', () => {
  const paths = listAt(distributionOf(templates.cloudfront), 'CacheBehaviors')
    .filter((one) => text(at(one, 'PathPattern')).startsWith('/log/'))
    .map((one) => [
      at(one, 'PathPattern'),
      at(one, 'CachePolicyId'),
      at(one, 'ViewerProtocolPolicy'),
      maybe(one, 'OriginRequestPolicyId') !== undefined,
    ]);
  assert.deepEqual(paths, [
    ['/log/*/tile/entries/*', locals.caching_disabled, 'https-only', true],
    ['/log/*', locals.caching_optimized, 'https-only', false],
  ]);
  const blocks = listAt(resourceOf(hcl, 'aws_cloudfront_distribution', 'this'), 'dynamic').flatMap(
    (one) => maybe(one, 'ordered_cache_behavior') ?? [],
  );
  const logs = blocks.find((one) => Array.isArray(at(one, 'for_each'))) ?? assert.fail();
  assert.deepEqual(
    at(logs, 'for_each'),
    paths.map(([path]) => path),
  );
  const content = at(logs, 'content');
  const chosen = JSON.stringify(content);
  assert.match(chosen, /local\.caching_optimized : local\.caching_disabled/);
  assert.match(chosen, /\? null : local\.all_viewer_except_host_header/);
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
  // Each of the two distributions.
  const both = ['s3:GetObject', 's3:ListBucket'];
  assert.deepEqual(
    actions.toSorted(),
    both.flatMap((one) => [one, one]),
  );
  for (const action of actions) assert.ok(policy.includes(`"${action}"`), policy);
  assert.match(policy, /Principal = \{Service = "cloudfront\.amazonaws\.com"\}/);
  assert.match(policy, /AWS:SourceArn"? = local\.file_servers/);
  assert.equal(
    locals.file_servers,
    expression(
      'concat(aws_cloudfront_distribution.this[*].arn, aws_cloudfront_distribution.files[*].arn)',
    ),
  );
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
  const config = distributionOf(templates.cloudfront);
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

test('the distribution for files alone serves by http and https, caches alike, and has nothing before or behind it', () => {
  const template = templates.files;
  const config = distributionOf(template, true);
  const resource = resourceOf(hcl, 'aws_cloudfront_distribution', 'files');
  for (const nothing of ['WebACLId', 'Logging']) assert.equal(maybe(config, nothing), undefined);
  for (const nothing of ['web_acl_id', 'logging_config']) {
    assert.equal(maybe(resource, nothing), undefined);
  }
  assert.deepEqual(
    [
      at(config, 'DefaultRootObject'),
      at(config, 'HttpVersion'),
      at(config, 'DefaultCacheBehavior.ViewerProtocolPolicy'),
      at(config, 'DefaultCacheBehavior.AllowedMethods'),
      at(config, 'CacheBehaviors.0.PathPattern'),
      at(config, 'CacheBehaviors.0.ViewerProtocolPolicy'),
    ],
    [
      at(resource, 'default_root_object'),
      at(resource, 'http_version'),
      at(resource, 'default_cache_behavior.0.viewer_protocol_policy'),
      at(resource, 'default_cache_behavior.0.allowed_methods'),
      at(resource, 'ordered_cache_behavior.0.path_pattern'),
      at(resource, 'ordered_cache_behavior.0.viewer_protocol_policy'),
    ],
  );
  const tls = at(config, 'ViewerCertificate.MinimumProtocolVersion');
  assert.equal(
    at(resource, 'viewer_certificate.0.minimum_protocol_version'),
    expression(`local.files_domain == null ? "TLSv1" : "${text(tls)}"`),
  );
  // With CloudFront there is one unasked, under a name of CloudFront's.
  assert.equal(maybe(distributionOf(templates.cloudfront, true), 'Aliases'), undefined);
  assert.equal(locals.files, expression('local.cloudfront || var.files != null'));
  assert.equal(at(resource, 'count'), expression('local.files ? 1 : 0'));
  assert.equal(at(config, 'DefaultCacheBehavior.CachePolicyId'), locals.caching_optimized);
  assert.equal(
    at(resource, 'default_cache_behavior.0.cache_policy_id'),
    expression('local.caching_optimized'),
  );
  for (const name of ['cache_policy_id', 'response_headers_policy_id']) {
    const kind = name.replace(/_id$/, '');
    assert.equal(
      at(resource, `ordered_cache_behavior.0.${name}`),
      expression(`aws_cloudfront_${kind}.crls[0].id`),
    );
  }
  const origins = listAt(config, 'Origins');
  assert.equal(origins.length, 1);
  assert.ok(at(origins[0], 'OriginAccessControlId'));
  const codes = listAt(resource, 'dynamic.0.custom_error_response.for_each');
  assert.deepEqual(
    listAt(config, 'CustomErrorResponses'),
    codes.map((ErrorCode) => ({
      ErrorCode,
      ErrorCachingMinTTL: at(
        resource,
        'dynamic.0.custom_error_response.content.0.error_caching_min_ttl',
      ),
    })),
  );
});
