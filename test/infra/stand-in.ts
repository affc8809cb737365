// What a guide's reader has on the PATH, where the real thing would change an account: it takes no option that the
// real tool does not have, has the real tool do all that needs no account, and asks `account.ts` for the rest.
//   node stand-in.ts aws|npm|npx|terraform ...

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../support/installed.ts';
import { helpOf } from './help.ts';
import { wrangler } from './stand-in-wrangler.ts';

const [tool = '', ...args] = process.argv.slice(2);
const cwd = process.cwd();
/** The copy of the repository that the guide is about. */
const copy = process.env.GUIDE_COPY ?? '';
/** Where the real tools are. */
const PATH = (process.env.PATH ?? '')
  .split(':')
  .filter((folder) => folder !== process.env.GUIDE_TOOLS)
  .join(':');

function fail(sentence: string): never {
  process.stderr.write(`${tool}: ${sentence}\n`);
  process.exit(1);
}

const { GUIDE_ONLY_SYNTH: isOnlySynth } = process.env;
/** What is deployed, CloudFormation has judged as one of `contexts.ts`; what is only synthesised, it judges here. */
const judged = isOnlySynth ? {} : { CDK_VALIDATION: 'false' };
const quiet = { CDK_DISABLE_CLI_TELEMETRY: '1', CI: 'true', NO_COLOR: '1', ...judged };

function real(command: string, words: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, words, {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    env: { ...process.env, ...quiet, PATH },
  });
  if (status !== 0) fail(`${error?.message ?? ''}${stdout}${stderr}`);
  return stdout;
}

/** `npm --prefix FOLDER run wrangler -- ...`; undefined: something else. */
function wranglerIn(): Promise<void> | undefined {
  const end = args.indexOf('--');
  const [, prefix, ...own] = args.slice(0, Math.max(end, 0));
  if (prefix !== join(copy, 'infra', 'cloudflare') || own.at(-1) !== 'wrangler') return undefined;
  return wrangler(
    join(prefix, 'node_modules', 'wrangler', 'bin', 'wrangler.js'),
    args.slice(end + 1),
  );
}

/** The tool of that name. @returns its code */
function itself(more: Readonly<Record<string, string>> = {}): number {
  const env = { ...process.env, PATH, ...more };
  return spawnSync(tool, args, { env, stdio: 'inherit' }).status ?? 1;
}

/**
 * `npm ci`, of a lock file whose packages have been installed for this suite, and `npm run release`, which has a test
 * of its own; all else is npm itself.
 */
function npm(): Promise<void> | undefined {
  const asked = wranglerIn();
  if (asked) return asked;
  if (args.join(' ') === 'run release' && cwd === copy) return undefined;
  const [, prefix = '.'] = /^(?:--prefix (\S+) )?ci$/.exec(args.join(' ')) ?? [];
  if (args.at(-1) !== 'ci') process.exit(itself());
  const folder = resolve(cwd, prefix);
  const installed = join(root, relative(copy, folder));
  const [lock, ours] = [folder, installed].map((at) => readFileSync(join(at, 'package-lock.json')));
  if (!lock?.equals(ours ?? Buffer.alloc(0))) fail('ci: these packages are not installed');
  const packages = join(folder, 'node_modules');
  if (!existsSync(packages)) symlinkSync(join(installed, 'node_modules'), packages);
  return undefined;
}

/** `npx`: of what a folder has installed. */
function npx(): Promise<void> {
  const [name, ...words] = args;
  if (name !== 'cdk') fail(`${name}: no guide of ours has npx fetch a package`);
  const program = join(cwd, 'node_modules', '.bin', 'cdk');
  if (!existsSync(program)) fail('cdk is not installed in this folder');
  return cdk(program, words);
}

const verbs = ['bootstrap', 'deploy', 'destroy'];

async function cdk(program: string, words: readonly string[]): Promise<void> {
  const [verb = ''] = words;
  if (!verbs.includes(verb)) fail(`${verb}: a guide deploys, and no more`);
  const help = helpOf('infra/cdk', [verb], () => real(program, [verb, '--help']));
  const options = Object.fromEntries(
    help
      .split(/^ {2}--/m)
      .slice(1)
      .map((text) => {
        const [, name = '', short] = /^([\w-]+)(?:, -(\w))?/.exec(text) ?? [];
        const isFlag = /\[(?:boolean|count)\]/.test(text);
        const type = isFlag ? ('boolean' as const) : ('string' as const);
        return [name, { ...(short ? { short } : {}), type, multiple: text.includes('[array]') }];
      }),
  );
  // An unknown option ends this.
  const { values } = parseArgs({ args: words.slice(1), options, allowPositionals: false });
  const context = (values.context as readonly string[] | undefined) ?? [];
  const app = values.app as string | undefined;
  const template = synthesised(program, app, context);
  if (verb !== 'deploy' || isOnlySynth) return;
  const made = JSON.parse(await ask('deploy', JSON.stringify(template))) as Readonly<
    Record<string, string>
  >;
  const [, stack = ''] = /([\w-]+)\.template\.json$/.exec(template) ?? [];
  const { Outputs } = JSON.parse(readFileSync(template, 'utf8'));
  const outputs = Object.keys(Outputs).map((name) => {
    return [name, made[name] ?? fail(`nothing is known of the output ${name}`)] as const;
  });
  for (const [name, value] of outputs) process.stdout.write(`${stack}.${name} = ${value}\n`);
  const file = values['outputs-file'] as string | undefined;
  if (file) writeFileSync(file, JSON.stringify({ [stack]: Object.fromEntries(outputs) }));
}

/** By the real tool, once for the same context. @returns the path of the template */
function synthesised(program: string, app = '', context: readonly string[]): string {
  const files = context
    .filter((one) => one.startsWith('config='))
    .map((one) => readFileSync(one.slice('config='.length), 'utf8'));
  const about = JSON.stringify([cwd, app, context, files, process.env.AWS_REGION]);
  const kept = join(copy, '.synthesised');
  const folder = join(kept, createHash('sha256').update(about).digest('hex').slice(0, 16));
  if (!existsSync(folder)) {
    mkdirSync(kept, { recursive: true });
    const options = [...(app ? ['--app', app] : []), ...context.flatMap((one) => ['-c', one])];
    real(program, ['synth', '--quiet', '--output', `${folder}.new`, ...options]);
    renameSync(`${folder}.new`, folder);
  }
  const [template = ''] = readdirSync(folder).filter((name) => name.endsWith('.template.json'));
  return join(folder, template);
}

/** The AWS CLI of PyPI is the first, which does not have this of the second. */
function aws(): void {
  if (args.join(' ') !== 'configure export-credentials --format env') process.exit(itself());
  for (const name of ['aws_access_key_id', 'aws_secret_access_key']) {
    const value = real('aws', ['configure', 'get', name]);
    process.stdout.write(`export ${name.toUpperCase()}=${value}`);
  }
}

async function ask(what: string, body?: string): Promise<string> {
  const response = await fetch(`${process.env.AWS_ENDPOINT_URL}/${what}`, {
    method: 'POST',
    ...(body === undefined ? {} : { body }),
  });
  const said = await response.text();
  if (!response.ok) fail(said);
  return said;
}

/** Terraform itself, in the account of `module.py`; whoever is asked there says yes. */
async function terraform(): Promise<void> {
  const url = await ask('terraform');
  const code = itself({
    AWS_ENDPOINT_URL: url,
    AWS_ENDPOINT_URL_S3: url,
    TF_CLI_ARGS_apply: '-auto-approve',
    TF_CLI_ARGS_destroy: '-auto-approve',
  });
  if (code !== 0) process.exit(code);
  if (args.includes('apply') && !isOnlySynth) await ask('applied');
}

const tools: Readonly<Record<string, () => unknown>> = { aws, npm, npx, terraform };
const asked = tools[tool];
if (!asked) fail('is no tool of a guide');
await asked();
