// Which client sent a message: told from messages that real clients sent, and from the names that others give
// themselves.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClientFamily } from '../../../lib/base/words.ts';
import { familyOf } from '../../../lib/protocol/scep/server/client-family.ts';
import { decodePkiMessage } from '../../../lib/protocol/scep/wire/decode.ts';
import { enrolment } from '../../support/messages.ts';
import { vector, vectorFiles, vectorText } from '../../support/vectors.ts';
import { got, world } from '../../support/world.ts';

const pkcs1 = { kind: 'RSAES-PKCS1-v1_5' } as const;
const folders: Readonly<Record<string, ClientFamily>> = {
  certmonger: 'certmonger',
  'micromdm-scepclient': 'micromdm',
  'strongswan-pki': 'strongswan',
};

for (const [folder, family] of Object.entries(folders)) {
  test(`each captured message of ${folder} is known as one of ${family}`, () => {
    const messages = vectorFiles(`captures/${folder}`)
      .filter((name) => name.endsWith('.der') && !name.endsWith('.plain.der'))
      .map((name) => name.slice(0, -'.der'.length));
    assert.ok(messages.length >= 3, folder);
    for (const name of messages) {
      const { transactionID } = decodePkiMessage(vector(`captures/${folder}/${name}.der`));
      const head = vectorText(`captures/${folder}/${name}.http.txt`);
      const [, agent] = /^User-Agent: (.*?)\r?$/im.exec(head) ?? [];
      assert.equal(familyOf({ agent, transactionID, transport: pkcs1 }), family, name);
    }
  });
}

const sha1 = 'A94A8FE5CCB19BA61C4C0873D391E987982FBBD3';
const named: readonly (readonly [string | undefined, ClientFamily | undefined])[] = [
  ['mdmclient/960 CFNetwork/811.9 Darwin/16.7.0 (x86_64)', 'apple'],
  ['profiled/1.0 CFNetwork/901.1 Darwin/17.6.0', 'apple'],
  ['Mozilla/4.0 (compatible; MSIE 5.0; Cisco PKI)', 'cisco'],
  ['curl/8.5.0', undefined],
];
for (const [agent, family] of named) {
  test(`"${agent}" is ${family ?? 'nothing that is known'}`, () => {
    assert.equal(familyOf({ agent, transactionID: sha1, transport: pkcs1 }), family);
  });
}

test('keys wrapped with RSAES-OAEP and SHA-1 are of Windows, unless the client calls itself another', () => {
  const transport = { kind: 'RSAES-OAEP', digest: 'SHA-1', mgf1: 'SHA-1' } as const;
  const seen = { transactionID: sha1, transport };
  assert.equal(familyOf({ ...seen, agent: undefined }), 'windows');
  assert.equal(familyOf({ ...seen, agent: 'profiled/1.0 CFNetwork/901.1 Darwin/17.6.0' }), 'apple');
});

test('the family stands with the Transaction, where one is known', async () => {
  const w = await world();
  const challenge = await w.lab.challenge();
  const sent = await enrolment(w.lab, { challenge, transactionID: sha1 });
  got(await w.send(sent));
  const other = await enrolment(w.lab, {
    challenge: await w.lab.challenge(),
    transactionID: 'of a kind of its own',
  });
  got(await w.send(other));
  const families = w.transactions().map(({ transactionIDs: [id], family }) => [id, family]);
  assert.deepEqual(Object.fromEntries(families), {
    [sha1]: 'strongswan',
    'of a kind of its own': undefined,
  });
});
