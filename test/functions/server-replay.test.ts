// Recorded requests of a real server under configurations that narrow and widen which names it certifies, by the real
// command line.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { freshService, type Running, run, startServer, temporary } from '../support/process.ts';

const names = (...patterns: string[]) => ({
  profiles: { device: { names: { dns: { pattern: patterns } } } },
});
const { env } = await freshService('replay', names('*.a.example', '*.b.example'));
const folder = temporary('replay-configs');
const ours = JSON.parse(env.SCEPTER_CONFIG) as object;
const changed = (name: string, more: object): string => {
  const file = join(folder, `${name}.json`);
  writeFileSync(file, JSON.stringify({ ...ours, ...more }));
  return file;
};

let server: Running;
before(async () => {
  server = await startServer(env);
  for (const [subject, name, code] of [
    ['CN=one', 'dns:one.a.example', 0],
    ['CN=two', 'dns:two.b.example', 0],
    ['CN=three', 'dns:three.c.example', 1],
  ] as const) {
    const challenge = (await cli('challenge', 'create')).out.trim();
    const wanted = ['--subject', subject, '--san', name, '--out', join(temporary('device'), 'd')];
    const url = `${server.url}/scep`;
    const enrolled = await cli('enrol', '--url', url, '--challenge', challenge, ...wanted);
    assert.equal(enrolled.code, code, enrolled.err);
  }
});
after(() => server.stop());

const cli = (...args: string[]) => run('bin/scepter.js', args, { env });
const replay = (...args: string[]) => cli('policy', 'replay', '--config', ...args);
const recorded = async () => (await cli('log', 'export')).out;

test('the same configuration: no outcome differs, and nothing is written', async () => {
  const events = await recorded();
  const { code, out, err } = await replay(changed('same', {}));
  assert.deepEqual([code, out], [0, ''], err);
  assert.match(err, /3 requests compared: none would differ/);
  const told = (text: string) => text.split('\n').filter((line) => !/"admin\.read"/.test(line));
  assert.deepEqual(told(await recorded()), told(events));
});

test('names are narrowed: what was issued would be refused, with the rule', async () => {
  const { code, out, err } = await replay(changed('narrow', names('*.a.example')));
  assert.equal(code, 1);
  const [what, was, would, ...more] = out.split('\n');
  assert.match(what ?? '', /^\d{4}-.*Z {2}[0-9A-Z]{26} {2}default {2}CN=two$/);
  assert.equal(was, '  was       issued');
  assert.equal(
    would,
    '  would be  refused: SCEP-312: a subjectAltName is not one that this challengePassword was made for (profiles.device.names.dns; asked for: dns:two.b.example, allowed: *.a.example)',
  );
  assert.deepEqual(more, ['']);
  assert.match(err, /1 request would have another outcome/);
});

test('names are widened: what was refused would be issued; as JSON', async () => {
  const all = names('*.a.example', '*.b.example', '*.c.example');
  const { code, out } = await replay(changed('wide', all), '--since', '1d', '--json');
  assert.equal(code, 1);
  const { compared, notReplayed, differing } = JSON.parse(out);
  assert.deepEqual([compared, notReplayed, differing.length], [3, {}, 1]);
  const [{ subject, was, would }] = differing;
  assert.deepEqual([subject, was.code, would], ['CN=three', 'SCEP-312', { decision: 'grant' }]);
});

test('an approver has to be asked; an endpoint is gone', async () => {
  const asked = changed('approval', {
    endpoints: { default: { ca: 'default', approval: 'always' } },
  });
  const { out } = await replay(asked, '--endpoint', 'default');
  assert.equal(out.match(/would be {2}an approver asked\n/g)?.length, 2);
  const gone = await replay(changed('gone', { endpoints: { other: { ca: 'default' } } }));
  assert.equal(gone.out.match(/would be {2}refused: there is no such endpoint\n/g)?.length, 2);
});
