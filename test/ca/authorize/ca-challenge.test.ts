// One-time challenges (shared design 4.8) and who may have a certificate.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { equal } from '../../../lib/base/bytes.ts';
import type { Challenge } from '../../../lib/ports/records/records.ts';
import { deviceKey } from '../../support/keys.ts';
import { type Lab, makeLab } from '../../support/lab.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { type EnrolOptions, enrolment } from '../../support/messages.ts';

async function enrol(lab: Lab, options: EnrolOptions, path = '/scep') {
  const sent = await enrolment(lab, options);
  return sent.read(await lab.operate(sent.message, path));
}

async function refused(lab: Lab, code: string, options: EnrolOptions, path = '/scep') {
  lab.calls.length = 0;
  const answer = await enrol(lab, options, path);
  assert.ok(answer.pkiStatus === 'FAILURE' && answer.failInfo === 'badRequest', 'it was issued');
  assert.match(answer.text ?? '', new RegExp(`^${code}: `));
  assert.ok(!lab.calls.includes('signer.sign'), 'a refusal costs no signature');
}

describe('RFC 8894 §2.4: challengePassword', () => {
  test('[13][19] good for one certificate; a second request is refused and logged with its id', async () => {
    const lab = await makeLab();
    const challenge = await lab.challenge();
    assert.equal((await enrol(lab, { challenge })).pkiStatus, 'SUCCESS');
    const other = await deviceKey('other');
    lab.log.length = 0;
    await refused(lab, 'SCEP-304', { challenge, key: other });
    await refused(lab, 'SCEP-304', { challenge, subject: 'CN=another' });
    assert.match(String(lab.log[0]?.challengeId), /^[0-9A-Z]{26}$/);
  });

  test('[16][17][18][20] absent, empty, blank and unknown ones are refused', async () => {
    const lab = await makeLab();
    await refused(lab, 'SCEP-301', {});
    await refused(lab, 'SCEP-301', { challenge: '' });
    await refused(lab, 'SCEP-302', { challenge: ' ' });
    await refused(lab, 'SCEP-302', { challenge: 'x'.repeat(26) });
    const challenge = await lab.challenge();
    for (const near of [challenge.toUpperCase(), `${challenge} `, challenge.slice(0, -1)]) {
      await refused(lab, 'SCEP-302', { challenge: near });
    }
    assert.equal((await enrol(lab, { challenge })).pkiStatus, 'SUCCESS');
  });

  test('[19] expires to the millisecond', async () => {
    const lab = await makeLab();
    const challenge = await lab.challenge({ ttlMs: 60_000 });
    lab.clock.at += 60_000;
    await refused(lab, 'SCEP-303', { challenge });
    lab.clock.at -= 1;
    assert.equal((await enrol(lab, { challenge })).pkiStatus, 'SUCCESS');
  });

  test('a challengePassword belongs to one endpoint', async () => {
    const lab = await makeLab();
    const challenge = await lab.challenge({ endpoint: 'other' });
    await refused(lab, 'SCEP-302', { challenge });
    assert.equal((await enrol(lab, { challenge }, '/scep/other')).pkiStatus, 'SUCCESS');
  });

  test('a refused name does not spend it; ten lock it', async () => {
    const lab = await makeLab();
    const challenge = await lab.challenge({ subject: 'CN=right' });
    const wrong = (i: number) => `CN=wrong ${i}`;
    for (let i = 0; i < 9; i++) await refused(lab, 'SCEP-311', { challenge, subject: wrong(i) });
    assert.equal((await enrol(lab, { challenge, subject: 'CN=right' })).pkiStatus, 'SUCCESS');
    const locked = await lab.challenge({ subject: 'CN=right' });
    for (let i = 0; i < 10; i++) {
      await refused(lab, 'SCEP-311', { challenge: locked, subject: wrong(i) });
    }
    await refused(lab, 'SCEP-305', { challenge: locked, subject: 'CN=right' });
  });

  test('one with several uses is good for as many', async () => {
    const lab = await makeLab();
    const challenge = await lab.challenge({ uses: 3 });
    for (const name of ['a', 'b', 'c']) {
      const key = await deviceKey(name);
      assert.equal((await enrol(lab, { challenge, key })).pkiStatus, 'SUCCESS');
    }
    await refused(lab, 'SCEP-304', { challenge, key: await deviceKey('d') });
  });

  test('ten bad requests with one of several uses lock nobody out: each is counted, from the tenth on with a warning', async () => {
    const store = new MemoryStore();
    const lab = await makeLab({ store });
    const challenge = await lab.challenge({ uses: 1000, subject: 'CN=right' });
    const failing = () => lab.log.filter(({ event }) => event === 'challenge.failing');
    for (let i = 1; i <= 12; i++) {
      lab.clock.at += 60_000;
      await refused(lab, 'SCEP-311', { challenge, subject: `CN=wrong ${i}` });
      assert.equal(failing().length, Math.max(0, i - 9), `after ${i}`);
    }
    assert.equal((await enrol(lab, { challenge, subject: 'CN=right' })).pkiStatus, 'SUCCESS');
    const rows = store.dump();
    const kept = rows.flatMap(({ kind, record }) =>
      kind === 'challenge' ? [record as Challenge] : [],
    );
    assert.deepEqual(
      kept.map(({ failures, usesLeft }) => [failures, usesLeft]),
      [[12, 999]],
    );
    assert.deepEqual(
      failing().map(({ severity, endpoint, challengeId, failures }) => [
        ...[severity, endpoint, challengeId, failures],
      ]),
      [10, 11, 12].map((failures) => ['warning', 'default', kept[0]?.id, failures]),
    );
    assert.ok(!JSON.stringify(rows).includes('challenge.locked'));
  });

  test('[19] is stored only as a MAC, and a changed record authorizes nothing', async () => {
    const store = new MemoryStore();
    const lab = await makeLab({ store });
    const challenge = await lab.challenge();
    assert.ok(!JSON.stringify(store.dump()).includes(challenge));
    const row = store.dump().find(({ kind }) => kind === 'challenge');
    assert.ok(row);
    const { key, rev } = row;
    const changes = [{ binding: { names: ['dns:admin.example'] } }, { madeBy: { by: 'somebody' } }];
    for (const [n, change] of changes.entries()) {
      const record = { ...(row.record as Challenge), ...change };
      await store.write([{ do: 'put', kind: 'challenge', key, rev: rev + n, record }]);
      await refused(lab, 'SCEP-302', { challenge });
      const tampered = lab.log.filter(({ event }) => event === 'challenge.tampered');
      assert.equal(tampered.length, n + 1);
    }
  });
});

describe('the same request again', () => {
  test('RFC 8894 §5.2 [72]: a lost reply: the stored certificate in a fresh CertRep', async () => {
    const lab = await makeLab();
    const challenge = await lab.challenge();
    const first = await enrol(lab, { challenge });
    lab.calls.length = 0;
    const again = await enrol(lab, { challenge, transactionID: 'another', cipher: 'AES-256' });
    assert.ok(first.pkiStatus === 'SUCCESS' && again.pkiStatus === 'SUCCESS');
    assert.ok(
      equal(first.certificates[0] ?? new Uint8Array(0), again.certificates[0] ?? new Uint8Array(1)),
    );
    assert.deepEqual(lab.calls, ['store.read', 'store.read', 'store.read']);
  });

  test('RFC 8894 §3.2.1.1 [51]: a transactionID authorizes nothing and finds nothing', async () => {
    const lab = await makeLab();
    const transactionID = 'shared';
    assert.equal(
      (await enrol(lab, { challenge: await lab.challenge(), transactionID })).pkiStatus,
      'SUCCESS',
    );
    const key = await deviceKey('thief');
    await refused(lab, 'SCEP-301', { key, transactionID });
  });

  test('another endpoint is another request', async () => {
    const lab = await makeLab();
    const challenge = await lab.challenge();
    await enrol(lab, { challenge });
    await refused(lab, 'SCEP-302', { challenge }, '/scep/other');
  });
});

describe('an enrolment costs', () => {
  test('one read, two writes, one signature', async () => {
    const lab = await makeLab();
    const challenge = await lab.challenge();
    lab.calls.length = 0;
    await enrol(lab, { challenge });
    assert.deepEqual(lab.calls, ['store.read', 'store.write', 'signer.sign', 'store.write']);
  });

  test('no log line holds a challenge or a key', async () => {
    const lab = await makeLab();
    const challenges: string[] = [];
    for (const options of [{}, { subject: 'CN=x' }, { names: ['dns:q.example'] }]) {
      const challenge = await lab.challenge(options);
      challenges.push(challenge);
      await enrol(lab, { challenge });
    }
    await enrol(lab, { challenge: 'made-up-challenge-value' });
    const text = JSON.stringify(lab.log);
    for (const challenge of [...challenges, 'made-up-challenge-value']) {
      assert.ok(!text.includes(challenge));
    }
    assert.equal(lab.log.length, 4);
  });
});

describe('our own trouble is an outage, never a refusal', () => {
  for (const [name, call] of [
    ['the store cannot be read', 'read'],
    ['the intent cannot be written', 'write'],
  ] as const) {
    test(name, async () => {
      let down = false;
      const store = new MemoryStore({
        fault: (what) => (down && what === call ? 'before' : undefined),
      });
      const lab = await makeLab({ store });
      const challenge = await lab.challenge();
      const sent = await enrolment(lab, { challenge });
      down = true;
      const response = await lab.fetch('/scep?operation=PKIOperation', {
        method: 'POST',
        body: sent.message,
      });
      assert.equal(response.status, 503);
      assert.equal(response.headers.get('retry-after'), '30');
      const text = await response.text();
      assert.match(text, /^service unavailable, try again later \([0-9A-Z]{26}\)\n$/);
      assert.ok(lab.log.some(({ event }) => event === 'http.outage'));
      // Nothing is lost: the same message works when the trouble is over.
      down = false;
      assert.equal((await sent.read(await lab.operate(sent.message))).pkiStatus, 'SUCCESS');
    });
  }

  test('a wrong signature of the CA key is caught before anybody sees it', async () => {
    const lab = await makeLab();
    const challenge = await lab.challenge();
    const { sign } = lab.deps.signer;
    const deps = {
      ...lab.deps,
      signer: {
        ...lab.deps.signer,
        sign: async (...args: Parameters<typeof sign>) => {
          const { octets, requests } = await sign(...args);
          octets[10] = (octets[10] ?? 0) ^ 1;
          return { octets, requests };
        },
      },
    };
    const { pkiOperation } = await import('../../../lib/protocol/scep/server/pki-operation.ts');
    const { message } = await enrolment(lab, { challenge });
    await assert.rejects(
      pkiOperation(deps, lab.endpoint(), { octets: message, client: {} }),
      /does not verify/,
    );
  });
});
