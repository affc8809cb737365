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
