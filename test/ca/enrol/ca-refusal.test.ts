// Refusals that are kept (shared design 4.11): a proven request that is refused becomes a Transaction
// which people can read and no message ever meets, within a budget that nobody can use to fill the
// store, and never at the price of the answer.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { transactItemOf } from '../../../lib/adapters/aws/dynamodb/writes.ts';
import { tag } from '../../../lib/asn1/reader.ts';
import {
  explicit,
  integer,
  objectIdentifier,
  octets,
  sequence,
  setOf,
  tlv,
} from '../../../lib/asn1/writer.ts';
import { type Bytes, fromBase64, hex, utf8 } from '../../../lib/base/bytes.ts';
import {
  MAX_REFUSED_NAMES,
  MAX_REFUSED_TEXT_OCTETS,
  REFUSAL_KEPT_MS,
  REFUSAL_PLACES,
  REFUSAL_PLACES_EMPTY_MS,
  REFUSAL_PLACES_MS,
  REFUSALS_BURST,
} from '../../../lib/base/limits.ts';
import { explainRefusal } from '../../../lib/ca/query/explain-refusal.ts';
import { findTransaction, listTransactions, storyOf } from '../../../lib/ca/query/transactions.ts';
import { hash } from '../../../lib/crypto/native.ts';
import type { Action, Store } from '../../../lib/ports/store.ts';
import { readCertificationRequest } from '../../../lib/x509/csr.ts';
import { parseName } from '../../../lib/x509/names/name.ts';
import { checkCa } from '../../support/check-ca.ts';
import { eventIn } from '../../support/event-in.ts';
import { deviceKey } from '../../support/keys.ts';
import { makeLab } from '../../support/lab.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { enrolment, random } from '../../support/messages.ts';
import { got, keys, refusedWith, type World, world } from '../../support/world.ts';

type Asked = {
  readonly subject: Bytes;
  readonly challenge: string;
  /** GeneralNames, DER. */
  readonly names: readonly Bytes[];
};

/** A PKCS#10 with whatever names, signed by its key. */
async function certificationRequest(
  key: Awaited<ReturnType<typeof deviceKey>>,
  { subject, challenge, names }: Asked,
): Promise<Bytes> {
  const asked = sequence(objectIdentifier('2.5.29.17'), octets(sequence(...names)));
  const attribute = (type: string, value: Bytes) => sequence(objectIdentifier(type), setOf(value));
  const info = sequence(
    ...[integer(0), subject, key.spki],
    explicit(
      0,
      attribute('1.2.840.113549.1.9.7', tlv(tag.utf8String, utf8(challenge))),
      attribute('1.2.840.113549.1.9.14', sequence(asked)),
    ),
  );
  const algorithm = sequence(objectIdentifier('1.2.840.113549.1.1.11'), tlv(tag.null));
  const signature = tlv(tag.bitString, Uint8Array.of(0), await key.sign(info));
  return sequence(info, algorithm, signature);
}

const refusals = (w: World) => w.transactions().filter((one) => one.state === 'refused');
const told = (w: World) => w.events().filter(({ type }) => type === 'request.refused');

describe('a refusal that is kept', () => {
  test('a refusal that is kept says who asked for what and why not, without the challenge, with one event', async () => {
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

  test('a refusal is counted against its challenge in the same write; the same request again is told at the price of a read', async () => {
    const w = await world();
    const challenge = await w.lab.challenge({ subject: 'CN=right' });
    const sent = await enrolment(w.lab, { challenge, subject: 'CN=wrong' });
    w.lab.calls.length = 0;
    refusedWith('SCEP-311', await w.send(sent));
    const budget = ['store.read', 'store.write'];
    assert.deepEqual(w.lab.calls, ['store.read', ...budget, 'store.write']);
    w.lab.calls.length = 0;
    refusedWith('SCEP-311', await w.send(sent));
    assert.deepEqual(w.lab.calls, ['store.read']);
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

  test('a refusal with as many and as long names as a message holds keeps a few, and the CSR by its hash, and is counted', async () => {
    const w = await world();
    const key = await deviceKey('many names');
    const challenge = await w.lab.challenge({ names: ['upn:a@b.example'] });
    const upn = (i: number) =>
      explicit(
        0,
        objectIdentifier('1.3.6.1.4.1.311.20.2.3'),
        explicit(0, tlv(tag.utf8String, new Uint8Array(550).fill(1).fill(0x41, 0, i))),
      );
    const names = Array.from({ length: 95 }, (_, i) => upn(i));
    const subject = parseName('CN=device-1');
    const plaintext = await certificationRequest(key, { subject, challenge, names });
    refusedWith('SCEP-312', await w.ask({ key, plaintext }));
    const [kept] = refusals(w);
    assert.ok(kept);
    assert.deepEqual(
      [kept.names.length, kept.csr, kept.csrHash],
      [MAX_REFUSED_NAMES, '', hex(hash('SHA-256', plaintext))],
    );
    assert.equal(w.challenges()[0]?.failures, 1);
    const story = await storyOf(w.lab.deps, kept.id);
    assert.equal(story?.transaction.id, kept.id);
    const explained = explainRefusal(kept);
    assert.ok(
      explained?.sent.some((line) => /larger than 2048 octets and kept by its hash/.test(line)),
      explained?.sent.join(),
    );
    w.check();
  });

  test('whatever is sent, the record of its refusal and its events are a few kB', async () => {
    const w = await world();
    const key = await deviceKey('hostile sizes');
    const letter = fc.constantFrom(
      ...['a', '"', '\\', '\u0000', '\u202e', '\u00e9', '\u4e2d', '\u{1f600}'],
    );
    const text = fc
      .tuple(
        fc.string({ unit: letter, minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 300 }),
      )
      .map(([unit, times]) => unit.repeat(times));
    const property = fc.asyncProperty(
      fc.array(text, { maxLength: 20 }),
      text.map((long) => long.slice(0, 1000)),
      text,
      fc.boolean(),
      async (names, transactionID, asked, known) => {
        w.lab.clock.at += REFUSAL_PLACES_MS;
        const challenge = known ? await w.lab.challenge({ subject: 'CN=right' }) : 'unknown';
        const made = new Set(w.store.dump().map((row) => `${row.kind} ${row.key}`));
        const subject = sequence(
          setOf(sequence(objectIdentifier('2.5.4.3'), tlv(tag.utf8String, utf8(asked)))),
        );
        const general = names.map((name) => tlv(0x86, utf8(name)));
        const plaintext = await certificationRequest(key, { subject, challenge, names: general });
        const sent = { key, plaintext, transactionID: transactionID.replace(/[^\0-\xff]/gu, '?') };
        if (sent.plaintext.length > 40_000) return;
        assert.equal((await w.ask(sent)).pkiStatus, 'FAILURE');
        const rows = w.store.dump().filter((row) => !made.has(`${row.kind} ${row.key}`));
        assert.ok(
          rows.some(({ kind }) => kind === 'transaction'),
          'it was kept',
        );
        for (const row of rows) {
          const { octets } = transactItemOf('table', { do: 'put', ...row } as Action, 'attempt');
          const most = row.kind === 'transaction' ? 8192 : 2048;
          assert.ok(octets <= most, `${row.kind}: ${octets} octets`);
        }
      },
    );
    await fc.assert(property, { numRuns: 40 });
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
    assert.equal(String(kept?.evidence?.value).length, MAX_REFUSED_TEXT_OCTETS + 1);
    assert.equal(kept?.subject, `CN=${long.slice(0, MAX_REFUSED_TEXT_OCTETS - 3)}…`);
    w.check();
  });
});

describe('the budget of refusals', () => {
  const stranger = async (w: World) =>
    enrolment(w.lab, { challenge: 'not a challenge of ours', key: await deviceKey('stranger') });

  test('an instance keeps ten at once, what is beyond them is only counted and logged once a second; the next one kept says how many', async () => {
    const w = await world();
    const sent = await stranger(w);
    for (let i = 0; i < REFUSAL_PLACES + 7; i++) {
      w.lab.calls.length = 0;
      refusedWith('SCEP-302', await w.send(sent));
      const writes = w.lab.calls.filter((call) => call === 'store.write').length;
      assert.equal(writes, i === 0 ? 2 : i < REFUSAL_PLACES ? 1 : 0);
      assert.ok(!w.lab.calls.includes('signer.sign'));
    }
    assert.equal(refusals(w).length, REFUSAL_PLACES);
    assert.ok(told(w).every((event) => !('number' in event)));
    const dropped = () => w.lab.log.filter(({ event }) => event === 'refusals.dropped');
    assert.deepEqual(
      dropped().map(({ endpoint, count }) => [endpoint, count]),
      [['default', 1]],
    );
    // It asks for no more within two seconds, and in one it is said again.
    w.lab.clock.at += REFUSAL_PLACES_MS - 1;
    await w.send(sent);
    assert.equal(dropped().length, 2);
    w.lab.clock.at += 1;
    await w.send(sent);
    assert.equal(refusals(w).length, REFUSAL_PLACES + 1);
    assert.deepEqual(
      told(w)
        .filter(({ number }) => number !== undefined)
        .map(({ number }) => number),
      [8],
    );
    w.check();
  });

  test('it is of all instances: what the others took is not there, and where there was none nothing is asked for ten seconds', async () => {
    const w = await world();
    const sent = await stranger(w);
    const others = await Promise.all(
      Array.from({ length: REFUSALS_BURST / REFUSAL_PLACES }, () => w.instance({})),
    );
    for (const other of others) await w.send(sent, '/scep', other);
    w.lab.calls.length = 0;
    refusedWith('SCEP-302', await w.send(sent));
    assert.deepEqual(w.lab.calls, ['store.read', 'store.read']);
    w.lab.clock.at += REFUSAL_PLACES_EMPTY_MS - 1;
    w.lab.calls.length = 0;
    await w.send(sent);
    assert.deepEqual(w.lab.calls, ['store.read']);
    w.lab.clock.at += 1;
    await w.send(sent);
    assert.equal(refusals(w).length, others.length + 1);
    w.check();
  });

  test('each endpoint has its own', async () => {
    const w = await world();
    const sent = await stranger(w);
    for (let i = 0; i <= REFUSAL_PLACES; i++) await w.send(sent);
    assert.equal(refusals(w).length, REFUSAL_PLACES);
    refusedWith('SCEP-302', await w.send(sent, '/scep/other'));
    assert.equal(refusals(w).length, REFUSAL_PLACES + 1);
  });

  test('beyond it a refusal still counts against its one-time challenge, once', async () => {
    const w = await world();
    const sent = await stranger(w);
    const challenge = await w.lab.challenge({ subject: 'CN=right' });
    const shared = await w.lab.challenge({ subject: 'CN=right', uses: 1000 });
    const [key] = await keys('beyond');
    const wrong = (challenge: string) =>
      enrolment(w.lab, { challenge, subject: 'CN=wrong', ...(key ? { key } : {}) });
    const [once, often] = [await wrong(challenge), await wrong(shared)];
    for (let i = 0; i < REFUSAL_PLACES; i++) await w.send(sent);
    for (let i = 0; i < 3; i++) refusedWith('SCEP-311', await w.send(once));
    w.lab.calls.length = 0;
    refusedWith('SCEP-311', await w.send(often));
    assert.deepEqual(w.lab.calls, ['store.read'], 'against one of several uses nothing is written');
    assert.deepEqual(
      w.challenges().map(({ uses, failures }) => [uses, failures]),
      [
        [1, 1],
        [1000, 0],
      ],
    );
    assert.equal(refusals(w).length, REFUSAL_PLACES);
    w.lab.clock.at += REFUSAL_PLACES_MS;
    refusedWith('SCEP-311', await w.send(once));
    assert.equal(refusals(w).length, REFUSAL_PLACES + 1, 'kept when there is room');
    assert.deepEqual(
      told(w)
        .map(({ number }) => number)
        .filter(Boolean),
      [4],
    );
    refusedWith('SCEP-311', await w.send(often));
    assert.deepEqual(
      w.challenges().map(({ failures }) => failures),
      [1, 1],
    );
    w.check();
  });
});

describe('a refusal has an end', () => {
  test('nobody is shown a refusal after 30 days, whether the store has deleted it or not', async () => {
    const w = await world();
    refusedWith('SCEP-302', await w.ask({ challenge: 'not a challenge of ours' }));
    const [kept] = refusals(w);
    assert.ok(kept);
    const { deps } = w.lab;
    const shown = async () => [
      (await findTransaction(deps, kept.id))?.id,
      (await storyOf(deps, kept.id))?.transaction.id,
      ...(await listTransactions(deps, { limit: 10, endpoint: 'default' })).transactions.map(
        ({ id }) => id,
      ),
      ...(
        await listTransactions(deps, { limit: 10, endpoint: 'default', state: 'refused' })
      ).transactions.map(({ id }) => id),
    ];
    w.lab.clock.at += REFUSAL_KEPT_MS - 1;
    assert.deepEqual(await shown(), Array(4).fill(kept.id));
    w.lab.clock.at += 1;
    assert.deepEqual(await shown(), [undefined, undefined]);
    assert.equal(refusals(w).length, 1, 'it is still in the store');
  });

  test('a request that was counted against a challenge is counted again after 30 days, if it still comes', async () => {
    const w = await world();
    const challenge = await w.lab.challenge({ subject: 'CN=right', ttlMs: 2 * REFUSAL_KEPT_MS });
    const sent = await enrolment(w.lab, { challenge, subject: 'CN=wrong' });
    const failures = () => w.challenges().map((one) => one.failures);
    await w.send(sent);
    w.lab.clock.at += REFUSAL_KEPT_MS - 1;
    refusedWith('SCEP-311', await w.send(sent));
    assert.deepEqual(failures(), [1]);
    w.lab.clock.at += 1;
    refusedWith('SCEP-311', await w.send(sent));
    assert.deepEqual(failures(), [2]);
  });

  test('its item and that of its counted request tell DynamoDB when, and nothing that must stay does', async () => {
    const w = await world();
    const challenge = await w.lab.challenge({ subject: 'CN=right' });
    await w.ask({ challenge, subject: 'CN=wrong' });
    got(await w.ask({ challenge, subject: 'CN=right' }));
    const ends = w.store.dump().flatMap((row) => {
      const { item } = transactItemOf('table', { do: 'put', ...row } as Action, 'attempt');
      const { ttl, pk } = item.Put?.Item ?? {};
      return ttl === undefined ? [] : [[pk?.S?.split('#')[0], Number(ttl.N) * 1000] as const];
    });
    const [kept] = refusals(w);
    assert.equal(kept?.expiresAt, w.lab.clock.at + REFUSAL_KEPT_MS);
    const days = (at: number) => Math.round((at - w.lab.clock.at) / 86_400_000);
    assert.deepEqual(ends.map(([kind, at]) => [kind, days(at)]).toSorted(), [
      ['challenge', 30],
      ['request', 30],
      ['transaction', 30],
    ]);
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

  test('a refusal that cannot be written is answered alike, is logged, and is counted as not kept', async () => {
    const { state, store, lab } = await failing();
    const sent = await enrolment(lab, { challenge: 'not a challenge of ours' });
    state.down = true;
    const refused = async () => {
      const answer = await sent.read(await lab.operate(sent.message));
      assert.ok(answer.pkiStatus === 'FAILURE');
      assert.match(answer.text ?? '', /^SCEP-302: /);
    };
    const logged = (wanted: string) =>
      lab.log.filter(({ event, severity }) => event === wanted && severity === 'error').length;
    // No place could be taken, and it is not tried again for a while.
    for (let i = 0; i < 2; i++) await refused();
    assert.deepEqual([logged('refusals.budgetUnknown'), logged('refusal.unstored')], [1, 0]);
    state.down = false;
    lab.clock.at += REFUSAL_PLACES_EMPTY_MS;
    await refused();
    state.down = true;
    for (let i = 0; i < 2; i++) await refused();
    assert.deepEqual([logged('refusals.budgetUnknown'), logged('refusal.unstored')], [1, 2]);
    state.down = false;
    await lab.operate(sent.message);
    const events = store
      .dump()
      .flatMap(({ record }) => ('body' in record ? [eventIn(record)] : []));
    const [event, ...more] = events.filter(({ type }) => type === 'request.refused');
    const numbers = [event, ...more].map((one) => one?.number);
    assert.deepEqual(numbers, [2, 2]);
  });

  test('a refusal that has to count against its challenge is an outage: nobody guesses while nothing counts', async () => {
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
    lab.clock.at += REFUSAL_PLACES_MS;
    meanwhile = () => ask('CN=tenth');
    refusedWith('SCEP-311', await ask('CN=late'));
    const rows = store.dump();
    checkCa(rows);
    assert.equal(rows.filter(({ kind }) => kind === 'transaction').length, 11);
  });
});
