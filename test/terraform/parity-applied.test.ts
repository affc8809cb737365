// What a platform team says of a deployment reaches the same resources by Terraform as by the CDK: the same values on
// both sides, Terraform's applied in moto, the CDK's synthesised, compared resource by resource. And what is applied
// wants nothing more at the next plan.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { contexts } from '../infra/contexts.ts';
import { allowed, type Policy } from '../infra/iam.ts';
import { startMoto } from '../infra/stack.ts';
import {
  at,
  distributionOf,
  listAt,
  maybe,
  ofType,
  type Template,
  templateOf,
  text,
} from '../infra/templates.ts';
import { root } from '../support/installed.ts';
import { assertEmpty, copied, nextPlan, scepter, terraform } from './terraform.ts';

type Applied = { readonly type: string; readonly name: string; readonly values: unknown };
type Inputs = Readonly<Record<string, unknown>>;

const byComma = (value: string): string[] => value.split(',');
const { alb, elsewhere } = contexts;
const { region } = alb.context;
const network = {
  subnet_ids: byComma(alb.context.vpcSubnetIds),
  security_group_ids: byComma(alb.context.securityGroupIds),
};

/** The context in the words of the module. */
const inputs = {
  alb: {
    ingress: alb.context.ingress,
    alb: {
      vpc_id: alb.context.albVpcId,
      subnet_ids: byComma(alb.context.albSubnetIds),
      clients: byComma(alb.context.clients),
    },
    domain: { name: alb.context.domain, certificate_arn: alb.context.certificateArn },
    plain_http: alb.context.plainHttp === 'true',
    web_acl_arn: alb.context.webAclArn,
    vpc: network,
    permissions_boundary_arn: alb.context.permissionsBoundaryArn,
    role_path: alb.context.rolePath,
    keys_trust_role_names: alb.context.keysTrustRoleNames === 'true',
    environment_key_arn: alb.context.environmentKeyArn,
    function_settings: {
      scep: { memory_mb: 1024, timeout_s: 20 },
      maintenance: { timeout_s: 600 },
    },
    log_lock: { mode: alb.context.logLockMode, days: Number(alb.context.logLockDays) },
    table_class: alb.context.tableClass,
    max_read_request_units: Number(alb.context.maxReadRequestUnits),
    max_write_request_units: Number(alb.context.maxWriteRequestUnits),
    tags: { team: 'pki' },
  },
  elsewhere: {
    domain: { name: elsewhere.context.domain, certificate_arn: elsewhere.context.certificateArn },
    plain_http: elsewhere.context.plainHttp === 'true',
    web_acl_arn: elsewhere.context.webAclArn,
    package_bucket: elsewhere.context.packageBucket,
    package_prefix: elsewhere.context.packagePrefix,
    code_signing_config_arn: elsewhere.context.codeSigningConfigArn,
    // The CDK makes a secret of its own; Terraform is told of one.
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Terraform's
    origin_secret_arns: ['${aws_secretsmanager_secret_version.origin.arn}'],
  },
} as const satisfies Record<string, Inputs>;

/** A root module that says these, applied in moto. */
async function apply(said: Inputs) {
  const moto = await startMoto('module.py', region, 'https://api.example.com');
  try {
    const AWS_ENDPOINT_URL = await moto.next<string>();
    const env = { AWS_ENDPOINT_URL, AWS_EC2_METADATA_DISABLED: 'true', AWS_REGION: region };
    const copy = copied();
    const project = join(copy, 'project');
    const stamped = scepter('config', 'validate', alb.context.config, '--stamp');
    const runtime = process.env.TF_VAR_runtime ?? 'nodejs24.x';
    const main = {
      provider: { aws: { region, access_key: 'AKIADEPLOYER', secret_key: 'secret' } },
      resource: {
        aws_secretsmanager_secret: { origin: { name: 'origin' } },
        aws_secretsmanager_secret_version: {
          origin: {
            // biome-ignore lint/suspicious/noTemplateCurlyInString: Terraform's
            secret_id: '${aws_secretsmanager_secret.origin.id}',
            secret_string: 'a'.repeat(32),
          },
        },
      },
      module: {
        scepter: {
          source: '../infra/terraform',
          providers: { aws: 'aws', 'aws.us_east_1': 'aws' },
          config: stamped,
          lambda_package: '../dist/release',
          runtime,
          ...said,
        },
      },
    };
    mkdirSync(project);
    writeFileSync(join(project, 'main.tf.json'), JSON.stringify(main));
    await terraform(project, ['init'], env);
    await terraform(project, ['apply', '-auto-approve'], env);
    const shown = JSON.parse(await terraform(project, ['show', '-json'], env));
    const made = listAt(shown, 'values.root_module.child_modules.0.resources') as Applied[];
    const next = await nextPlan(project, env);
    const { calls } = await moto.ask<{ calls: readonly string[] }>();
    return { made, next, calls, stop: moto.stop };
  } catch (error) {
    await moto.stop();
    throw error;
  }
}

const sorted = (value: unknown): unknown[] => [...(value as readonly unknown[])].toSorted();
const listed = (value: unknown): unknown => (Array.isArray(value) ? value : [value]);

/** A policy with every action and resource as a list. */
const normal = (document: unknown) =>
  listAt(document, 'Statement').map((statement) => ({
    ...(statement as object),
    Action: listed(at(statement, 'Action')),
    Resource: listed(at(statement, 'Resource')),
  }));

const functionsOf = (template: Template) =>
  ofType(template, 'AWS::Lambda::Function')
    .filter((one) => text(maybe(one, 'Description')).startsWith('Scepter: '))
    .map((one) => [
      at(one, 'Description'),
      at(one, 'MemorySize'),
      at(one, 'Timeout'),
      maybe(one, 'KmsKeyArn'),
      maybe(one, 'VpcConfig.SubnetIds') && sorted(at(one, 'VpcConfig.SubnetIds')),
      maybe(one, 'VpcConfig.SecurityGroupIds') && sorted(at(one, 'VpcConfig.SecurityGroupIds')),
      maybe(one, 'CodeSigningConfigArn'),
    ])
    .toSorted();

const madeFunctions = (made: readonly Applied[]) =>
  valuesOf(made, 'aws_lambda_function')
    .map((one) => [
      at(one, 'description'),
      at(one, 'memory_size'),
      at(one, 'timeout'),
      maybe(one, 'kms_key_arn') || undefined,
      maybe(one, 'vpc_config.0.subnet_ids') && sorted(at(one, 'vpc_config.0.subnet_ids')),
      maybe(one, 'vpc_config.0.security_group_ids') &&
        sorted(at(one, 'vpc_config.0.security_group_ids')),
      maybe(one, 'code_signing_config_arn') || undefined,
    ])
    .toSorted();

const valuesOf = (made: readonly Applied[], type: string, name?: string): unknown[] =>
  made
    .filter((one) => one.type === type && (name === undefined || one.name === name))
    .map(({ values }) => values);

const deployer: Policy = JSON.parse(
  readFileSync(join(root, 'infra', 'terraform', 'deployer.json'), 'utf8'),
);
const principal = 'arn:aws:iam::111122223333:user/deployer';
const mayOn = (action: string, resource: string): boolean =>
  allowed([[deployer]], {
    ...{ principal, action, resource },
    context: { 'iam:PassedToService': ['lambda.amazonaws.com'] },
  });

/** Operations whose actions in IAM have another name (Service Authorization Reference). */
const actionOf: Readonly<Record<string, string>> = {
  's3:DeleteBucketEncryption': 's3:PutEncryptionConfiguration',
  's3:DeleteBucketLifecycle': 's3:PutLifecycleConfiguration',
  's3:GetBucketEncryption': 's3:GetEncryptionConfiguration',
  's3:GetBucketLifecycleConfiguration': 's3:GetLifecycleConfiguration',
  's3:GetBucketReplication': 's3:GetReplicationConfiguration',
  's3:GetObjectLockConfiguration': 's3:GetBucketObjectLockConfiguration',
  's3:GetPublicAccessBlock': 's3:GetBucketPublicAccessBlock',
  's3:HeadBucket': 's3:ListBucket',
  's3:HeadObject': 's3:GetObject',
  's3:PutBucketEncryption': 's3:PutEncryptionConfiguration',
  's3:PutBucketLifecycleConfiguration': 's3:PutLifecycleConfiguration',
  's3:PutPublicAccessBlock': 's3:PutBucketPublicAccessBlock',
};

/** HTTP APIs have the verbs of HTTP as their actions. */
const verbOf = (operation: string): string =>
  /^(Get|List)/.test(operation)
    ? 'GET'
    : /^Delete/.test(operation)
      ? 'DELETE'
      : /^Update/.test(operation)
        ? 'PATCH'
        : 'POST';

/** A thing of ours that such an action is about. */
const thingOf = (action: string): string => {
  const [service = ''] = action.split(':');
  const names: Readonly<Record<string, string>> = {
    cloudformation: 'stack/scepter-scepter-invoke-by-url/1',
    dynamodb: 'table/scepter-scepter',
    iam: 'role/scepter-scepter-eu-central-1-scep',
    lambda: 'function:scepter-scepter-scep',
    secretsmanager: 'secret:scepter-origin-AbCdEf',
  };
  if (service === 's3') return 'arn:aws:s3:::scepter-scepter-configs-1';
  const region = service === 'iam' ? '' : 'us-east-1';
  return `arn:aws:${service}:${region}:111122223333:${names[service] ?? 'thing/1'}`;
};

const notAllowed = (calls: readonly string[]): string[] => {
  // Of the root module of this test: the secret is its own.
  const ofUs = /^secretsmanager:(?:CreateSecret|PutSecretValue|DeleteSecret)$/;
  const actions = calls
    .filter((call) => !ofUs.test(call))
    .map((call) =>
      call.replace(/^apigateway(?:v2)?:(\w+)$/, (_, name) => `apigateway:${verbOf(name)}`),
    )
    // CloudWatch signs by another name.
    .map((call) => (actionOf[call] ?? call).replace(/^monitoring:/, 'cloudwatch:'));
  assert.ok(actions.length > 60);
  return [...new Set(actions)].filter((action) => !mayOn(action, thingOf(action)));
};

test('deployer.json fits into a policy of IAM, and lets nobody sign, decrypt, read records or give himself rights', () => {
  assert.ok(JSON.stringify(deployer).length <= 6144);
  for (const action of [
    ...['kms:Sign', 'kms:Decrypt', 'kms:GenerateDataKeyPairWithoutPlaintext', 'kms:DisableKey'],
    ...['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:Query', 'dynamodb:DeleteBackup'],
    ...['lambda:InvokeFunction', 'lambda:InvokeFunctionUrl', 'sts:AssumeRole'],
    ...['iam:CreateUser', 'iam:CreateAccessKey', 'iam:AttachRolePolicy', 'iam:PutUserPolicy'],
  ]) {
    assert.equal(mayOn(action, thingOf(action)), false, action);
  }
  const another = 'arn:aws:iam::111122223333:role/administrator';
  for (const action of ['iam:PassRole', 'iam:PutRolePolicy', 'iam:UpdateAssumeRolePolicy']) {
    assert.equal(mayOn(action, another), false, action);
  }
});

describe('in the network of an organisation, by its rules', () => {
  const template = templateOf('alb');
  let applied: Awaited<ReturnType<typeof apply>>;
  before(async () => {
    applied = await apply(inputs.alb);
  });
  after(() => applied?.stop());

  test('functions have the memory, time, key, subnets and security groups that are said', () => {
    const found = madeFunctions(applied.made);
    assert.equal(found.length, 4);
    assert.deepEqual(found, functionsOf(template));
    assert.ok(found.flat().includes(alb.context.environmentKeyArn));
  });

  test('the bucket of the logs locks what it is given', () => {
    const [lock, ...more] = valuesOf(applied.made, 'aws_s3_bucket_object_lock_configuration');
    assert.deepEqual(more, []);
    const { logLockMode: mode, logLockDays: days } = alb.context;
    assert.deepEqual(at(lock, 'rule.0.default_retention.0'), {
      mode,
      days: Number(days),
      years: 0,
    });
  });

  test('roles have the boundary and the path', () => {
    const found = valuesOf(applied.made, 'aws_iam_role').map((one) => [
      at(one, 'permissions_boundary'),
      at(one, 'path'),
    ]);
    assert.equal(found.length, 5);
    const expected = [alb.context.permissionsBoundaryArn, alb.context.rolePath];
    for (const one of found) assert.deepEqual(one, expected);
    // The CDK has one more, of its custom resource.
    for (const one of ofType(template, 'AWS::IAM::Role')) {
      assert.deepEqual([at(one, 'PermissionsBoundary'), at(one, 'Path')], expected);
    }
  });

  test('policies for the VPC and for the key of the environments are the same', () => {
    for (const [name, id] of [
      ['vpc', /^Servicevpcpolicy/],
      ['environment_key', /^Serviceenvironmentkeypolicy/],
    ] as const) {
      const found = valuesOf(applied.made, 'aws_iam_role_policy', name);
      const [, made] = Object.entries(template.Resources).find(([one]) => id.test(one)) ?? [];
      assert.equal(found.length, listAt(made?.Properties, 'Roles').length, name);
      for (const one of found) {
        const document = JSON.parse(text(at(one, 'policy')));
        assert.deepEqual(normal(document), normal(at(made?.Properties, 'PolicyDocument')), name);
      }
    }
  });

  test('the load balancer is internal, with the same subnets, headers, logs and protection', () => {
    const [found, ...more] = valuesOf(applied.made, 'aws_lb');
    const [made] = ofType(template, 'AWS::ElasticLoadBalancingV2::LoadBalancer');
    assert.equal(more.length, 0);
    const attribute = (key: string) =>
      at(
        listAt(made, 'LoadBalancerAttributes').find((one) => at(one, 'Key') === key),
        'Value',
      );
    assert.deepEqual(
      [
        at(found, 'internal') ? 'internal' : 'internet-facing',
        at(found, 'load_balancer_type'),
        sorted(at(found, 'subnets')),
        text(at(found, 'drop_invalid_header_fields')),
        text(at(found, 'access_logs.0.enabled')),
        text(at(found, 'enable_deletion_protection')),
      ],
      [
        at(made, 'Scheme'),
        at(made, 'Type'),
        sorted(at(made, 'Subnets')),
        attribute('routing.http.drop_invalid_header_fields.enabled'),
        attribute('access_logs.s3.enabled'),
        attribute('deletion_protection.enabled'),
      ],
    );
  });

  test('listeners have the same ports, protocols, TLS and certificate, and forward', () => {
    const found = valuesOf(applied.made, 'aws_lb_listener').map((one) => [
      at(one, 'port'),
      at(one, 'protocol'),
      // moto gives one without TLS a policy, too.
      at(one, 'protocol') === 'HTTPS' ? at(one, 'ssl_policy') : undefined,
      maybe(one, 'certificate_arn') || undefined,
      at(one, 'default_action.0.type'),
    ]);
    const made = ofType(template, 'AWS::ElasticLoadBalancingV2::Listener').map((one) => [
      at(one, 'Port'),
      at(one, 'Protocol'),
      maybe(one, 'SslPolicy'),
      maybe(one, 'Certificates.0.CertificateArn'),
      at(one, 'DefaultActions.0.Type'),
    ]);
    assert.equal(found.length, 2);
    assert.deepEqual(found.toSorted(), made.toSorted());
  });

  test('the target is the SCEP function, with headers that may come twice, which it may invoke', () => {
    const [group] = valuesOf(applied.made, 'aws_lb_target_group');
    const [made] = ofType(template, 'AWS::ElasticLoadBalancingV2::TargetGroup');
    assert.equal(at(group, 'target_type'), at(made, 'TargetType'));
    assert.equal(
      text(at(group, 'lambda_multi_value_headers_enabled')),
      at(made, 'TargetGroupAttributes.0.Value'),
    );
    assert.match(text(at(made, 'Targets.0.Id.Fn::GetAtt.0')), /^Servicescepfunction/);
    const [target] = valuesOf(applied.made, 'aws_lb_target_group_attachment');
    assert.match(text(at(target, 'target_id')), /:function:scepter-scepter-scep$/);
    const [permission] = valuesOf(applied.made, 'aws_lambda_permission', 'alb');
    const [allowed] = ofType(template, 'AWS::Lambda::Permission').filter(
      (one) => at(one, 'Principal') === at(permission, 'principal'),
    );
    assert.equal(at(permission, 'action'), at(allowed, 'Action'));
    assert.equal(at(permission, 'function_name'), 'scepter-scepter-scep');
    assert.match(text(at(allowed, 'FunctionName.Fn::GetAtt.0')), /^Servicescepfunction/);
  });

  test('the same clients get in by the same ports, and nothing gets out', () => {
    const [found] = valuesOf(applied.made, 'aws_security_group');
    const [made] = ofType(template, 'AWS::EC2::SecurityGroup');
    assert.deepEqual(
      listAt(found, 'ingress')
        .flatMap((one) =>
          listAt(one, 'cidr_blocks').map(
            (block) => `${at(one, 'protocol')} ${at(one, 'to_port')} ${block}`,
          ),
        )
        .toSorted(),
      listAt(made, 'SecurityGroupIngress')
        .map((one) => `${at(one, 'IpProtocol')} ${at(one, 'ToPort')} ${at(one, 'CidrIp')}`)
        .toSorted(),
    );
    assert.deepEqual(at(found, 'vpc_id'), at(made, 'VpcId'));
    assert.deepEqual(at(found, 'egress'), []);
    assert.equal(at(made, 'SecurityGroupEgress.0.Description'), 'Disallow all traffic');
  });

  test('the web ACL is the one that is named, and answers of 5xx have the same alarm', () => {
    const [found] = valuesOf(applied.made, 'aws_wafv2_web_acl_association');
    const [made] = ofType(template, 'AWS::WAFv2::WebACLAssociation');
    assert.equal(at(found, 'web_acl_arn'), at(made, 'WebACLArn'));
    const alarms = valuesOf(applied.made, 'aws_cloudwatch_metric_alarm');
    const [counted] = alarms.filter((one) => text(at(one, 'alarm_name')).endsWith('-ServerErrors'));
    const [alarm] = ofType(template, 'AWS::CloudWatch::Alarm').filter((one) =>
      text(at(one, 'AlarmDescription')).endsWith('answers are 5xx'),
    );
    assert.deepEqual(
      [
        at(counted, 'namespace'),
        at(counted, 'metric_name'),
        Object.keys(at(counted, 'dimensions') as object),
      ],
      [at(alarm, 'Namespace'), at(alarm, 'MetricName'), [at(alarm, 'Dimensions.0.Name')]],
    );
    assert.equal(alarms.length, ofType(template, 'AWS::CloudWatch::Alarm').length);
  });

  test('the load balancer may write its logs below its own folder, and nobody else', () => {
    const [policy] = valuesOf(applied.made, 'aws_s3_bucket_policy', 'access_logs').map((one) =>
      JSON.parse(text(at(one, 'policy'))),
    );
    const [denied, allowed, ...more] = normal(policy);
    assert.equal(more.length, 0);
    assert.equal(maybe(denied, 'Effect'), 'Deny');
    assert.deepEqual(allowed?.Action, ['s3:PutObject']);
    assert.match(text(listAt(allowed, 'Resource')[0]), /\/AWSLogs\/111122223333\/\*$/);
    // The CDK names ELB's account of the region, AWS's older way for the same.
    assert.deepEqual(maybe(allowed, 'Principal'), {
      Service: 'logdelivery.elasticloadbalancing.amazonaws.com',
    });
  });

  test('the table has the class and the caps that are said, with every index', () => {
    // As Terraform asks for it: moto does not keep it.
    const table = applied.next.find(({ type }) => type === 'aws_dynamodb_table')?.change.after;
    const made = ofType(template, 'AWS::DynamoDB::GlobalTable')[0];
    assert.equal(at(table, 'table_class'), at(made, 'Replicas.0.TableClass'));
    const caps = (one: unknown) => [
      at(one, 'on_demand_throughput.0.max_read_request_units'),
      at(one, 'on_demand_throughput.0.max_write_request_units'),
    ];
    const [read, write] = [
      at(made, 'Replicas.0.ReadOnDemandThroughputSettings.MaxReadRequestUnits'),
      at(made, 'WriteOnDemandThroughputSettings.MaxWriteRequestUnits'),
    ];
    for (const one of [table, ...listAt(table, 'global_secondary_index')]) {
      assert.deepEqual(caps(one), [read, write]);
    }
  });

  test('everything that takes tags has the one that is said', () => {
    // An object has ten tags at most, and the CDK's has none.
    const tagged = applied.made.filter(
      ({ type, values }) => maybe(values, 'tags_all') !== undefined && type !== 'aws_s3_object',
    );
    assert.ok(tagged.length > 40);
    for (const { type, name, values } of tagged) {
      assert.equal(maybe(values, 'tags_all.team'), 'pki', `${type}.${name}`);
    }
  });

  test('the next plan wants nothing', () => assertEmpty(applied.next));

  test('infra/terraform/deployer.json allows every call that was made', () => {
    assert.deepEqual(notAllowed(applied.calls), []);
  });
});

describe('with names, certificates, packages and a web ACL that others look after', () => {
  const template = templateOf('elsewhere');
  let applied: Awaited<ReturnType<typeof apply>>;
  before(async () => {
    applied = await apply(inputs.elsewhere);
  });
  after(() => applied?.stop());

  test('functions come from the bucket, by the same names, signed', () => {
    const { packageBucket } = elsewhere.context;
    assert.deepEqual(madeFunctions(applied.made), functionsOf(template));
    const found = valuesOf(applied.made, 'aws_lambda_function').map((one) => [
      at(one, 's3_bucket'),
      at(one, 's3_key'),
    ]);
    const made = ofType(template, 'AWS::Lambda::Function')
      .filter((one) => maybe(one, 'Code.S3Bucket') === packageBucket)
      .map((one) => [at(one, 'Code.S3Bucket'), at(one, 'Code.S3Key')]);
    assert.equal(found.length, 4);
    assert.deepEqual(found.toSorted(), made.toSorted());
  });

  test('CloudFront has the name, the certificate and the web ACL, and none of these is made', () => {
    const [found] = valuesOf(applied.made, 'aws_cloudfront_distribution', 'this');
    const made = distributionOf(template);
    assert.deepEqual(
      [
        at(found, 'aliases'),
        at(found, 'viewer_certificate.0.acm_certificate_arn'),
        at(found, 'viewer_certificate.0.minimum_protocol_version'),
        at(found, 'web_acl_id'),
      ],
      [
        at(made, 'Aliases'),
        at(made, 'ViewerCertificate.AcmCertificateArn'),
        at(made, 'ViewerCertificate.MinimumProtocolVersion'),
        at(made, 'WebACLId'),
      ],
    );
    for (const [ours, theirs] of [
      ['AWS::WAFv2::WebACL', 'aws_wafv2_web_acl'],
      ['AWS::CertificateManager::Certificate', 'aws_acm_certificate'],
      ['AWS::Route53::RecordSet', 'aws_route53_record'],
      ['AWS::ApiGatewayV2::DomainName', 'aws_apigatewayv2_domain_name'],
    ] as const) {
      assert.deepEqual([ofType(template, ours), valuesOf(applied.made, theirs)], [[], []]);
    }
  });

  test('CloudFront reaches the API at its own address', () => {
    const [api] = valuesOf(applied.made, 'aws_apigatewayv2_api');
    const [made] = ofType(template, 'AWS::ApiGatewayV2::Api');
    assert.equal(at(api, 'disable_execute_api_endpoint'), at(made, 'DisableExecuteApiEndpoint'));
    assert.equal(at(made, 'DisableExecuteApiEndpoint'), false);
  });

  test('what CloudFront keeps of a CRL and says of it is made, and the next plan wants nothing', () => {
    const [cache] = valuesOf(applied.made, 'aws_cloudfront_cache_policy');
    const [made] = ofType(template, 'AWS::CloudFront::CachePolicy');
    assert.deepEqual(
      ['min_ttl', 'default_ttl', 'max_ttl'].map((name) => at(cache, name)),
      ['MinTTL', 'DefaultTTL', 'MaxTTL'].map((name) => at(made, `CachePolicyConfig.${name}`)),
    );
    for (const one of valuesOf(applied.made, 'aws_cloudfront_distribution')) {
      const crls = listAt(one, 'ordered_cache_behavior').find(
        (each) => at(each, 'path_pattern') === '/crl/*',
      );
      assert.equal(at(crls, 'cache_policy_id'), at(cache, 'id'));
    }
    assertEmpty(applied.next);
  });
});
