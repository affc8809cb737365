// The AWS side of a Worker: the same as for the Lambda functions, with one user that has all their
// permissions.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Key } from 'aws-cdk-lib/aws-kms';
import { backendSettings } from '../lib/context/settings.ts';
import type { BackendProps } from '../lib/props.ts';
import { makeWorkerStack } from '../lib/quick-start.ts';
import {
  account,
  configOf,
  example,
  listOf,
  make,
  makeBackend,
  type Resource,
  resourcesOf,
  type Statement,
  stackOf,
  statementsOf,
  templateOf,
} from './support.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const template = Template.fromStack(makeBackend().stack);
const service = templateOf();

type PolicyFile = { readonly Statement: readonly Statement[] };
const fileOf = (name: string): PolicyFile =>
  JSON.parse(readFileSync(join(root, 'infra', 'policies', `${name}.json`), 'utf8'));

/** What is allowed, an action and a resource a line; with `condition` also when. */
const granted = ({ Statement }: PolicyFile, condition: (of: Statement) => string): string[] =>
  Statement.filter(({ Effect }) => Effect === 'Allow').flatMap((statement) =>
    listOf(statement.Action).flatMap((action) =>
      listOf(statement.Resource as string | string[]).map(
        (resource) => `${action} ${resource}${condition(statement)}`,
      ),
    ),
  );

/** A managed policy has 6,144 characters at most, so the Worker's user has several. */
const ofWorker = (): PolicyFile => ({
  Statement: ['worker', 'worker-logs', 'worker-keys'].flatMap((name) => fileOf(name).Statement),
});

const linesOf = ({ Statement }: PolicyFile) =>
  Statement.map(({ Sid, Effect, Action }) => [Sid, Effect, listOf(Action)]);

/** Of several policies, the longest first. */
function together(policies: readonly (readonly [string, Resource])[]): PolicyFile {
  assert.equal(policies.length, 3);
  return {
    Statement: policies
      .map(([, one]) => one.Properties.PolicyDocument as PolicyFile)
      .toSorted((a, b) => b.Statement.length - a.Statement.length)
      .flatMap(({ Statement }) => Statement),
  };
}

test("the Worker's policies are what the functions may do together, but for Lambda's logs, traces and streams", () => {
  const files = ['scep', 'admin', 'maintenance', 'sequencer', 'read-logs'];
  const functions = files.map(fileOf);
  // Whoever opens all purposes opens those that the admin function does. Which kinds of records each writes
  // is asked by test/dynamodb/permissions.test.ts.
  const when = ({ Action, Condition }: Statement): string =>
    listOf(Action).some((action) => /^(kms:Decrypt|dynamodb:\w+Item)$/.test(action))
      ? ''
      : JSON.stringify(Condition ?? {});
  // The list of what waits is one of those that the Worker may ask for.
  const lines = (files: readonly PolicyFile[]) =>
    new Set(
      files
        .flatMap((file) => granted(file, when))
        .filter((line) => !/^(logs|xray):|StreamArn|places\{"ForAll/.test(line)),
    );
  const worker = ofWorker();
  assert.deepEqual([...lines([worker])].toSorted(), [...lines(functions)].toSorted());
  const decrypts = ({ Statement }: PolicyFile) =>
    Statement.filter(({ Action }) => listOf(Action).includes('kms:Decrypt')).map(
      ({ Condition }) => Condition,
    );
  assert.deepEqual(decrypts(worker), decrypts(fileOf('scep')));
  // It signs as the logs do, too.
  const denies = ({ Statement }: PolicyFile) =>
    Statement.filter(({ Effect, Sid }) => Effect === 'Deny' && !Sid?.startsWith('SignAs'));
  for (const name of ['scep', 'maintenance']) {
    assert.deepEqual(denies(worker), denies(fileOf(name)), name);
  }
});

test('the user may do what worker.json, worker-keys.json and worker-logs.json say and nothing else, and no access key is in the template', () => {
  const [[id, { Properties }] = assert.fail('no user'), ...more] = resourcesOf(
    template,
    'AWS::IAM::User',
  );
  assert.equal(more.length, 0);
  assert.equal(Properties, undefined, 'no policy in line, no password, no group');
  for (const type of ['AWS::IAM::AccessKey', 'AWS::IAM::UserToGroupAddition']) {
    template.resourceCountIs(type, 0);
  }
  const attached = resourcesOf(template, 'AWS::IAM::ManagedPolicy').filter(([, one]) =>
    JSON.stringify(one.Properties.Users ?? []).includes(id),
  );
  assert.deepEqual(linesOf(together(attached)), linesOf(ofWorker()));
});

test('the rendered policies stay within the limits of IAM', () => {
  const { stack } = makeBackend({ config: example('two-cas-and-approval') });
  const policies = resourcesOf(Template.fromStack(stack), 'AWS::IAM::ManagedPolicy');
  assert.equal(policies.length, 3);
  for (const [id, { Properties }] of policies) {
    // With references in it, which are longer than what takes their place.
    assert.ok(JSON.stringify(Properties.PolicyDocument).length < 6144, id);
  }
});

test("in the keys' policies the user stands once where the functions' roles do", () => {
  const [[user] = assert.fail('no user')] = resourcesOf(template, 'AWS::IAM::User');
  const [[operator] = assert.fail('no operator')] = resourcesOf(template, 'AWS::IAM::Role');
  const name = (principal: unknown): string => {
    const text = JSON.stringify(principal);
    return text.includes(user) ? 'user' : text.includes(operator) ? 'operator' : text;
  };
  const who = statementsOf(template)
    .filter(({ type, Effect, Sid }) => type === 'AWS::KMS::Key' && Effect === 'Allow' && Sid)
    .filter(({ Sid }) => Sid !== 'Administer')
    .map(({ at, Sid, Principal }) => [
      at.replace(/[0-9A-F]{8}$/, ''),
      Sid,
      listOf((Principal as { AWS: unknown }).AWS).map(name),
    ]);
  assert.deepEqual(who, [
    ['BackendCaKeydefault', 'SignDigests', ['user', 'operator']],
    ['BackendCaKeydefault', 'ReadPublicKey', ['user', 'operator']],
    ['BackendCaKeydefault', 'Look', ['operator']],
    ['BackendSealingKey', 'OpenRaAndMacKeys', ['user']],
    ['BackendSealingKey', 'OpenMacKeys', ['user']],
    ['BackendSealingKey', 'OpenRecordMacKeys', ['user', 'operator']],
    ['BackendSealingKey', 'OpenGateMacKeys', ['user']],
    ['BackendSealingKey', 'MakeRaKeys', ['operator']],
    ['BackendSealingKey', 'MakeMacKeys', ['operator']],
    ['BackendSealingKey', 'Look', ['operator']],
    ['BackendLogKey', 'SignCheckpoints', ['user']],
    ['BackendLogKey', 'ReadPublicKey', ['user', 'operator']],
  ]);
});

test('table, keys, operator and configuration are those of a deployment on Lambda', () => {
  const same: Readonly<Record<string, readonly string[]>> = {
    'AWS::DynamoDB::GlobalTable': [],
    'AWS::KMS::Key': ['KeyPolicy'],
    'AWS::KMS::Alias': ['TargetKeyId'],
    'AWS::IAM::Role': [],
    'AWS::S3::Bucket': [],
  };
  for (const [type, but] of Object.entries(same)) {
    const of = (from: Template) =>
      resourcesOf(from, type)
        .filter(([id]) => type !== 'AWS::IAM::Role' || id.includes('operator'))
        .filter(([id]) => !id.includes('AccessLogs'))
        .map(([, { Properties, ...rest }]) => ({
          ...rest,
          Properties: Object.entries(Properties).filter(([name]) => !but.includes(name)),
        }));
    assert.deepEqual(of(template), of(service), type);
    assert.ok(of(template).length > 0, type);
  }
  // There CloudFront writes the client's address.
  assert.equal(JSON.parse(configOf(template).text).trustedProxies, 0);
});

test('no policy has a wildcard for actions, nor for resources but configurations and files', () => {
  for (const { at, type, Sid, Effect, Action, Resource } of statementsOf(template)) {
    // Not to sign what the keys of CAs are not for.
    if (type !== 'AWS::KMS::Key' && Effect === 'Deny' && Resource === '*') continue;
    // A bucket's policy denies what comes without TLS, and says of which objects.
    const ofObjects = [
      ...['ReadConfiguration', 'ReadFiles', 'WriteFiles'],
      ...['ReadLogs', 'KeepLogs', 'RemoveWhatIsStagedAndPartial'],
    ].includes(String(Sid));
    if (type === 'AWS::S3::BucketPolicy' || ofObjects) continue;
    for (const action of listOf(Action)) assert.doesNotMatch(action, /\*/, at);
    // In a key's policy this is the key.
    if (type === 'AWS::KMS::Key' || Resource === undefined) continue;
    assert.doesNotMatch(JSON.stringify(Resource), /\*/, `${at} ${Sid}`);
  }
});

test('a table and keys that exist are used, and none are made', () => {
  const stack = stackOf();
  const key = (id: string) =>
    Key.fromKeyArn(stack, id, `arn:aws:kms:us-east-1:${account}:key/${id}`);
  const { backend } = makeBackend(
    {
      table: TableV2.fromTableName(stack, 'Existing', 'records'),
      caKeys: { default: key('ca') },
      sealingKey: key('sealing'),
      logKey: key('log'),
    },
    stack,
  );
  const made = Template.fromStack(stack);
  for (const type of ['AWS::DynamoDB::GlobalTable', 'AWS::KMS::Key']) made.resourceCountIs(type, 0);
  assert.equal(backend.table.tableName, 'records');
  const signs = statementsOf(made).filter(
    ({ Action, Effect }) => Effect === 'Allow' && listOf(Action).includes('kms:Sign'),
  );
  const keys = signs.flatMap(({ Resource }) => listOf(Resource));
  const arn = `arn:aws:kms:us-east-1:${account}:key/`;
  assert.deepEqual(keys.toSorted(), [`${arn}ca`, `${arn}ca`, `${arn}log`]);
});

const config = join(root, 'examples', 'minimal.json');
const good = { region: 'eu-central-1', account, config };

test('the outputs have every variable of wrangler.jsonc that a deployment fills in, and what the guide uses', () => {
  const stack = makeWorkerStack(new App({ context: good }), {});
  const outputs = Template.fromStack(stack).findOutputs('*') as Record<
    string,
    { Value: unknown; Description: string }
  >;
  assert.deepEqual(Object.keys(outputs), [
    'Region',
    'Table',
    'Files',
    'Logs',
    'LogKey',
    'Deployment',
    'SealingKey',
    'Config',
    'WorkerUser',
    'OperatorRole',
    'CaKeydefault',
  ]);
  const wrangler = readFileSync(join(root, 'infra', 'cloudflare', 'wrangler.jsonc'), 'utf8');
  const [, vars = ''] = /"vars": \{(.*?)\n {2}\}/s.exec(wrangler) ?? [];
  const names = [...vars.matchAll(/^ +"(\w+)": /gm)].map(([, name]) => name);
  const named = Object.values(outputs).flatMap(({ Description }) =>
    [...Description.matchAll(/^(\w+) of the Worker$/g)].map(([, name]) => name),
  );
  assert.deepEqual(named.toSorted(), names.filter((n) => n !== 'SCEPTER_PLAIN_HTTP').toSorted());
  assert.equal(outputs.Region?.Value, 'eu-central-1');
  assert.match(
    JSON.stringify(outputs.Config?.Value),
    /"s3:",\{"Ref":"BackendConfigs\w+"\},"\/config\/[0-9a-f]{64}\.json"/,
  );
});

test('the guide has every setting of the app, and no other', () => {
  const guide = readFileSync(join(root, 'docs', 'deploy-workers.md'), 'utf8');
  const [, table = ''] = /^\| `-c` \|.*?\n\|.*?\n(.*?)\n\n/ms.exec(guide) ?? [];
  const named = table.split('\n').flatMap((row) => {
    const [, first = ''] = row.split('|');
    return [...first.matchAll(/`(\w+)`/g)].map(([, name]) => name);
  });
  assert.deepEqual(named.toSorted(), backendSettings.toSorted());
  // That of the heartbeat is an app of its own.
  const ofBackend = guide.replace(/\n### Heartbeat\n.*?(?=\n##)/s, '');
  for (const [, name = ''] of ofBackend.matchAll(/ -c (\w+)=/g)) {
    assert.ok(named.includes(name), name);
  }
});

const authority = (() => {
  const folder = mkdtempSync(join(tmpdir(), 'scepter-anchor-'));
  after(() => rmSync(folder, { recursive: true }));
  const [key, file] = [join(folder, 'key.pem'), join(folder, 'ca.pem')];
  spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
    ...['-subj', '/CN=Worker CA', '-keyout', key, '-out', file],
  ]);
  return { file, pem: readFileSync(file, 'utf8') };
})();

test('with a trust anchor there is a role for its certificate alone, which may do what the user may, and no user', () => {
  const { stack, backend } = makeBackend({ trustAnchor: authority.pem, deployment: 'staging' });
  const made = Template.fromStack(stack);
  made.resourceCountIs('AWS::IAM::User', 0);
  assert.ok('role' in backend.identity);
  const [[anchor] = assert.fail('no anchor')] = resourcesOf(
    made,
    'AWS::RolesAnywhere::TrustAnchor',
  );
  const roles = resourcesOf(made, 'AWS::IAM::Role');
  const [role = '', { Properties } = assert.fail('no role')] =
    roles.find(([id]) => id.includes('workerrole')) ?? [];
  const { Statement } = Properties.AssumeRolePolicyDocument as PolicyFile;
  assert.deepEqual(Statement.flatMap(({ Action }) => listOf(Action)).toSorted(), [
    'sts:AssumeRole',
    'sts:SetSourceIdentity',
    'sts:TagSession',
  ]);
  for (const { Condition, Principal } of Statement) {
    assert.deepEqual(Principal, { Service: 'rolesanywhere.amazonaws.com' });
    assert.deepEqual(Condition, {
      StringEquals: { 'aws:PrincipalTag/x509Subject/CN': 'scepter-staging' },
      ArnEquals: { 'aws:SourceArn': { 'Fn::GetAtt': [anchor, 'TrustAnchorArn'] } },
    });
  }
  const [[, profile] = assert.fail('no profile')] = resourcesOf(
    made,
    'AWS::RolesAnywhere::Profile',
  );
  assert.deepEqual(profile.Properties.RoleArns, [{ 'Fn::GetAtt': [role, 'Arn'] }]);
  const policies = resourcesOf(made, 'AWS::IAM::ManagedPolicy').filter(([, one]) =>
    JSON.stringify(one.Properties.Roles ?? []).includes(role),
  );
  assert.deepEqual(linesOf(together(policies)), linesOf(ofWorker()));
  const key = statementsOf(made).find(({ Sid }) => Sid === 'SignDigests');
  assert.ok(JSON.stringify(key?.Principal).includes(role));
});

test('the outputs of a stack with a trust anchor are what configure wants', () => {
  const context = { ...good, trustAnchor: authority.file };
  const outputs = Template.fromStack(makeWorkerStack(new App({ context }), {})).findOutputs('*');
  for (const name of ['WorkerRole', 'WorkerProfile', 'TrustAnchor', 'WorkerName']) {
    assert.ok(name in outputs, name);
  }
  assert.ok(!('WorkerUser' in outputs));
  assert.equal(outputs.WorkerName?.Value, 'scepter-scepter');
});

test('the user and the operator may use the key of a table with its own, through DynamoDB only', () => {
  const arn = 'arn:aws:kms:us-east-1:111122223333:key/table';
  const stack = stackOf();
  makeBackend({ tableKey: Key.fromKeyArn(stack, 'TableKey', arn) }, stack);
  const made = Template.fromStack(stack);
  const policies = resourcesOf(made, 'AWS::IAM::ManagedPolicy');
  const [id, { Properties }] =
    policies.find(([id]) => /tablekeypolicy/.test(id)) ?? assert.fail('no policy');
  assert.equal((Properties.Users as unknown[]).length, 1);
  assert.equal((Properties.Roles as unknown[]).length, 1);
  const [statement] = statementsOf(made).filter(({ at }) => at === id);
  assert.equal(statement?.Resource, arn);
  assert.deepEqual(statement?.Condition, {
    StringEquals: { 'kms:ViaService': 'dynamodb.us-east-1.amazonaws.com' },
  });
});

const bad = (props: object): Partial<BackendProps> => props;
const cases: readonly (readonly [sentence: RegExp, props: Partial<BackendProps>])[] = [
  [/^config: must be Scepter's configuration document$/, bad({ config: 'a.json' })],
  [/^publicUrl: .*must be an http/, { config: { ...example('minimal'), publicUrl: 'x' } }],
  [/^deployment: must be 1 to 32 lower case .* not "A b"$/, { deployment: 'A b' }],
  [
    /^maxWriteRequestUnits: must be a whole number from 50 to 40000, not 1$/,
    { maxWriteRequestUnits: 1 },
  ],
  [/^breakGlassRoleArn: must be the ARN of a role, not "admin"$/, { breakGlassRoleArn: 'admin' }],
  [/^operators\[0\]: must be the ARN of a role or user, not "\*"$/, { operators: ['*'] }],
];

for (const [message, props] of cases) {
  test(`a prop is refused with a sentence: ${message.source.slice(1, 60)}`, () => {
    assert.throws(() => makeBackend(props), { message });
  });
}

test('a static challenge needs no secret at AWS: the Worker has it from Cloudflare', () => {
  const props = { config: example('static-challenge-and-approval') };
  assert.throws(() => make(props), { message: /^secrets\.CAMERA_CHALLENGE: / });
  makeBackend(props);
});

const said: readonly (readonly [sentence: string, context: Readonly<Record<string, string>>])[] = [
  ['region: is missing: -c region=..., the AWS region; that of the credentials by default', {}],
  [
    "config: is missing: -c config=..., path of Scepter's configuration",
    { region: 'eu-central-1' },
  ],
  ['config: there is no file nowhere.json', { ...good, config: 'nowhere.json' }],
  ['deletionProtection: must be true or false, not "no"', { ...good, deletionProtection: 'no' }],
  ['maxWriteRequestUnits: must be a number, not "many"', { ...good, maxWriteRequestUnits: 'many' }],
  [
    'ingress: is not a setting; these are: account, region, config, deployment, breakGlassRoleArn, multiRegionKeys, keysTrustRoleNames, caKeys, sealingKeyArn, logKeyArn, logLockMode, logLockDays, keyAdministrators, operators, maxWriteRequestUnits, maxReadRequestUnits, tableClass, deletionProtection, backupRetentionDays, backupLock, backupLockChangeableForDays, backupCopyToVaultArn, backupVaultKeyArn, alarmTopicArn, tableName, tags, permissionsBoundaryArn, rolePath, warmReadRequestUnits, warmWriteRequestUnits, trustAnchor',
    { ...good, ingress: 'httpApi' },
  ],
];

for (const [message, context] of said) {
  test(`a context is refused with a sentence: ${message.slice(0, 60)}`, () => {
    assert.throws(() => makeWorkerStack(new App({ context }), {}), { message });
  });
}

const outdir = mkdtempSync(join(tmpdir(), 'scepter-cdk-worker-'));

test('two CAs whose names differ by a hyphen only are refused, because their outputs would have one name', () => {
  const minimal = example('minimal');
  const cas = { 'a-b': { subject: 'CN=One' }, ab: { subject: 'CN=Two' } };
  const config = join(outdir, 'hyphens.json');
  writeFileSync(config, JSON.stringify({ ...minimal, cas, endpoints: { default: { ca: 'ab' } } }));
  assert.throws(() => makeWorkerStack(new App({ context: { ...good, config } }), {}), {
    message: 'config.cas: two of them would be the output CaKeyab: rename "ab"',
  });
  rmSync(config);
});
after(() => rmSync(outdir, { recursive: true, force: true }));

test('the app refuses with the sentence and leaves no template, or synthesises offline', () => {
  const run = (context: Readonly<Record<string, string>>) => {
    const { CDK_DEFAULT_REGION: _, ...env } = process.env;
    const file = join(root, 'infra', 'cdk', 'bin', 'worker.ts');
    const { status, stderr } = spawnSync(process.execPath, [file], {
      encoding: 'utf8',
      env: { ...env, CDK_OUTDIR: outdir, CDK_CONTEXT_JSON: JSON.stringify(context) },
    });
    return { status, stderr };
  };
  const stderr = 'config: there is no file nowhere.json\n';
  assert.deepEqual(run({ ...good, config: 'nowhere.json' }), { status: 1, stderr });
  assert.deepEqual(readdirSync(outdir), []);
  assert.deepEqual(run(good), { status: 0, stderr: '' });
  // A second deployment is a stack of its own, and never takes the place of the first.
  assert.equal(run({ ...good, deployment: 'plant-2' }).status, 0);
  const made = readdirSync(outdir).filter((file) => file.endsWith('.template.json'));
  assert.deepEqual(made.toSorted(), [
    'ScepterWorker-plant-2.template.json',
    'ScepterWorker.template.json',
  ]);
});
