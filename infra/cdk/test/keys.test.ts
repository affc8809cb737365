// The policies of keys and of functions.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Template } from 'aws-cdk-lib/assertions';
import {
  MAX_CAS,
  type PolicyName,
  type PolicyValues,
  renderPolicy,
} from '../lib/backend/policies.ts';
import { KEYS_A_RULE, keyCalls } from '../lib/watch/key-events.ts';
import {
  account,
  example,
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
      // CRLs and certificates of CAs, which a bucket of their own has.
      if (Sid === 'WriteFiles') continue;
      // Files of the logs, whose bucket locks what it is given.
      if (Sid === 'KeepLogs' || Sid === 'RemoveWhatIsStagedAndPartial') continue;
      // Network interfaces, which the functions' own code may not make.
      if (Sid === 'NetworkInterfaces') continue;
      for (const action of listOf(Action)) {
        const where = `${name}: ${at} ${action}`;
        if (action.startsWith('kms:')) assert.doesNotMatch(action, administering, where);
        else
          assert.match(
            action,
            /^(dynamodb:(?!Create|Update[^I]|DeleteT)|s3:(?:Get|ListBucket$)|secretsmanager:Get|logs:|xray:)/,
            where,
          );
      }
    }
  }
});

test('a key named for logs encrypts each of them', () => {
  const [, template] = cases.find(([name]) => name.includes('of the logs')) ?? assert.fail();
  const groups = resourcesOf(template, 'AWS::Logs::LogGroup');
  assert.equal(groups.length, 7);
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

/** The most that a role has of IAM, in characters without white space, with the longest names. */
function charactersOf(...policies: readonly (readonly [PolicyName, PolicyValues])[]): number {
  return policies
    .map(([name, values]) => JSON.stringify(renderPolicy(name, values).toJSON()).length)
    .reduce((sum, one) => sum + one, 0);
}

function valuesFor(cas: number): PolicyValues {
  const arn = (service: string, rest: string) =>
    `arn:aws-us-gov:${service}:ap-southeast-1:${account}:${rest}`;
  const key = (n: number) => arn('kms', `key/${String(n).padStart(36, '0')}`);
  return {
    Deployment: 'd'.repeat(32),
    TableArn: arn('dynamodb', `table/${'t'.repeat(100)}`),
    CaKeyArns: Array.from({ length: cas }, (_, n) => key(n)),
    CaSigningAlgorithms: ['RSASSA_PKCS1_V1_5_SHA_256', 'ECDSA_SHA_256', 'ECDSA_SHA_384'],
    SealingKeyArn: key(cas),
    ConfigObjects: `arn:aws-us-gov:s3:::${'b'.repeat(63)}/config/*`,
    FilesBucketArn: `arn:aws-us-gov:s3:::${'f'.repeat(63)}`,
    LogBucketArn: `arn:aws-us-gov:s3:::${'l'.repeat(63)}`,
    LogKeyArn: key(cas + 1),
    LogGroupStreams: arn('logs', `log-group:${'l'.repeat(100)}:*`),
    TableKeyArn: key(cas),
    Region: 'ap-southeast-1',
    SecretArns: Array.from({ length: 6 }, (_, n) =>
      arn('secretsmanager', `secret:${n}${'s'.repeat(40)}`),
    ),
    EnvironmentKeyArn: key(cas),
  };
}

test('a role holds the keys of as many CAs as a deployment may have, and not of ten more', () => {
  const rolesWith = (cas: number): Record<string, number> => {
    const values = valuesFor(cas);
    const of = (...names: PolicyName[]) =>
      charactersOf(...names.map((name) => [name, values] as const));
    return {
      scep: of('scep', 'read-logs', 'table-key', 'secrets', 'vpc', 'environment-key'),
      maintenance: of('maintenance', 'table-key', 'vpc', 'environment-key'),
      operator: of('operator', 'read-logs', 'table-key'),
    };
  };
  for (const [role, characters] of Object.entries(rolesWith(MAX_CAS))) {
    assert.ok(characters <= 10_240, `${role}: ${characters}`);
  }
  assert.ok(Math.max(...Object.values(rolesWith(MAX_CAS + 10))) > 10_240);
  for (const name of ['worker', 'worker-keys', 'worker-logs'] as const) {
    assert.ok(charactersOf([name, valuesFor(MAX_CAS)]) <= 6144, name);
  }
});

test('a deployment with more CAs than that is refused with a sentence, by both', () => {
  const cas = (count: number) => ({
    ...example('minimal'),
    cas: Object.fromEntries(
      ['default', ...Array.from({ length: count - 1 }, (_, n) => `ca-${n}`)].map((name) => [
        name,
        { subject: `CN=${name}` },
      ]),
    ),
  });
  const template = templateOf({ config: cas(MAX_CAS) });
  assert.equal(resourcesOf(template, 'AWS::KMS::Key').length, MAX_CAS + 2);
  // Each rule has as many keys as its pattern takes.
  const rules = resourcesOf(template, 'AWS::Events::Rule').filter(
    ([, one]) => one.Properties.EventPattern,
  );
  assert.equal(rules.length, Math.ceil((MAX_CAS + 2) / KEYS_A_RULE));
  assert.throws(() => make({ config: cas(MAX_CAS + 1) }), {
    message: `config.cas: has ${MAX_CAS + 1} CAs, and the policy of a role holds the keys of ${MAX_CAS} (IAM gives a role 10,240 characters): divide them among deployments`,
  });
  const hcl = readFileSync(join(root, 'infra', 'terraform', 'variables.tf'), 'utf8');
  assert.match(
    hcl,
    new RegExp(`document\\.cas\\), 0\\) <= ${MAX_CAS}\\n.*"config: has more than ${MAX_CAS} CAs`),
  );
});

const ends = [
  'kms:DisableKey',
  'kms:ReplicateKey',
  'kms:ScheduleKeyDeletion',
  'kms:UpdatePrimaryRegion',
];

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

test('no principal may disable, delete or replicate a key, not even the account, unless a break-glass role is named', () => {
  assert.deepEqual(denials(templateOf()), denied('nobody'));
});

test('keys can be replicated, unless a deployment says that they stay', () => {
  const kinds = (template: Template) =>
    resourcesOf(template, 'AWS::KMS::Key').map(([, { Properties }]) => Properties.MultiRegion);
  assert.deepEqual(kinds(templateOf()), [true, true, true]);
  assert.deepEqual(kinds(templateOf({ multiRegionKeys: false })), [false, false, false]);
});

test('only a named break-glass role may disable, delete and replicate keys', () => {
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

test('only the SCEP function, maintenance and the operator sign with a CA key, and only digests; the sequencer with that of the logs', () => {
  const signing = statementsOf(templateOf()).filter(({ Action }) =>
    listOf(Action).includes('kms:Sign'),
  );
  const statements = signing.filter(({ Effect }) => Effect === 'Allow');
  for (const { at, Condition } of statements) {
    // A role's policy has the keys once, and denies what they are not for.
    const denied = signing.filter((one) => one.at === at && one.Effect === 'Deny');
    const said: Record<string, string | string[]> =
      Condition !== undefined
        ? Object(Condition).StringEquals
        : Object.assign({}, ...denied.map((one) => Object(one.Condition).StringNotEquals));
    const { 'kms:MessageType': message, 'kms:SigningAlgorithm': algorithm = [] } = said;
    const ofLogs = /LogKey|sequencer/.test(at);
    const wanted = ofLogs ? 'ECDSA_SHA_256' : 'RSASSA_PKCS1_V1_5_SHA_256';
    assert.deepEqual([message, listOf(algorithm)], ['DIGEST', [wanted]], at);
    // One condition each, because all of a statement must hold for it to deny.
    for (const { Resource, Condition: one } of denied) {
      assert.deepEqual([Resource, Object.keys(Object(one).StringNotEquals).length], ['*', 1], at);
    }
  }
  const where = statements.map(({ at }) => at.replace(/[0-9A-F]{8}$/, '')).toSorted();
  assert.deepEqual(where, [
    'ServiceCaKeydefault',
    'ServiceLogKey',
    'Servicemaintenancepolicy',
    'Serviceoperatorpolicy',
    'Servicesceppolicy',
    'Servicesequencerpolicy',
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
  const purposes = ['challenge', 'pending', 'approval', 'evidence', 'gate', 'record', 'registry'];
  const macs = purposes.map((purpose) => `mac-${purpose}`);
  const records = macs.slice(-2);
  assert.deepEqual(uses, [
    ['CaKeydefault', 'SignDigests', 'scep,maintenance,operator', undefined],
    ['CaKeydefault', 'ReadPublicKey', 'scep,maintenance,operator', undefined],
    ['SealingKey', 'OpenRaAndMacKeys', 'scep', ['ra', ...macs]],
    [
      'SealingKey',
      'OpenMacKeys',
      'admin',
      macs.filter((mac) => mac !== 'mac-pending' && mac !== 'mac-gate'),
    ],
    ['SealingKey', 'OpenRecordMacKeys', 'maintenance,sequencer,operator', records],
    ['SealingKey', 'OpenGateMacKeys', 'maintenance', 'mac-gate'],
    ['SealingKey', 'MakeRaKeys', 'operator', 'ra'],
    ['SealingKey', 'MakeMacKeys', 'operator', macs],
    ['LogKey', 'SignCheckpoints', 'sequencer', undefined],
    ['LogKey', 'ReadPublicKey', 'scep,admin,sequencer,operator', undefined],
  ]);
});

test('a function may do what its policy file says and nothing else', () => {
  for (const [name, template] of cases) {
    const ours = resourcesOf(template, 'AWS::IAM::Role').filter(([id]) => id.startsWith('Service'));
    for (const [id, { Properties }] of ours) {
      if (id.includes('backuprole')) continue;
      assert.equal(Properties.ManagedPolicyArns, undefined, `${name}: ${id}`);
      assert.equal(Properties.Policies, undefined, `${name}: ${id}`);
    }
    const policies = resourcesOf(template, 'AWS::IAM::Policy').filter(
      ([id]) => !id.includes('CustomResourcePolicy'),
    );
    const hasSecret = resourcesOf(template, 'AWS::SecretsManager::Secret').length > 0;
    assert.equal(policies.length, hasSecret ? 7 : 6, name);
    for (const [id, { Properties }] of policies) {
      const [, named = ''] = /Service(\w+?)policy/.exec(id) ?? [];
      const file = (named === 'readlogs' ? 'read-logs' : named) as PolicyName;
      const document = renderPolicy(file, {
        SecretArns: ['x'],
        Deployment: 'scepter',
        TableArn: 'x',
        CaKeyArns: ['x'],
        CaSigningAlgorithms: ['x'],
        SealingKeyArn: 'x',
        ConfigObjects: 'x',
        FilesBucketArn: 'x',
        LogBucketArn: 'x',
        LogKeyArn: 'x',
        StreamArn: 'x',
        LogGroupStreams: 'x',
      }).toJSON() as { Statement: { Sid: string; Action: unknown }[] };
      const said = (statements: readonly { Sid?: string; Action: unknown }[]) =>
        statements.map(({ Sid, Action }) => [Sid, Action]);
      const made = (Properties.PolicyDocument as typeof document).Statement;
      assert.deepEqual(said(made), said(document.Statement), `${name}: ${id}`);
      assert.equal((Properties.Roles as unknown[]).length, file === 'read-logs' ? 3 : 1);
    }
  }
});

test('no policy has a wildcard for actions, nor for resources but those of X-Ray, networks, files, logs and configurations', () => {
  for (const [name, template] of cases) {
    for (const { at, type, Sid, Effect, Action, Resource } of statementsOf(template)) {
      // A bucket's policy denies what comes without TLS, a role's to sign what the keys of CAs are not for.
      if (Effect === 'Deny' && type !== 'AWS::KMS::Key') continue;
      for (const action of listOf(Action)) assert.doesNotMatch(action, /\*/, `${name}: ${at}`);
      // In a key's policy this is the key.
      if (type === 'AWS::KMS::Key' || Sid === 'Trace' || Resource === undefined) continue;
      // Lambda's network interfaces have no names yet; a load balancer's logs are named by it.
      if (at.startsWith('Servicevpcpolicy')) continue;
      // What CloudFront may read of the bucket of files.
      if (at.startsWith('ServiceFilesPolicy')) continue;
      if (at.startsWith('ServiceAccessLogsPolicy')) {
        const log = /"\/AWSLogs\/111122223333\/\*"\]\]\}$|^[^*]+$/;
        assert.match(JSON.stringify(Resource), log);
        continue;
      }
      if (Sid === 'ReadFiles' || Sid === 'WriteFiles') {
        const files = /(?:"\/\*"|"\/(?:crl|aia)\/\*")\]\]\}/;
        assert.match(JSON.stringify(Resource), files, `${name}: ${at}`);
        continue;
      }
      if (/^(?:ReadLogs|KeepLogs|RemoveWhatIsStagedAndPartial)$/.test(Sid ?? '')) {
        assert.match(JSON.stringify(Resource), /"\/log\/\*/, `${name}: ${at}`);
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
