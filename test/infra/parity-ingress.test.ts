// CDK and Terraform let the same in by the same ways: CloudFront, the web ACL, the API, Function URLs.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '../support/installed.ts';
import {
  at,
  blocksOf,
  defaultOf,
  distributionOf,
  expression,
  hclOf,
  listAt,
  localsOf,
  maybe,
  ofType,
  resourceOf,
  templateOf,
  text,
  theOne,
} from './templates.ts';

const hcl = hclOf();
const locals = localsOf(hcl);
const plain = templateOf('cloudfront');
const named = templateOf('domain');
const httpApi = templateOf('httpApi');

test('CloudFront has the same paths, protocols, caching, TLS, errors and origin headers', () => {
  const resource = resourceOf(hcl, 'aws_cloudfront_distribution', 'this');
  const config = distributionOf(plain);
  const open = distributionOf(named);
  const behaviour = (one: unknown) => [
    maybe(one, 'PathPattern'),
    at(one, 'AllowedMethods'),
    at(one, 'CachePolicyId'),
    at(one, 'OriginRequestPolicyId'),
    at(one, 'ViewerProtocolPolicy'),
    at(one, 'Compress'),
  ];
  const all = at(locals, 'all_methods');
  const rest = [at(locals, 'all_viewer_except_host_header')];
  const expected = (protocol: string) => [
    ...listAt(locals, 'scep_paths').map((path) => [
      path,
      all,
      locals.caching_disabled,
      ...rest,
      protocol,
      false,
    ]),
  ];
  const protocols = text(
    at(resource, 'dynamic.0.ordered_cache_behavior.content.0.viewer_protocol_policy'),
  );
  assert.equal(protocols, expression('var.plain_http ? "allow-all" : "https-only"'));
  assert.equal(defaultOf(hcl, 'plain_http'), false);
  for (const [template, protocol] of [
    [config, 'https-only'],
    [open, 'allow-all'],
  ] as const) {
    const behaviours = listAt(template, 'CacheBehaviors').filter(
      (one) => maybe(one, 'FunctionAssociations') === undefined,
    );
    assert.deepEqual(behaviours.slice(0, -4).map(behaviour), expected(protocol));
    // CRLs and certificates of CAs, and then the logs: parity-files.test.ts.
    for (const one of behaviours.slice(-4, -2)) {
      assert.equal(at(one, 'ViewerProtocolPolicy'), protocol);
      assert.deepEqual(at(one, 'AllowedMethods'), ['GET', 'HEAD']);
    }
  }
  for (const number of [0, 1]) {
    assert.equal(
      text(
        at(resource, `dynamic.${number}.ordered_cache_behavior.content.0.viewer_protocol_policy`),
      ),
      protocols,
    );
  }
  for (const each of [config, open]) {
    assert.equal(
      at(each, 'DefaultCacheBehavior.ViewerProtocolPolicy'),
      at(resource, 'default_cache_behavior.0.viewer_protocol_policy'),
    );
    const origin = at(each, 'Origins.0');
    assert.deepEqual(
      [
        at(origin, 'CustomOriginConfig.OriginProtocolPolicy'),
        at(origin, 'CustomOriginConfig.OriginSSLProtocols'),
        at(origin, 'CustomOriginConfig.OriginReadTimeout'),
        at(origin, 'OriginCustomHeaders.0.HeaderName'),
        at(each, 'HttpVersion'),
      ],
      [
        at(resource, 'origin.0.custom_origin_config.0.origin_protocol_policy'),
        at(resource, 'origin.0.custom_origin_config.0.origin_ssl_protocols'),
        at(resource, 'origin.0.custom_origin_config.0.origin_read_timeout'),
        at(resource, 'origin.0.custom_header.0.name'),
        at(resource, 'http_version'),
      ],
    );
    const ttl = at(resource, 'dynamic.3.custom_error_response.content.0.error_caching_min_ttl');
    const codes = listAt(resource, 'dynamic.3.custom_error_response.for_each');
    assert.deepEqual(
      listAt(each, 'CustomErrorResponses'),
      codes.map((ErrorCode) => ({ ErrorCode, ErrorCachingMinTTL: ttl })),
    );
    // What CloudFront keeps for ten seconds otherwise, whatever Cache-Control says.
    assert.equal(ttl, 0);
    assert.deepEqual(codes, [404, 414, 500, 501, 502, 503, 504]);
  }
  const bucket = 'aws_s3_bucket.access_logs[0].bucket_regional_domain_name';
  assert.ok(at(config, 'Logging.Bucket'));
  assert.equal(at(resource, 'logging_config.0.bucket'), expression(bucket));
  const certificate = text(at(resource, 'viewer_certificate.0.acm_certificate_arn'));
  assert.match(
    certificate,
    /: aws_acm_certificate_validation\.cloudfront\[0\]\.certificate_arn\}$/,
  );
  const tls = text(at(resource, 'viewer_certificate.0.minimum_protocol_version'));
  assert.equal(
    tls,
    `\${var.domain == null ? "TLSv1" : "${at(open, 'ViewerCertificate.MinimumProtocolVersion')}"}`,
  );
});

test('the page of challenges has the same path and function, and the API the same routes', () => {
  const resource = resourceOf(hcl, 'aws_cloudfront_distribution', 'this');
  const block = at(resource, 'dynamic.4.ordered_cache_behavior');
  assert.equal(at(block, 'for_each'), expression('local.page_paths'));
  const content = at(block, 'content.0');
  const [page, ...more] = listAt(distributionOf(named), 'CacheBehaviors').filter((one) =>
    maybe(one, 'FunctionAssociations'),
  );
  assert.deepEqual(more, []);
  assert.equal(
    locals.page_paths,
    expression(`var.challenge_pages ? ["${at(page, 'PathPattern')}"] : []`),
  );
  assert.deepEqual(
    [
      at(page, 'ViewerProtocolPolicy'),
      at(page, 'Compress'),
      at(page, 'FunctionAssociations.0.EventType'),
      at(page, 'CachePolicyId'),
      at(page, 'OriginRequestPolicyId'),
    ],
    [
      at(content, 'viewer_protocol_policy'),
      at(content, 'compress'),
      at(content, 'function_association.0.event_type'),
      at(locals, 'caching_disabled'),
      at(locals, 'all_viewer_except_host_header'),
    ],
  );
  assert.equal(at(content, 'cache_policy_id'), expression('local.caching_disabled'));
  const made = resourceOf(hcl, 'aws_cloudfront_function', 'mdm_pages');
  const ofCdk = theOne(named, 'AWS::CloudFront::Function');
  assert.deepEqual(
    [at(ofCdk, 'FunctionConfig.Runtime'), at(ofCdk, 'AutoPublish')],
    [at(made, 'runtime'), at(made, 'publish')],
  );
  assert.match(text(at(made, 'code')), /mdm-pages\.js/);
  assert.equal(
    at(ofCdk, 'FunctionCode'),
    readFileSync(join(root, 'infra', 'policies', 'mdm-pages.js'), 'utf8'),
  );
  const routes = text(at(resourceOf(hcl, 'aws_apigatewayv2_route', 'mdm'), 'for_each'));
  const keys = ofType(named, 'AWS::ApiGatewayV2::Route')
    .map((one) => text(at(one, 'RouteKey')))
    .filter((key) => /mscep_admin|hooks/.test(key));
  assert.equal(keys.length, 3);
  for (const key of keys) assert.ok(routes.includes(`"${key.replace('ANY ', '')}"`), key);
});

test('the origin secret is a secret on both sides', () => {
  const config = distributionOf(plain);
  const shown = JSON.stringify(at(config, 'Origins.0.OriginCustomHeaders.0.HeaderValue'));
  assert.match(shown, /resolve:secretsmanager:/);
  const resource = resourceOf(hcl, 'aws_cloudfront_distribution', 'this');
  assert.equal(
    at(resource, 'origin.0.custom_header.0.value'),
    expression('data.aws_secretsmanager_secret_version.origin[0].secret_string'),
  );
  const version = blocksOf(hcl, 'data').find(
    ({ labels }) => labels[0] === 'aws_secretsmanager_secret_version',
  );
  assert.equal(at(version?.content, 'secret_id'), expression('var.origin_secret_arns[0]'));
  // Shown when the function knows it, not before.
  assert.ok(listAt(resource, 'depends_on').includes(expression('aws_lambda_function.this')));
});

test('the web ACL has the same rate rule, limit and answer', () => {
  const made = theOne(plain, 'AWS::WAFv2::WebACL');
  const resource = resourceOf(hcl, 'aws_wafv2_web_acl', 'this');
  const [rule, ...more] = listAt(made, 'Rules');
  assert.equal(more.length, 0);
  assert.equal(listAt(resource, 'rule').length, 1);
  assert.deepEqual(
    [
      at(made, 'Scope'),
      at(rule, 'Action.Block.CustomResponse.ResponseCode'),
      at(rule, 'Statement.RateBasedStatement.AggregateKeyType'),
      at(rule, 'Statement.RateBasedStatement.Limit'),
    ],
    [
      at(resource, 'scope'),
      at(resource, 'rule.0.action.0.block.0.custom_response.0.response_code'),
      at(resource, 'rule.0.statement.0.rate_based_statement.0.aggregate_key_type'),
      defaultOf(hcl, 'rate_limit'),
    ],
  );
  // Samples show whole requests.
  const samples = [at(made, 'VisibilityConfig'), at(rule, 'VisibilityConfig')];
  for (const one of samples) assert.equal(at(one, 'SampledRequestsEnabled'), false);
  for (const path of ['visibility_config.0', 'rule.0.visibility_config.0']) {
    assert.equal(at(resource, `${path}.sampled_requests_enabled`), false, path);
  }
});

test('the API has the same address, limits, log of requests, and routes with an authorizer', () => {
  const api = resourceOf(hcl, 'aws_apigatewayv2_api', 'this');
  assert.equal(at(api, 'disable_execute_api_endpoint'), expression('local.api_domain != null'));
  assert.deepEqual(
    [plain, named].map((one) =>
      at(theOne(one, 'AWS::ApiGatewayV2::Api'), 'DisableExecuteApiEndpoint'),
    ),
    [false, true],
  );
  const stage = resourceOf(hcl, 'aws_apigatewayv2_stage', 'this');
  const made = theOne(plain, 'AWS::ApiGatewayV2::Stage');
  const rate = defaultOf(hcl, 'requests_per_second');
  assert.equal(at(made, 'DefaultRouteSettings.ThrottlingRateLimit'), rate);
  assert.equal(at(made, 'DefaultRouteSettings.ThrottlingBurstLimit'), 2 * Number(rate));
  assert.equal(
    at(stage, 'default_route_settings.0.throttling_burst_limit'),
    expression('2 * var.requests_per_second'),
  );
  const format: Record<string, string> = JSON.parse(text(at(made, 'AccessLogSettings.Format')));
  const ofTerraform = text(at(stage, 'access_log_settings.0.format'));
  const fields = [...ofTerraform.matchAll(/(\w+) = "(\$context\.[\w.]+)"/g)];
  assert.deepEqual(Object.fromEntries(fields.map(([, name, value]) => [name, value])), format);

  const routes = ofType(named, 'AWS::ApiGatewayV2::Route');
  const admin = routes.filter((one) => maybe(one, 'AuthorizationType') === 'JWT');
  const keys = admin.map((one) => at(one, 'RouteKey')).toSorted();
  assert.deepEqual(
    [...text(locals.admin_routes).matchAll(/"(ANY [^"]+)"/g)].map(([, key]) => key).toSorted(),
    keys,
  );
  assert.equal(at(resourceOf(hcl, 'aws_apigatewayv2_route', 'admin'), 'authorization_type'), 'JWT');
  const open = (all: readonly unknown[]) =>
    all
      .filter((one) => maybe(one, 'AuthorizationType') !== 'JWT')
      .map((one) => at(one, 'RouteKey'))
      .toSorted();
  const keyOf = (name: string) => at(resourceOf(hcl, 'aws_apigatewayv2_route', name), 'route_key');
  const isOfMdms = (key: unknown) => /mscep_admin|hooks/.test(text(key));
  assert.deepEqual(
    open(routes).filter((key) => !isOfMdms(key)),
    [keyOf('default'), keyOf('decide')].toSorted(),
  );
  // Off by default, and then no other route is open than that of devices.
  assert.deepEqual(open(ofType(plain, 'AWS::ApiGatewayV2::Route')), [keyOf('default')]);
  assert.equal(defaultOf(hcl, 'decision_links'), false);
  assert.equal(defaultOf(hcl, 'challenge_pages'), false);
  assert.equal(
    at(resourceOf(hcl, 'aws_apigatewayv2_route', 'decide'), 'count'),
    expression('var.decision_links ? 1 : 0'),
  );
  assert.equal(
    at(resourceOf(hcl, 'aws_lambda_function_url', 'admin'), 'authorization_type'),
    at(theOne(httpApi, 'AWS::Lambda::Url'), 'AuthType'),
  );
});

test('a Function URL is public for SCEP where there is no other ingress, and never for the admin API', () => {
  const made = ofType(templateOf('functionUrl'), 'AWS::Lambda::Url').map((one) => [
    /Service(\w+?)function/.exec(text(at(one, 'TargetFunctionArn.Fn::GetAtt.0')))?.[1],
    at(one, 'AuthType'),
  ]);
  const ofTerraform = ['scep', 'admin'].map((name) => [
    name,
    at(resourceOf(hcl, 'aws_lambda_function_url', name), 'authorization_type'),
  ]);
  assert.deepEqual(made, ofTerraform);
  assert.equal(
    at(resourceOf(hcl, 'aws_lambda_function_url', 'scep'), 'count'),
    expression('local.function_url ? 1 : 0'),
  );
  assert.equal(locals.api, expression('contains(["cloudfront", "httpApi"], var.ingress)'));
  assert.equal(locals.function_url, expression('var.ingress == "functionUrl"'));
  assert.deepEqual(ofType(plain, 'AWS::Lambda::Url'), []);
});

test('names have the same TLS at the API, and records of both kinds', () => {
  const domain = resourceOf(hcl, 'aws_apigatewayv2_domain_name', 'this');
  const made = at(theOne(named, 'AWS::ApiGatewayV2::DomainName'), 'DomainNameConfigurations.0');
  assert.equal(at(made, 'EndpointType'), at(domain, 'domain_name_configuration.0.endpoint_type'));
  // An API of this kind knows no other.
  assert.equal(
    maybe(made, 'SecurityPolicy') ?? 'TLS_1_2',
    at(domain, 'domain_name_configuration.0.security_policy'),
  );
  // Records of both kinds are for nothing where the API answers to one.
  const api = resourceOf(hcl, 'aws_apigatewayv2_api', 'this');
  assert.deepEqual(
    [
      at(made, 'IpAddressType'),
      at(theOne(named, 'AWS::ApiGatewayV2::Api'), 'IpAddressType'),
      at(domain, 'domain_name_configuration.0.ip_address_type'),
      at(api, 'ip_address_type'),
    ],
    ['dualstack', 'dualstack', 'dualstack', 'dualstack'],
  );
  const kinds = ofType(named, 'AWS::Route53::RecordSet').map((one) => at(one, 'Type'));
  assert.deepEqual(kinds.toSorted(), ['A', 'A', 'A', 'AAAA', 'AAAA', 'AAAA']);
  for (const name of ['api', 'cloudfront', 'files']) {
    const each = text(at(resourceOf(hcl, 'aws_route53_record', name), 'for_each'));
    assert.match(each, /"A", "AAAA"/, name);
  }
});

test('a load balancer is internal, speaks the same TLS, and hands everything to the SCEP function', () => {
  const template = templateOf('alb');
  const found = (name: string) => resourceOf(hcl, name, 'this');
  const made = theOne(template, 'AWS::ElasticLoadBalancingV2::LoadBalancer');
  assert.deepEqual([at(made, 'Scheme'), at(found('aws_lb'), 'internal')], ['internal', true]);
  assert.equal(at(found('aws_lb'), 'access_logs.0.enabled'), true);
  const [https] = ofType(template, 'AWS::ElasticLoadBalancingV2::Listener');
  const policy = text(at(https, 'SslPolicy'));
  assert.ok(text(locals.alb_ports).includes(`protocol = "HTTPS"`));
  assert.ok(text(locals.alb_ports).includes(`tls = "${policy}"`), policy);
  assert.equal(at(found('aws_lb_listener'), 'default_action.0.type'), 'forward');
  const group = found('aws_lb_target_group');
  assert.equal(at(group, 'target_type'), 'lambda');
  assert.equal(at(group, 'lambda_multi_value_headers_enabled'), true);
  assert.equal(
    at(found('aws_lb_target_group_attachment'), 'target_id'),
    expression('aws_lambda_function.this["scep"].arn'),
  );
  // Only the group of its target, and only this function.
  const permission = resourceOf(hcl, 'aws_lambda_permission', 'alb');
  assert.equal(at(permission, 'source_arn'), expression('aws_lb_target_group.this[0].arn'));
  assert.equal(
    at(permission, 'function_name'),
    expression('aws_lambda_function.this["scep"].function_name'),
  );
  assert.deepEqual(at(resourceOf(hcl, 'aws_security_group', 'alb'), 'egress'), []);
});
