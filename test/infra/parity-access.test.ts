// CDK and Terraform let the same people do the same, and keep what must outlive a mistake.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  at,
  blocksOf,
  expression,
  hclOf,
  listAt,
  localsOf,
  maybe,
  ofType,
  resourceOf,
  templateOf,
  text,
} from './templates.ts';

const hcl = hclOf();
const locals = localsOf(hcl);
const plain = templateOf('cloudfront');
const named = templateOf('domain');
const functionUrl = templateOf('functionUrl');

test("roles trust the same service, and the operator's lasts an hour", () => {
  const operator = resourceOf(hcl, 'aws_iam_role', 'operator');
  const made = ofType(plain, 'AWS::IAM::Role').filter((one) => maybe(one, 'MaxSessionDuration'));
  assert.deepEqual(
    made.map((one) => maybe(one, 'MaxSessionDuration')),
    [at(operator, 'max_session_duration')],
  );
  const functions = text(at(resourceOf(hcl, 'aws_iam_role', 'function'), 'assume_role_policy'));
  assert.match(functions, /Principal = \{Service = "lambda\.amazonaws\.com"\}/);
});

test('table, keys, logs and the bucket of access logs are protected alike against deletion', () => {
  const outlives = [
    'AWS::Backup::BackupVault',
    'AWS::DynamoDB::GlobalTable',
    'AWS::KMS::Key',
    'AWS::Logs::LogGroup',
    'AWS::S3::Bucket',
  ];
  // What the CDK's upload of a configuration has said goes with the stack: the object itself stays. CloudTrail keeps what
  // was done to keys.
  const goes = /^Service(config|keys)log/;
  assert.equal(Object.keys(named.Resources).filter((id) => goes.test(id)).length, 3);
  for (const [id, { Type, DeletionPolicy }] of Object.entries(named.Resources)) {
    assert.equal(
      DeletionPolicy?.startsWith('Retain') === true,
      outlives.includes(Type) && !goes.test(id),
      id,
    );
  }
  for (const { labels, content } of blocksOf(hcl, 'resource')) {
    const [type = '', name] = labels;
    const kept = maybe(content, 'lifecycle.0.prevent_destroy') === true;
    assert.equal(kept, ['aws_dynamodb_table', 'aws_kms_key'].includes(type), `${type}.${name}`);
    const skipped = maybe(content, 'skip_destroy') === true;
    const stays = type === 'aws_cloudwatch_log_group' && name !== 'keys';
    assert.equal(skipped, stays, `${type}.${name}`);
    // A bucket with something in it cannot be destroyed, unless it says otherwise.
    assert.equal(maybe(content, 'force_destroy'), undefined, `${type}.${name}`);
  }
});

test('the API, the schedule and a public URL may invoke the same functions', () => {
  const resource = (name: string) => resourceOf(hcl, 'aws_lambda_permission', name);
  const made = [plain, functionUrl].flatMap((one) => ofType(one, 'AWS::Lambda::Permission'));
  const by = (principal: string) => made.filter((one) => at(one, 'Principal') === principal);
  for (const [name, principal] of [
    ['api', 'apigateway.amazonaws.com'],
    ['schedule', 'events.amazonaws.com'],
  ] as const) {
    assert.equal(at(resource(name), 'principal'), principal);
    const arn = text(at(resource(name), 'source_arn'));
    assert.match(arn, /^\$\{aws_(apigatewayv2_api|cloudwatch_event_rule)\./, name);
    assert.ok(by(principal).length > 0, name);
    for (const one of by(principal)) assert.ok(maybe(one, 'SourceArn'), name);
  }
  assert.equal(
    made.length,
    by('apigateway.amazonaws.com').length + by('events.amazonaws.com').length + by('*').length,
  );

  const [byUrl, invoke, ...more] = by('*');
  assert.equal(more.length, 0);
  assert.deepEqual(
    [at(byUrl, 'Action'), at(byUrl, 'FunctionUrlAuthType')],
    [at(resource('url'), 'action'), at(resource('url'), 'function_url_auth_type')],
  );
  assert.equal(at(resource('url'), 'principal'), '*');
  const { FunctionName: _, ...properties } = Object(invoke);
  assert.deepEqual(properties, {
    Action: 'lambda:InvokeFunction',
    InvokedViaFunctionUrl: true,
    Principal: '*',
  });
  const body = text(
    at(resourceOf(hcl, 'aws_cloudformation_stack', 'invoke_by_url'), 'template_body'),
  );
  assert.match(body, /Type = "AWS::Lambda::Permission"/);
  for (const [name, value] of Object.entries(properties)) {
    assert.match(body, new RegExp(`\\b${name} = ${JSON.stringify(value).replace('*', '\\*')}[,}]`));
  }
});

test('policies name the same administrators, break-glass role and operators by default', () => {
  const root = 'arn:aws:iam::111122223333:root';
  const statements = ofType(plain, 'AWS::KMS::Key').map((key) => ({
    administer: listAt(key, 'KeyPolicy.Statement').find((one) => at(one, 'Sid') === 'Administer'),
    deny: listAt(key, 'KeyPolicy.Statement').find((one) => at(one, 'Effect') === 'Deny'),
  }));
  assert.equal(statements.length, 3);
  for (const { administer, deny } of statements) {
    assert.match(JSON.stringify(at(administer, 'Principal.AWS')), /:iam::111122223333:root"/);
    assert.deepEqual(at(deny, 'Condition'), {
      StringNotEquals: { 'aws:PrincipalArn': 'nobody' },
    });
  }
  const { Administrators, BreakGlassRole } = Object(locals.key_policy_values);
  assert.match(
    Administrators,
    /length\(var\.key_administrators\) > 0 \? var\.key_administrators : \[local\.account_root\], var\.break_glass_role_arn == null \? \[\] : \[var\.break_glass_role_arn\]/,
  );
  assert.equal(
    BreakGlassRole,
    expression('var.break_glass_role_arn == null ? "nobody" : var.break_glass_role_arn'),
  );
  assert.equal(
    text(locals.account_root)
      .replace(expression('local.partition'), 'aws')
      .replace(expression('local.account'), '111122223333'),
    root,
  );
  const operator = ofType(plain, 'AWS::IAM::Role').find((one) => maybe(one, 'MaxSessionDuration'));
  const trusted = at(operator, 'AssumeRolePolicyDocument.Statement.0.Principal.AWS');
  assert.match(JSON.stringify(trusted), /:iam::111122223333:root"/);
  assert.match(
    text(at(resourceOf(hcl, 'aws_iam_role', 'operator'), 'assume_role_policy')),
    /Principal = \{AWS = length\(var\.operators\) > 0 \? var\.operators : \[local\.account_root\]\}/,
  );
});
