// The policies of keys and of functions.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Template } from 'aws-cdk-lib/assertions';
import { KEYS_A_RULE, keyCalls } from '../lib/key-events.ts';
import { renderPolicy } from '../lib/policies.ts';
import {
  account,
  listOf,
  make,
  resourcesOf,
  root,
  statementsOf,
  templateOf,
  variants,
} from './support.ts';

const cases = Object.entries(variants).map(
  ([name, props]) => [name, Template.fromStack(make(props).stack)] as const,
);

const using =
  /:(Sign|Decrypt|Encrypt|ReEncrypt\w*|GenerateDataKey\w*|CreateGrant|DeriveSharedSecret|GenerateMac)$/;
const administering = /:(Put|Create|Delete|Disable|Enable|Schedule|Cancel|Update|Tag|Untag|Revoke)/;

test("a key's administrators cannot use it, its users not administer it", () => {
  let seen = 0;
  for (const { at, type, Sid, Effect, Action } of statementsOf(templateOf())) {
    if (type !== 'AWS::KMS::Key' || Effect !== 'Allow') continue;
    const actions = listOf(Action);
    const uses = actions.filter((action) => using.test(action));
    const administers = actions.filter((action) => administering.test(action));
    assert.ok(uses.length === 0 || administers.length === 0, `${at} ${Sid}`);
    assert.equal(administers.length > 0, Sid === 'Administer', `${at} ${Sid}`);
    seen += 1;
  }
  assert.ok(seen >= 10);
});

// By default a key's policy leaves its administration to the account's IAM policies.
test('no role that is made here may administer a key, change the configuration or the roles', () => {
  for (const [name, template] of cases) {
    for (const { at, type, Sid, Effect, Action } of statementsOf(template)) {
      if (!/^AWS::IAM::(Managed)?Policy$/.test(type) || Effect !== 'Allow') continue;
      // A deployment puts its configuration there, under a name that was not there.
      if (Sid === 'PutConfiguration') continue;
      // Network interfaces, which the functions' own code may not make.
      if (Sid === 'NetworkInterfaces') continue;
      for (const action of listOf(Action)) {
        const where = `${name}: ${at} ${action}`;
        if (action.startsWith('kms:')) assert.doesNotMatch(action, administering, where);
        else
          assert.match(
            action,
            /^(dynamodb:(?!Create|Update[^I]|DeleteT)|s3:Get|logs:|xray:)/,
            where,
          );
      }
    }
  }
});

test('a key named for logs encrypts each of them', () => {
  const [, template] = cases.find(([name]) => name.includes('of the logs')) ?? assert.fail();
  const groups = resourcesOf(template, 'AWS::Logs::LogGroup');
  assert.equal(groups.length, 6);
  for (const [id, { Properties }] of groups) assert.ok(Properties.KmsKeyId, id);
});

test('a pattern of EventBridge takes as many keys as a rule has, and Terraform as many in each', () => {
  const hcl = readFileSync(join(root, 'infra', 'terraform', 'key-events.tf'), 'utf8');
  const [, size] = /chunklist\(local\.key_names, (\d+)\)/.exec(hcl) ?? [];
  assert.equal(Number(size), KEYS_A_RULE);
  const longest = `arn:aws-us-gov:kms:ap-southeast-1:${account}:key/${'0'.repeat(36)}`;
  const pattern = {
    source: ['aws.kms'],
    'detail-type': ['AWS API Call via CloudTrail'],
    detail: {
      eventName: keyCalls,
      resources: { ARN: Array.from({ length: KEYS_A_RULE }, () => longest) },
    },
  };
  assert.ok(JSON.stringify(pattern).length <= 2048);
});

const ends = ['kms:DisableKey', 'kms:ScheduleKeyDeletion'];

const breakGlass = `arn:aws:iam::${account}:role/break-glass`;

/** What is left for anybody but the role that a key's policy names, whoever allows it. */
const denials = (template: Template) =>
  statementsOf(template)
    .filter(({ type, Effect }) => type === 'AWS::KMS::Key' && Effect === 'Deny')
    .map(({ Action, Principal, Condition }) => [Action, Principal, Condition]);

const denied = (except: string) =>
  Array.from({ length: 3 }, () => [
    ends,
    { AWS: '*' },
    { StringNotEquals: { 'aws:PrincipalArn': except } },
  ]);

test('no principal may disable or delete a key, not even the account, unless a break-glass role is named', () => {
  assert.deepEqual(denials(templateOf()), denied('nobody'));
});

test('only a named break-glass role may disable and delete keys', () => {
  const template = templateOf({ breakGlassRoleArn: breakGlass });
  assert.deepEqual(denials(template), denied(breakGlass));
  const administer = statementsOf(template).filter(({ Sid }) => Sid === 'Administer');
  assert.equal(administer.length, 3);
  for (const { Principal } of administer) {
    const { AWS: principals } = Principal as { AWS: unknown[] };
    assert.deepEqual(principals.at(-1), breakGlass);
  }
});

test('named administrators take the place of the account', () => {
  const arn = `arn:aws:iam::${account}:role/security`;
  for (const { Sid, Principal } of statementsOf(templateOf({ keyAdministrators: [arn] }))) {
    if (Sid === 'Administer') assert.deepEqual(Principal, { AWS: arn });
  }
});

test('only the SCEP function, maintenance and the operator sign with a CA key, and only digests', () => {
  const statements = statementsOf(templateOf()).filter(
    ({ Effect, Action }) => Effect === 'Allow' && listOf(Action).includes('kms:Sign'),
  );
  for (const { at, Condition } of statements) {
    const { StringEquals } = Condition as { StringEquals: Record<string, string | string[]> };
    const { 'kms:MessageType': type, 'kms:SigningAlgorithm': algorithm = [] } = StringEquals;
    assert.deepEqual([type, listOf(algorithm)], ['DIGEST', ['RSASSA_PKCS1_V1_5_SHA_256']], at);
  }
  const where = statements.map(({ at }) => at.replace(/[0-9A-F]{8}$/, '')).toSorted();
  assert.deepEqual(where, [
    'ServiceCaKeydefault',
    'Servicemaintenancepolicy',
    'Serviceoperatorpolicy',
    'Servicesceppolicy',
  ]);
});

test("which roles a key's own policy lets use it, and for what", () => {
  const uses = statementsOf(templateOf())
    .filter(({ type, Effect, Sid }) => type === 'AWS::KMS::Key' && Effect === 'Allow' && Sid)
    .filter(({ Sid }) => !['Administer', 'Look'].includes(Sid ?? ''))
    .map(({ at, Sid, Principal, Condition }) => [
      at.replace(/^Service|[0-9A-F]{8}$/g, ''),
      Sid,
      [...JSON.stringify(Principal).matchAll(/Service(\w+?)role/g)].map(([, role]) => role).join(),
      Object(Condition).StringEquals?.['kms:EncryptionContext:purpose'],
    ]);
  const macs = ['mac-challenge', 'mac-pending', 'mac-approval', 'mac-record', 'mac-registry'];
  const records = macs.slice(-2);
  assert.deepEqual(uses, [
    ['CaKeydefault', 'SignDigests', 'scep,maintenance,operator', undefined],
    ['CaKeydefault', 'ReadPublicKey', 'scep,maintenance,operator', undefined],
    ['SealingKey', 'OpenRaAndMacKeys', 'scep', ['ra', ...macs]],
    ['SealingKey', 'OpenMacKeys', 'admin', ['mac-challenge', 'mac-approval', ...records]],
    ['SealingKey', 'OpenRecordMacKeys', 'maintenance,operator', records],
    ['SealingKey', 'MakeRaKeys', 'operator', 'ra'],
    ['SealingKey', 'MakeMacKeys', 'operator', macs],
  ]);
});

test('a function may do what its policy file says and nothing else', () => {
  for (const [name, template] of cases) {
    const ours = resourcesOf(template, 'AWS::IAM::Role').filter(([id]) => id.startsWith('Service'));
    for (const [id, { Properties }] of ours) {
      assert.equal(Properties.ManagedPolicyArns, undefined, `${name}: ${id}`);
      assert.equal(Properties.Policies, undefined, `${name}: ${id}`);
    }
    const policies = resourcesOf(template, 'AWS::IAM::Policy').filter(
      ([id]) => !id.includes('CustomResourcePolicy'),
    );
    assert.equal(policies.length, 3, name);
    for (const [id, { Properties }] of policies) {
      const [, file = ''] = /Service(scep|admin|maintenance)policy/.exec(id) ?? [];
      const document = renderPolicy(file as 'scep' | 'admin' | 'maintenance', {
        Deployment: 'scepter',
        TableArn: 'x',
        CaKeyArns: ['x'],
        CaSigningAlgorithms: ['x'],
        SealingKeyArn: 'x',
        ConfigObjects: 'x',
        LogGroupStreams: 'x',
      }).toJSON() as { Statement: { Sid: string; Action: unknown }[] };
      const said = (statements: readonly { Sid?: string; Action: unknown }[]) =>
        statements.map(({ Sid, Action }) => [Sid, Action]);
      const made = (Properties.PolicyDocument as typeof document).Statement;
      assert.deepEqual(said(made), said(document.Statement), `${name}: ${id}`);
      assert.equal((Properties.Roles as unknown[]).length, 1);
    }
  }
});

test('no policy has a wildcard for actions, nor for resources but those of X-Ray, networks, logs and configurations', () => {
  for (const [name, template] of cases) {
    for (const { at, type, Sid, Effect, Action, Resource } of statementsOf(template)) {
      // A bucket's policy denies what comes without TLS.
      if (Effect === 'Deny' && type === 'AWS::S3::BucketPolicy') continue;
      for (const action of listOf(Action)) assert.doesNotMatch(action, /\*/, `${name}: ${at}`);
      // In a key's policy this is the key.
      if (type === 'AWS::KMS::Key' || Sid === 'Trace' || Resource === undefined) continue;
      // Lambda's network interfaces have no names yet; a load balancer's logs are named by it.
      if (at.startsWith('Servicevpcpolicy')) continue;
      if (at.startsWith('ServiceAccessLogsPolicy')) {
        const log = /"\/AWSLogs\/111122223333\/\*"\]\]\}$|^[^*]+$/;
        assert.match(JSON.stringify(Resource), log);
        continue;
      }
      if (Sid === 'ReadConfiguration') {
        assert.match(
          JSON.stringify(Resource),
          /^\{"Fn::Join":.*"\/config\/\*"\]\]\}$/,
          `${name}: ${at}`,
        );
        continue;
      }
      assert.doesNotMatch(JSON.stringify(Resource), /\*/, `${name}: ${at} ${Sid}`);
    }
  }
});
