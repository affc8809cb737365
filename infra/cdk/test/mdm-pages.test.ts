// Challenges for MDMs: their function, its way in, what it may, and the code that CloudFront runs.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Stack } from 'aws-cdk-lib';
import type { Template } from 'aws-cdk-lib/assertions';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Ingress } from '../lib/ingress/access.ts';
import {
  at,
  example,
  functionsOf,
  listOf,
  make,
  resourcesOf,
  root,
  statementsOf,
  templateOf,
} from './support.ts';

const on = (stack: Stack) => ({
  config: example('mdm-challenges'),
  challengePages: true,
  secrets: Object.fromEntries(
    ['WORKSPACE_ONE', 'JAMF', 'MORE'].map((name) => [name, new Secret(stack, name)]),
  ),
});

const functionOf = (template: Template, name: string) =>
  functionsOf(template).find(([id]) => id.startsWith(`Service${name}function`))?.[1] ??
  assert.fail(name);

const variablesOf = (template: Template, name: string): string[] =>
  Object.keys(Object(at(functionOf(template, name).Properties, 'Environment.Variables')));

const secretsIn = (variables: readonly string[] = []): string[] =>
  variables.filter((name) => !/^(?:SCEPTER_(?!ORIGIN)|NODE_)/.test(name)).toSorted();

test('without them there is no function, no route, no function of CloudFront and no statement about them', () => {
  const template = templateOf();
  assert.equal(functionsOf(template).length, 4);
  assert.deepEqual(resourcesOf(template, 'AWS::CloudFront::Function'), []);
  const routes = resourcesOf(template, 'AWS::ApiGatewayV2::Route');
  assert.deepEqual(
    routes.map(([, { Properties }]) => Properties.RouteKey),
    ['$default'],
  );
  const sids = statementsOf(template).map(({ Sid }) => Sid);
  assert.ok(sids.includes('OpenRaAndMacKeys') && !sids.includes('OpenMacKeysOfChallenges'));
});

test('the API has routes to their function, behind CloudFront or alone', () => {
  for (const ingress of [Ingress.cloudFront(), Ingress.httpApi()]) {
    const template = templateOf((stack) => ({ ...on(stack), ingress }));
    const [[id] = assert.fail('no function')] = functionsOf(template).filter(([one]) =>
      one.startsWith('Servicechallengesfunction'),
    );
    const [[integration] = assert.fail('no integration')] = resourcesOf(
      template,
      'AWS::ApiGatewayV2::Integration',
    ).filter(([, { Properties }]) => JSON.stringify(Properties.IntegrationUri).includes(id));
    const routes = resourcesOf(template, 'AWS::ApiGatewayV2::Route')
      .filter(([, { Properties }]) => JSON.stringify(Properties.Target).includes(integration))
      .map(([, { Properties }]) => Properties.RouteKey);
    assert.deepEqual(routes.toSorted(), [
      'ANY /certsrv/mscep_admin',
      'ANY /certsrv/{endpoint}/mscep_admin',
      'ANY /hooks/jamf/{endpoint}',
    ]);
  }
});

test('CloudFront asks for credentials at the page alone, over https, and caches nothing there', () => {
  const template = templateOf(on);
  const [[, { Properties }] = assert.fail('no distribution')] = resourcesOf(
    template,
    'AWS::CloudFront::Distribution',
  ).filter(([id]) => id.startsWith('ServiceDistribution'));
  const behaviors = listOf(at(Properties, 'DistributionConfig.CacheBehaviors')) as object[];
  const asking = behaviors.filter((one) => at(one, 'FunctionAssociations'));
  assert.equal(asking.length, 1);
  assert.deepEqual(
    [
      at(asking[0], 'PathPattern'),
      at(asking[0], 'ViewerProtocolPolicy'),
      at(asking[0], 'FunctionAssociations.0.EventType'),
    ],
    ['/?ert?rv/*mscep_admin*', 'https-only', 'viewer-request'],
  );
  assert.equal(
    at(asking[0], 'CachePolicyId'),
    at(Properties, 'DistributionConfig.DefaultCacheBehavior.CachePolicyId'),
  );
});

test('their function has the secrets of pages and hooks, and the SCEP function all others', () => {
  const template = templateOf(on);
  const [pages, scep] = ['challenges', 'scep'].map((name) => variablesOf(template, name));
  assert.deepEqual(secretsIn(pages), ['JAMF', 'SCEPTER_ORIGIN_SECRETS', 'WORKSPACE_ONE']);
  assert.deepEqual(secretsIn(scep), ['MORE', 'SCEPTER_ORIGIN_SECRETS']);
});

test('maintenance has the secrets of validators outside, which the SCEP function has too, and may read no others', () => {
  const template = templateOf((stack) => {
    const props = on(stack);
    const validators = {
      intune: {
        kind: 'intune',
        tenant: 'contoso.example',
        clientId: 'app',
        clientSecret: 'env:INTUNE',
      },
      hook: {
        ...{ kind: 'webhook', url: 'https://hooks.example.com/scep', secret: 'env:KEY' },
        basic: { user: 'scepter', password: 'env:PASSWORD' },
      },
    };
    const more = ['INTUNE', 'KEY', 'PASSWORD'].map((name) => [name, new Secret(stack, name)]);
    return {
      ...props,
      config: { ...(props.config as object), validators },
      secrets: { ...props.secrets, ...Object.fromEntries(more) },
    };
  });
  const own = (name: string) => secretsIn(variablesOf(template, name));
  assert.deepEqual(own('maintenance'), ['INTUNE', 'KEY', 'PASSWORD']);
  assert.deepEqual(own('scep'), ['INTUNE', 'KEY', 'MORE', 'PASSWORD', 'SCEPTER_ORIGIN_SECRETS']);
  assert.deepEqual(own('challenges'), ['JAMF', 'SCEPTER_ORIGIN_SECRETS', 'WORKSPACE_ONE']);
  const reading = statementsOf(template).filter(({ Sid }) => Sid === 'ReadSecrets');
  const sizes = reading.map(({ Resource }) => [Resource].flat().length);
  assert.deepEqual(sizes.toSorted(), [3, 3, 5]);
});

test('the key opens MAC keys of challenges and records for it, and no other', () => {
  const opens = statementsOf(templateOf(on)).filter(({ Sid = '' }) =>
    /^OpenMacKeysOfChallenges$/.test(Sid),
  );
  assert.equal(opens.length, 1);
  const [{ Principal, Condition } = assert.fail('no statement')] = opens;
  assert.match(JSON.stringify(Principal), /challengesrole/);
  assert.deepEqual(at(Condition, 'StringEquals.kms:EncryptionContext:purpose'), [
    'mac-challenge',
    'mac-record',
  ]);
});

test('a configuration with pages is deployed with what answers them, and none without', () => {
  const refused = (sentence: RegExp, props: Parameters<typeof make>[0]) =>
    assert.throws(() => make(props), { message: sentence });
  refused(
    /^challengePages: must be true: nothing answers MDMs at \/certsrv\/mscep_admin\/ otherwise$/,
    (stack) => ({ ...on(stack), challengePages: false }),
  );
  refused(/^challengePages: is for endpoints with "ndes" or "jamf", of which there are none$/, {
    challengePages: true,
  });
  refused(
    /^challengePages: needs CloudFront or an HTTP API, which have routes for them$/,
    (stack) => ({
      ...on(stack),
      ingress: Ingress.functionUrl(),
    }),
  );
  refused(
    /^secrets\.WORKSPACE_ONE: config\.endpoints\.default\.ndes\.accounts\.0\.password refers to it: name its secret$/,
    (stack) => ({ ...on(stack), secrets: {} }),
  );
});

type Viewer = { uri: string; headers: Record<string, { value: string }> };
type Answer = Viewer & { statusCode?: number };

/** As CloudFront has it: one script that leaves a function `handler`. */
const handler: (event: { request: Viewer }) => Answer = new Function(
  `${readFileSync(join(root, 'infra', 'policies', 'mdm-pages.js'), 'utf8')}\nreturn handler;`,
)();

test("CloudFront's function asks whoever brings no credentials for Basic", () => {
  const answer = handler({ request: { uri: '/certsrv/mscep_admin/', headers: {} } });
  assert.equal(answer.statusCode, 401);
  assert.equal(answer.headers['www-authenticate']?.value, 'Basic realm="Scepter", charset="UTF-8"');
});

test("CloudFront's function lets credentials through, and makes one spelling of all paths", () => {
  for (const [sent, path] of [
    ['/certsrv/mscep_admin/', '/certsrv/mscep_admin'],
    ['/CertSrv/mscep_admin', '/certsrv/mscep_admin'],
    ['/certsrv//VPN/MSCEP_ADMIN//', '/certsrv/vpn/mscep_admin'],
  ] as const) {
    const headers = { authorization: { value: 'Basic eDp5' } };
    const { statusCode, uri, headers: kept } = handler({ request: { uri: sent, headers } });
    assert.deepEqual([statusCode, uri, kept], [undefined, path, headers]);
  }
});
