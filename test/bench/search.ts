// How long a search among many requests waits, in a file of SQLite: from its words to the Transactions that are read
// and compared, in this process, without HTTP. The file has the Transactions and the index, and nothing else.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { SqliteStore } from '../../lib/adapters/sqlite/sqlite.ts';
import { ulid } from '../../lib/base/ulid.ts';
import type { Deps } from '../../lib/ca/deps.ts';
import { findByWords } from '../../lib/ca/query/find.ts';
import { startsOf, wantedIn } from '../../lib/ca/query/words.ts';
import { guarded } from '../../lib/ca/record/guarded-store.ts';
import type { Transaction } from '../../lib/ports/records/transaction.ts';
import { transactionRecord } from '../adapters/store.contract.ts';
import { memoryMacKeys } from '../support/keys.ts';
import { random } from '../support/messages.ts';
import { temporary } from '../support/process.ts';

const BATCH = 5000;
const SAMPLES = 20;
const cities = ['berlin', 'madrid', 'oslo', 'paris', 'rome'];

const recordOf = (n: number): Transaction =>
  transactionRecord(ulid(1.8e12 + n * 1000, random(10)), {
    state: 'issued',
    subject: `CN=laptop-${n},OU=Field Staff,O=Example`,
    names: [`dns:laptop-${n}.${cities[n % cities.length]}.example.com`],
    requestHash: `${n}`.padStart(64, '0'),
    signer: `key:${n}`.padEnd(68, '0'),
  });

/** Milliseconds of the median and of the worst of some searches, by what is asked. */
export async function searchWaits(count: number, say: (line: string) => void) {
  const path = join(temporary('search'), 'scepter.db');
  const database = new SqliteStore(path);
  const store = guarded(database, memoryMacKeys, () => {});
  let adding = 0;
  for (let n = 0; n < count; n += BATCH) {
    const records = Array.from({ length: Math.min(BATCH, count - n) }, (_, i) => recordOf(n + i));
    await Promise.all(
      records.map((record) =>
        store.write([{ do: 'put', kind: 'transaction', key: record.id, rev: 0, record }]),
      ),
    );
    const from = performance.now();
    await database.index.add(records.map((one) => ({ id: one.id, starts: startsOf(one) })));
    adding += performance.now() - from;
  }
  const each = count / (adding / 1000);
  const size = Math.round(statSync(path).size / 1e6);
  say(`${each.toFixed(0).padStart(7)}  requests a second into the index; a file of ${size} MB`);

  const deps = { store, index: database.index } as Pick<Deps, 'store' | 'index'>;
  const any = (at: number): number => Math.floor((count / SAMPLES) * at);
  const questions: Record<string, (at: number) => string> = {
    'a host name': (at) => `laptop-${any(at)}.${cities[any(at) % cities.length]}.example.com`,
    'its number, and a word that all have': (at) => `${any(at)} staff`,
    'a word that all have': () => 'laptop',
    'a word that one in five has, and the beginning of another': () => 'ber exam',
    'two words that one in five has, never together': () => 'berlin madrid',
    'a word that none has': () => 'nowhere',
    'inside words': (at) => `*top-${any(at)}`,
    'one letter': () => 'l',
  };
  const waits: Record<string, { p50: number; worst: number }> = {};
  for (const [question, wordsOf] of Object.entries(questions)) {
    const times: number[] = [];
    for (let at = 0; at < SAMPLES; at++) {
      const words = wantedIn(wordsOf(at), true);
      const from = performance.now();
      const { records } = await findByWords(deps, words, { limit: 20 }, () => true);
      times.push(performance.now() - from);
      const expected = /nowhere|madrid/.test(wordsOf(at)) && !/laptop/.test(wordsOf(at)) ? 0 : 1;
      if (records.length < expected) throw new Error(`${wordsOf(at)} found nothing`);
    }
    times.sort((a, b) => a - b);
    waits[question] = {
      p50: times[Math.floor(times.length / 2)] ?? Number.NaN,
      worst: times.at(-1) ?? Number.NaN,
    };
  }
  database.close();
  return waits;
}
