// What an enrolment costs: calls, items and write units, counted, and printed for the arithmetic at the
// top of `lib/adapters/aws/dynamodb/dynamodb.ts`. And that nothing here ever scans.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  devices,
  due,
  type Item,
  itemOctets,
  lists,
  places,
  subjects,
} from '../../lib/adapters/aws/dynamodb/items.ts';
import { hex } from '../../lib/base/bytes.ts';
import { REFUSAL_PLACES, REFUSAL_PLACES_MS } from '../../lib/base/limits.ts';
import { sweep } from '../../lib/ca/jobs.ts';
import { listCertificates } from '../../lib/ca/query/certificates.ts';
import { INDEX_LATE_MS, indexFresh, indexLate } from '../../lib/ca/query/keep-index.ts';
import { listTransactions } from '../../lib/ca/query/transactions.ts';
import { wantedIn } from '../../lib/ca/query/words.ts';
import { measured } from '../../lib/cli/plan/prices.ts';
import { readCertificate } from '../../lib/x509/certificate.ts';
import { freshStore, recorder } from '../support/dynamodb.ts';
import { deviceKey } from '../support/keys.ts';
import { makeLab } from '../support/lab.ts';
import { enrolment } from '../support/messages.ts';
import {
  enrolmentUnits,
  itemsBy,
  itemsIn,
  transactionsIn,
  unitsIn,
  weighed,
  withLog,
  withoutLog,
} from '../support/write-units.ts';

const { client, commands } = recorder();
const allowed = new Set([
  ...['BatchGetItem', 'TransactWriteItems', 'Query', 'PutItem', 'DeleteItem', 'BatchWriteItem'],
]);

// Every command of this file, whatever its test looked at.
after(() => {
  const names = new Set(commands.map(({ name }) => name));
  assert.deepEqual(
    [...names].filter((name) => !allowed.has(name)),
    [],
  );
  for (const { name, input } of commands.filter((command) => command.name === 'BatchGetItem')) {
    const [part] = Object.values(
      input.RequestItems as Record<string, { ConsistentRead?: boolean }>,
    );
    assert.equal(part?.ConsistentRead, true, name);
  }
});

const recorded = { client, commands };
const transactionsOf = (from: number) => transactionsIn(commands.slice(from));

test('an enrolment is one batch read, two transactions and one signature', async () => {
  const found = await enrolmentUnits(recorded, { isLogged: false });
  const { made, called, sizes, checked, units, indexes, octets, table } = found;
  assert.deepEqual(
    made.map(({ name }) => name),
    ['BatchGetItem', 'TransactWriteItems', 'TransactWriteItems'],
  );
  assert.deepEqual(
    called.filter((call) => !call.startsWith('raKeys')),
    ['store.read', 'store.write', 'signer.sign', 'store.write'],
  );
  const [read] = made;
  assert.ok(read);
  const { Keys } = (read.input.RequestItems as Record<string, { Keys: unknown[] }>)[table] ?? {};
  for (const line of [...octets, ...withoutLog(found)]) console.log(line);
  assert.deepEqual(sizes, [6, 4]);
  assert.equal(Keys?.length, 5);
  assert.equal(checked, 1);
  assert.deepEqual([units, indexes], [26, { places: 4, due: 5, subjects: 2, devices: 1 }]);
});

test('an enrolment of which a log is kept is 12 items and 32 write units of the table, the deletes of the sequencer included', async () => {
  const found = await enrolmentUnits(recorded, { isLogged: true });
  const { units, indexes, sequenced, deleted, queries } = found;
  assert.deepEqual([sequenced?.appended, sequenced?.refused], [2, 0]);
  console.log(withLog(found));
  assert.deepEqual([itemsIn(found), units + deleted.table], [12, 32]);
  assert.deepEqual(
    [units, indexes, deleted],
    [30, { places: 6, due: 5, subjects: 2, devices: 1 }, { table: 2, all: 4 }],
  );
  const all = Object.values(indexes).reduce((sum, one) => sum + one, units + deleted.all);
  assert.equal(all, measured.enrolment.writeUnits + 2 * measured.waiting.writeUnits);
  assert.equal(queries, lists.unlogged.shards);
});

test('a challenge, a renewal and a revocation write the units, and an enrolment keeps the octets, that costs are computed from', async () => {
  const { store, table } = await freshStore(client);
  const lab = await makeLab({ store, caKey: 'rsa:3072' });
  const authorization = `Bearer ${lab.adminToken}`;
  const unitsOf = async (work: () => Promise<void>) => {
    // When its token was used is noted once an hour, before.
    await lab.fetch('/api/v1/status', { headers: { authorization } });
    const before = await itemsBy(table);
    const from = commands.length;
    await work();
    const { units, indexes } = await weighed(table, before, transactionsOf(from));
    return units + Object.values(indexes).reduce((sum, one) => sum + one, 0);
  };
  const api = async (path: string, body: object): Promise<Record<string, string>> => {
    const headers = {
      authorization,
      'idempotency-key': path.slice(-60),
      'content-type': 'application/json',
    };
    const answer = await lab.fetch(`/api/v1${path}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    });
    assert.equal(Math.floor(answer.status / 100), 2, await answer.clone().text());
    return (await answer.json()) as Record<string, string>;
  };
  const name = 'device-1.example';
  const bound = { endpoint: 'default', subject: `CN=${name}`, san: [`dns:${name}`] };
  let challenge = '';
  const made = await unitsOf(async () => {
    ({ challenge = '' } = await api('/challenges', bound));
  });
  const names = [`dns:${name}`];
  const sent = await enrolment(lab, { challenge, subject: bound.subject, names });
  const old = await itemsBy(table);
  const first = await sent.read(await lab.operate(sent.message));
  const kept = [...(await itemsBy(table))].filter(([pk, { ttl }]) => !old.has(pk) && !ttl);
  const octets = kept.reduce((sum, [, item]) => sum + storedOctets(item), 0);
  assert.ok(first.pkiStatus === 'SUCCESS');
  const signer = {
    certificate: readCertificate(first.certificates[0] ?? new Uint8Array(0)),
    key: await deviceKey(),
  };
  const key = await deviceKey('counts, renewed');
  const renewalOf = {
    signer,
    key,
    subject: bound.subject,
    names,
    messageType: 'RenewalReq',
  } as const;
  const renewal = await enrolment(lab, renewalOf);
  lab.clock.at += 330 * 86_400_000;
  const renewed = await unitsOf(async () => {
    assert.equal((await renewal.read(await lab.operate(renewal.message))).pkiStatus, 'SUCCESS');
  });
  const serial = hex(signer.certificate.serial);
  const revoked = await unitsOf(async () => {
    await api(`/certificates/default/${serial}/revoke`, { reason: 'superseded' });
  });
  const found = { challenge: made, renewal: renewed, revocation: revoked, octets };
  console.log(`for the arithmetic of costs: ${JSON.stringify(found)}`);
  assert.deepEqual(
    { challenge: made, renewal: renewed, revocation: revoked + FULL_REGISTER },
    {
      challenge: measured.challenge.writeUnits,
      renewal: measured.renewal.writeUnits,
      revocation: measured.revocation.writeUnits,
    },
  );
  // Deflated texts of events are a few octets more or less each time: costs are reckoned with a little more.
  assert.ok(octets <= measured.certificateOctets, `${octets}`);
  assert.ok(octets > measured.certificateOctets - 300, `${octets}`);
});

/** Write units that a record of the register takes more when it has its 20 kB. */
const FULL_REGISTER = 40;

/** What DynamoDB bills for an item at rest: its octets, those of its keys in each index, and 100 beside each. */
function storedOctets(item: Item): number {
  const { pk = { S: '' } } = item;
  const inIndexes = [places, due, subjects, devices].map(({ place, sort }) => {
    const { [place]: at, [sort]: sorted } = item;
    return at && sorted ? itemOctets({ pk, [place]: at, [sort]: sorted }) + 100 : 0;
  });
  return inIndexes.reduce((sum, one) => sum + one, itemOctets(item) + 100);
}

test('a refusal reads once and writes one transaction within its budget, none beyond; ten cost the budget one read and one write', async () => {
  const { store } = await freshStore(client);
  const lab = await makeLab({ store });
  const sent = await enrolment(lab, { challenge: 'not a challenge of ours' });
  const refused = async (): Promise<string> => {
    const from = commands.length;
    assert.equal((await sent.read(await lab.operate(sent.message))).pkiStatus, 'FAILURE');
    return commands
      .slice(from)
      .map(({ name }) => name)
      .join();
  };
  const seen: string[] = [];
  for (let i = 0; i < REFUSAL_PLACES + 3; i++) seen.push(await refused());
  const stored = 'BatchGetItem,TransactWriteItems';
  const within = Array(REFUSAL_PLACES - 1).fill(stored);
  const beyond = Array(3).fill('BatchGetItem');
  assert.deepEqual(seen, [`BatchGetItem,${stored},TransactWriteItems`, ...within, ...beyond]);
  const [items] = transactionsOf(commands.length - 5);
  assert.equal(items?.length, 2, 'the Transaction and its event');
  lab.clock.at += REFUSAL_PLACES_MS;
  assert.equal(await refused(), `BatchGetItem,${stored},TransactWriteItems`);
});

test('a page of expired certificates is one query for each shard and one read, of expired ones only; one of all endpoints is that for each', async () => {
  const { store } = await freshStore(client);
  const lab = await makeLab({
    store,
    caKey: 'ec:P-256',
    config: {
      profiles: { short: { validity: '1d' } },
      endpoints: { default: { ca: 'default' }, short: { ca: 'default', profile: 'short' } },
    },
  });
  for (const [i, endpoint] of ['short', 'short', 'default', 'default', 'default'].entries()) {
    const challenge = await lab.challenge({ endpoint });
    const key = await deviceKey(`brief ${i}`, { type: 'EC', curve: 'P-256' });
    const sent = await enrolment(lab, { challenge, key });
    const path = endpoint === 'default' ? '/scep' : `/scep/${endpoint}`;
    assert.equal((await sent.read(await lab.operate(sent.message, path))).pkiStatus, 'SUCCESS');
  }
  lab.clock.at += 2 * 86_400_000;
  const from = commands.length;
  const page = await listCertificates(lab.deps, { ca: 'default', state: 'expired', limit: 20 });
  assert.equal(page.certificates.length, 2);
  const made = commands.slice(from);
  assert.equal(made.filter(({ name }) => name === 'Query').length, 32);
  const [read, ...others] = made.filter(({ name }) => name !== 'Query');
  const [part] = Object.values(read?.input.RequestItems as Record<string, { Keys: unknown[] }>);
  assert.deepEqual([others, part?.Keys.length], [[], 2]);
  // Of all endpoints: one query for each shard of each, one read, and no more than these at once.
  const since = commands.length;
  const { transactions } = await listTransactions(lab.deps, { limit: 20 });
  assert.deepEqual(transactions.map(({ endpoint }) => endpoint).sort(), [
    'default',
    'default',
    'default',
    'short',
    'short',
  ]);
  const all = commands.slice(since).map(({ name }) => name);
  assert.deepEqual(all.sort(), ['BatchGetItem', ...Array(2 * 32).fill('Query')]);
  const [first] = transactions;
  const begun = commands.length;
  const found = await listTransactions(lab.deps, { limit: 10, idPrefix: first?.id.slice(0, 20) });
  assert.ok(found.transactions.some(({ id }) => id === first?.id));
  const serial = first?.serial ?? '';
  const prefixed = { serialPrefix: serial.slice(0, 8), ca: 'default', limit: 10 };
  const { certificates } = await listCertificates(lab.deps, prefixed);
  assert.deepEqual(
    certificates.map((one) => one.serial),
    [serial],
  );
  const asked = commands.slice(begun).filter(({ name }) => name === 'Query');
  assert.equal(asked.length, 2 * 32 + 32);
});

test('the index of searches costs what it is computed from; a search is at most two queries a shard and one read', async () => {
  const { store } = await freshStore(client);
  const lab = await makeLab({ store });
  const names = ['dns:device-1.example'];
  // What there is before is not counted, but for its last event.
  lab.clock.at += INDEX_LATE_MS + 1;
  await indexFresh(lab.deps);
  await indexLate(lab.deps);
  const sent = await enrolment(lab, { challenge: await lab.challenge({ names }) });
  assert.equal((await sent.read(await lab.operate(sent.message))).pkiStatus, 'SUCCESS');
  lab.clock.at += INDEX_LATE_MS;
  const from = commands.length;
  assert.deepEqual(await indexFresh(lab.deps), { indexed: 1 });
  const indexing = commands.slice(from);
  const written = indexing.filter(({ name }) => name === 'BatchWriteItem');
  const { table, all } = unitsIn(written);
  const items = written.flatMap(({ input }) =>
    Object.values(input.RequestItems as Record<string, { PutRequest: { Item: Item } }[]>).flat(),
  );
  const octets = items.reduce((sum, { PutRequest: { Item } }) => sum + storedOctets(Item), 0);
  const words = items.length;
  console.log(`words ${words}, units ${table} and ${all - table}, ${octets} octets at rest`);
  assert.deepEqual([table, all - table], [words, words]);
  assert.equal(all, measured.search.writeUnits);
  assert.equal(Math.ceil(octets / 100) * 100, measured.search.octets);
  assert.equal(indexing.filter(({ name }) => name === 'Query').length, 64);
  // The next event, so that all of the enrolment are before the cursor of what is fresh.
  await lab.challenge();
  lab.clock.at += INDEX_LATE_MS;
  await indexFresh(lab.deps);
  const late = commands.length;
  assert.deepEqual(await indexLate(lab.deps), { indexed: 0 });
  // A run reads its cursors first. The events of an enrolment are read twice, itself once, and whether it is there.
  const reads = [indexing, commands.slice(late)].flatMap((run) =>
    run.filter(({ name }) => name === 'BatchGetItem').slice(1),
  );
  assert.equal(unitsIn(reads).all, measured.search.readUnits + 1);

  const asked = async (search: string, cursor?: string) => {
    const begin = commands.length;
    const turn = { limit: 20, ...(cursor === undefined ? {} : { cursor }) };
    const found = await listTransactions(lab.deps, { words: wantedIn(search, false), ...turn });
    const made = commands.slice(begin);
    const of = (name: string) => made.filter((one) => one.name === name).length;
    assert.equal(of('Query') + of('BatchGetItem'), made.length);
    return { found: found.transactions.length, queries: of('Query'), reads: of('BatchGetItem') };
  };
  assert.deepEqual(await asked('device'), { found: 1, queries: 4, reads: 1 });
  assert.deepEqual(await asked('dev test exam'), { found: 1, queries: 8, reads: 1 });
  assert.deepEqual(await asked('dev nothing'), { found: 0, queries: 8, reads: 0 });
  assert.deepEqual(await asked('dev exam', '0:a'), { found: 1, queries: 4, reads: 1 });
});

test('lists are queries, one for each shard', async () => {
  const { store } = await freshStore(client);
  const lab = await makeLab({ store });
  const from = commands.length;
  await sweep(lab.deps);
  await store.list({ list: 'timeline', group: 't', limit: 10 });
  const queries = commands.slice(from).filter(({ name }) => name === 'Query');
  assert.equal(queries.length, commands.length - from);
  assert.equal(queries.length, 4 * 32 + 1);
});
