// wrangler, where the real one would change an account of Cloudflare's: it takes no option that the real one does not
// have; what it would upload the real one bundles, with all that it checks before; and the account on this machine
// has the rest.

import { spawnSync } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { helpOf } from './help.ts';

type Options = NonNullable<NonNullable<Parameters<typeof parseArgs>[0]>['options']>;

/** Verbs, and how many words may stand behind each. */
const verbs: Readonly<Record<string, readonly number[]>> = {
  login: [0],
  deploy: [0],
  delete: [0],
  'secret bulk': [0],
  'secret put': [1],
};

function optionsIn(help: string): Options {
  const options: Options = {};
  for (const part of help.split(/^(?= +(?:-\w, +)?--[\w-]+)/m)) {
    const [, short, name = ''] = /^ +(?:-(\w), +)?--([\w-]+)/.exec(part) ?? [];
    if (name === '') continue;
    const type = part.includes('[boolean]') ? ('boolean' as const) : ('string' as const);
    options[name] = { type, ...(short ? { short } : {}), multiple: part.includes('[array]') };
  }
  return options;
}

/** @param program of the real wrangler */
export async function wrangler(program: string, words: readonly string[]): Promise<void> {
  const fail = (sentence: string): never => {
    process.stderr.write(`wrangler: ${sentence}\n`);
    process.exit(1);
  };
  const [flag, cwd = '', ...rest] = words;
  if (flag !== '--cwd') fail('a guide says --cwd first, and so which deployment it is about');
  const verb = rest.slice(0, rest[0] === 'secret' ? 2 : 1).join(' ');
  const places = verbs[verb] ?? fail(`${verb}: no guide of ours does that`);
  const asked = rest.slice(verb.split(' ').length);
  const real = (...args: readonly string[]): string => {
    const env = { ...process.env, CI: 'true', NO_COLOR: '1', WRANGLER_SEND_METRICS: 'false' };
    const options = { encoding: 'utf8', env: { ...env, CLOUDFLARE_API_TOKEN: '' } } as const;
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], options);
    return status === 0 ? stdout : fail(`${args.join(' ')}: ${stdout}${stderr}`);
  };
  const help = helpOf('infra/cloudflare', [verb], () => real(...verb.split(' '), '--help'));
  const options = optionsIn(help);
  // An unknown option ends this.
  const { positionals } = parseArgs({ args: [...asked], options, allowPositionals: true });
  if (!places.includes(positionals.length)) fail(`${verb}: ${positionals.join(' ')}`);

  const tell = async (what: string, body: unknown): Promise<string> => {
    const url = `${process.env.AWS_ENDPOINT_URL}/cloudflare/${what}`;
    const response = await fetch(url, { method: 'POST', body: JSON.stringify(body) });
    const said = await response.text();
    return response.ok ? said : fail(said);
  };
  if (verb === 'deploy') {
    const said = real('--cwd', cwd, 'deploy', '--dry-run', ...asked);
    if (!said.includes('--dry-run: exiting now')) fail(said);
    const { name, vars, secrets } = JSON.parse(readFileSync(join(cwd, 'wrangler.json'), 'utf8'));
    const url = await tell('deploy', { vars, required: secrets.required });
    process.stdout.write(`Deployed ${name} triggers\n  ${url}\n`);
    const file = process.env.WRANGLER_OUTPUT_FILE_PATH;
    const entry = { type: 'deploy', version: 1, worker_name: name, targets: [url] };
    if (file) appendFileSync(file, `${JSON.stringify(entry)}\n`);
  }
  if (verb === 'delete') await tell('delete', {});
  if (verb === 'secret bulk') await tell('secrets', JSON.parse(await text(process.stdin)));
  if (verb === 'secret put') {
    await tell('secrets', { [positionals[0] ?? '']: (await text(process.stdin)).trim() });
  }
}
