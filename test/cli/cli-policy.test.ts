// scepter policy: what would become of a request, and of all recorded ones under another configuration.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { buildRequest } from '../../lib/protocol/scep/client/client.ts';
import { parseName } from '../../lib/x509/names/name.ts';
import { openTerminal } from '../support/cli.ts';
import { makeSigner } from '../support/jws.ts';
import { deviceKey } from '../support/keys.ts';
import { makeLab } from '../support/lab.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { enrolment } from '../support/messages.ts';
import { temporary } from '../support/process.ts';

const folder = temporary('policy');
const file = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
const csr = file(
  'device.csr',
  await buildRequest(await deviceKey(), { subject: parseName('CN=device-1'), names: [] }, ''),
);

describe('policy test', async () => {
  const store = new MemoryStore();
  const mdm = makeSigner('mdm-2026');
  const never = { validate: () => Promise.reject(new Error('nobody is asked by a simulation')) };
  const lab = await makeLab({
    store,
    validators: { mdm: never, assets: never },
    endpoint: {
      enrol: {
        authorize: ['signedChallenge'],
        signedChallenge: {
          keys: { 'mdm-2026': { publicKey: mdm.publicKey, names: { dns: '*.example' } } },
        },
      },
    },
    authorize: { enrol: ['signedChallenge', 'mdm', 'assets'], renew: [] },
  });
  const terminal = await openTerminal(lab);
  after(() => terminal.close());
  const run = (...args: string[]) => terminal.run(['policy', 'test', '--csr', csr, ...args]);
  await run();
  const before = JSON.stringify(store.dump());
  const unchanged = () => assert.equal(JSON.stringify(store.dump()), before);

  test('what each validator would say: the challenge as if it was signed, those outside as they are assumed', async () => {
    const granted = await run('--signed-by', 'mdm-2026', '--san', 'dns:a.example');
    assert.equal(granted.code, 0, granted.err);
    assert.match(granted.out, /^grant: /);
    assert.match(
      granted.out,
      /validators +signedChallenge allows\n +mdm allows: as it is assumed\n +assets allows: as it/,
    );
    const answers = file('refuse.json', '{"assets": {"answer": "refuse", "reason": "unknown"}}');
    const refused = await run('--validator-answers', answers);
    assert.equal(refused.code, 1);
    assert.match(refused.out, /mdm allows: as it is assumed\n +assets refuses: unknown\n/);
    assert.match(refused.out, /SCEP-331/);
    unchanged();
  });

  test('a name that the signing key may not give ends it before anybody outside is asked', async () => {
    const { code, out } = await run('--san', 'dns:a.b.example', '--json');
    assert.equal(code, 1);
    const { code: said, verdicts } = JSON.parse(out);
    assert.equal(said, 'SCEP-307');
    assert.deepEqual(
      verdicts.map(({ validator, allows }: { validator: string; allows: boolean }) => [
        validator,
        allows,
      ]),
      [['signedChallenge', false]],
    );
    unchanged();
  });

  test('one that gives no answer: the device would be told to come again', async () => {
    const answers = '{"mdm": {"answer": "trouble", "reason": "timed out"}}';
    const { code, out, err } = await terminal.run(
      ['policy', 'test', '--csr', csr, '--validator-answers', '-'],
      { stdin: answers },
    );
    assert.equal(code, 1);
    assert.match(out, /^trouble: /);
    assert.match(out, /validator mdm: timed out/);
    assert.match(err, /would not be decided/);
    unchanged();
  });

  test('what is wrong with the answers is said', async () => {
    for (const [text, said] of [
      ['{', /is not JSON/],
      ['[]', /^scepter: .*validatorAnswers/],
      ['{"mdm": "allow"}', /validatorAnswers\.mdm/],
      ['{"mdm": {"answer": "perhaps"}}', /validatorAnswers\.mdm\.answer/],
      ['{"intune": {"answer": "allow"}}', /"default" asks mdm, assets/],
    ] as const) {
      const { code, err } = await run('--validator-answers', file('wrong.json', text));
      assert.equal(code, 2, err);
      assert.match(err, said);
    }
    const twice = await terminal.run(['policy', 'test', '--csr', '-', '--validator-answers', '-']);
    assert.equal(twice.code, 2);
  });
});

describe('policy replay', async () => {
  const lab = await makeLab({ endpoint: { approval: 'always' } });
  const asked: object[] = [];
  const terminal = await openTerminal(lab, async (request, answer) => {
    const body = await request.clone().text();
    if (request.url.endsWith('/replay')) asked.push(JSON.parse(body) as object);
    return answer(request);
  });
  after(() => terminal.close());
  const { endpoints, ...rest } = lab.config.document;
  const next = (endpoint: object) =>
    file('next.json', JSON.stringify({ ...rest, endpoints: { ...endpoints, default: endpoint } }));
  const run = (...args: string[]) => terminal.run(['policy', 'replay', ...args]);
  // More than a page of them, each a second after the one before.
  for (let i = 0; i < 60; i++) {
    lab.clock.at += 1000;
    const challenge = i % 2 === 0 ? {} : { challenge: await lab.challenge() };
    const subject = `CN=device-${i}`;
    await lab.operate((await enrolment(lab, { ...challenge, subject })).message);
  }

  test('page by page, as it is found; how far it is; how many there are in the end', async () => {
    asked.length = 0;
    const lines: string[] = [];
    const config = next({ ca: 'default', approval: 'never' });
    const { code, out, err } = await terminal.run(['policy', 'replay', '--config', config], {
      progress: (line) => lines.push(line),
    });
    assert.equal(code, 1, err);
    assert.equal(asked.length, 2);
    assert.equal(out.match(/^ {2}was {7}an approver asked\n {2}would be {2}issued$/gm)?.length, 30);
    assert.deepEqual(lines, ['50 compared, 25 would differ', '']);
    assert.match(err, /60 requests compared\nscepter: 30 requests would have another outcome/);
  });

  test('one JSON object, from a time on', async () => {
    const config = next({ ca: 'default', approval: 'never' });
    const { out } = await run('--config', config, '--since', '10s', '--json');
    const { differing, compared, notReplayed, since } = JSON.parse(out);
    assert.deepEqual([compared, differing.length, notReplayed], [11, 6, {}]);
    assert.equal(Date.parse(since), lab.clock.at - 10_000);
    const none = await run('--config', config, '--since', '2100-01-01', '--json');
    assert.deepEqual(JSON.parse(none.out).differing, []);
    assert.equal(none.code, 0);
  });

  test('what cannot be judged again is counted, with why', async () => {
    const publicKey = makeSigner('mdm').publicKey;
    const enrol = {
      authorize: ['signedChallenge'],
      signedChallenge: { keys: { mdm: { publicKey } } },
    };
    const { code, out, err } = await run('--config', next({ ca: 'default', enrol }));
    assert.deepEqual([code, out], [0, '']);
    assert.match(err, /not replayed: 60 requests: what it brought is not on record, or is not of/);
    assert.match(err, /0 requests compared/);
  });

  test('the document from standard input; what is wrong is said', async () => {
    const document = JSON.stringify({ ...rest, endpoints });
    const same = await terminal.run(['policy', 'replay', '--config', '-'], { stdin: document });
    assert.equal(same.code, 0, same.err);
    for (const [args, said] of [
      [[], /--config/],
      [['--config', file('no.json', '{')], /JSON/],
      [['--config', file('bad.json', '{"publicUrl": "x"}')], /config\.publicUrl: must be an http/],
      [['--config', next({ ca: 'default' }), '--since', 'yesterday'], /"yesterday" is neither/],
      [['--config', next({ ca: 'default' }), '--endpoint', 'nowhere'], /"nowhere" does not exist/],
    ] as const) {
      const { code, err } = await run(...args);
      assert.equal(code, 2, err);
      assert.match(err, said);
    }
  });
});
