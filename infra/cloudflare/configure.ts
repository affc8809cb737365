// npm run configure -- FOLDER [--check]: writes FOLDER/wrangler.json, what wrangler deploys of one deployment, from
// wrangler.jsonc here, the outputs of its AWS side (FOLDER/out.json) and its configuration (FOLDER/scepter.jsonc).
// A configuration that this release finds wrong, or that is not the one at AWS, is refused; wrangler asks again,
// by --check, before it bundles the Worker, and must be run in FOLDER for that (`wrangler --cwd FOLDER`). The keys of
// FOLDER/wrangler.own.jsonc, where that is, take the place of those written here.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import { parseArgs } from 'node:util';
import { type ConfigDocument, checkConfig } from '../../lib/config/config.ts';
import { everySecret } from '../../lib/config/endpoint/endpoint.ts';
import { validatorSecrets } from '../../lib/config/outside/validators.ts';
import { parseJsonc } from '../../lib/config/schema.ts';
import { variableOf } from '../../lib/config/secret.ts';

const repository = join(import.meta.dirname, '..', '..');

type Outputs = Readonly<Record<string, string>>;
type Wrangler = {
  readonly vars: Readonly<Record<string, string>>;
  readonly secrets: { readonly required: readonly string[] };
  readonly ratelimits: readonly { readonly namespace_id: string }[];
};

function fail(sentence: string): never {
  process.stderr.write(`configure: ${sentence}\n`);
  process.exit(1);
}

function read<T>(path: string): T {
  if (!existsSync(path)) fail(`${path} is not there`);
  try {
    return parseJsonc(readFileSync(path, 'utf8')) as T;
  } catch (error) {
    return fail(`${path} is no JSON: ${error instanceof Error ? error.message : error}`);
  }
}

/** @returns the document, which this release has found valid */
function validated(folder: string): ConfigDocument {
  const path = join(folder, 'scepter.jsonc');
  const document = read<ConfigDocument>(path);
  const args = [join(repository, 'bin', 'scepter.js'), 'config', 'validate', path];
  const { status } = spawnSync(process.execPath, args, { stdio: ['ignore', 2, 2] });
  return status === 0 ? document : fail(`${path} is not valid, and nothing is deployed with it`);
}

/** @param reference `s3:BUCKET/config/SHA256.json`, of what the CDK puts there: `configText` in infra/cdk */
function requireSame(document: ConfigDocument, reference: string): void {
  const text = JSON.stringify({ trustedProxies: 0, ...document });
  const digest = createHash('sha256').update(text).digest('hex');
  if (reference.endsWith(`/${digest}.json`)) return;
  fail(
    `scepter.jsonc is not the configuration at AWS, which is ${reference}: deploy the AWS side first`,
  );
}

/** What the configuration refers to: static challenges, pages and hooks for MDMs, validators outside. */
function secretsOf(document: ConfigDocument): string[] {
  const { endpoints, validators } = checkConfig(document);
  const uses = [
    ...[...endpoints.values()].flatMap(everySecret),
    ...[...validators.values()].flatMap(validatorSecrets),
  ];
  return uses.map(({ reference }) => variableOf(reference));
}

/** A name of one's own, and neither Cloudflare's nor none yet. */
const isOwn = (hostname: string): boolean =>
  /\./.test(hostname) && !/\.(?:workers\.dev|invalid)$|^[\d.]+$/.test(hostname);

/** Custom domains, where devices have one; Cloudflare's own name is closed then. */
function domainsOf({ publicUrl, adminHost }: ConfigDocument): object {
  const admin = adminHost === undefined ? [] : [`https://${adminHost}`];
  const hosts = [publicUrl, ...admin].map((url) => new URL(url).hostname).filter(isOwn);
  if (hosts.length === 0) return {};
  const routes = hosts.map((pattern) => ({ pattern, custom_domain: true }));
  return { routes, workers_dev: !isOwn(new URL(publicUrl).hostname) };
}

/** Counters of one number count together: each deployment of an account has its own. */
const counterOf = (deployment: string): string =>
  String(createHash('sha256').update(deployment).digest().readUInt32BE() || 1);

/** Secrets in place of an access key, where the Worker has a role. */
const ofRole = ['ROLES_ANYWHERE_CERTIFICATE', 'ROLES_ANYWHERE_KEY'];

const posix = (path: string): string => path.split(sep).join('/');

function configured(folder: string): object {
  const [outputs = fail(`${join(folder, 'out.json')} has no outputs`)] = Object.values(
    read<Readonly<Record<string, Outputs>>>(join(folder, 'out.json')),
  );
  const out = (name: string): string =>
    outputs[name] || fail(`${join(folder, 'out.json')} has no ${name}: is it of bin/worker.ts?`);
  const document = validated(folder);
  requireSame(document, out('Config'));
  const base = read<Wrangler>(join(import.meta.dirname, 'wrangler.jsonc'));
  const deployment = out('Deployment');
  const own = join(folder, 'wrangler.own.jsonc');
  const isRole = 'WorkerRole' in outputs;
  const required = isRole
    ? [...base.secrets.required.filter((name) => !/^AWS_/.test(name)), ...ofRole]
    : base.secrets.required;
  const here = posix(relative(folder, repository));
  return {
    ...base,
    $schema: `${here}/infra/cloudflare/node_modules/wrangler/config-schema.json`,
    name: deployment === 'scepter' ? deployment : `scepter-${deployment}`,
    main: `${here}/functions/worker.ts`,
    build: { command: `node "${here}/infra/cloudflare/configure.ts" . --check` },
    ...domainsOf(document),
    vars: {
      ...base.vars,
      AWS_REGION: out('Region'),
      SCEPTER_TABLE: out('Table'),
      SCEPTER_FILES: out('Files'),
      SCEPTER_LOGS: out('Logs'),
      SCEPTER_LOG_KEY: out('LogKey'),
      SCEPTER_DEPLOYMENT: deployment,
      SCEPTER_SEALING_KEY: out('SealingKey'),
      SCEPTER_CONFIG: out('Config'),
      ...(isRole
        ? {
            ROLES_ANYWHERE_ROLE: out('WorkerRole'),
            ROLES_ANYWHERE_PROFILE: out('WorkerProfile'),
            ROLES_ANYWHERE_TRUST_ANCHOR: out('TrustAnchor'),
          }
        : {}),
      // What certificates point to by plain http is answered by plain http.
      SCEPTER_PLAIN_HTTP: document.publicUrl.startsWith('http:') ? '1' : '0',
    },
    secrets: { required: [...new Set([...required, ...secretsOf(document)])] },
    ratelimits: base.ratelimits.map((one) => ({ ...one, namespace_id: counterOf(deployment) })),
    placement: { region: `aws:${out('Region')}` },
    ...(existsSync(own) ? read<object>(own) : {}),
  };
}

/** Of what was written, what decides which configuration the Worker takes. */
function check(folder: string): void {
  const { vars, secrets } = read<Wrangler>(join(folder, 'wrangler.json'));
  const document = validated(folder);
  requireSame(document, vars.SCEPTER_CONFIG ?? '');
  const missing = secretsOf(document).filter((name) => !secrets.required.includes(name));
  if (missing.length > 0) {
    fail(`wrangler.json does not ask for the secret ${missing.join(', ')}: run configure again`);
  }
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { check: { type: 'boolean' } },
});
const [named, ...more] = positionals;
if (named === undefined || more.length > 0) fail('name one folder: npm run configure -- FOLDER');
// npm runs a script in the folder of its package, and says where it was called.
const folder = resolve(process.env.INIT_CWD ?? '.', named);
if (values.check) check(resolve(named));
else {
  const path = join(folder, 'wrangler.json');
  writeFileSync(path, `${JSON.stringify(configured(folder), null, 2)}\n`);
  process.stdout.write(`wrote ${path}\n`);
}
