// A batch read is not a snapshot (shared design, "Rules"): what happens between two records of it, or
// between two reads, refuses nobody. Here something always happens just there.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LEASE_MS, SWEEP_AFTER_MS } from '../../../lib/base/limits.ts';
import { sweep } from '../../../lib/ca/jobs.ts';
import type { Challenge, Kind } from '../../../lib/ports/records/records.ts';
import type { Store } from '../../../lib/ports/store.ts';
import { readCertificate } from '../../../lib/x509/certificate.ts';
import { checkCa } from '../../support/check-ca.ts';
import { deviceKey, memorySigner } from '../../support/keys.ts';
import { makeLab } from '../../support/lab.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { type EnrolOptions, enrolment, type Sent } from '../../support/messages.ts';

/** Two processes over one store; the slow one can be made to wait between two records. */
async function world() {
  const store = new MemoryStore();
  const key = { down: false };
  let wait: { before: Kind; happens: () => Promise<unknown> } | undefined;
  const slowly: Store = {
    write: (actions) => store.write(actions),
    list: (query) => store.list(query),
    read: async (keys) => {
      const { before, happens } = wait ?? {};
      if (!keys.some(({ kind }) => kind === before)) return store.read(keys);
      wait = undefined;
      const early = await store.read(keys.filter(({ kind }) => kind !== before));
      await happens?.();
      return [...early, ...(await store.read(keys.filter(({ kind }) => kind === before)))];
    },
  };
  const signer = {
    ...memorySigner,
    sign: async (...args: Parameters<typeof memorySigner.sign>) => {
      if (key.down) throw new Error('the CA key is down');
      return memorySigner.sign(...args);
    },
  };
  const fast = await makeLab({ store, signer });
  const slow = await makeLab({ store: slowly, now: fast.clock.at });
  const answer = async (lab: typeof fast, sent: Sent) => {
    const result = await sent.read(await lab.operate(sent.message));
    assert.ok(result.pkiStatus === 'SUCCESS', JSON.stringify(result));
    return result.certificates[0] ?? new Uint8Array(0);
  };
  return {
    fast: (sent: Sent) => answer(fast, sent),
    /** The slow one; `happens` does, right before its first look at a record of this kind. */
    slow: async (sent: Sent, before: Kind, happens: () => Promise<unknown>) => {
      wait = { before, happens };
      const der = await answer(slow, sent);
      assert.equal(wait, undefined, 'it has been made to wait');
      checkCa(store.dump(), [der]);
      return der;
    },
    lab: fast,
    /** The clock of the slow one is ahead. */
    ahead: (ms: number) => {
      slow.clock.at += ms;
    },
    ask: (options: EnrolOptions) => enrolment(fast, options),
    /** An attempt that is left behind, and whose lease is over. */
    stuck: async (sent: Sent) => {
      key.down = true;
      await assert.rejects(fast.operate(sent.message), /HTTP 503/);
      key.down = false;
      for (const { clock } of [fast, slow]) clock.at += LEASE_MS;
    },
    /** The sweeper of another process, long after. */
    swept: async () => {
      const late = await makeLab({ store, now: fast.clock.at + SWEEP_AFTER_MS });
      assert.equal((await sweep(late.deps)).voided, 1);
    },
    all: <T>(kind: Kind) =>
      store
        .dump()
        .filter((row) => row.kind === kind)
        .map(({ record }) => record as T),
  };
}

async function renewing(w: Awaited<ReturnType<typeof world>>, prefix: string) {
  const keys = await Promise.all([0, 1, 2].map((i) => deviceKey(`${prefix} ${i}`)));
  const [first, ...others] = keys;
  assert.ok(first);
  const der = await w.fast(await w.ask({ challenge: await w.lab.challenge(), key: first }));
  const signer = { key: first, certificate: readCertificate(der) };
  const sent = await Promise.all(
    others.map((key) => w.ask({ signer, key, messageType: 'RenewalReq' })),
  );
  return { others, sent };
}

describe('between two reads', () => {
  test('the same request is answered: its certificate, not that its challenge is spent', async () => {
    const w = await world();
    const sent = await w.ask({ challenge: await w.lab.challenge() });
    let twin: unknown;
    const der = await w.slow(sent, 'challenge', async () => {
      twin = await w.fast(sent);
    });
    assert.deepEqual(der, twin);
    const [challenge] = w.all<Challenge>('challenge');
    assert.equal(challenge?.failures, 0);
  });

  test('the same request takes the last use of many', async () => {
    const w = await world();
    const challenge = await w.lab.challenge({ uses: 2 });
    await w.fast(await w.ask({ challenge, key: await deviceKey('stale 1') }));
    const sent = await w.ask({ challenge });
    await w.slow(sent, 'challenge', () => w.fast(sent));
  });

  test('the same request takes its challenge in time, by a clock that is behind: it is not called too late', async () => {
    const w = await world();
    const sent = await w.ask({ challenge: await w.lab.challenge({ ttlMs: 2 * LEASE_MS }) });
    w.ahead(3 * LEASE_MS);
    await w.slow(sent, 'request', () => w.stuck(sent));
    const [challenge] = w.all<Challenge>('challenge');
    assert.deepEqual([challenge?.failures, challenge?.usesLeft], [0, 0]);
  });

  test('the one that holds the challenge is voided: its use is there again', async () => {
    const w = await world();
    const challenge = await w.lab.challenge({ ttlMs: 3 * SWEEP_AFTER_MS });
    await w.stuck(await w.ask({ challenge }));
    const other = await w.ask({ challenge, key: await deviceKey('stale 1') });
    await w.slow(other, 'transaction', () => w.swept());
    const [record] = w.all<Challenge>('challenge');
    assert.equal(record?.failures, 0);
  });

  test('the one that holds the key is voided: it is free', async () => {
    const w = await world();
    await w.stuck(await w.ask({ challenge: await w.lab.challenge(), subject: 'CN=first' }));
    const other = await w.ask({ challenge: await w.lab.challenge(), subject: 'CN=second' });
    await w.slow(other, 'certificate', () => w.swept());
  });

  test('the same renewal is answered and its certificate used: it is repeated, not called renewed', async () => {
    const w = await world();
    const { others, sent } = await renewing(w, 'stale done');
    const [renewal] = sent;
    const [key, next] = others;
    assert.ok(renewal && key && next);
    let twin: unknown;
    const der = await w.slow(renewal, 'certificate', async () => {
      const made = await w.fast(renewal);
      twin = made;
      const signer = { key, certificate: readCertificate(made) };
      await w.fast(await w.ask({ signer, key: next, messageType: 'RenewalReq' }));
    });
    assert.deepEqual(der, twin);
  });
});
