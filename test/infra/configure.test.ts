// npm run configure of infra/cloudflare: what it writes for a deployment, and what it refuses; and that wrangler takes
// the one and asks for the other.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ConfigDocument } from '../../lib/config/config.ts';
import { parseJsonc } from '../../lib/config/schema.ts';
import { installFolder, root } from '../support/installed.ts';
import { temporary } from '../support/process.ts';

const cloudflare = join(root, 'infra', 'cloudflare');
const example = (name: string): ConfigDocument =>
  parseJsonc(readFileSync(join(root, 'examples', `${name}.json`), 'utf8')) as ConfigDocument;
const minimal = { ...example('minimal'), publicUrl: 'https://scep.example.com' };

/** As the CDK names it. */
const reference = (document: ConfigDocument): string => {
  const text = JSON.stringify({ trustedProxies: 0, ...document });
  return `s3:configs/config/${createHash('sha256').update(text).digest('hex')}.json`;
};

type Made = {
  readonly document?: ConfigDocument;
  readonly outputs?: Readonly<Record<string, string>>;
  readonly own?: object;
};

/** The folder of a deployment. */
function deployment({ document = minimal, outputs = {}, own }: Made = {}): string {
  const folder = temporary('deployment');
  const write = (name: string, value: object): void =>
    writeFileSync(join(folder, name), `// A comment.\n${JSON.stringify(value)}`);
  const made = {
    Region: 'eu-west-1',
    Table: 'records',
    Files: 'files',
    Logs: 'logs',
    LogKey: 'arn:aws:kms:eu-west-1:111122223333:key/log',
    Deployment: 'scepter',
    SealingKey: 'arn:aws:kms:eu-west-1:111122223333:key/sealing',
    Config: reference(document),
    ...outputs,
  };
  writeFileSync(join(folder, 'out.json'), JSON.stringify({ ScepterWorker: made }));
  write('scepter.jsonc', document);
  if (own) write('wrangler.own.jsonc', own);
  return folder;
}

function configure(...args: readonly string[]): { readonly code: number | null; said: string } {
  const env = { ...process.env, INIT_CWD: root };
  const { status, stderr } = spawnSync(
    process.execPath,
    [join(cloudflare, 'configure.ts'), ...args],
    { encoding: 'utf8', env },
  );
  return { code: status, said: stderr };
}

function configured(made: Made = {}) {
  const folder = deployment(made);
  const { code, said } = configure(folder);
  assert.equal(code, 0, said);
  return JSON.parse(readFileSync(join(folder, 'wrangler.json'), 'utf8'));
}

test('a deployment has what all have, and its own variables, place, name and domain', () => {
  const { $schema: _, ...all } = parseJsonc(
    readFileSync(join(cloudflare, 'wrangler.jsonc'), 'utf8'),
  ) as { $schema: string; main: string };
  const its = configured();
  const { main, build, ratelimits, ...rest } = its;
  assert.partialDeepStrictEqual(all, {
    limits: rest.limits,
    triggers: rest.triggers,
    observability: rest.observability,
    secrets: rest.secrets,
  });
  assert.deepEqual(
    Object.keys(all).filter((name) => !(name in its)),
    [],
  );
  assert.match(main, /\/functions\/worker\.ts$/);
  assert.match(build.command, /^node ".*\/infra\/cloudflare\/configure\.ts" \. --check$/);
  assert.deepEqual(rest.vars, {
    AWS_REGION: 'eu-west-1',
    SCEPTER_TABLE: 'records',
    SCEPTER_FILES: 'files',
    SCEPTER_LOGS: 'logs',
    SCEPTER_LOG_KEY: 'arn:aws:kms:eu-west-1:111122223333:key/log',
    SCEPTER_DEPLOYMENT: 'scepter',
    SCEPTER_SEALING_KEY: 'arn:aws:kms:eu-west-1:111122223333:key/sealing',
    SCEPTER_CONFIG: reference(minimal),
    SCEPTER_PLAIN_HTTP: '0',
  });
  assert.deepEqual(rest.placement, { region: 'aws:eu-west-1' });
  assert.deepEqual(rest.routes, [{ pattern: 'scep.example.com', custom_domain: true }]);
  assert.equal(rest.workers_dev, false);
  assert.equal(rest.name, 'scepter');
  assert.match(ratelimits[0].namespace_id, /^[1-9]\d*$/);
});

test('two deployments have Workers of different names, and count floods apart', () => {
  const [one, other] = [configured(), configured({ outputs: { Deployment: 'staging' } })];
  assert.equal(other.name, 'scepter-staging');
  assert.notEqual(one.ratelimits[0].namespace_id, other.ratelimits[0].namespace_id);
});

test('the configuration says which domains, secrets and schemes there are', () => {
  const namesIn = ({ routes }: { routes: { pattern: string }[] }) =>
    routes.map(({ pattern }) => pattern);
  const adminHost = 'admin.example.com:443';
  const admin = configured({ document: { ...minimal, adminHost } });
  assert.deepEqual(namesIn(admin), ['scep.example.com', 'admin.example.com']);
  const shared = { ...minimal, publicUrl: 'https://scepter.me.workers.dev', adminHost };
  const both = configured({ document: shared });
  assert.deepEqual([namesIn(both), both.workers_dev], [['admin.example.com'], true]);
  for (const publicUrl of ['https://scepter.me.workers.dev', 'https://not-known-yet.invalid']) {
    const { routes, workers_dev } = configured({ document: { ...minimal, publicUrl } });
    assert.deepEqual([routes, workers_dev], [undefined, undefined], publicUrl);
  }
  const cameras = configured({ document: example('static-challenge-and-approval') });
  assert.ok(cameras.secrets.required.includes('CAMERA_CHALLENGE'));
  const mdm = configured({ document: example('mdm-challenges') });
  for (const name of ['WORKSPACE_ONE', 'JAMF']) assert.ok(mdm.secrets.required.includes(name));
  // Its publicUrl is http.
  assert.equal(cameras.vars.SCEPTER_PLAIN_HTTP, '1');
});

test('a Worker with a role is told of it, and has a certificate in place of an access key', () => {
  const role = {
    WorkerRole: 'arn:aws:iam::111122223333:role/worker',
    WorkerProfile: 'arn:aws:rolesanywhere:eu-west-1:111122223333:profile/1',
    TrustAnchor: 'arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/1',
  };
  const { vars, secrets } = configured({ outputs: role });
  assert.deepEqual(secrets.required, [
    'SCEPTER_ADMIN_TOKEN',
    'ROLES_ANYWHERE_CERTIFICATE',
    'ROLES_ANYWHERE_KEY',
  ]);
  assert.partialDeepStrictEqual(vars, {
    ROLES_ANYWHERE_ROLE: role.WorkerRole,
    ROLES_ANYWHERE_PROFILE: role.WorkerProfile,
    ROLES_ANYWHERE_TRUST_ANCHOR: role.TrustAnchor,
  });
});

test('what stands in wrangler.own.jsonc takes the place of what is written', () => {
  const { logpush, limits } = configured({ own: { logpush: true, limits: { cpu_ms: 5000 } } });
  assert.deepEqual([logpush, limits], [true, { cpu_ms: 5000 }]);
});

const bad = { ...minimal, endpoints: { default: { ca: 'other' } } };
const refused: readonly (readonly [title: string, folder: () => string, said: RegExp])[] = [
  [
    'a configuration that is wrong',
    () => deployment({ document: bad }),
    /"other" is not defined[\s\S]*scepter\.jsonc is not valid, and nothing is deployed with it$/m,
  ],
  [
    'a configuration that is not at AWS',
    () => deployment({ outputs: { Config: reference(bad) } }),
    /^configure: scepter\.jsonc is not the configuration at AWS, which is s3:.*: deploy the AWS side first$/m,
  ],
  [
    'outputs of another stack',
    () => deployment({ outputs: { Config: '', SealingKey: '' } }),
    /out\.json has no Config: is it of bin\/worker\.ts\?$/m,
  ],
  ['no outputs', () => temporary('deployment'), /out\.json is not there$/m],
];
for (const [title, folder, said] of refused) {
  test(`${title} is refused`, () => {
    const ran = configure(folder());
    assert.equal(ran.code, 1);
    assert.match(ran.said, said);
  });
}

test('no folder, and two, are refused', () => {
  for (const args of [[], ['a', 'b']]) assert.match(configure(...args).said, /name one folder/);
});

test('wrangler takes what was written, and refuses it once the configuration is another', async () => {
  await installFolder('infra/cloudflare');
  const folder = deployment();
  assert.equal(configure(folder).code, 0);
  const dryRun = () =>
    spawnSync(
      process.execPath,
      [
        join(cloudflare, 'node_modules', 'wrangler', 'bin', 'wrangler.js'),
        ...['--cwd', folder, 'deploy', '--dry-run'],
      ],
      {
        encoding: 'utf8',
        env: {
          ...process.env,
          ...{ CI: 'true', NO_COLOR: '1', WRANGLER_SEND_METRICS: 'false' },
          WRANGLER_LOG_PATH: temporary('wrangler'),
        },
      },
    );
  const good = dryRun();
  assert.equal(good.status, 0, good.stdout + good.stderr);
  assert.match(good.stdout, /--dry-run: exiting now/);
  const document = { ...minimal, publicUrl: 'https://other.example.com' };
  writeFileSync(join(folder, 'scepter.jsonc'), JSON.stringify(document));
  const { status, stdout, stderr } = dryRun();
  assert.equal(status, 1);
  assert.match(stdout + stderr, /scepter\.jsonc is not the configuration at AWS/);
});

test('a new static challenge whose secret the Worker does not ask for is refused before a deployment', () => {
  const folder = deployment();
  assert.equal(configure(folder).code, 0);
  const document = example('static-challenge-and-approval');
  const path = join(folder, 'wrangler.json');
  const { vars, ...rest } = JSON.parse(readFileSync(path, 'utf8'));
  writeFileSync(path, JSON.stringify({ ...rest, vars: { SCEPTER_CONFIG: reference(document) } }));
  writeFileSync(join(folder, 'scepter.jsonc'), JSON.stringify(document));
  const { code, said } = configure(folder, '--check');
  assert.equal(code, 1);
  assert.match(said, /does not ask for the secret CAMERA_CHALLENGE: run configure again$/m);
});
