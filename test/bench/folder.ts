// The data folder of a CA that has seen many enrolments, and how long people wait for what they ask of
// it: through the admin API of a real server over that folder. The folder is one real enrolment, and
// copies of its records under other names, written through the store.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SoftwareKeys } from '../../lib/adapters/software-keys.ts';
import { SqliteStore } from '../../lib/adapters/sqlite/sqlite.ts';
import { systemClock } from '../../lib/adapters/system.ts';
import { hex } from '../../lib/base/bytes.ts';
import { ulid } from '../../lib/base/ulid.ts';
import { indexFresh } from '../../lib/ca/query/keep-index.ts';
import { guarded } from '../../lib/ca/record/guarded-store.ts';
import { turnOf } from '../../lib/http/request.ts';
import type { Kind } from '../../lib/ports/records/records.ts';
import type { Transaction } from '../../lib/ports/records/transaction.ts';
import type { Action, Key, Row, Store } from '../../lib/ports/store.ts';
import { random } from '../support/messages.ts';
import { freePort, run, startServer, temporary } from '../support/process.ts';

/** Transactions that are written at once: they share a commit. */
const BATCH = 20_000;
/** Milliseconds between two enrolments of the folder. */
const APART = 20_000;

export type Waits = Readonly<Record<string, { readonly p50: number; readonly worst: number }>>;

/** @returns milliseconds that each kind of question waits, over that many transactions */
export async function folderWaits(count: number, say: (line: string) => void): Promise<Waits> {
  const dataDir = temporary('folder');
  const env = { SCEPTER_DATA_DIR: dataDir, PORT: String(await freePort()) };
  const first = await startServer(env);
  const cli = async (...args: string[]): Promise<string> => {
    const done = await run('functions/cli.ts', args, { env: { ...env, SCEPTER_URL: first.url } });
    if (done.code !== 0) throw new Error(done.err);
    return done.out;
  };
  const challenge = (
    await cli('challenge', 'create', '--san', 'dns:device-0000000.example')
  ).trim();
  const enrolment = ['--url', `${first.url}/scep`, '--challenge', challenge, '--key', 'ec:P-256'];
  const out = join(dataDir, 'device');
  await cli('enrol', ...enrolment, '--subject', 'CN=device-0000000,O=Fleet', '--out', out);
  await first.stop();
  const samples = await fill(dataDir, count, say);

  const server = await startServer(env);
  try {
    const token = readFileSync(join(dataDir, 'token'), 'utf8').trim();
    const ask = async (path: string): Promise<{ ms: number; text: string }> => {
      const from = performance.now();
      const response = await fetch(`${server.url}/api/v1${path}`, {
        headers: { authorization: `Bearer ${token}` },
      });
      const text = await response.text();
      if (response.status !== 200) throw new Error(`${path}: HTTP ${response.status} ${text}`);
      return { ms: performance.now() - from, text };
    };
    const later = new Date(Date.now() + 400 * 86_400_000).toISOString();
    const questions: Record<string, (one: Sample) => [path: string, expected: string]> = {
      'list transactions': () => ['/transactions?limit=20', '"next":"'],
      'list certificates': () => ['/certificates?limit=20', '"next":"'],
      'search by serial': ({ serial }) => [`/certificates?serial=${serial}`, serial],
      'search by subject': ({ name, id }) => [`/transactions?subject=CN%3D${name}`, id],
      'search by device': ({ name, id }) => [`/transactions?device=${name}`, id],
      'show a transaction': ({ id }) => [`/transactions/${id}`, id],
      'show a certificate': ({ serial }) => [`/certificates/default/${serial}`, serial],
      'list events': () => ['/events?limit=20', '"next":"'],
      'events of a day': ({ at }) => [`/events?from=${new Date(at).toISOString()}`, '"events":[{'],
      'a page deep in a list': ({ id }) => [`/transactions?cursor=${deep(id)}`, '"next":"'],
      'a state that is rare': () => ['/transactions?state=voided', '"next":"'],
      'certificates that expire': () => [`/certificates?expiringBefore=${later}`, '"next":"'],
    };
    const waits: Record<string, { p50: number; worst: number }> = {};
    // The first request of a process is its compiler's.
    await ask('/status');
    for (const [name, question] of Object.entries(questions)) {
      const times: number[] = [];
      for (const sample of samples) {
        const [path, expected] = question(sample);
        const { ms, text } = await ask(path);
        if (!text.includes(expected)) throw new Error(`${path} did not find ${expected}`);
        times.push(ms);
      }
      times.sort((a, b) => a - b);
      waits[name] = {
        p50: times[Math.floor(times.length / 2)] ?? Number.NaN,
        worst: times.at(-1) ?? Number.NaN,
      };
    }
    return waits;
  } finally {
    await server.stop();
  }
}

type Sample = {
  readonly id: string;
  readonly serial: string;
  readonly name: string;
  readonly at: number;
};

/** What the page before this Transaction would have answered as `next`. */
const deep = (id: string): string | null =>
  turnOf('/api/v1/transactions', { limit: 20 }).nextOf(id);

/** Copies of the one enrolment that the file holds, older by `APART` each. */
async function fill(
  dataDir: string,
  count: number,
  say: (line: string) => void,
): Promise<Sample[]> {
  const database = new SqliteStore(join(dataDir, 'scepter.db'));
  const { macKeys } = await SoftwareKeys.open(join(dataDir, 'keys'));
  const store = guarded(database, macKeys, () => {});
  try {
    const template = await recordsOf(store);
    const samples: Sample[] = [];
    const now = Date.now();
    for (let i = 1; i < count; i += BATCH) {
      const copies = Array.from({ length: Math.min(BATCH, count - i) }, (_, j) =>
        copyOf(template, i + j, now - (i + j) * APART),
      );
      const written = await Promise.all(copies.map(({ actions }) => store.write(actions)));
      if (written.includes('conflict')) throw new Error('a copy was there already');
      if (samples.length * count <= i * 20) samples.push(...copies.slice(0, 1));
      if ((i - 1) % (BATCH * 5) === 0) say(`         ${i - 1} of ${count} transactions written`);
    }
    await index(store, database, say);
    return samples.map(({ id, serial, name, at }) => ({ id, serial, name, at }));
  } finally {
    database.close();
  }
}

/** As maintenance does it, so that it has nothing to do while people wait. */
async function index(
  store: Store,
  { index: searches }: SqliteStore,
  say: (line: string) => void,
): Promise<void> {
  const from = performance.now();
  let indexed = 0;
  for (let more = true; more; ) {
    const run = await indexFresh({ store, index: searches, clock: systemClock });
    indexed += run.indexed ?? 0;
    more = run.more !== undefined;
  }
  const perSecond = (indexed / (performance.now() - from)) * 1000;
  say(`${perSecond.toFixed(0).padStart(7)}  transactions a second into the index of searches`);
}

/** Transaction, certificate, owner, request, challenge, events: what stays of an enrolment. */
async function recordsOf(store: Store): Promise<Row[]> {
  const listed = async (kind: Kind, list: 'transactions' | 'challenges' | 'certificates') => {
    const group = 'default';
    const { keys } = await store.list({ list, group, limit: 1, reverse: true });
    return keys.map((key): Key => ({ kind, key }));
  };
  const rows = await store.read([
    ...(await listed('transaction', 'transactions')),
    ...(await listed('certificate', 'certificates')),
  ]);
  const transaction = rows.find(({ kind }) => kind === 'transaction')?.record as Transaction;
  const { undo, requestHash, id } = transaction;
  const timeline = await store.list({ list: 'timeline', group: id, limit: 10 });
  const owner = undo.keyOwner?.key ?? `${transaction.ca}/${transaction.signer.split(':')[1]}`;
  const others = await store.read([
    { kind: 'keyOwner', key: owner },
    { kind: 'request', key: requestHash },
    ...(undo.challenge === undefined ? [] : [{ kind: 'challenge', key: undo.challenge } as const]),
    ...timeline.keys.map((key) => ({ kind: 'event', key }) as const),
  ]);
  if (rows.length + others.length < 6) throw new Error('the enrolment left fewer records');
  return [...rows, ...others] as Row[];
}

function copyOf(
  template: readonly Row[],
  i: number,
  at: number,
): Sample & { readonly actions: Action[] } {
  const fresh = new Map<string, string>();
  const name = `device-${String(i).padStart(7, '0')}`;
  // Ids, serial numbers and hashes are replaced wherever they stand, each always by the same.
  const text = JSON.stringify(template)
    .replaceAll('device-0000000', name)
    .replace(
      /\b(01[0-9A-HJKMNP-TV-Z]{24}|[0-9a-f]{64}|4[0-9a-f]{31}|5[0-9a-f]{31}|[67][0-9a-f]{31})\b/g,
      (old) => {
        const known = fresh.get(old);
        if (known !== undefined) return known;
        const made = old.startsWith('01')
          ? ulid(at, random(10))
          : `4${hex(random(32)).slice(1, old.length)}`;
        fresh.set(old, made);
        return made;
      },
    )
    .replace(/"(notBefore|createdAt|at)":\d+/g, `"$1":${at}`);
  const rows = JSON.parse(text) as Row[];
  const transaction = rows.find(({ kind }) => kind === 'transaction')?.record as Transaction;
  const actions = rows.map(({ kind, key, record }) => ({ do: 'put', kind, key, rev: 0, record }));
  const { id, serial = '' } = transaction;
  return { id, serial, name, at, actions: actions as Action[] };
}
