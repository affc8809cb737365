// The whole production path on both of its wires: records in DynamoDB Local, keys in the KMS emulator,
// each call in the order in which it is made. What an enrolment costs, and what becomes of one when any
// of those calls fails.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Timer } from '../../lib/adapters/aws/aws.ts';
import { DynamoStore } from '../../lib/adapters/aws/dynamodb/dynamodb.ts';
import { LEASE_MS } from '../../lib/base/limits.ts';
import { AnsweringCas } from '../../lib/ca/authority/ca-certificates.ts';
import { GuardedCrls } from '../../lib/ca/record/guarded-crls.ts';
import { guarded } from '../../lib/ca/record/guarded-store.ts';
import { makeApp } from '../../lib/http/app.ts';
import type { LogEntry } from '../../lib/ports/log.ts';
import { awsWorld, recordsOf } from '../support/aws-world.ts';
import { type DynamoFault, faultsOf, faultyClient } from '../support/dynamodb-faults.ts';
import { type KmsFault, passingFaults } from '../support/kms-emulator.ts';
import type { LabOptions } from '../support/lab.ts';
import type { Sent } from '../support/messages.ts';
import { idleTime, impatient, patient } from '../support/timers.ts';

type Fault = { readonly dynamodb?: DynamoFault; readonly kms?: KmsFault };
type FaultAt = (call: string, at: number) => Fault | undefined;

async function open(options: LabOptions = {}) {
  const world = await awsWorld(options);
  const { lab, kms, table } = world;

  /** A process that has been started and asked for nothing: its calls on both wires. */
  const instance = (time: Timer = patient) => {
    const calls: string[] = [];
    let fault: FaultAt = () => undefined;
    const next = (name: string): Fault => fault(name, calls.push(name) - 1) ?? {};
    const client = faultyClient(({ name }) => next(name).dynamodb);
    kms.emulator.arm(({ action }) => next(action.replace('kms:', '')).kms);
    const own = new DynamoStore(client, table, time);
    const keys = kms.keys(recordsOf(own), time);
    const { config, clock } = lab.deps;
    const log: LogEntry[] = [];
    const noted = (entry: LogEntry): void => {
      log.push(entry);
    };
    const { signer, raKeys, macKeys } = keys;
    const ports = { store: guarded(own, macKeys, noted), signer, raKeys, macKeys };
    const cas = new AnsweringCas({ ...ports, config, clock });
    const app = makeApp({
      ...lab.deps,
      ...ports,
      crlSigner: signer,
      crls: new GuardedCrls(world.s3.files(time), {
        keyOf: (id) => cas.publicKey(id),
        macKeys,
        log: noted,
      }),
      cas,
      log: noted,
    });
    return {
      calls,
      log,
      arm: (faults: FaultAt) => {
        fault = faults;
        calls.length = 0;
      },
      post: async ({ message }: Sent) => {
        const url = 'http://scep.test/scep?operation=PKIOperation';
        const reply = await app.fetch(new Request(url, { method: 'POST', body: message }));
        return { status: reply.status, body: new Uint8Array(await reply.arrayBuffer()) };
      },
    };
  };
  type Instance = ReturnType<typeof instance>;
  return {
    ...world,
    instance,
    enrols: async (one: Instance, sent: Sent): Promise<void> =>
      world.enrolled(sent, await one.post(sent), () => JSON.stringify(one.log.at(-1))),
  };
}

/** The calls of an instance's first enrolment, and of every later one. */
const cold = [
  ...['BatchGetItem', 'GetPublicKey', 'Decrypt'], // the CA, its key, the key of its RA
  ...['BatchGetItem', 'Decrypt'], // the MAC key of the registry
  ...['BatchGetItem', 'Decrypt'], // the MAC key of its challenges
  ...['BatchGetItem', 'Decrypt'], // the MAC key of records
  ...['BatchGetItem', 'Decrypt'], // the key that seals challenges for auditors
];
const warm = ['BatchGetItem', 'TransactWriteItems', 'Sign', 'TransactWriteItems'];
const all = [...cold, ...warm];
const isKms = (call: string): boolean => ['GetPublicKey', 'Decrypt', 'Sign'].includes(call);

test('an enrolment is one batch read, two transactions and one Sign; a cold start opens each key once', async (t) => {
  const w = await open({ caKey: 'rsa:3072' });
  const one = w.instance();
  const timed = async (name: string) => {
    const sent = await w.sent(name);
    one.arm(() => undefined);
    const before = performance.now();
    await w.enrols(one, sent);
    return performance.now() - before;
  };
  const first = await timed('wires cold');
  assert.deepEqual([...one.calls].sort(), [...all].sort());
  // Whoever opens a key waits for its record; nothing is written before all are open.
  assert.deepEqual(one.calls.slice(-3), warm.slice(1));
  const later: number[] = [];
  for (const name of ['wires two', 'wires three', 'wires four']) {
    later.push(await timed(name));
    assert.deepEqual(one.calls, warm, name);
  }
  const ms = (value: number) => value.toFixed(0);
  t.diagnostic(
    `cold: ${all.length} calls, ${ms(first)} ms; warm: ${warm.length} calls, ${later.map(ms).join(', ')} ms`,
  );

  // A hundred at once on a process that has just been started.
  const burst = w.instance();
  const sent = await w.sent('wires burst');
  burst.arm(() => undefined);
  const time = idleTime(100);
  w.lab.clock.sleep = time.sleep;
  await Promise.all(Array.from({ length: 100 }, () => w.enrols(burst, sent).finally(time.leave)));
  const counts = Object.groupBy(burst.calls.filter(isKms), (call) => call);
  assert.deepEqual(
    Object.fromEntries(Object.entries(counts).map(([call, made = []]) => [call, made.length])),
    { GetPublicKey: 1, Decrypt: 5, Sign: 1 },
  );
  assert.deepEqual(await w.checked(), Array(5).fill('issued'));
});

describe('one call of a cold enrolment fails', () => {
  for (const [at, name] of all.entries()) {
    test(`call ${at}, ${name}, in a way that passes: the certificate comes at the first try`, async () => {
      const w = await open();
      const faults: Fault[] = isKms(name)
        ? passingFaults.map((kms) => ({ kms }))
        : faultsOf(name).map((dynamodb) => ({ dynamodb }));
      for (const fault of faults) {
        const one = w.instance();
        const sent = await w.sent(`wires ${at % 3}`);
        let seen = 0;
        one.arm((call) => (call === name && seen++ === nth(at) ? fault : undefined));
        await w.enrols(one, sent).catch((cause) => {
          throw new Error(JSON.stringify(fault), { cause });
        });
        assert.ok(seen > nth(at), 'the call was made');
        const more = one.calls.length - all.length;
        assert.ok(more >= 1, `${JSON.stringify(fault)}: ${one.calls}`);
      }
      assert.deepEqual(
        await w.checked(),
        faults.map(() => 'issued'),
      );
    });

    test(`call ${at}, ${name}, and all after it on that wire: 503, then one certificate`, async () => {
      const w = await open();
      const faults: Fault[] = isKms(name)
        ? [{ kms: 'lost before' }, { kms: 'lost after' }, { kms: 'denied' }]
        : [{ dynamodb: 'lost before' }, { dynamodb: 'lost after' }, { dynamodb: 'forbidden' }];
      for (const [i, fault] of faults.entries()) {
        const one = w.instance(impatient());
        const sent = await w.sent(`wires lasting ${i}`);
        let seen = 0;
        let from = Number.POSITIVE_INFINITY;
        one.arm((call, made) => {
          if (call === name && seen++ === nth(at)) from = made;
          return made >= from && isKms(call) === isKms(name) ? fault : undefined;
        });
        assert.equal((await one.post(sent)).status, 503, JSON.stringify(fault));
        const [outage] = one.log.filter(({ event }) => event === 'http.outage');
        assert.match(String(outage?.detail), new RegExp(`\\b${name}\\b.* failed: `));
        one.arm(() => undefined);
        w.lab.clock.at += LEASE_MS;
        await w.enrols(one, sent);
        await w.enrols(w.instance(), sent);
      }
      const states = await w.checked();
      assert.equal(states.filter((state) => state === 'issued').length, faults.length);
      assert.ok(states.every((state) => state === 'issued' || state === 'voided'));
    });
  }

  /** Which one of its name the call of that place is. */
  const nth = (at: number): number => all.slice(0, at).filter((call) => call === all[at]).length;
});

describe('a wrong signature, over DynamoDB', () => {
  for (const kms of ['corrupted', 'mixed up'] as const) {
    test(`${kms}: nobody gets it, the intent is replaced, one certificate`, async () => {
      const w = await open();
      const one = w.instance();
      const sent = await w.sent('wires wrong');
      one.arm((call) => (call === 'Sign' ? { kms } : undefined));
      assert.equal((await one.post(sent)).status, 503);
      assert.match(String(one.log.at(-1)?.detail), /gave a signature that does not verify/);
      assert.deepEqual(await w.checked(), ['intended']);
      one.arm(() => undefined);
      w.lab.clock.at += LEASE_MS;
      await w.enrols(one, sent);
      assert.deepEqual(await w.checked(), ['issued', 'voided']);
    });
  }
});
