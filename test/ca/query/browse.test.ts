// Pages over several lists as one: whatever they hold and however they are asked for, every record that
// is wanted comes once, in order, at a bounded price; and a list that lags behind does no harm. And a
// certificate among its renewals, of which as many are shown as one answer may have.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { MAX_PAGE, MAX_PAGE_READS, MAX_RENEWALS } from '../../../lib/base/limits.ts';
import { browse, type Range } from '../../../lib/ca/query/browse.ts';
import { renewalsOf } from '../../../lib/ca/query/certificates.ts';
import type { CertificateRecord } from '../../../lib/ports/records/certificate.ts';
import { newLineage } from '../../../lib/ports/records/lineage.ts';
import { placesOf } from '../../../lib/ports/records/places.ts';
import type { ListQuery, Store } from '../../../lib/ports/store.ts';
import { MemoryStore } from '../../support/memory-store.ts';

const record = (
  ca: string,
  serial: string,
  changes: Partial<CertificateRecord> = {},
): CertificateRecord =>
  ({
    ...{ ca, serial, state: 'issued', endpoint: 'default', transaction: 't', subject: 'CN=x' },
    ...{ tbsHash: '', keyHash: '', notBefore: 0, notAfter: 9e12, confirmed: false, successors: {} },
    lineage: newLineage({ serial, notAfter: 9e12 }),
    ...changes,
  }) as CertificateRecord;

async function filled(records: readonly CertificateRecord[]): Promise<MemoryStore> {
  const store = new MemoryStore();
  for (const one of records) {
    const key = `${one.ca}/${one.serial}`;
    await store.write([{ do: 'put', kind: 'certificate', key, rev: 0, record: one }]);
  }
  return store;
}

const sortOf = (one: CertificateRecord): string =>
  placesOf('certificate', `${one.ca}/${one.serial}`, one).find(
    ({ list }) => list === 'certificates',
  )?.sort ?? '';

/** All pages, until the last. */
async function all(store: Store, range: Range<'certificate'>, limit: number) {
  const found: CertificateRecord[] = [];
  let cursor: string | undefined;
  for (let i = 0; i < 1000; i++) {
    const page = await browse({ store }, range, { limit, ...(cursor ? { cursor } : {}) });
    assert.ok(page.records.length <= limit);
    found.push(...page.records);
    if (page.next === undefined) return found;
    assert.notEqual(page.next, cursor, 'it goes on');
    cursor = page.next;
  }
  return assert.fail('no end');
}

describe('pages', () => {
  test('every record once, in order, whatever is left out', async () => {
    const one = fc.record({
      ca: fc.constantFrom('a', 'b', 'c'),
      notBefore: fc.nat(20),
      state: fc.constantFrom('issued', 'held', 'revoked', 'intended'),
    });
    const asked = fc.record({
      list: fc.array(one, { maxLength: 60 }),
      groups: fc.subarray(['a', 'b', 'c', 'none']),
      limit: fc.integer({ min: 1, max: 12 }),
      reverse: fc.boolean(),
      wanted: fc.constantFrom(undefined, 'held', 'revoked'),
    });
    await fc.assert(
      fc.asyncProperty(asked, async ({ list, groups, limit, reverse, wanted }) => {
        const records = list.map(({ ca, ...changes }, i) =>
          record(ca, i.toString(16).padStart(4, '0'), changes as Partial<CertificateRecord>),
        );
        const keep = ({ state }: CertificateRecord) => state === wanted;
        const range: Range<'certificate'> = {
          ...{ kind: 'certificate', list: 'certificates', groups, reverse },
          ...(wanted === undefined ? {} : { keep }),
        };
        const expected = records
          .filter(({ ca, state }) => groups.includes(ca) && state !== 'intended')
          .filter((found) => wanted === undefined || keep(found))
          .sort((x, y) => (sortOf(x) < sortOf(y) ? -1 : 1) * (reverse ? -1 : 1));
        assert.deepEqual(await all(await filled(records), range, limit), expected);
      }),
      { numRuns: 150 },
    );
  });

  test('pages between two bounds are complete, in either direction', async () => {
    const records = Array.from({ length: 30 }, (_, i) =>
      record('a', `${i + 10}`, { notBefore: i }),
    );
    const store = await filled(records);
    const [from, until] = [
      sortOf(records[4] as CertificateRecord),
      sortOf(records[9] as CertificateRecord),
    ];
    const common = { kind: 'certificate', list: 'certificates', groups: ['a'] } as const;
    const serials = (found: readonly CertificateRecord[]) => found.map(({ serial }) => serial);
    assert.deepEqual(serials(await all(store, { ...common, from, until }, 2)), [
      '15',
      '16',
      '17',
      '18',
    ]);
    const back = { ...common, reverse: true, from: until, until: from };
    assert.deepEqual(serials(await all(store, back, 2)), ['18', '17', '16', '15']);
  });

  test('a wanted record beyond what was read of another list waits for what stands before it there', async () => {
    const held = { state: 'held' } as const;
    const long = Array.from({ length: MAX_PAGE + 20 }, (_, i) =>
      record('a', i.toString(16).padStart(4, '0'), {
        notBefore: i,
        ...(i === 5 || i === MAX_PAGE + 5 ? held : {}),
      }),
    );
    const short = record('b', 'ffff', { notBefore: MAX_PAGE + 10, ...held });
    const store = await filled([...long, short]);
    const keep = ({ state }: CertificateRecord) => state === 'held';
    const common = { kind: 'certificate', list: 'certificates', groups: ['a', 'b'] } as const;
    const found = await all(store, { ...common, keep }, 10);
    assert.deepEqual(
      found.map(({ notBefore }) => notBefore),
      [5, MAX_PAGE + 5, MAX_PAGE + 10],
    );
  });

  test('many of which few are wanted: a page has its price, and is not the last', async () => {
    const count = MAX_PAGE * (MAX_PAGE_READS + 1);
    const records = Array.from({ length: count }, (_, i) =>
      record('a', i.toString(16).padStart(4, '0'), { state: i === count - 1 ? 'held' : 'issued' }),
    );
    const store = await filled(records);
    let lists = 0;
    const counted: Store = {
      read: (keys) => store.read(keys),
      write: (actions) => store.write(actions),
      list: (query) => {
        lists++;
        return store.list(query);
      },
    };
    const keep = ({ state }: CertificateRecord) => state === 'held';
    const range = { kind: 'certificate', list: 'certificates', groups: ['a'], keep } as const;
    const page = await browse({ store: counted }, range, { limit: 1 });
    assert.deepEqual([page.records.length, lists], [0, MAX_PAGE_READS]);
    assert.ok(page.next);
    assert.equal((await all(counted, range, 1)).length, 1);
  });
});

describe('a list that lags behind the records', () => {
  const names = ['01', '02', '03', '04', '05'];

  test('names what is gone, what has left the list, what stands elsewhere: none of it is shown', async () => {
    const store = await filled(names.map((name, i) => record('a', name, { notBefore: i })));
    const list = (query: ListQuery) => store.list(query);
    const before = await list({ list: 'certificates', group: 'a', limit: 9 });
    const row = async (name: string) =>
      (await store.read([{ kind: 'certificate', key: `a/${name}` }]))[0];
    for (const [name, changes] of [
      ['02', { state: 'voided' }],
      ['03', { notBefore: 100 }],
    ] as const) {
      const found = await row(name);
      assert.ok(found?.kind === 'certificate');
      const changed = { ...(found.record as CertificateRecord), ...changes } as CertificateRecord;
      const put = { do: 'put', kind: 'certificate', key: found.key, rev: found.rev } as const;
      await store.write([{ ...put, record: changed }]);
    }
    const gone = await row('04');
    await store.write([{ do: 'delete', kind: 'certificate', key: 'a/04', rev: gone?.rev ?? 0 }]);
    const lagging: Store = {
      read: (keys) => store.read(keys),
      write: (actions) => store.write(actions),
      list: async () => before,
    };
    const range = { kind: 'certificate', list: 'certificates', groups: ['a'] } as const;
    const { records, next } = await browse({ store: lagging }, range, { limit: 9 });
    // One that has moved on is where it stands now, once.
    assert.deepEqual([records.map(({ serial }) => serial), next], [['01', '05', '03'], undefined]);
  });
});

describe('a certificate among its renewals', () => {
  const serial = (i: number): string => i.toString(16).padStart(4, '0');

  /** One certificate, and so many renewals of it at the same moment. */
  async function renewed(times: number): Promise<MemoryStore> {
    const later = Array.from({ length: times }, (_, i) => serial(times - i));
    const successors = Object.fromEntries(later.map((one) => [one, { at: 0 }]));
    return filled([
      record('a', serial(0), { successors }),
      ...later.map((one) => record('a', one)),
    ]);
  }

  test('renewals of one moment are shown by their serial numbers', async () => {
    const found = await renewalsOf({ store: await renewed(3) }, 'a', serial(0));
    assert.deepEqual(
      found?.certificates.map((one) => [one.serial, one.renews]),
      [0, 1, 2, 3].map((i) => [serial(i), i === 0 ? undefined : serial(0)]),
    );
  });

  test('where there are more than one answer may have, it has so many, and says that there are more', async () => {
    for (const [times, shown, more] of [
      [MAX_RENEWALS - 1, MAX_RENEWALS, false],
      [MAX_RENEWALS, MAX_RENEWALS, true],
    ] as const) {
      const found = await renewalsOf({ store: await renewed(times) }, 'a', serial(0));
      assert.deepEqual([found?.certificates.length, found?.more], [shown, more]);
    }
  });
});
