// Faults between the SDK and DynamoDB: one of them is never seen above the adapter, whichever call it
// befalls; trouble that lasts is an Outage, after which everything works as if nothing had been.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DeleteTableCommand } from '@aws-sdk/client-dynamodb';
import { RETRIES, RETRIES_BACK, RetryQuota } from '../../lib/adapters/aws/aws.ts';
import { Outage } from '../../lib/base/errors.ts';
import { WRITE_FAILED_MS } from '../../lib/base/limits.ts';
import type { Action, Store } from '../../lib/ports/store.ts';
import { challengeRecord } from '../adapters/store.contract.ts';
import { ok } from '../support/api.ts';
import { checkCa } from '../support/check-ca.ts';
import { freshStore, itemsOf, outside } from '../support/dynamodb.ts';
import {
  type DynamoCall,
  type DynamoFault,
  faultsOf,
  faultyClient,
} from '../support/dynamodb-faults.ts';
import { deviceKey } from '../support/keys.ts';
import { makeLab } from '../support/lab.ts';
import { enrolment } from '../support/messages.ts';
import { awaitingSilence, impatient } from '../support/timers.ts';

/** A store whose calls are counted from `arm` on and befallen by what `arm` says. */
async function faulty(time?: ReturnType<typeof impatient>, quota?: RetryQuota) {
  type Fault = (call: DynamoCall, at: number) => DynamoFault | undefined | Promise<undefined>;
  const never: Fault = () => undefined;
  const wire = { fault: never, calls: [] as string[] };
  const client = faultyClient((call) => wire.fault(call, wire.calls.push(call.name) - 1));
  const opened = await freshStore(client, time, quota);
  return {
    ...opened,
    wire,
    arm: (fault: Fault) => {
      wire.fault = fault;
      wire.calls = [];
    },
    disarm: () => {
      wire.fault = never;
    },
  };
}

const key = 'default/k/mac';
const put = (id: string, rev = 0): Action => ({
  do: 'put',
  kind: 'poll',
  key: id,
  rev,
  record: { transaction: id },
});
const take = (transaction: string): Action => ({
  do: 'use',
  kind: 'challenge',
  key,
  take: { transaction, requestHash: 'hash', now: 0 },
});
const seed = (store: Store) =>
  store.write([
    put('there'),
    { do: 'put', kind: 'challenge', key, rev: 0, record: challengeRecord({ usesLeft: 1 }) },
  ]);

/** Octets are compared as one: to print how 400 kB differ takes minutes. */
describe('one fault is repaired by a retry', () => {
  const writes: [string, readonly Action[]][] = [
    ['a write of everything', [put('new'), put('there', 1), take('a')]],
    ['a use alone', [take('a')]],
    [
      'a delete with a check',
      [
        { do: 'delete', kind: 'poll', key: 'there', rev: 1 },
        { do: 'check', kind: 'poll', key: 'new', rev: 0 },
      ],
    ],
  ];
  for (const [what, actions] of writes) {
    test(`${what} is done once`, async () => {
      for (const kind of faultsOf('TransactWriteItems')) {
        const leavesNothing = !actions.some((action) => action.do === 'put' || action.do === 'use');
        if (leavesNothing && kind.includes('forgotten')) continue;
        const { store, arm } = await faulty();
        await seed(store);
        arm((_, at) => (at === 0 ? kind : undefined));
        assert.equal(await store.write(actions), 'done', kind);
        assert.equal(await store.write(actions), 'conflict', kind);
        const [challenge] = await store.read([{ kind: 'challenge', key }]);
        const used = actions.some((action) => action.do === 'use');
        assert.equal(challenge?.rev, used ? 2 : 1, kind);
      }
    });
  }

  test('a conflict stays a conflict', async () => {
    for (const kind of faultsOf('TransactWriteItems')) {
      const { store, arm } = await faulty();
      await seed(store);
      arm((_, at) => (at === 0 ? kind : undefined));
      assert.equal(await store.write([put('new'), put('there')]), 'conflict', kind);
      assert.deepEqual(await store.read([{ kind: 'poll', key: 'new' }]), []);
    }
  });

  test('reads and lists are repeated', async () => {
    const { store, arm } = await faulty();
    const ids = Array.from({ length: 9 }, (_, i) => `${i}`);
    await store.write(ids.map((id) => put(id)));
    const event = { body: '{}', transaction: 't' };
    await store.write([{ do: 'put', kind: 'event', key: 'a', rev: 0, record: event }]);
    for (const kind of faultsOf('BatchGetItem')) {
      arm((_, at) => (at === 0 ? kind : undefined));
      const rows = await store.read(['none', ...ids].map((id) => ({ kind: 'poll', key: id })));
      assert.deepEqual(
        rows.map((row) => row.key),
        ids,
        kind,
      );
    }
    for (const kind of faultsOf('Query')) {
      arm((_, at) => (at === 0 ? kind : undefined));
      const { keys } = await store.list({ list: 'timeline', group: 't', limit: 5 });
      assert.deepEqual(keys, ['a'], kind);
    }
  });

  test('words are put, and put again, until all of them are there', async () => {
    const { store, arm, disarm, table } = await faulty();
    for (const kind of faultsOf('BatchWriteItem')) {
      arm((_, at) => (at === 0 ? kind : undefined));
      const starts = Array.from({ length: 16 }, (_, n) => `${encodeURIComponent(kind)}-${n}`);
      const all = ['A', 'B', 'C'].map((id) => ({ id, starts, expiresAt: 1_800_000_000_999 }));
      await store.index.add(all);
      disarm();
      const words = await itemsOf(table);
      for (const { id } of all) {
        const own = words.filter(({ pk }) => pk?.S?.startsWith(`word#${id}/`));
        const texts = own.map(({ deviceSort }) => deviceSort?.S?.split('/')[0]).sort();
        assert.deepEqual(texts, starts.toSorted(), kind);
        assert.deepEqual(new Set(own.map(({ ttl }) => ttl?.N)), new Set(['1800000000']));
      }
    }
  });

  test('an enrolment succeeds at its first try, whichever call fails', async () => {
    const enrol = async (at: number, kind: DynamoFault | undefined) => {
      const { store, rows, arm, disarm, wire } = await faulty();
      const lab = await makeLab({ store });
      const sent = await enrolment(lab, { challenge: await lab.challenge() });
      arm((_, n) => (n === at ? kind : undefined));
      const answer = await sent.read(await lab.operate(sent.message));
      disarm();
      assert.ok(answer.pkiStatus === 'SUCCESS', `call ${at} ${kind}`);
      checkCa(await rows(), answer.certificates);
      return wire.calls;
    };
    const calls = await enrol(-1, undefined);
    assert.deepEqual(calls, ['BatchGetItem', 'TransactWriteItems', 'TransactWriteItems']);
    for (const [at, name] of calls.entries()) {
      for (const kind of faultsOf(name)) await enrol(at, kind);
    }
  });
});

describe('no answer comes', () => {
  for (const kind of ['silent before', 'silent after'] as const) {
    test(`${kind} DynamoDB did its work: the call is made again, and done once`, async () => {
      const { store, arm, wire } = await faulty(awaitingSilence);
      await seed(store);
      arm((_, at) => (at === 0 ? kind : undefined));
      assert.equal(await store.write([put('new'), take('a')]), 'done');
      assert.equal((await store.read([{ kind: 'poll', key: 'new' }])).length, 1);
      assert.deepEqual(wire.calls, ['TransactWriteItems', 'TransactWriteItems', 'BatchGetItem']);
    });
  }
});

describe('time runs out', () => {
  test('a write that had taken effect is found by reading, and done', async () => {
    for (const kind of ['lost after', 'internal error after'] as const) {
      const { store, arm } = await faulty(impatient());
      await seed(store);
      arm(({ name }) => (name === 'TransactWriteItems' ? kind : undefined));
      assert.equal(await store.write([put('new'), take('a')]), 'done');
    }
  });

  test('a write that had no effect is an Outage, and the same write is done afterwards', async () => {
    for (const kind of ['lost before', 'internal error', 'in progress', 'conflicting'] as const) {
      const { store, arm, disarm } = await faulty(impatient());
      await seed(store);
      arm(({ name }) => (name === 'TransactWriteItems' ? kind : undefined));
      await assert.rejects(store.write([put('new'), take('a')]), Outage);
      disarm();
      assert.equal(await store.write([put('new'), take('a')]), 'done', kind);
    }
  });

  test('a write of which nothing can be read is an Outage; if it took effect, the repeat is a conflict', async () => {
    const { store, arm, disarm } = await faulty(impatient());
    await seed(store);
    arm(({ name }) => (name === 'TransactWriteItems' ? 'lost after' : 'lost before'));
    await assert.rejects(store.write([put('new')]), Outage);
    disarm();
    assert.equal(await store.write([put('new')]), 'conflict');
  });

  test('an answer that leaves open whether the write took effect is settled by reading', async () => {
    const { store, arm } = await faulty();
    await seed(store);
    const writing = (...kinds: DynamoFault[]) => {
      arm(({ name }) => (name === 'TransactWriteItems' ? kinds.shift() : undefined));
      return store.write([put('new'), take('a')]);
    };
    await assert.rejects(writing('lost before', 'mismatch'), Outage);
    assert.equal(await writing('lost after', 'mismatch'), 'done');
  });

  test('keys that stay unprocessed are an Outage, never absent', async () => {
    const { store, arm } = await faulty(impatient());
    await seed(store);
    arm(() => 'unprocessed');
    const keys = ['there', 'none'].map((id) => ({ kind: 'poll', key: id }) as const);
    await assert.rejects(store.read(keys), (error) => {
      return error instanceof Outage && /BatchGetItem left 1 keys unread/.test(error.message);
    });
  });

  test('words that stay unwritten are an Outage, after which they are put again', async () => {
    const { store, arm, disarm } = await faulty(impatient());
    const all = [{ id: 'A', starts: ['one', 'two', 'three'] }];
    arm(() => 'unprocessed');
    await assert.rejects(store.index.add(all), (error) => {
      return error instanceof Outage && /BatchWriteItem left 1 items unwritten/.test(error.message);
    });
    disarm();
    await store.index.add(all);
    assert.deepEqual(await store.index.missing(['A', 'B']), ['B']);
  });

  test('a batch that does not come in time is read in parts', async () => {
    const { store, arm } = await faulty(impatient());
    const keys = [...Array(35).keys()].map((i) => ({ kind: 'poll', key: `p${i}` }) as const);
    for (const { key } of keys) assert.equal(await store.write([put(key)]), 'done');
    type Body = { readonly RequestItems?: Readonly<Record<string, { readonly Keys: unknown[] }>> };
    arm(({ body }) => {
      const [asked] = Object.values((body as Body).RequestItems ?? {});
      return (asked?.Keys.length ?? 0) > 10 ? 'lost before' : undefined;
    });
    assert.equal((await store.read(keys)).length, keys.length);
  });

  test('a permanent refusal of DynamoDB is an Outage at once, with its reason', async () => {
    const { store, arm, wire } = await faulty();
    arm(() => 'forbidden');
    await assert.rejects(store.read([{ kind: 'poll', key: 'secret-key' }]), (error) => {
      assert.ok(error instanceof Outage);
      assert.match(error.message, /BatchGetItem failed: AccessDeniedException, not authorized/);
      assert.doesNotMatch(error.message, /secret-key/);
      return true;
    });
    assert.equal(wire.calls.length, 1);
  });

  test('long throttling is a 503 with Retry-After, and the challenge still enrols afterwards', async () => {
    const { store, rows, arm, disarm } = await faulty(impatient());
    const lab = await makeLab({ store });
    const sent = await enrolment(lab, { challenge: await lab.challenge() });
    for (const only of ['BatchGetItem', 'TransactWriteItems']) {
      arm(({ name }) => (name === only ? 'throttled' : undefined));
      const reply = await lab.fetch('/scep?operation=PKIOperation', {
        method: 'POST',
        body: sent.message,
      });
      assert.equal(reply.status, 503);
      assert.match(reply.headers.get('retry-after') ?? '', /^\d+$/);
    }
    disarm();
    const answer = await sent.read(await lab.operate(sent.message));
    assert.ok(answer.pkiStatus === 'SUCCESS');
    checkCa(await rows(), answer.certificates);
  });

  test('while DynamoDB throttles all, devices are told at once, until it answers again', async (t) => {
    const time = impatient();
    const { store, arm, disarm, wire } = await faulty(time, new RetryQuota());
    const tries = async (ask: Promise<unknown>): Promise<number> => {
      await assert.rejects(ask, Outage);
      return wire.calls.length;
    };
    const read = () => store.read([{ kind: 'poll', key: 'none' }]);
    let [repeated, waited] = [0, 0];
    for (let call = 0; call < 10; call++) {
      arm(({ name }) => (name === 'BatchGetItem' ? 'throttled' : 'throttled inside'));
      const from = time.now();
      repeated += (await tries(store.write([put('new')]))) - 2;
      waited = time.now() - from;
    }
    // One is taken and not used where the time is over.
    assert.ok(repeated <= RETRIES && repeated > RETRIES / 2, `${repeated}`);
    t.diagnostic(`${repeated} repetitions for 10 writes; the last one waited ${waited} ms`);
    assert.equal(waited, 0);
    for (const fault of ['throttled', 'over capacity', 'unprocessed'] as const) {
      arm(() => fault);
      assert.equal(await tries(read()), 1, fault);
    }
    disarm();
    for (let call = 0; call < 1 / RETRIES_BACK; call++) await read();
    arm(() => 'throttled');
    assert.equal(await tries(read()), 2);
    // What failed in another way was not DynamoDB's wish to be asked less.
    arm((_, at) => (at === 0 ? 'internal error' : undefined));
    await read();
    arm((_, at) => (at === 0 ? 'conflicting' : undefined));
    assert.equal(await store.write([put('new')]), 'done');
  });

  for (const [fault, why] of [
    ['throttled', 'ThrottlingException'],
    ['over capacity', 'ProvisionedThroughputExceededException'],
    ['forbidden', 'AccessDeniedException, not authorized'],
  ] as const) {
    test(`a table whose writes are ${fault} is not ready, and status says so, until they succeed`, async () => {
      const { store, arm, disarm } = await faulty(impatient());
      const lab = await makeLab({ store, writing: store });
      arm(({ name }) => (name === 'BatchGetItem' || name === 'Query' ? undefined : fault));
      assert.equal((await lab.fetch('/readyz')).status, 503);
      const said = await ok(lab, 'GET', '/status');
      assert.deepEqual(said.store, { reachable: true, writable: false });
      const [warning, ...others] = said.warnings as string[];
      assert.match(warning ?? '', /^nothing can be written: .*: PutItem failed: /);
      assert.ok(warning?.includes(why), warning);
      assert.deepEqual(others, []);
      disarm();
      lab.clock.at += WRITE_FAILED_MS;
      assert.equal((await lab.fetch('/readyz')).status, 200);
      assert.deepEqual((await ok(lab, 'GET', '/status')).warnings, []);
    });
  }

  test('a table that is gone is a 503', async () => {
    const { store, table } = await faulty();
    const lab = await makeLab({ store });
    const sent = await enrolment(lab, { challenge: await lab.challenge() });
    await outside.send(new DeleteTableCommand({ TableName: table }));
    await assert.rejects(lab.operate(sent.message), /HTTP 503/);
    assert.match(JSON.stringify(lab.log), /BatchGetItem failed: ResourceNotFoundException/);
  });
});

test('each device gets one certificate with every read partial and every third call failing', async () => {
  const { store, rows, arm, disarm } = await faulty();
  const lab = await makeLab({ store });
  const challenge = await lab.challenge({ uses: 8 });
  const keys = await Promise.all(
    Array.from({ length: 8 }, (_, i) => deviceKey(`storm ${i}`, { type: 'EC', curve: 'P-256' })),
  );
  const sent = await Promise.all(keys.map((device) => enrolment(lab, { challenge, key: device })));
  let writes = 0;
  let reads = 0;
  arm(({ name }) => {
    if (name === 'BatchGetItem') return reads++ % 3 < 2 ? 'unprocessed' : undefined;
    const kinds = faultsOf(name);
    return writes++ % 3 === 0 ? kinds[((writes / 3) % kinds.length) | 0] : undefined;
  });
  const answers = await Promise.all(
    sent.map(async (one) => one.read(await lab.operate(one.message))),
  );
  disarm();
  const delivered = answers.flatMap((one) => (one.pkiStatus === 'SUCCESS' ? one.certificates : []));
  assert.equal(new Set(delivered.map(String)).size, 8);
  checkCa(await rows(), delivered);
});
