// Issuance as a hostile reader would try it: records read at different moments, messages sent again
// when they should be dead, challenges that others want locked or spent.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Bytes, hex } from '../../../lib/base/bytes.ts';
import { LEASE_MS, SWEEP_AFTER_MS } from '../../../lib/base/limits.ts';
import { decide } from '../../../lib/ca/approve/decide.ts';
import { sweep } from '../../../lib/ca/jobs.ts';
import { revoke } from '../../../lib/ca/revoke/revoke.ts';
import { readCertificate } from '../../../lib/x509/certificate.ts';
import { enrolment } from '../../support/messages.ts';
import { got, HOUR, held, keys, refusedWith, world } from '../../support/world.ts';

describe('a refusal rests on what was read at one moment', () => {
  test('the challenge is newer than the pointer: the twin that took it is found, nothing is counted', async () => {
    for (const ttlMs of [HOUR, 1]) {
      const w = await world();
      const sent = await enrolment(w.lab, { challenge: await w.lab.challenge({ ttlMs }) });
      let twin: Bytes | undefined;
      w.tear('challenge', async () => {
        twin = got(await w.send(sent));
        w.lab.clock.at += 1;
      });
      assert.deepEqual(got(await w.send(sent)), twin);
      assert.deepEqual(
        w.challenges().map(({ failures }) => failures),
        [0],
      );
      assert.ok(!w.events().some(({ type }) => type?.startsWith('challenge.re')));
      w.check();
    }
  });

  test('the holder is voided after the challenge was read: its use is free', async () => {
    const w = await world();
    const challenge = await w.lab.challenge({ ttlMs: 10 * HOUR });
    await w.stuck(await enrolment(w.lab, { challenge }));
    w.lab.clock.at += LEASE_MS + SWEEP_AFTER_MS;
    w.tear('transaction', () => sweep(w.lab.deps));
    const [key] = await keys('voided');
    got(await w.ask({ challenge, ...(key ? { key } : {}) }));
    assert.equal(w.transactions()[0]?.state, 'voided');
    assert.deepEqual(
      w.challenges().map(({ failures }) => failures),
      [0],
    );
    w.check();
  });

  test('an approved holder whose attempt has lapsed keeps its use: another is refused at once', async () => {
    const w = await world({ endpoint: { approval: 'always' } });
    const challenge = await w.lab.challenge();
    const sent = await enrolment(w.lab, { challenge });
    await w.send(sent);
    await decide(w.lab.deps, w.transactions()[0]?.id ?? '', 'approved', { by: 'somebody' });
    await w.stuck(sent);
    const [key] = await keys('not approved');
    w.lab.clock.at += LEASE_MS;
    refusedWith('SCEP-304', await w.ask({ challenge, ...(key ? { key } : {}) }));
    got(await w.send(sent));
    w.check();
  });
});

describe('a key has one owner', () => {
  test('two attempts with one key and the same names, both given up, leave it free', async () => {
    const w = await world();
    const [key] = await keys('owner');
    assert.ok(key);
    const wanted = async (subject: string) => ({
      challenge: await w.lab.challenge(),
      key,
      subject,
    });
    await w.stuck(await enrolment(w.lab, await wanted('CN=one')));
    const second = await enrolment(w.lab, await wanted('CN=one'));
    // While the first is worked on, the second waits; when it has lapsed, it ends with it.
    await assert.rejects(w.send(second), /HTTP 503/);
    w.lab.clock.at += LEASE_MS;
    await w.stuck(second);
    assert.deepEqual(
      w.transactions().map(({ state }) => state),
      ['voided', 'intended'],
    );
    w.check();
    w.lab.clock.at += LEASE_MS + SWEEP_AFTER_MS;
    await sweep(w.lab.deps);
    w.check();
    assert.ok(!w.store.dump().some(({ kind }) => kind === 'keyOwner'));
    got(await w.ask(await wanted('CN=two')));
    w.check();
  });

  test('an attempt for a shorter time does not rest on one that may end', async () => {
    const w = await world();
    const brief = await w.instance({
      endpoint: { profile: 'brief' },
      config: { profiles: { brief: { validity: '1d' } } },
    });
    const [key] = await keys('brief');
    assert.ok(key);
    const wanted = async () => ({ challenge: await w.lab.challenge(), key });
    await w.stuck(await enrolment(w.lab, await wanted()));
    w.lab.clock.at += LEASE_MS;
    brief.clock.at = w.lab.clock.at;
    got(await w.send(await enrolment(brief, await wanted()), '/scep', brief));
    w.lab.clock.at += SWEEP_AFTER_MS;
    await sweep(w.lab.deps);
    assert.ok(
      w.store.dump().some(({ kind }) => kind === 'keyOwner'),
      'the certified key is owned',
    );
    w.check();
  });

  test('the same names in other string types and another order are the same names', async () => {
    const w = await world();
    const [key] = await keys('string types');
    assert.ok(key);
    const [cn, o] = ['CN=Müller', 'O=Test'];
    got(await w.ask({ challenge: await w.lab.challenge(), key, subject: `${cn},${o}` }));
    w.lab.clock.at += 1000;
    got(await w.ask({ challenge: await w.lab.challenge(), key, subject: `${o},${cn}` }));
    const decomposed = `${cn.normalize('NFD')},${o}`;
    got(await w.ask({ challenge: await w.lab.challenge(), key, subject: decomposed }));
    refusedWith('SCEP-341', await w.ask({ challenge: await w.lab.challenge(), key, subject: o }));
  });
});

describe('an old message sent again', () => {
  test('a renewal that was superseded does not come back over the one that is in use', async () => {
    const w = await world();
    const [a, b, c] = await keys('a', 'b', 'c');
    assert.ok(a && b && c);
    const signer = await held(w, a);
    const lost = await enrolment(w.lab, { signer, key: b, messageType: 'RenewalReq' });
    got(await w.send(lost));
    got(await w.ask({ signer, key: c, messageType: 'RenewalReq' }));
    refusedWith('SCEP-354', await w.send(lost));
    assert.deepEqual(
      w.certificates().map(({ state }) => state),
      ['issued', 'revoked', 'issued'],
    );
    w.check();
  });

  test('an enrolment on a challenge of many uses does not undo the revocation of its certificate', async () => {
    const w = await world();
    const challenge = await w.lab.challenge({ uses: 5 });
    const sent = await enrolment(w.lab, { challenge });
    const serial = hex(readCertificate(got(await w.send(sent))).serial);
    const actor = { kind: 'admin', id: 'somebody' } as const;
    assert.equal(
      await revoke(w.lab.deps, { ca: 'default', serial, reason: 'privilegeWithdrawn', actor }),
      'done',
    );
    refusedWith('SCEP-354', await w.send(sent));
    assert.equal(w.certificates().length, 1, serial);
    assert.equal(w.challenges()[0]?.usesLeft, 4);
    // Asked anew, with whatever else is in the request, it is a new request.
    got(await w.ask({ challenge: await w.lab.challenge({ uses: 5 }) }));
  });

  test('an enrolment whose answer is repeated no longer is judged anew, while its certificate is good and after a revoked one has ended', async () => {
    const w = await world();
    const challenge = await w.lab.challenge({ uses: 5, ttlMs: 1000 * 24 * HOUR });
    const sent = await enrolment(w.lab, { challenge });
    const first = got(await w.send(sent));
    w.lab.clock.at += 48 * HOUR;
    const second = got(await w.send(sent));
    assert.notDeepEqual(second, first);
    const { serial, notAfter } = readCertificate(second);
    const actor = { kind: 'admin', id: 'somebody' } as const;
    await revoke(w.lab.deps, { ca: 'default', serial: hex(serial), reason: 'superseded', actor });
    refusedWith('SCEP-354', await w.send(sent));
    w.lab.clock.at = notAfter + HOUR;
    got(await w.send(sent));
    assert.equal(w.challenges()[0]?.usesLeft, 2);
  });

  test('what is suspended is neither made again nor renewed around', async () => {
    const w = await world();
    const [a, b, c, d] = await keys('held a', 'held b', 'held c', 'held d');
    assert.ok(a && b && c && d);
    const hold = async (der: Bytes, reason: 'certificateHold' | 'removeFromCRL') => {
      const actor = { kind: 'admin', id: 'somebody' } as const;
      const serial = hex(readCertificate(der).serial);
      assert.equal(await revoke(w.lab.deps, { ca: 'default', serial, reason, actor }), 'done');
    };
    const challenge = await w.lab.challenge({ uses: 5 });
    const many = await enrolment(w.lab, { challenge, key: a });
    const first = got(await w.send(many));
    await hold(first, 'certificateHold');
    refusedWith('SCEP-354', await w.send(many));
    await hold(first, 'removeFromCRL');
    assert.deepEqual(got(await w.send(many)), first);
    const signer = await held(w, b, 'CN=suspended');
    const renewal = await enrolment(w.lab, {
      signer,
      key: c,
      subject: 'CN=suspended',
      messageType: 'RenewalReq',
    });
    const successor = got(await w.send(renewal));
    await hold(successor, 'certificateHold');
    const around = { signer, key: d, subject: 'CN=suspended', messageType: 'RenewalReq' } as const;
    refusedWith('SCEP-329', await w.send(renewal));
    refusedWith('SCEP-329', await w.ask(around));
    await hold(successor, 'removeFromCRL');
    assert.deepEqual(got(await w.send(renewal)), successor);
    w.check();
  });

  test('a spent challenge: another request with it is refused, and sending it ten times counts once', async () => {
    const w = await world();
    const challenge = await w.lab.challenge({ uses: 2 });
    const [a, b, c] = await keys('spent a', 'spent b', 'spent c');
    assert.ok(a && b && c);
    got(await w.ask({ challenge, key: a }));
    got(await w.ask({ challenge, key: b }));
    const third = await enrolment(w.lab, { challenge, key: c });
    for (let i = 0; i < 12; i++) refusedWith('SCEP-304', await w.send(third));
    assert.equal(w.challenges()[0]?.failures, 1);
    assert.equal(w.events().filter(({ type }) => type === 'challenge.reused').length, 1);
    w.check();
  });
});

describe('locking somebody else out', () => {
  test('one refused message, replayed by whoever has recorded it, does not lock the challenge of many', async () => {
    const w = await world();
    const challenge = await w.lab.challenge({ uses: 3, subject: 'CN=right' });
    const recorded = await enrolment(w.lab, { challenge, subject: 'CN=wrong' });
    for (let i = 0; i < 15; i++) {
      w.lab.calls.length = 0;
      refusedWith('SCEP-311', await w.send(recorded));
      const budget = ['store.read', 'store.write'];
      const expected = i === 0 ? ['store.read', ...budget, 'store.write'] : ['store.read'];
      assert.deepEqual(w.lab.calls, expected, 'told again at the price of a read');
    }
    got(await w.ask({ challenge, subject: 'CN=right' }));
    w.check();
  });

  test('whoever does not know the challenge counts against nobody: wrong ones, other endpoints, broken envelopes', async () => {
    const w = await world();
    const challenge = await w.lab.challenge();
    const [key] = await keys('stranger');
    assert.ok(key);
    const victim = await enrolment(w.lab, { challenge });
    for (let i = 0; i < 11; i++) {
      refusedWith('SCEP-302', await w.ask({ challenge: `${challenge}${i}`, key }));
      refusedWith('SCEP-302', await w.send(victim, '/scep/other'));
      const { envelope } = { envelope: victim.request.plaintext };
      refusedWith('SCEP-122', await w.ask({ key, envelope }));
    }
    assert.equal(w.challenges()[0]?.failures, 0);
    got(await w.send(victim));
  });

  test('guesses with a known challenge are counted with its id; the tenth locks it and says so once', async () => {
    const w = await world();
    const challenge = await w.lab.challenge({ subject: 'CN=right' });
    for (let i = 0; i < 10; i++) {
      refusedWith('SCEP-311', await w.ask({ challenge, subject: `CN=guess ${i}` }));
    }
    for (let i = 0; i < 3; i++) {
      refusedWith('SCEP-305', await w.ask({ challenge, subject: 'CN=right' }));
    }
    const [{ id } = { id: '' }] = w.challenges();
    const told = w
      .events()
      .filter(({ challengeId, type }) => challengeId === id && type !== 'request.refused');
    assert.deepEqual(
      told.map(({ type, code }) => [type, code]),
      [
        ['challenge.created', undefined],
        ...Array<string[]>(10).fill(['challenge.refused', 'SCEP-311']),
        ['challenge.locked', 'SCEP-311'],
      ],
    );
  });
});
