// A profile of which no certificate could be signed is found without a device that asks for one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Outage } from '../../../lib/base/errors.ts';
import { jobsOf } from '../../../lib/ca/jobs.ts';
import { sampleCa, uncertifiable } from '../../../lib/ca/policy/certifiable.ts';
import { type Config, checkConfig } from '../../../lib/config/config.ts';
import type { Profile } from '../../../lib/config/profile.ts';
import type { Templates } from '../../../lib/x509/lint/issued.ts';
import { makeLab } from '../../support/lab.ts';

const config = checkConfig({
  publicUrl: 'https://scep.example',
  cas: { default: { subject: 'CN=CA' }, other: { subject: 'CN=Other', key: 'ec:P-384' } },
  endpoints: {
    a: { ca: 'default', profile: 'p', enrol: { authorize: ['challenge'] } },
    b: { ca: 'default', profile: 'p', enrol: { authorize: ['challenge'] } },
    c: { ca: 'other', profile: 'q', enrol: { authorize: ['challenge'] } },
  },
  profiles: { p: { sid: 'both' }, q: { keys: { rsa: false } } },
});

/** As no document says it: the check of the configuration refuses what can be seen in one. */
function changed(given: Config, change: Partial<Profile>): Config {
  const endpoints = new Map(
    [...given.endpoints].map(([id, endpoint]) => {
      return [id, { ...endpoint, profile: { ...endpoint.profile, ...change } }];
    }),
  );
  return { ...given, endpoints };
}

const found = (given: Config, templates?: Templates) =>
  Promise.all(
    [...given.cas.values()].map((ca) => uncertifiable(given, sampleCa(ca), templates)),
  ).then((problems) => problems.flat());

test('every profile of a valid configuration can be certified, and leaves a template of each shape', async () => {
  const templates: Templates = new Map();
  assert.deepEqual(await found(config, templates), []);
  const shapes = [...templates.keys()].map((shape) => shape.split('/').slice(0, 2).join());
  const all = ['p,EC', 'p,Ed25519', 'p,RSA', 'q,EC', 'q,Ed25519'];
  assert.deepEqual([...new Set(shapes)].sort(), all);
});

test('a profile that certifies nothing is found for each CA and kind of key', async () => {
  const problems = await found(changed(config, { keyUsage: ['nonRepudiation'] }));
  const sentence = (profile: string, kind: string, ca: string) =>
    `profiles.${profile}: no certificate for ${kind} keys can be signed by the CA "${ca}": lint no-purpose (RFC 5280 §4.2.1.12)`;
  assert.deepEqual(problems.sort(), [
    sentence('p', 'EC', 'default'),
    sentence('p', 'Ed25519', 'default'),
    sentence('p', 'RSA', 'default'),
    sentence('q', 'EC', 'other'),
    sentence('q', 'Ed25519', 'other'),
  ]);
});

test('maintenance lints samples of every profile, and fails with what it finds', async () => {
  const { deps } = await makeLab();
  const job = (of: Config) =>
    jobsOf({ ...deps, config: of }).find(({ name }) => name === 'lint default');
  assert.deepEqual(await job(deps.config)?.run(), {});
  const spoilt = job(changed(deps.config, { extKeyUsage: [] }));
  await assert.rejects(
    async () => spoilt?.run(),
    (error) => error instanceof Outage && /lint ext-key-usage/.test(error.message),
  );
});
