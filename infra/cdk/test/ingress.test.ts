// The ways in: CloudFront, the API and Function URLs.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { AdminAccess, Ingress } from '../lib/ingress/access.ts';
import {
  at,
  configOf,
  make,
  type Resource,
  resourcesOf,
  templateOf,
  variants,
  zoneOf,
} from './support.ts';

const cases = Object.entries(variants).map(
  ([name, props]) => [name, Template.fromStack(make(props).stack)] as const,
);

test('the admin function has no public way in, whatever the ingress', () => {
  for (const [name, template] of cases) {
    const [[adminId] = assert.fail(name)] = resourcesOf(template, 'AWS::Lambda::Function').filter(
      ([id]) => id.startsWith('Serviceadminfunction'),
    );
    const isAdmin = (value: unknown) => JSON.stringify(value).includes(adminId);
    for (const [, { Properties }] of resourcesOf(template, 'AWS::Lambda::Url')) {
      if (isAdmin(Properties.TargetFunctionArn)) assert.equal(Properties.AuthType, 'AWS_IAM', name);
    }
    for (const [, { Properties }] of resourcesOf(template, 'AWS::Lambda::Permission')) {
      if (isAdmin(Properties.FunctionName)) {
        assert.equal(Properties.Principal, 'apigateway.amazonaws.com', name);
      }
    }
    const integrations = resourcesOf(template, 'AWS::ApiGatewayV2::Integration')
      .filter(([, { Properties }]) => isAdmin(Properties.IntegrationUri))
      .map(([id]) => id);
    const routes = resourcesOf(template, 'AWS::ApiGatewayV2::Route').filter(([, { Properties }]) =>
      integrations.some((id) => JSON.stringify(Properties.Target).includes(id)),
    );
    assert.equal(routes.length, name.includes('JWT') ? 3 : 0, name);
    for (const [, { Properties }] of routes) {
      assert.equal(Properties.AuthorizationType, 'JWT', name);
      assert.ok(Properties.AuthorizerId, name);
    }
  }
});

test('decision links open one route of the admin function, whatever else is open, and only where they are asked for', () => {
  for (const props of [
    { ingress: Ingress.cloudFront() },
    { ingress: Ingress.httpApi(), admin: AdminAccess.iam() },
    {
      ingress: Ingress.httpApi(),
      admin: AdminAccess.jwt({ issuer: 'https://login.example.com', audience: ['scepter'] }),
    },
  ]) {
    const open = (decisionLinks: boolean) =>
      resourcesOf(templateOf({ ...props, decisionLinks }), 'AWS::ApiGatewayV2::Route')
        .filter(([, { Properties }]) => Properties.AuthorizationType !== 'JWT')
        .map(([, { Properties }]) => Properties.RouteKey)
        .toSorted();
    assert.deepEqual(open(false), ['$default']);
    assert.deepEqual(open(true), ['$default', 'ANY /decide']);
  }
});

type Behavior = { readonly PathPattern?: string; readonly ViewerProtocolPolicy: string };

/** The service's, or the one for files alone. */
function distributionOf(template: Template, of: 'Service' | 'ServiceFiles'): Resource {
  const found = resourcesOf(template, 'AWS::CloudFront::Distribution').find(([id]) =>
    id.startsWith(`${of}Distribution`),
  );
  return (found ?? assert.fail('no distribution'))[1];
}

function behaviorsOf(template: Template): Behavior[] {
  const { Properties } = distributionOf(template, 'Service');
  const { DefaultCacheBehavior, CacheBehaviors } = Properties.DistributionConfig as {
    DefaultCacheBehavior: Behavior;
    CacheBehaviors: Behavior[];
  };
  return [DefaultCacheBehavior, ...CacheBehaviors];
}

test('CloudFront answers https only, and never redirects', () => {
  const policies = behaviorsOf(templateOf()).map((one) => one.ViewerProtocolPolicy);
  assert.deepEqual([...new Set(policies)], ['https-only']);
});

test('plain http, where configured, is for SCEP, CRLs and CA certificates and nothing else', () => {
  const open = behaviorsOf(templateOf({ ingress: Ingress.cloudFront({ plainHttp: true }) }))
    .filter((one) => one.ViewerProtocolPolicy !== 'https-only')
    .map(({ PathPattern, ViewerProtocolPolicy }) => [PathPattern, ViewerProtocolPolicy]);
  assert.deepEqual(open, [
    ['/scep*', 'allow-all'],
    ['/cgi-bin/pkiclient.exe', 'allow-all'],
    ['/certsrv/mscep/*', 'allow-all'],
    ['/crl/*', 'allow-all'],
    ['/aia/*', 'allow-all'],
  ]);
});

test('CloudFront has a web ACL that limits the requests of one address', () => {
  const template = templateOf({ ingress: Ingress.cloudFront({ rateLimit: 300 }) });
  template.hasResourceProperties('AWS::WAFv2::WebACL', {
    Scope: 'CLOUDFRONT',
    Rules: [
      {
        Action: { Block: Match.anyValue() },
        Statement: { RateBasedStatement: { AggregateKeyType: 'IP', Limit: 300 } },
      },
    ],
  });
  template.hasResourceProperties('AWS::CloudFront::Distribution', {
    DistributionConfig: {
      WebACLId: { 'Fn::GetAtt': [Match.stringLikeRegexp('WebAcl'), 'Arn'] },
    },
  });
});

test('CloudFront sends a new secret only once the SCEP function knows it', () => {
  const { DependsOn } = distributionOf(templateOf(), 'Service');
  assert.ok(DependsOn?.some((id) => id.startsWith('Servicescepfunction')));
});

test('the SCEP function and CloudFront share a secret that is in no template and in no environment', () => {
  const template = templateOf();
  const reference = { 'Fn::Join': ['', Match.arrayWith([':SecretString:::}}'])] };
  template.hasResourceProperties('AWS::CloudFront::Distribution', {
    DistributionConfig: {
      Origins: Match.arrayWith([
        Match.objectLike({
          OriginCustomHeaders: [{ HeaderName: 'x-scepter-origin', HeaderValue: reference }],
        }),
      ]),
    },
  });
  template.hasResourceProperties('AWS::Lambda::Function', {
    Description: 'Scepter: SCEP, CRLs and CA certificates',
    Environment: {
      Variables: {
        SCEPTER_ORIGIN_SECRETS: {
          'Fn::Join': ['', ['secretsmanager:', { Ref: Match.stringLikeRegexp('OriginSecret') }]],
        },
      },
    },
  });
});

test('CloudFront sends the first of several secrets, and the function accepts all', () => {
  const template = templateOf((stack) => ({
    ingress: Ingress.cloudFront({
      originSecrets: ['new', 'old'].map((name) => Secret.fromSecretNameV2(stack, name, name)),
    }),
  }));
  const told = (type: string) => JSON.stringify(template.findResources(type));
  const distribution = told('AWS::CloudFront::Distribution');
  assert.match(distribution, /secret:new:/);
  assert.doesNotMatch(distribution, /secret:old:/);
  const functions = told('AWS::Lambda::Function');
  assert.equal(functions.split('secret:new').length, 2, 'one function knows it');
  assert.ok(functions.indexOf('secret:new') < functions.indexOf('secret:old'));
  assert.match(told('AWS::IAM::Policy'), /secret:new-\?{6}".*secret:old-\?{6}"/);
});

test("with a domain the API's own address is closed, and TLS is 1.2 or later", () => {
  const [, template] =
    cases.find(([name]) => name.includes('with a domain, plain')) ?? assert.fail();
  template.hasResourceProperties('AWS::ApiGatewayV2::Api', { DisableExecuteApiEndpoint: true });
  template.hasResourceProperties('AWS::ApiGatewayV2::DomainName', {
    DomainName: 'origin.scep.example.com',
  });
  template.hasResourceProperties('AWS::CloudFront::Distribution', {
    DistributionConfig: {
      Aliases: ['scep.example.com'],
      ViewerCertificate: { MinimumProtocolVersion: 'TLSv1.2_2021' },
      Origins: Match.arrayWith([Match.objectLike({ DomainName: 'origin.scep.example.com' })]),
    },
  });
});

test('the log of requests has no queries, which contain messages', () => {
  const [[, { Properties }] = assert.fail('no stage')] = resourcesOf(
    templateOf(),
    'AWS::ApiGatewayV2::Stage',
  );
  const { Format } = Properties.AccessLogSettings as { Format: string };
  assert.match(Format, /\$context\.path/);
  assert.doesNotMatch(Format, /query|\$context\.requestOverride|routeKey/i);
});

test('behind CloudFront one proxy is believed about the address of a device, otherwise none', () => {
  const trusted = (template: Template): unknown =>
    JSON.parse(configOf(template).text).trustedProxies;
  assert.equal(trusted(templateOf()), 1);
  assert.equal(trusted(templateOf({ ingress: Ingress.httpApi() })), 0);
});

test("a function's own URL ends with a slash; what devices and operators are given does not", () => {
  const { stack, service } = make({ ingress: Ingress.functionUrl(), admin: AdminAccess.iam() });
  for (const url of [service.url, service.adminUrl]) {
    const [scheme, host] = at(stack.resolve(url), 'Fn::Join.1') as [unknown, unknown];
    assert.equal(scheme, 'https://');
    assert.equal(at(host, 'Fn::Select.0'), 2);
    assert.equal(at(host, 'Fn::Select.1.Fn::Split.0'), '/');
    assert.equal(at(host, 'Fn::Select.1.Fn::Split.1.Fn::GetAtt.1'), 'FunctionUrl');
  }
});

test('CRLs and CA certificates have a distribution of their own with CloudFront, elsewhere if asked for, under any name', () => {
  const own = (props: Parameters<typeof make>[0]) => {
    const { stack, service } = make(props);
    const { filesUrl, filesDnsTarget } = service;
    return { template: Template.fromStack(stack), stack, filesUrl, filesDnsTarget };
  };
  const plain = own({});
  assert.deepEqual(at(plain.stack.resolve(plain.filesUrl), 'Fn::Join.1.0'), 'http://');
  assert.equal(plain.filesDnsTarget, undefined);
  const { Properties } = distributionOf(plain.template, 'ServiceFiles');
  const config = JSON.stringify(Properties);
  for (const other of [/WebACLId/, /Logging/, /execute-api/, /Lambda/]) {
    assert.doesNotMatch(config, other);
  }
  assert.equal(own({ ingress: Ingress.httpApi() }).filesUrl, undefined);
  own({ ingress: Ingress.functionUrl(), files: {} }).template.resourceCountIs(
    'AWS::CloudFront::Distribution',
    1,
  );
  const named = own((stack) => ({
    ingress: Ingress.httpApi(),
    files: { domain: { name: 'pki.example.com', zone: zoneOf(stack) } },
  }));
  assert.equal(named.filesUrl, 'http://pki.example.com');
  assert.equal(at(named.stack.resolve(named.filesDnsTarget), 'Fn::GetAtt.1'), 'DomainName');
  named.template.hasResourceProperties('AWS::CloudFront::Distribution', {
    DistributionConfig: {
      Aliases: ['pki.example.com'],
      ViewerCertificate: { MinimumProtocolVersion: 'TLSv1.2_2021' },
    },
  });
  named.template.resourceCountIs('AWS::Route53::RecordSet', 2);
});

test('each distribution may read the files, and nobody else beside the roles', () => {
  const [[, { Properties }] = assert.fail('no policy')] = resourcesOf(
    templateOf(),
    'AWS::S3::BucketPolicy',
  ).filter(([id]) => id.startsWith('ServiceFiles'));
  const statements = at(Properties.PolicyDocument, 'Statement') as Record<string, unknown>[];
  const readers = statements.filter(({ Effect }) => Effect === 'Allow');
  const sources = readers.map((one) => JSON.stringify(one.Condition));
  assert.equal(new Set(sources).size, 2);
  for (const { Principal } of readers) {
    assert.deepEqual(Principal, { Service: 'cloudfront.amazonaws.com' });
  }
});
