// scepter doctor jamf: Jamf's event is posted to the hook of an endpoint, by real HTTP, and what is wrong is said in the
// words of Jamf Pro's console.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { serve } from '@hono/node-server';
import type { Section } from '../../lib/cli/doctor/observation.ts';
import { type ConfigDocument, checkConfig } from '../../lib/config/config.ts';
import { openTerminal } from '../support/cli.ts';
import { type LabOptions, makeLab } from '../support/lab.ts';

const secret = 'what the hook knows';
type Jamf = NonNullable<ConfigDocument['endpoints'][string]['jamf']>;
const basic: Jamf = {
  ...{ user: 'jamf', password: 'env:HOOK', subject: { CN: '{serialNumber}' } },
};

/** @param known what the service knows, and what the command knows */
async function hooked(jamf: Jamf = basic, known: { ours?: string; theirs?: string } = {}) {
  const { ours = secret, theirs = secret } = known;
  const options: LabOptions = { endpoint: { jamf }, staticSecrets: { 'env:HOOK': ours } };
  const lab = await makeLab(options);
  const server = serve({
    fetch: (request) => lab.fetch(new URL(request.url).pathname, request),
    port: 0,
  });
  await new Promise((resolve) => server.once('listening', resolve));
  after(() => server.close());
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const config = checkConfig({ ...lab.config.document, publicUrl: `http://127.0.0.1:${port}` });
  const terminal = await openTerminal(lab);
  after(() => terminal.close());
  const pages = async () => ({
    config,
    secrets: (name: string) => (name === 'HOOK' ? theirs : undefined),
  });
  const run = (...args: string[]) => terminal.run(['doctor', 'jamf', ...args], { pages });
  return { lab, run, close: () => server.close() };
}
const findings = (out: string) =>
  (JSON.parse(out).sections as readonly Section[])[0]?.findings ?? [];

describe('the hook answers', () => {
  test('a probe and an event: one challenge is made, and its text is told to nobody', async () => {
    const { lab, run } = await hooked();
    const { code, out, err } = await run('--json');
    assert.equal(code, 0, err);
    assert.deepEqual(
      findings(out).map(({ mark }) => mark),
      ['good', 'good'],
    );
    const made = lab.calls.filter((call) => call === 'store.write');
    assert.ok(made.length > 0);
    assert.ok(!out.includes(secret) && !err.includes(secret));
  });

  test('by a header of its own', async () => {
    const { run } = await hooked({
      ...{ header: 'X-Api-Key', value: 'env:HOOK', subject: { CN: '{serialNumber}' } },
    });
    assert.equal((await run()).code, 0);
  });
});

describe('what is wrong is said', () => {
  test('other credentials, in the words of Jamf Pro', async () => {
    const { run } = await hooked(basic, { theirs: 'another secret of it' });
    const { code, out } = await run('--json');
    assert.equal(code, 1);
    const [{ says = '', fix = '' } = {}, ...more] = findings(out);
    assert.deepEqual(more, []);
    assert.match(says, /does not take these credentials \(HTTP 401\)/);
    assert.match(fix, /Settings > Global > Webhooks, the authentication type must be "Basic Auth/);
  });

  test('nobody at the address', async () => {
    const { run, close } = await hooked();
    close();
    const { code, out } = await run('--json');
    assert.equal(code, 1);
    assert.match(findings(out)[0]?.says ?? '', /nothing answers: .*ECONNREFUSED/);
  });

  test('no more challenges in this hour', async () => {
    const { run } = await hooked({ ...basic, perHour: 1 });
    await run();
    const { code, out } = await run('--json');
    assert.equal(code, 1);
    assert.match(findings(out)[1]?.says ?? '', /used up \(HTTP 429\)/);
  });

  test('an endpoint without a hook, and a secret that is not here', async () => {
    const { run } = await hooked();
    const other = await run('--endpoint', 'other');
    assert.equal(other.code, 2);
    assert.match(other.err, /--endpoint: the configuration has no endpoints.other.jamf/);
    const without = await hooked(basic, { theirs: '' });
    const { code, err } = await without.run();
    assert.equal(code, 2);
    assert.match(
      err,
      /endpoints.default.jamf.password: the environment variable HOOK is not set here/,
    );
  });
});
