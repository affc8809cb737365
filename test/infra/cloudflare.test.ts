// What infra/cloudflare and its guide say fits: scripts, settings, secrets, places; and wrangler takes it, on
// the Node that npm gives to scripts there, whichever the system's is.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { installFolder, root } from '../support/installed.ts';
import { temporary } from '../support/process.ts';

const folder = join(root, 'infra', 'cloudflare');
const text = (...path: string[]): string => readFileSync(join(root, ...path), 'utf8');
const guide = text('docs', 'deploy-workers.md');
const wrangler = text('infra', 'cloudflare', 'wrangler.jsonc');
const example = text('infra', 'cloudflare', '.dev.vars.example');
const { scripts } = JSON.parse(text('infra', 'cloudflare', 'package.json')) as {
  scripts: Readonly<Record<string, string>>;
};

/** The names in a block of wrangler.jsonc. */
function namesIn(block: RegExp, name: RegExp): string[] {
  const [, found] = block.exec(wrangler) ?? assert.fail(String(block));
  return [...(found ?? '').matchAll(name)].map(([, one]) => one ?? '');
}
const required = namesIn(/"required": \[(.*?)\]/s, /"(\w+)"/g);
const vars = namesIn(/"vars": \{(.*?)\n {2}\}/s, /^ +"(\w+)": /gm);

test('the example of local secrets has every secret, and otherwise only settings of wrangler', () => {
  const names = [...example.matchAll(/^(\w+)=/gm)].map(([, name]) => name ?? '');
  assert.deepEqual(
    required.filter((name) => !names.includes(name)),
    [],
  );
  for (const name of names) assert.ok([...required, ...vars].includes(name), name);
  const [, config = ''] = /^SCEPTER_CONFIG='(.*)'$/m.exec(example) ?? [];
  assert.equal(JSON.parse(config).publicUrl, 'http://127.0.0.1:8787');
  const ignored = spawnSync('git', ['check-ignore', 'infra/cloudflare/.dev.vars'], { cwd: root });
  assert.equal(ignored.status, 0, 'what is made of it is never committed');
});

test('wrangler.jsonc has no secret as a variable, and places the Worker near its table', () => {
  for (const name of required) assert.ok(!vars.includes(name), name);
  const [, region] = /"AWS_REGION": "(.+?)"/.exec(wrangler) ?? [];
  const [, place] = /"placement": \{ "region": "aws:(.+?)" \}/.exec(wrangler) ?? [];
  assert.ok(region);
  assert.equal(place, region);
});

test('logs have no URLs, because the URL of a GET holds its message', () => {
  assert.match(wrangler, /"invocation_logs": false/);
  assert.match(wrangler, /"redact_query_string": true/);
});

test('the guide names only scripts that exist', () => {
  const root_ = JSON.parse(text('package.json')).scripts;
  for (const [, name = ''] of guide.matchAll(/(?:npm run|in_cloudflare) ([a-z][\w:-]*)/g)) {
    assert.ok(name in scripts || name in root_, name);
  }
});

test('npm run dry-run bundles the Worker, whatever Node the system has, to at most a megabyte gzipped', async () => {
  await installFolder('infra/cloudflare');
  const outside = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|NODE_|CLOUDFLARE|WRANGLER|PATH$)/.test(name),
  );
  // Without what npm has put before it for this test itself.
  const path = (process.env.PATH ?? '').split(':').filter((one) => !one.startsWith(root));
  const env = {
    ...Object.fromEntries(outside),
    PATH: path.join(':'),
    CI: 'true',
    NO_COLOR: '1',
    WRANGLER_LOG_PATH: temporary('wrangler'),
    WRANGLER_SEND_METRICS: 'false',
  };
  const ran = spawnSync('npm', ['run', 'dry-run'], { cwd: folder, env, encoding: 'utf8' });
  assert.equal(ran.status, 0, ran.stderr);
  const [, kib] = /Total Upload: .* \/ gzip: ([\d.]+) KiB/.exec(ran.stdout) ?? [];
  assert.ok(Number(kib) > 0 && Number(kib) <= 1024, ran.stdout);
});
