// What every store promises, whatever it is made of: run over each adapter by the store tests.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { CertificateState } from '../../lib/base/words.ts';
import type { CertificateRecord } from '../../lib/ports/records/certificate.ts';
import { newLineage } from '../../lib/ports/records/lineage.ts';
import { dueBefore, type List, searchText } from '../../lib/ports/records/places.ts';
import type { Challenge, Kind, Records } from '../../lib/ports/records/records.ts';
import type { Transaction } from '../../lib/ports/records/transaction.ts';
import type { Action, AlteredRow, Key, ListQuery, Row, Store } from '../../lib/ports/store.ts';
import { MemoryStore } from '../support/memory-store.ts';

const now = 1_800_000_000_000;

export const challengeRecord = (changes: Partial<Challenge> = {}): Challenge => ({
  id: 'id',
  endpoint: 'default',
  binding: { subject: 'CN=x', names: ['dns:a.example'] },
  bindingMac: '00',
  uses: 1,
  usesLeft: 1,
  createdAt: now,
  expiresAt: now + 1000,
  failures: 0,
  open: {},
  ...changes,
});

export const transactionRecord = (id: string, changes: object = {}): Transaction =>
  ({
    id,
    endpoint: 'default',
    ca: 'default',
    state: 'intended',
    asked: 'enrolment',
    signer: 'key:00',
    requestHash: `hash-${id}`,
    transactionIDs: ['odd \u0000 \u00ff "id"', '\u{1f600}'],
    subject: 'CN=x',
    csr: 'MAA=',
    csrHash: 'aa',
    names: [],
    profile: 'device',
    authorizedBy: [],
    leaseUntil: now + 10_000,
    undo: {},
    repeatUntil: now,
    reply: { digest: 'SHA-256', cipher: 'AES-128' },
    timeline: [{ at: now, state: 'intended' }],
    createdAt: now,
    ...changes,
  }) as unknown as Transaction;

const put = <K extends Kind>(kind: K, key: string, rev: number, record: Records[K]): Action =>
  ({ do: 'put', kind, key, rev, record }) as Action;

/** An event of a Transaction: it stands in a list of one shard. */
const about = (key: string, transaction: string): Action =>
  put('event', key, 0, { body: '{}', transaction });

export function storeContract(name: string, open: () => Promise<Store>): void {
  describe(`store: ${name}`, () => {
    const one = async (
      store: Store,
      kind: Kind,
      key: string,
    ): Promise<Row | AlteredRow | undefined> => (await store.read([{ kind, key }]))[0];

    test('an empty store returns nothing', async () => {
      const store = await open();
      const keys = [
        { kind: 'transaction', key: 'x' } as const,
        { kind: 'challenge', key: 'a/b/c' } as const,
      ];
      assert.deepEqual(await store.read(keys), []);
      assert.deepEqual(await store.read([]), []);
      assert.deepEqual(await store.list({ list: 'transactions', group: 'default', limit: 5 }), {
        keys: [],
      });
    });

    test('a record comes back as it was put, with the number of its writes', async () => {
      const store = await open();
      const record = transactionRecord('a');
      assert.equal(await store.write([put('transaction', 'a', 0, record)]), 'done');
      assert.deepEqual(await one(store, 'transaction', 'a'), {
        kind: 'transaction',
        key: 'a',
        rev: 1,
        record,
      });
      const changed = { ...record, state: 'issued' } as Transaction;
      assert.equal(await store.write([put('transaction', 'a', 1, changed)]), 'done');
      assert.deepEqual(await one(store, 'transaction', 'a'), {
        kind: 'transaction',
        key: 'a',
        rev: 2,
        record: changed,
      });
    });

    test('a read of many keys returns the existing ones, of every kind, each once', async () => {
      const store = await open();
      const ids = Array.from({ length: 60 }, (_, i) => `t${String(i).padStart(2, '0')}`);
      for (const id of ids) await store.write([put('transaction', id, 0, transactionRecord(id))]);
      await store.write([put('request', 'r', 0, { transaction: 't00' })]);
      const keys = ids.map((key) => ({ kind: 'transaction', key }) as const);
      const rows = await store.read([
        ...keys,
        { kind: 'request', key: 'r' },
        { kind: 'poll', key: 'r' },
      ]);
      assert.deepEqual(rows.map(({ key }) => key).sort(), [...ids, 'r'].sort());
    });

    test('a read takes more keys than a database takes at once', async () => {
      const store = await open();
      const keys = Array.from({ length: 250 }, (_, i) => ({ kind: 'poll', key: `p${i}` }) as const);
      const writes = [keys.slice(0, 100), keys.slice(100, 200), keys.slice(210)];
      for (const part of writes) {
        const actions = part.map(({ key }) => put('poll', key, 0, { transaction: key }));
        assert.equal(await store.write(actions), 'done');
      }
      const rows = await store.read(keys);
      assert.deepEqual(
        rows.map(({ key, record }) => [key, record]).sort(),
        writes
          .flat()
          .map(({ key }) => [key, { transaction: key }])
          .sort(),
      );
    });

    test('a record of 200 kB comes back whole', async () => {
      const store = await open();
      const record = transactionRecord('big', {
        subject: 'A\u00e9\u{1f600}"'.repeat(20_000),
      });
      assert.equal(await store.write([put('transaction', 'big', 0, record)]), 'done');
      assert.deepEqual((await one(store, 'transaction', 'big'))?.record, record);
    });

    test('a write of nothing is done', async () => {
      assert.equal(await (await open()).write([]), 'done');
    });

    test('a key of one kind is not a key of another', async () => {
      const store = await open();
      await store.write([
        put('request', 'k', 0, { transaction: 'a' }),
        put('poll', 'k', 0, { transaction: 'b' }),
      ]);
      assert.deepEqual((await one(store, 'request', 'k'))?.record, { transaction: 'a' });
      assert.deepEqual((await one(store, 'poll', 'k'))?.record, { transaction: 'b' });
    });

    const wrongRev: [string, (key: string) => Action][] = [
      ['a put where there must be none', (key) => put('request', key, 0, { transaction: 'z' })],
      ['a put of an older one', (key) => put('request', key, 1, { transaction: 'z' })],
      ['a put of a newer one', (key) => put('request', key, 3, { transaction: 'z' })],
      ['a delete of another', (key) => ({ do: 'delete', kind: 'request', key, rev: 1 })],
      ['a check of another', (key) => ({ do: 'check', kind: 'request', key, rev: 1 })],
      ['a check that there is none', (key) => ({ do: 'check', kind: 'request', key, rev: 0 })],
    ];
    for (const [what, action] of wrongRev) {
      test(`${what} is a conflict, and nothing of its write takes effect`, async () => {
        const store = await open();
        await store.write([put('request', 'k', 0, { transaction: 'a' })]);
        await store.write([put('request', 'k', 1, { transaction: 'b' })]);
        const write = [
          put('poll', 'p', 0, { transaction: 'a' }),
          action('k'),
          put('poll', 'q', 0, { transaction: 'a' }),
        ];
        assert.equal(await store.write(write), 'conflict');
        assert.deepEqual((await one(store, 'request', 'k'))?.record, { transaction: 'b' });
        assert.equal(await one(store, 'poll', 'p'), undefined);
        assert.equal(await one(store, 'poll', 'q'), undefined);
      });
    }

    const absent: [string, Action][] = [
      ['a put of a later one', put('request', 'none', 1, { transaction: 'z' })],
      ['a delete', { do: 'delete', kind: 'request', key: 'none', rev: 1 }],
      ['a check', { do: 'check', kind: 'request', key: 'none', rev: 1 }],
      ['a use', { do: 'use', kind: 'challenge', key: 'none', fail: true }],
    ];
    for (const [what, action] of absent) {
      test(`${what} of a record that is not there is a conflict`, async () => {
        const store = await open();
        const write = [put('poll', 'p', 0, { transaction: 'a' }), action];
        assert.equal(await store.write(write), 'conflict');
        assert.equal(await one(store, action.kind, 'none'), undefined);
        assert.equal(await one(store, 'poll', 'p'), undefined);
      });
    }

    test('checks and deletes whose conditions hold are done; a deleted record can be put again', async () => {
      const store = await open();
      await store.write([put('request', 'k', 0, { transaction: 'a' })]);
      const check = (rev: number): Action => ({ do: 'check', kind: 'request', key: 'k', rev });
      assert.equal(
        await store.write([check(1), put('poll', 'p', 0, { transaction: 'a' })]),
        'done',
      );
      assert.equal(
        await store.write([{ do: 'delete', kind: 'request', key: 'k', rev: 1 }]),
        'done',
      );
      assert.equal(await one(store, 'request', 'k'), undefined);
      assert.equal(
        await store.write([check(0), put('poll', 'q', 0, { transaction: 'a' })]),
        'done',
      );
      assert.equal(await store.write([put('request', 'k', 0, { transaction: 'c' })]), 'done');
      assert.equal((await one(store, 'request', 'k'))?.rev, 1);
    });

    test('one of 100 writers of one record wins each time', async () => {
      const store = await open();
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, i) =>
          store.write([put('request', 'k', 0, { transaction: `t${i}` })]),
        ),
      );
      assert.equal(answers.filter((answer) => answer === 'done').length, 1);
      assert.equal(answers.filter((answer) => answer === 'conflict').length, 99);
    });

    describe('uses of a challenge', () => {
      const key = 'default/k/mac';
      const take = (transaction: string, at = now): Action => ({
        do: 'use',
        kind: 'challenge',
        key,
        take: { transaction, requestHash: `hash-${transaction}`, now: at },
      });
      const seeded = async (changes: Partial<Challenge> = {}) => {
        const store = await open();
        await store.write([put('challenge', key, 0, challengeRecord(changes))]);
        return store;
      };
      const record = async (store: Store) => (await one(store, 'challenge', key))?.record;

      test('a use is taken, and its holder is listed', async () => {
        const store = await seeded({ uses: 2, usesLeft: 2 });
        assert.equal(await store.write([take('a')]), 'done');
        assert.deepEqual(
          await record(store),
          challengeRecord({ uses: 2, usesLeft: 1, open: { a: 'hash-a' } }),
        );
      });

      const refused: [string, Partial<Challenge>, number?][] = [
        ['no use is left', { usesLeft: 0 }],
        ['more uses are left than it has', { uses: 2, usesLeft: 3 }],
        ['fewer than none are left', { uses: 2, usesLeft: -1 }],
        ['it has expired', { expiresAt: now }],
        ['it is locked', { failures: 10 }],
        ['it is revoked', { revokedAt: now }],
        ['one of several uses is revoked', { uses: 5, usesLeft: 5, revokedAt: now }],
        ['the same Transaction holds one', { usesLeft: 1, open: { a: 'hash-a' } }],
      ];
      for (const [why, changes] of refused) {
        test(`none is taken when ${why}`, async () => {
          const store = await seeded(changes);
          const write = [put('poll', 'p', 0, { transaction: 'a' }), take('a')];
          assert.equal(await store.write(write), 'conflict');
          assert.deepEqual(await record(store), challengeRecord(changes));
          assert.equal(await one(store, 'poll', 'p'), undefined);
        });
      }

      test('no use is taken of a challenge that does not exist', async () => {
        const store = await open();
        assert.equal(await store.write([take('a')]), 'conflict');
      });

      test('a use is given back by its holder only', async () => {
        const store = await seeded({ usesLeft: 0, open: { a: 'hash-a' } });
        const free = (transaction: string): Action => ({
          do: 'use',
          kind: 'challenge',
          key,
          free: [transaction],
        });
        assert.equal(await store.write([free('b')]), 'conflict');
        assert.equal(await store.write([free('a')]), 'done');
        assert.deepEqual(await record(store), challengeRecord());
        assert.equal(await store.write([free('a')]), 'conflict');
      });

      test('one write frees the use of a holder and takes one for another', async () => {
        const store = await seeded({ usesLeft: 0, open: { a: 'hash-a' } });
        const both: Action = { ...take('b'), free: ['a'] } as Action;
        assert.equal(await store.write([both]), 'done');
        assert.deepEqual(
          await record(store),
          challengeRecord({ usesLeft: 0, open: { b: 'hash-b' } }),
        );
      });

      test('finished holders are cleared without giving anything back', async () => {
        const store = await seeded({ uses: 5, usesLeft: 3, open: { a: 'hash-a', b: 'hash-b' } });
        const clearing: Action = { ...take('c'), clear: ['a', 'gone'] } as Action;
        assert.equal(await store.write([clearing]), 'done');
        const expected = challengeRecord({
          uses: 5,
          usesLeft: 2,
          open: { b: 'hash-b', c: 'hash-c' },
        });
        assert.deepEqual(await record(store), expected);
      });

      test('a challenge of several uses counts refused attempts and is never locked by them', async () => {
        const uses = { uses: 1000, usesLeft: 1000 };
        const store = await seeded({ ...uses, failures: 9 });
        const fail: Action = { do: 'use', kind: 'challenge', key, fail: true };
        for (let i = 0; i < 3; i++) assert.equal(await store.write([fail]), 'done');
        assert.equal(await store.write([take('a')]), 'done');
        assert.deepEqual(
          await record(store),
          challengeRecord({ uses: 1000, usesLeft: 999, failures: 12, open: { a: 'hash-a' } }),
        );
      });

      test('a use of a revoked challenge is given back, and no refused attempt is counted', async () => {
        const changes = { usesLeft: 0, open: { a: 'hash-a' }, revokedAt: now };
        const store = await seeded(changes);
        const use = { do: 'use', kind: 'challenge', key } as const;
        assert.equal(await store.write([{ ...use, fail: true }]), 'conflict');
        assert.equal(await store.write([{ ...use, free: ['a'] }]), 'done');
        assert.deepEqual(await record(store), challengeRecord({ revokedAt: now }));
      });

      test('refused attempts on a one-time challenge are counted up to ten', async () => {
        const store = await seeded({ usesLeft: 0 });
        const fail: Action = { do: 'use', kind: 'challenge', key, fail: true };
        for (let i = 0; i < 10; i++) assert.equal(await store.write([fail]), 'done');
        assert.equal(await store.write([fail]), 'conflict');
        assert.deepEqual(await record(store), challengeRecord({ usesLeft: 0, failures: 10 }));
      });

      test('a use counts as a write: what was read before it cannot be put back', async () => {
        const store = await seeded({ uses: 9, usesLeft: 9 });
        const [row] = await store.read([{ kind: 'challenge', key }]);
        assert.ok(row);
        assert.equal(await store.write([take('a')]), 'done');
        const back = put('challenge', key, row.rev, row.record as Challenge);
        assert.equal(await store.write([back]), 'conflict');
        assert.equal(await store.write([take('b')]), 'done');
        assert.equal((await one(store, 'challenge', key))?.rev, 3);
      });

      for (const uses of [1, 50]) {
        test(`100 at once on ${uses} use(s): as many get one`, async () => {
          const store = await seeded({ uses, usesLeft: uses });
          const answers = await Promise.all(
            Array.from({ length: 100 }, (_, i) => store.write([take(`t${i}`)])),
          );
          assert.equal(answers.filter((answer) => answer === 'done').length, uses);
          const left = (await record(store)) as Challenge;
          assert.equal(left.usesLeft, 0);
          assert.equal(Object.keys(left.open).length, uses);
        });
      }
    });

    describe('lists', () => {
      test('transactions of an endpoint are listed newest first, page by page', async () => {
        const store = await open();
        for (const id of ['a', 'b', 'c', 'd', 'e']) {
          await store.write([put('transaction', id, 0, transactionRecord(id))]);
        }
        await store.write([
          put('transaction', 'x', 0, transactionRecord('x', { endpoint: 'other' })),
        ]);
        const query = { list: 'transactions', group: 'default', reverse: true, limit: 2 } as const;
        const seen: string[] = [];
        let from: string | undefined;
        for (;;) {
          const page = await store.list({ ...query, ...(from === undefined ? {} : { from }) });
          assert.ok(page.keys.length <= 2);
          seen.push(...page.keys);
          if (page.next === undefined) break;
          from = page.next;
        }
        assert.deepEqual(seen, ['e', 'd', 'c', 'b', 'a']);
      });

      test('a write moves a record from list to list', async () => {
        const store = await open();
        const keys = async (group: string) =>
          (await store.list({ list: 'open', group, limit: 9 })).keys;
        const pending = transactionRecord('a', { state: 'pending', expiresAt: now });
        await store.write([put('transaction', 'a', 0, pending)]);
        assert.deepEqual([await keys('pending'), await keys('intended')], [['a'], []]);
        await store.write([put('transaction', 'a', 1, transactionRecord('a'))]);
        assert.deepEqual([await keys('pending'), await keys('intended')], [[], ['a']]);
        await store.write([
          put('transaction', 'a', 2, transactionRecord('a', { state: 'issued' })),
        ]);
        assert.deepEqual([await keys('pending'), await keys('intended')], [[], []]);
      });

      test('open transactions are listed by when they are due, up to a time', async () => {
        const store = await open();
        for (const [id, due] of [
          ['a', 3],
          ['b', 1],
          ['c', 2],
        ] as const) {
          await store.write([
            put('transaction', id, 0, transactionRecord(id, { leaseUntil: now + due })),
          ]);
        }
        const until = String(now + 3).padStart(15, '0');
        const page = await store.list({ list: 'open', group: 'intended', until, limit: 9 });
        assert.deepEqual(page.keys, ['b', 'c']);
      });

      test('pages have the right ends in either direction, and a full last page is the last', async () => {
        const store = await open();
        const ids = ['a', 'b', 'c', 'd', 'e', 'f'];
        await store.write(ids.map((id) => put('transaction', id, 0, transactionRecord(id))));
        const list = (query: Partial<ListQuery>) =>
          store.list({ list: 'transactions', group: 'default', limit: 9, ...query });
        assert.deepEqual(await list({ limit: 6 }), { keys: ids });
        assert.deepEqual(await list({ limit: 5 }), { keys: ids.slice(0, 5), next: 'e' });
        assert.deepEqual(await list({ from: 'b', until: 'e' }), { keys: ['c', 'd'] });
        assert.deepEqual(await list({ from: 'b', until: 'f', limit: 2 }), {
          keys: ['c', 'd'],
          next: 'd',
        });
        assert.deepEqual(await list({ reverse: true, until: 'd' }), { keys: ['f', 'e'] });
        assert.deepEqual(await list({ reverse: true, from: 'e', until: 'b' }), {
          keys: ['d', 'c'],
        });
        assert.deepEqual(await list({ from: 'f' }), { keys: [] });
      });

      test('transactions are found by the beginning of their subject and device', async () => {
        const store = await open();
        const subjects = {
          a: ['CN=Printer-17,O=\u00c4', []],
          b: ['CN=printer-1,O=x', ['dns:Host.example', 'dns:other.example']],
          c: ['CN=p\\, q,O=x', []],
          d: ['', ['ip:192.0.2.1']],
          e: ['CN=\u{1f600}', []],
          f: ['CN=\uffee', []],
        } as const;
        await store.write(
          Object.entries(subjects).map(([id, [subject, names]]) =>
            put('transaction', id, 0, transactionRecord(id, { subject, names, ca: 'x' })),
          ),
        );
        const found = async (list: 'subjects' | 'devices', text: string, limit = 9) => {
          const start = searchText(text);
          const range = start ? { from: start, until: `${start}~` } : {};
          return store.list({ list, group: 'x', ...range, limit });
        };
        assert.deepEqual(await found('subjects', 'cn=PRINTER-1'), { keys: ['b', 'a'] });
        assert.deepEqual(await found('subjects', 'CN=Printer-17,O=a\u0308'), { keys: ['a'] });
        assert.deepEqual(await found('subjects', 'CN=printer-1,o=x'), { keys: ['b'] });
        assert.deepEqual((await found('subjects', '')).keys.toSorted(), Object.keys(subjects));
        const { keys, next } = await found('subjects', '', 4);
        const rest = await store.list({ list: 'subjects', group: 'x', limit: 9, from: next ?? '' });
        assert.deepEqual([...keys, ...rest.keys].toSorted(), Object.keys(subjects));
        assert.deepEqual(await found('devices', 'host.'), { keys: ['b'] });
        assert.deepEqual(await found('devices', 'other'), { keys: [] });
        assert.deepEqual(await found('devices', 'printer'), { keys: ['a'] });
        assert.deepEqual(await found('devices', '192.0.2.1'), { keys: ['d'] });
        assert.deepEqual(await found('devices', 'p\\, q'), { keys: ['c'] });
        await store.write([
          put('transaction', 'b', 1, transactionRecord('b', { subject: 'CN=z', ca: 'x' })),
        ]);
        assert.deepEqual(await found('devices', 'host.'), { keys: [] });
        assert.deepEqual(await found('devices', 'z'), { keys: ['b'] });
      });

      test('certificates are listed by beginning and end, challenges and events by time', async () => {
        const store = await open();
        const certificate = (state: CertificateState, from: number, changes = {}) =>
          ({
            ca: 'x',
            serial: '00',
            state,
            endpoint: 'default',
            transaction: 'a',
            subject: 'CN=x',
            tbsHash: '',
            keyHash: '',
            notBefore: now + from,
            notAfter: now + 100 - from,
            confirmed: false,
            successors: {},
            lineage: newLineage({ serial: '00', notAfter: now + 100 - from }),
            ...changes,
          }) as CertificateRecord;
        await store.write([
          put('certificate', 'x/1', 0, certificate('issued', 2)),
          put('certificate', 'x/2', 0, certificate('held', 1)),
          put('certificate', 'x/3', 0, certificate('revoked', 1)),
          put('certificate', 'x/4', 0, certificate('intended', 0)),
          put('certificate', 'x/5', 0, certificate('revoked', 0, { unseen: true })),
          put('challenge', 'default/1/aa', 0, challengeRecord({ id: '01B' })),
          put('challenge', 'default/1/bb', 0, challengeRecord({ id: '01A' })),
          put('event', '01C', 0, { body: '{}', transaction: 't' }),
          put('event', '01D', 0, { body: '{}' }),
        ]);
        const keys = async (list: List, group: string, more: Partial<ListQuery> = {}) =>
          (await store.list({ list, group, limit: 9, ...more })).keys;
        assert.deepEqual(await keys('certificates', 'x'), ['x/2', 'x/3', 'x/1']);
        assert.deepEqual(await keys('certificates', 'y'), []);
        assert.deepEqual(await keys('expiring', 'x'), ['x/1', 'x/2']);
        assert.deepEqual(await keys('expiring', 'x', { until: dueBefore(now + 99) }), ['x/1']);
        assert.deepEqual(await keys('challenges', 'default'), ['default/1/bb', 'default/1/aa']);
        assert.deepEqual(await keys('events', 'all'), ['01C', '01D']);
        assert.deepEqual(await keys('timeline', 't'), ['01C']);
      });

      test('a list until it is emptied', async () => {
        const store = await open();
        await store.write([about('01B', 't'), about('01A', 't')]);
        await store.write([about('01C', 'u')]);
        const keys = async () =>
          (await store.list({ list: 'timeline', group: 't', limit: 9 })).keys;
        assert.deepEqual(await keys(), ['01A', '01B']);
        await store.write([{ do: 'delete', kind: 'event', key: '01A', rev: 1 }]);
        assert.deepEqual(await keys(), ['01B']);
      });
    });

    test('a list of one shard, page by page', async () => {
      const store = await open();
      const ids = ['01A', '01B', '01C', '01D', '01E'];
      await store.write(ids.map((id) => about(id, 't')));
      const page = (from?: string) =>
        store.list({ list: 'timeline', group: 't', limit: 2, ...(from && { from }) });
      assert.deepEqual(await page(), { keys: ['01A', '01B'], next: '01B' });
      assert.deepEqual(await page('01B'), { keys: ['01C', '01D'], next: '01D' });
      assert.deepEqual(await page('01D'), { keys: ['01E'] });
    });

    test('two actions on one record are a programming error', async () => {
      const store = await open();
      const twice = [
        put('request', 'k', 0, { transaction: 'a' }),
        put('request', 'k', 1, { transaction: 'b' }),
      ];
      await assert.rejects(async () => store.write(twice), TypeError);
    });

    test('random reads and writes are answered as the memory store answers them', async () => {
      await fc.assert(
        fc.asyncProperty(writes, async (all) => {
          const [store, model] = [await open(), new MemoryStore()];
          for (const write of all) {
            assert.equal(await store.write(write), await model.write(write), JSON.stringify(write));
          }
          const byKey = (a: Key, b: Key) => (a.kind + a.key < b.kind + b.key ? -1 : 1);
          const [found, expected] = [
            await store.read(keysOfWrites),
            await model.read(keysOfWrites),
          ];
          assert.deepEqual([...found].sort(byKey), [...expected].sort(byKey));
        }),
        { numRuns: 25 },
      );
    });
  });
}

const ids = fc.constantFrom('a', 'b', 'c');
const revs = fc.constantFrom(0, 1, 2, 3);
const pointers = ['k', 'l'].map((key) => ({ kind: 'request', key }) as const);
const challenges = ['x/1', 'x/2'].map((key) => ({ kind: 'challenge', key }) as const);
const keysOfWrites = [...pointers, ...challenges];

const pointerAction = fc.record({
  key: fc.constantFrom(...pointers),
  rev: revs,
  what: fc.constantFrom('put', 'delete', 'check'),
  id: ids,
});
const challengeAction = fc.record(
  {
    key: fc.constantFrom(...challenges),
    uses: fc.constantFrom(1, 2),
    usesLeft: fc.constantFrom(0, 1, 2),
    take: fc.record({ transaction: ids, late: fc.boolean() }),
    free: fc.array(ids, { maxLength: 2 }),
    clear: fc.array(ids, { maxLength: 2 }),
    fail: fc.constant(true as const),
    put: fc.constantFrom(0, 1),
  },
  { requiredKeys: ['key', 'uses', 'usesLeft'] },
);

/** Writes of one or two actions, many of which fail. */
const writes = fc.array(
  fc
    .tuple(fc.option(pointerAction), fc.option(challengeAction))
    .map(([pointer, challenge]): Action[] => [
      ...(pointer ? [pointerActionOf(pointer)] : []),
      ...(challenge ? [challengeActionOf(challenge)] : []),
    ]),
  { minLength: 5, maxLength: 20 },
);

function pointerActionOf({
  key,
  rev,
  what,
  id,
}: typeof pointerAction extends fc.Arbitrary<infer T> ? T : never): Action {
  if (what === 'put') return { do: 'put', ...key, rev, record: { transaction: id } };
  return what === 'check'
    ? { do: 'check', ...key, rev }
    : { do: 'delete', ...key, rev: Math.max(1, rev) };
}

function challengeActionOf(
  one: typeof challengeAction extends fc.Arbitrary<infer T> ? T : never,
): Action {
  const { key, uses, usesLeft, take, free, clear, fail } = one;
  if (one.put !== undefined) {
    const record = challengeRecord({ id: key.key, uses, usesLeft, failures: 9 });
    return { do: 'put', ...key, rev: one.put, record };
  }
  const use = { do: 'use', ...key } as const;
  if (!take) return fail ? { ...use, fail } : { ...use, free: free ?? [] };
  return {
    ...use,
    take: {
      transaction: take.transaction,
      requestHash: `hash-${take.transaction}`,
      now: take.late ? now + 1000 : now + 999,
    },
    ...(free && { free }),
    ...(clear && { clear }),
  };
}
