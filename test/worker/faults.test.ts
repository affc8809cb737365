// What an enrolment asks of AWS from within workerd, and what becomes of one when a call fails on its
// way through the fetch of workerd: lost, cut off, refused, without an answer.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LEASE_MS } from '../../lib/base/limits.ts';
import { type DynamoFault, faultsOf } from '../support/dynamodb-faults.ts';
import { passingFaults } from '../support/kms-emulator.ts';
import { answered } from '../support/server-process.ts';
import { type Fault, outageOf, workerWorld } from './world.ts';

/** The calls of an isolate's first enrolment, and of every later one. */
const cold = [
  ...['DescribeTable', 'BatchGetItem', 'GetPublicKey', 'Decrypt'], // table, CA, its key, the key of its RA
  ...['BatchGetItem', 'Decrypt'], // the MAC key of the registry, which the CA's record holds under
  ...['BatchGetItem', 'Decrypt'], // that of its challenges
  ...['BatchGetItem', 'Decrypt'], // that of the records
  ...['BatchGetItem', 'Decrypt'], // that which seals challenges for auditors
];
const warm = ['BatchGetItem', 'TransactWriteItems', 'Sign', 'TransactWriteItems'];
const all = [...cold, ...warm];
const isKms = (call: string): boolean => ['GetPublicKey', 'Decrypt', 'Sign'].includes(call);
/** Which one of its name the call of that place is. */
const nth = (of: readonly string[], at: number): number =>
  of.slice(0, at).filter((call) => call === of[at]).length;

const silent = ['silent before', 'silent after'] as const;
function faultsAt(name: string): Fault[] {
  if (isKms(name)) return [...passingFaults, ...silent].map((kms) => ({ kms }));
  // A read has time for one call without an answer, and a device that comes again.
  const faults = name === 'BatchGetItem' ? faultsOf(name) : [...faultsOf(name), ...silent];
  return faults.map((dynamodb) => ({ dynamodb }));
}
/** Of an isolate that has just been started: what only a fetch can do to it. */
const onTheWay: readonly (DynamoFault & NonNullable<Fault['kms']>)[] = [
  ...(['lost before', 'lost after', 'cut after', 'internal error after', 'clock late'] as const),
];

test('an enrolment calls AWS four times; a new isolate opens each key once, however many requests come at once', async () => {
  const w = await workerWorld();
  const one = await w.isolate();
  const [first, second] = [await w.sent('worker cold'), await w.sent('worker warm')];
  w.arm();
  await w.enrols(one, first);
  assert.deepEqual(w.calls.toSorted(), all.toSorted());
  w.arm();
  await w.enrols(one, second);
  assert.deepEqual(w.calls, warm);

  const another = await w.isolate();
  const devices = await Promise.all(Array.from({ length: 12 }, (_, i) => w.sent(`worker ${i}`)));
  w.arm();
  // Some of them twice: identical requests are signed once. One that has waited too long is sent again.
  const sent = [...devices, ...devices.slice(0, 4)];
  await Promise.all(sent.map((each) => answered(() => w.enrols(another, each))));
  const counted = Object.groupBy(w.calls.filter(isKms), (call) => call);
  const counts = Object.entries(counted).map(([call, made = []]) => [call, made.length]);
  assert.deepEqual(Object.fromEntries(counts), { GetPublicKey: 1, Decrypt: 5, Sign: 12 });
  assert.deepEqual(await w.checked(), Array(14).fill('issued'));
});

describe('a call fails for a moment: the certificate comes at the first try', () => {
  for (const [at, name] of warm.entries()) {
    test(`call ${at} of an isolate at work, ${name}`, async () => {
      const w = await workerWorld();
      const one = await w.isolate({}, { hurried: true });
      await w.enrols(one, await w.sent('worker first'));
      const faults = faultsAt(name);
      for (const fault of faults) {
        const sent = await w.sent(`worker ${at}`);
        let seen = 0;
        w.arm((call) => (call === name && seen++ === nth(warm, at) ? fault : undefined));
        await w.enrols(one, sent).catch((cause) => {
          throw new Error(JSON.stringify(fault), { cause });
        });
        assert.ok(w.calls.length > warm.length, `${JSON.stringify(fault)}: ${w.calls}`);
      }
      assert.deepEqual(await w.checked(), Array(faults.length + 1).fill('issued'));
    });
  }

  test('each call of a new isolate fails in turn', async () => {
    const w = await workerWorld();
    let count = 0;
    for (const [at, name] of cold.entries()) {
      for (const kind of onTheWay) {
        const one = await w.isolate();
        const sent = await w.sent(`worker ${at}`);
        let seen = 0;
        const fault = isKms(name) ? { kms: kind } : { dynamodb: kind };
        w.arm((call) => (call === name && seen++ === nth(all, at) ? fault : undefined));
        await w.enrols(one, sent).catch((cause) => {
          throw new Error(`${name} ${kind}`, { cause });
        });
        assert.ok(w.calls.length > all.length, `${name} ${kind}: ${w.calls}`);
        await w.discard(one);
        count++;
      }
    }
    assert.deepEqual(await w.checked(), Array(count).fill('issued'));
  });
});

const atOnce = { concurrency: true };
describe('a service stays away: 503, nothing is lost, then one certificate', atOnce, () => {
  for (const [name, fault, said] of [
    ['BatchGetItem', { dynamodb: 'lost before' }, /BatchGetItem failed: .*connection lost/i],
    ['BatchGetItem', { dynamodb: 'silent before' }, /BatchGetItem failed: AbortError/],
    ['TransactWriteItems', { dynamodb: 'internal error' }, /TransactWriteItems failed/],
    ['Sign', { kms: 'silent before' }, /^KMS Sign with the key .* no answer in eu-central-1/],
    ['Sign', { kms: 'corrupted' }, /gave a signature that does not verify/],
  ] as const) {
    test(`${name}: ${JSON.stringify(fault)}`, async () => {
      const w = await workerWorld();
      const one = await w.isolate({}, { hurried: true });
      await w.enrols(one, await w.sent('worker first'));
      const sent = await w.sent('worker second');
      w.arm((call) => (call === name ? fault : undefined));
      const { status, retryAfter } = await w.post(one, sent);
      assert.equal(status, 503);
      assert.equal(retryAfter, '30');
      assert.match(outageOf(one), said);
      w.arm();
      // An intent holds what it took for that long, and the clock here is the machine's.
      if (name === 'Sign') await new Promise((resolve) => setTimeout(resolve, LEASE_MS + 500));
      await w.enrols(one, sent);
      const voided = name === 'Sign' ? ['voided'] : [];
      assert.deepEqual(await w.checked(), ['issued', 'issued', ...voided]);
    });
  }
});
