// A server whose profile certifies nothing does not start, and one that starts has read a certificate of
// each kind with pkijs: the first device waits for none.

import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openEmbedded } from '../../functions/node/embedded.ts';
import { type Config, checkConfig } from '../../lib/config/config.ts';
import { ConfigError } from '../../lib/config/error.ts';

const config = checkConfig({
  publicUrl: 'https://scep.example',
  cas: { default: { subject: 'CN=CA', key: 'ec:P-256' } },
  endpoints: { default: { ca: 'default', profile: 'p', enrol: { authorize: ['challenge'] } } },
  profiles: { p: { keys: { rsa: false, ed25519: false } } },
});

async function opened(given: Config) {
  const dataDir = await mkdtemp(join(tmpdir(), 'scepter-profile-'));
  try {
    const env = { dataDir, table: undefined, sealingKey: undefined, deployment: undefined };
    const { deps, close } = await openEmbedded(env, given, () => undefined);
    const { templates } = await deps.cas.of('default');
    close();
    return [...templates.keys()];
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

test('a server starts with a template of each shape that its profiles can have', async () => {
  const shapes = ['false/false/false', 'false/true/false', 'true/true/false'];
  assert.deepEqual(
    (await opened(config)).sort(),
    shapes.map((shape) => `p/EC/${shape}/digitalSignature/keyEncipherment/1.3.6.1.5.5.7.3.2`),
  );
});

test('a server does not start with a profile that certifies nothing, and has made nothing', async () => {
  const [endpoint = assert.fail()] = config.endpoints.values();
  const profile = { ...endpoint.profile, keyUsage: ['nonRepudiation'] as const };
  const endpoints = new Map([['default', { ...endpoint, profile }]]);
  const dataDir = join(await mkdtemp(join(tmpdir(), 'scepter-profile-')), 'data');
  const env = { dataDir, table: undefined, sealingKey: undefined, deployment: undefined };
  await assert.rejects(
    openEmbedded(env, { ...config, endpoints }, () => undefined),
    (error) => {
      assert.ok(error instanceof ConfigError);
      const sentence =
        'profiles.p: no certificate for EC keys can be signed by the CA "default": lint no-purpose (RFC 5280 §4.2.1.12)';
      assert.deepEqual(error.problems, [sentence]);
      return true;
    },
  );
  await assert.rejects(readdir(dataDir), { code: 'ENOENT' });
});

test('a configuration that is read again with a profile that certifies nothing makes no CA', async () => {
  const dataDir = join(await mkdtemp(join(tmpdir(), 'scepter-profile-')), 'data');
  const env = { dataDir, table: undefined, sealingKey: undefined, deployment: undefined };
  const { configured, close } = await openEmbedded(env, config, () => undefined);
  const before = await readdir(join(dataDir, 'keys'));
  const [endpoint = assert.fail()] = config.endpoints.values();
  const [authority = assert.fail()] = config.cas.values();
  const profile = { ...endpoint.profile, keyUsage: ['nonRepudiation'] as const };
  const next: Config = {
    ...config,
    cas: new Map([...config.cas, ['second', { ...authority, id: 'second' }]]),
    endpoints: new Map([...config.endpoints, ['second', { ...endpoint, ca: 'second', profile }]]),
  };
  await assert.rejects(configured(next), ConfigError);
  assert.deepEqual(await readdir(join(dataDir, 'keys')), before);
  close();
});
