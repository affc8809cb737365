// Refusals that are kept (shared design 4.11): a proven request that is refused becomes a Transaction
// which people can read and no message ever meets, within a budget that nobody can use to fill the
// store, and never at the price of the answer.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { transactItemOf } from '../lib/adapters/dynamodb-items.ts';
import { MemoryStore } from '../lib/adapters/memory.ts';
import { type Bytes, fromBase64, utf8 } from '../lib/bytes.ts';
import { tag } from '../lib/cms/der.ts';
import {
  explicit,
  integer,
  objectIdentifier,
  octets,
  sequence,
  setOf,
  tlv,
} from '../lib/cms/der-writer.ts';
import { REFUSALS_BURST, REFUSALS_PER_SECOND } from '../lib/limits.ts';
import type { Action, Store } from '../lib/ports/store.ts';
import { readCertificationRequest } from '../lib/x509/csr.ts';
import { parseName } from '../lib/x509/name.ts';
import { checkCa } from './support/check-ca.ts';
import { deviceKey } from './support/keys.ts';
import { makeLab } from './support/lab.ts';
import { enrolment, random } from './support/messages.ts';
import { got, keys, refusedWith, type World, world } from './support/world.ts';

const refusals = (w: World) => w.transactions().filter(({ state }) => state === 'refused');
const told = (w: World) => w.events().filter(({ type }) => type === 'request.refused');

describe('a refusal that is kept', () => {
  test('says who asked for what and why not, without the challenge, with one event', async () => {
    const w = await world();
    const challenge = await w.lab.challenge({ subject: 'CN=right', names: ['dns:a.example'] });
    const sent = await enrolment(w.lab, {
      challenge,
      subject: 'CN=wrong',
      names: ['dns:b.example'],
      transactionID: 'of the device',
    });
    refusedWith('SCEP-311', await w.send(sent));
    const [kept, ...more] = refusals(w);
    assert.ok(kept && more.length === 0);
    const [{ id: challengeId } = { id: '' }] = w.challenges();
    assert.deepEqual(
      [kept.subject, kept.names, kept.reason, kept.transactionIDs, kept.undo],
      ['CN=wrong', ['dns:b.example'], 'subjectNotBound', ['of the device'], {}],
    );
    assert.deepEqual(kept.evidence, { value: 'CN=wrong', allowed: 'CN=right', challengeId });
    assert.deepEqual(kept.timeline, [{ at: w.lab.clock.at, state: 'refused' }]);
    const csr = readCertificationRequest(fromBase64(kept.csr));
    assert.equal(csr.challengePassword, '');
    assert.ok(!JSON.stringify(w.store.dump()).includes(challenge));
    const [event, ...others] = told(w);
    assert.ok(event && others.length === 0);
    assert.deepEqual(
      [event.code, event.subject, event.csrHash, event.transaction, event.challengeId],
      ['SCEP-311', 'CN=wrong', kept.csrHash, kept.id, challengeId],
    );
    assert.equal(w.lab.log.at(-1)?.transaction, kept.id, 'the log line leads to it');
    w.check();
  });

  test('no pointer names it: the same request is judged anew, and issued once nothing refuses it', async () => {
    const w = await world({
      endpoint: { profile: 'p' },
      config: { profiles: { p: { keys: { rsa: { min: 3072 } } } } },
    });
    const sent = await enrolment(w.lab, { challenge: await w.lab.challenge() });
    refusedWith('SCEP-402', await w.send(sent));
    const plaintext = sent.request.plaintext;
    refusedWith(
      'SCEP-501',
      await w.ask({
        messageType: 'CertPoll',
        plaintext,
        transactionID: sent.request.transactionID,
      }),
    );
    const wider = await w.instance({ config: { profiles: { p: {} } } });
    got(await w.send(sent, '/scep', wider));
    assert.deepEqual(
      w
        .transactions()
        .map(({ state }) => state)
        .sort(),
      ['issued', 'refused'],
    );
    w.check();
  });

  test('counted against its challenge in the same write; the same request again is told at the price of a read', async () => {
    const w = await world();
    const challenge = await w.lab.challenge({ subject: 'CN=right' });
    const sent = await enrolment(w.lab, { challenge, subject: 'CN=wrong' });
    w.lab.calls.length = 0;
    refusedWith('SCEP-311', await w.send(sent));
    assert.deepEqual(w.lab.calls, ['store.read', 'store.write']);
    refusedWith('SCEP-311', await w.send(sent));
    assert.deepEqual(w.lab.calls, ['store.read', 'store.write', 'store.read']);
    assert.equal(refusals(w).length, 1);
    assert.equal(w.challenges()[0]?.failures, 1);
    // For another reason it is another refusal, and still counts once.
    const spent = await enrolment(w.lab, { challenge, subject: 'CN=right' });
    got(await w.send(spent));
    refusedWith('SCEP-304', await w.send(sent));
    refusedWith('SCEP-304', await w.send(sent));
    assert.deepEqual(
      refusals(w)
        .map(({ reason }) => reason)
        .sort(),
      ['challengeSpent', 'subjectNotBound'],
    );
    assert.equal(w.challenges()[0]?.failures, 1);
    w.check();
  });

  test('an outcome that is on record is not kept again: denied, expired, not proven', async () => {
    const w = await world({ endpoint: { approval: 'always', pendingTtl: '1h' } });
    const sent = await enrolment(w.lab, { challenge: await w.lab.challenge() });
    await w.send(sent);
    w.lab.clock.at += 3_600_000;
    for (let i = 0; i < 3; i++) refusedWith('SCEP-352', await w.send(sent));
    refusedWith('SCEP-201', await w.ask({ plaintext: random(64) }));
    assert.deepEqual(refusals(w), []);
    w.check();
  });

  test('as many and as long names as a message holds: kept in what every store takes, and counted', async () => {
    const w = await world();
    const key = await deviceKey('many names');
    const challenge = await w.lab.challenge({ names: ['upn:a@b.example'] });
    const upn = (i: number) =>
      explicit(
        0,
        objectIdentifier('1.3.6.1.4.1.311.20.2.3'),
        explicit(0, tlv(tag.utf8String, new Uint8Array(550).fill(1).fill(0x41, 0, i))),
      );
    const names = sequence(...Array.from({ length: 95 }, (_, i) => upn(i)));
    const asked = sequence(objectIdentifier('2.5.29.17'), octets(names));
    const attribute = (type: string, value: Bytes) =>
      sequence(objectIdentifier(type), setOf(value));
    const info = sequence(
      ...[integer(0), parseName('CN=device-1'), key.spki],
      explicit(
        0,
        attribute('1.2.840.113549.1.9.7', tlv(tag.utf8String, utf8(challenge))),
        attribute('1.2.840.113549.1.9.14', sequence(asked)),
      ),
    );
    const algorithm = sequence(objectIdentifier('1.2.840.113549.1.1.11'), tlv(tag.null));
    const signature = tlv(tag.bitString, Uint8Array.of(0), await key.sign(info));
    const plaintext = sequence(info, algorithm, signature);
    refusedWith('SCEP-312', await w.ask({ key, plaintext }));
    assert.equal(refusals(w)[0]?.names.length, 95);
    assert.equal(w.challenges()[0]?.failures, 1);
    for (const row of w.store.dump()) {
      // It throws for an item that DynamoDB would not take.
      transactItemOf('table', { do: 'put', ...row } as Action, 'attempt');
    }
    w.check();
  });

  test('a value that a device chose is kept no longer than anybody reads', async () => {
    const w = await world();
    const long = 'x'.repeat(4000);
    refusedWith(
      'SCEP-311',
      await w.ask({ challenge: await w.lab.challenge({ subject: 'CN=a' }), subject: `CN=${long}` }),
    );
    const [kept] = refusals(w);
    assert.equal(String(kept?.evidence?.value).length, 501);
    assert.equal(kept?.subject, `CN=${long}`);
    w.check();
  });
});

describe('the budget of refusals', () => {
  const stranger = async (w: World) =>
    enrolment(w.lab, { challenge: 'not a challenge of ours', key: await deviceKey('stranger') });

  test('a burst is kept, what is beyond it only counted and logged once a second; the next one kept says how many', async () => {
    const w = await world();
    const sent = await stranger(w);
    for (let i = 0; i < REFUSALS_BURST + 7; i++) {
      w.lab.calls.length = 0;
      refusedWith('SCEP-302', await w.send(sent));
      const writes = w.lab.calls.filter((call) => call === 'store.write').length;
      assert.equal(writes, i < REFUSALS_BURST ? 1 : 0);
      assert.ok(!w.lab.calls.includes('signer.sign'));
    }
    assert.equal(refusals(w).length, REFUSALS_BURST);
    assert.ok(told(w).every((event) => !('number' in event)));
    const dropped = () => w.lab.log.filter(({ event }) => event === 'refusals.dropped');
    assert.deepEqual(
      dropped().map(({ endpoint, count }) => [endpoint, count]),
      [['default', 1]],
    );
    // Less than one came back in 100 ms, so the eighth is only counted too; in a second it is said again.
    w.lab.clock.at += 1000 / REFUSALS_PER_SECOND / 2;
    await w.send(sent);
    assert.equal(dropped().length, 1);
    w.lab.clock.at += 1000 / REFUSALS_PER_SECOND / 2;
    await w.send(sent);
    assert.equal(refusals(w).length, REFUSALS_BURST + 1);
    assert.deepEqual(
      told(w)
        .filter(({ number }) => number !== undefined)
        .map(({ number }) => number),
      [8],
    );
    w.lab.clock.at += 1_000_000;
    for (let i = 0; i <= REFUSALS_BURST; i++) await w.send(sent);
    assert.equal(refusals(w).length, 2 * REFUSALS_BURST + 1, 'it holds no more than a burst');
    assert.deepEqual(
      dropped().map(({ count }) => count),
      [1, 1],
    );
    w.check();
  });

  test('each endpoint has its own, and a clock that is set back gives nothing', async () => {
    const w = await world();
    const sent = await stranger(w);
    for (let i = 0; i <= REFUSALS_BURST; i++) await w.send(sent);
    w.lab.clock.at -= 1_000_000;
    await w.send(sent);
    assert.equal(refusals(w).length, REFUSALS_BURST);
    refusedWith('SCEP-302', await w.send(sent, '/scep/other'));
    assert.equal(refusals(w).length, REFUSALS_BURST + 1);
    w.lab.clock.at += 1000;
    for (let i = 0; i < 2 * REFUSALS_PER_SECOND; i++) await w.send(sent);
    assert.equal(refusals(w).length, REFUSALS_BURST + 1 + REFUSALS_PER_SECOND);
  });

  test('beyond it a refusal still counts against its challenge, once', async () => {
    const w = await world();
    const sent = await stranger(w);
    const challenge = await w.lab.challenge({ subject: 'CN=right' });
    const [key] = await keys('beyond');
    const wrong = await enrolment(w.lab, {
      challenge,
      subject: 'CN=wrong',
      ...(key ? { key } : {}),
    });
    for (let i = 0; i < REFUSALS_BURST; i++) await w.send(sent);
    for (let i = 0; i < 3; i++) refusedWith('SCEP-311', await w.send(wrong));
    assert.equal(w.challenges()[0]?.failures, 1);
    assert.equal(refusals(w).length, REFUSALS_BURST);
    w.lab.clock.at += 1000;
    refusedWith('SCEP-311', await w.send(wrong));
    assert.equal(refusals(w).length, REFUSALS_BURST + 1, 'kept when there is room');
    assert.deepEqual(
      told(w)
        .map(({ number }) => number)
        .filter(Boolean),
      [3],
    );
    w.check();
  });
});

describe('a refusal that cannot be written', () => {
  async function failing() {
    const state = { down: false };
    const store = new MemoryStore({
      fault: (what) => (state.down && what === 'write' ? 'before' : undefined),
    });
    return { state, store, lab: await makeLab({ store }) };
  }

  test('is the same answer, is logged, and is counted as not kept', async () => {
    const { state, store, lab } = await failing();
    const sent = await enrolment(lab, { challenge: 'not a challenge of ours' });
    state.down = true;
    for (let i = 0; i < 2; i++) {
      const answer = await sent.read(await lab.operate(sent.message));
      assert.ok(answer.pkiStatus === 'FAILURE');
      assert.match(answer.text ?? '', /^SCEP-302: /);
      assert.ok(
        lab.log.some(({ event, severity }) => event === 'refusal.unstored' && severity === 'error'),
      );
    }
    state.down = false;
    await lab.operate(sent.message);
    const events = store
      .dump()
      .flatMap(({ record }) => ('body' in record ? [JSON.parse(record.body)] : []));
    const [event, ...more] = events.filter(({ type }) => type === 'request.refused');
    assert.ok(event && more.length === 0);
    assert.equal(event.number, 2);
  });

  test('where it has to count against its challenge, it is an outage: nobody guesses while nothing counts', async () => {
    const { state, store, lab } = await failing();
    const challenge = await lab.challenge({ subject: 'CN=right' });
    const sent = await enrolment(lab, { challenge, subject: 'CN=wrong' });
    state.down = true;
    await assert.rejects(lab.operate(sent.message), /HTTP 503/);
    state.down = false;
    await lab.operate(sent.message);
    const failures = store
      .dump()
      .flatMap(({ record }) => ('failures' in record ? [record.failures] : []));
    assert.deepEqual(failures, [1]);
  });

  test('a challenge that somebody else locks meanwhile: refused and kept all the same', async () => {
    const store = new MemoryStore();
    let meanwhile: (() => Promise<unknown>) | undefined;
    const slow: Store = {
      read: (wanted) => store.read(wanted),
      list: (query) => store.list(query),
      write: async (actions) => {
        const first = meanwhile;
        meanwhile = undefined;
        await first?.();
        return store.write(actions);
      },
    };
    const lab = await makeLab({ store: slow });
    const challenge = await lab.challenge({ subject: 'CN=right' });
    const ask = async (subject: string) => {
      const sent = await enrolment(lab, { challenge, subject });
      return sent.read(await lab.operate(sent.message));
    };
    for (let i = 0; i < 9; i++) await ask(`CN=${i}`);
    meanwhile = () => ask('CN=tenth');
    refusedWith('SCEP-311', await ask('CN=late'));
    const rows = store.dump();
    checkCa(rows);
    assert.equal(rows.filter(({ kind }) => kind === 'transaction').length, 11);
  });
});
