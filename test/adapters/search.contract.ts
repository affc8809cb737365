// What the index of searches promises on every store: run by the store tests.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ulid } from '../../lib/base/ulid.ts';
import type { Deps } from '../../lib/ca/deps.ts';
import { findByWords } from '../../lib/ca/query/find.ts';
import { hasAll, startsOf, wantedIn } from '../../lib/ca/query/words.ts';
import type { Transaction } from '../../lib/ports/records/transaction.ts';
import type { SearchIndex } from '../../lib/ports/search-index.ts';
import type { Action, Store } from '../../lib/ports/store.ts';
import { Chance } from '../support/seeded.ts';
import { transactionRecord } from './store.contract.ts';

type Both = Store & { readonly index: SearchIndex };
const now = 1_800_000_000_000;
const idOf = (n: number): string => ulid(now + n, new Uint8Array(10).fill(n));

export function searchContract(name: string, open: () => Promise<Both>): void {
  describe(`index of searches: ${name}`, () => {
    const add = async (store: Both, all: readonly Transaction[]): Promise<void> => {
      for (const record of all) {
        const key = record.id;
        await store.write([{ do: 'put', kind: 'transaction', key, rev: 0, record } as Action]);
      }
      await store.index.add(all.map((record) => ({ id: record.id, starts: startsOf(record) })));
    };
    /** Ids that a search finds, page by page, as often as it finds them. */
    const found = async (store: Both, search: string, limit = 100): Promise<string[]> => {
      const deps = { store, index: store.index } as Pick<Deps, 'store' | 'index'>;
      const wanted = wantedIn(search, store.index.findsInside);
      const ids: string[] = [];
      let cursor: string | undefined;
      for (let pages = 0; ; pages++) {
        assert.ok(pages < 50, 'it ends');
        const turn = { limit, ...(cursor === undefined ? {} : { cursor }) };
        const { records, next } = await findByWords(deps, wanted, turn, () => true);
        assert.ok(records.length <= limit);
        ids.push(...records.map(({ id }) => id));
        if (next === undefined) return ids.sort();
        cursor = next;
      }
    };

    test('a place that is none of the search is no trouble: anybody may make up a cursor', async () => {
      const store = await open();
      const record = (n: number, subject: string) =>
        transactionRecord(idOf(n), { subject, names: [] });
      await add(store, [record(1, 'CN=zebra'), record(2, 'CN=zoo'), record(3, 'CN=ant')]);
      const begins = (text: string) => ({ terms: [{ text, inside: false }], limit: 1 });
      const { hits } = await store.index.find(begins('z'));
      for (const from of [hits[0]?.at ?? '', '0:~', '9:a', '0:', 'abc', '-1', '1e99', '', '\x00']) {
        await store.index.find({ ...begins('a'), from });
      }
    });

    test('a Transaction is found by the beginning of each of its words, once, and by all of them', async () => {
      const store = await open();
      const chance = new Chance('words');
      const words = [
        'lap',
        'laptop',
        'laptops',
        'berlin',
        'bern',
        'example',
        '17',
        '170',
        'ä',
        'x/y',
      ];
      const any = (): string => chance.pick(words) ?? '';
      const all = Array.from({ length: 40 }, (_, n) =>
        transactionRecord(idOf(n), {
          subject: `CN=${any()}-${any()},O=${any()}`,
          names: [`dns:${any()}.${any()}`, `dns:${any()}`],
        }),
      );
      await add(store, all);
      const searches = [
        ...[
          'l',
          'lap',
          'laptop',
          'laptops',
          'laptop-17',
          'ber',
          'berlin 17',
          '17 berlin',
          '1',
          'ä',
        ],
        ...['example.lap', 'x', 'y', 'nothing', 'berlin nothing', 'l b', 'lap 17 example', 'e e'],
        ...(store.index.findsInside ? ['*aptop', '*erl', '*rlin 17', '*top-1', '*nothing'] : []),
      ];
      for (const search of searches) {
        const wanted = wantedIn(search, true);
        const expected = all.filter((one) => hasAll(one, wanted)).map(({ id }) => id);
        for (const limit of [100, 3]) {
          assert.deepEqual(await found(store, search, limit), expected, `${search} by ${limit}`);
        }
      }
    });

    test('what is added again takes the place of what was there; what is missing is said', async () => {
      const store = await open();
      const [a, b] = [idOf(1), idOf(2)];
      const record = transactionRecord(a, { subject: 'CN=old' });
      assert.deepEqual(await store.index.missing([a, b]), [a, b]);
      await add(store, [record]);
      await store.index.add([{ id: a, starts: startsOf(record) }]);
      assert.deepEqual(await store.index.missing([a, b]), [b]);
      assert.deepEqual(await found(store, 'old'), [a]);
      await store.write([
        {
          ...{ do: 'put', kind: 'transaction', key: a, rev: 1 },
          record: { ...record, subject: 'CN=new' },
        } as Action,
      ]);
      assert.deepEqual(await found(store, 'old'), []);
      await store.index.add([{ id: a, starts: ['new'] }]);
      assert.deepEqual(await found(store, 'new'), [a]);
    });

    test('what has no words, no record or the most words and characters is no trouble', async () => {
      const store = await open();
      const long = 'ü'.repeat(3000);
      const names = Array.from({ length: 30 }, (_, n) => `dns:${n}.${long}`);
      await add(store, [
        transactionRecord(idOf(1), { subject: '' }),
        transactionRecord(idOf(2), { subject: `CN=${long}`, names }),
      ]);
      await store.index.add([{ id: idOf(3), starts: ['gone'] }]);
      await store.index.add([]);
      assert.deepEqual(await found(store, 'gone'), []);
      assert.deepEqual(await found(store, long.slice(0, 200)), [idOf(2)]);
      assert.deepEqual(await found(store, `0.${long.slice(0, 90)} ü`), [idOf(2)]);
      const many = Array.from({ length: 15 }, (_, n) => `${n}.üü`).join(' ');
      assert.deepEqual(await found(store, many), [idOf(2)]);
    });
  });
}
