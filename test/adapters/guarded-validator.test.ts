// A validator outside that is slow or down costs its own requests a bounded time, and others nothing.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { guardedValidator } from '../../lib/adapters/guarded-validator.ts';
import { utf8 } from '../../lib/base/bytes.ts';
import { Malformed, NoAnswer } from '../../lib/base/errors.ts';
import { OUTSIDE_FAILURES_MS, OUTSIDE_REST_MS } from '../../lib/base/mdm-limits.ts';
import type { ValidationRequest, Validator } from '../../lib/ports/validator.ts';

const start = 1_000_000;

function guarding(validate: Validator['validate']) {
  const clock = { at: start, now: () => clock.at };
  let asked = 0;
  const guarded = guardedValidator(
    'mdm',
    {
      validate: (request) => {
        asked++;
        return validate(request);
      },
    },
    clock,
  );
  const question = (until = clock.at + 8000): ValidationRequest => ({
    ...{ requestHash: 'h', endpoint: 'default', transactionID: 't', csr: utf8('csr'), until },
  });
  return { clock, ask: (until?: number) => guarded.validate(question(until)), asked: () => asked };
}

const down = () => Promise.reject(new Error('HTTP 500'));

describe('a validator that fails', () => {
  test('is left alone after five failures in thirty seconds, for fifteen, and is then asked again', async () => {
    let up = false;
    const w = guarding(async () => (up ? { allow: true } : down()));
    for (let i = 0; i < 5; i++) await assert.rejects(w.ask(), /the validator "mdm": HTTP 500/);
    await assert.rejects(w.ask(), /has failed again and again, and rests/);
    assert.equal(w.asked(), 5);
    up = true;
    w.clock.at += OUTSIDE_REST_MS - 1;
    await assert.rejects(w.ask(), /rests/);
    w.clock.at += 1;
    assert.deepEqual(await w.ask(), { allow: true });
    assert.equal(w.asked(), 6);
  });

  test('is asked as long as it fails less often', async () => {
    const w = guarding(down);
    for (let i = 0; i < 20; i++) {
      await assert.rejects(w.ask(), /HTTP 500/);
      w.clock.at += OUTSIDE_FAILURES_MS / 4;
    }
    assert.equal(w.asked(), 20);
  });

  test('does not rest for ever when the clock is set back', async () => {
    const w = guarding(down);
    for (let i = 0; i < 5; i++) await assert.rejects(w.ask(), /HTTP 500/);
    w.clock.at -= 3_600_000;
    await assert.rejects(w.ask(), /HTTP 500/);
  });

  test('rests sooner where it was waited for, as by an instance that serves one request at a time', async () => {
    const w = guarding(async () => {
      w.clock.at += 7900;
      return down();
    });
    for (let i = 0; i < 2; i++) await assert.rejects(w.ask(), /HTTP 500/);
    await assert.rejects(w.ask(), /rests/);
    // Once it is asked again, one failure is enough.
    w.clock.at += OUTSIDE_REST_MS;
    await assert.rejects(w.ask(), /HTTP 500/);
    await assert.rejects(w.ask(), /rests/);
  });

  test('is asked as long as it answers others: strangers with bad requests cannot have it rest', async () => {
    let up = false;
    const w = guarding(async () => (up ? { allow: false } : down()));
    for (let i = 0; i < 20; i++) {
      up = i % 5 === 4;
      if (up) assert.deepEqual(await w.ask(), { allow: false });
      else await assert.rejects(w.ask(), /HTTP 500/);
    }
    assert.equal(w.asked(), 20);
  });

  for (const Kind of [NoAnswer, Malformed]) {
    test(`does not rest for what is the fault of the request (${Kind.name})`, async () => {
      const w = guarding(() => Promise.reject(new Kind('HTTP 400')));
      for (let i = 0; i < 20; i++) await assert.rejects(w.ask(), /HTTP 400/);
      assert.equal(w.asked(), 20);
    });
  }

  test('one that refuses does not fail', async () => {
    const w = guarding(async () => ({ allow: false }));
    for (let i = 0; i < 20; i++) assert.deepEqual(await w.ask(), { allow: false });
    assert.equal(w.asked(), 20);
  });
});

describe('the time of a request', () => {
  test('ends a call that does not', async () => {
    const w = guarding(() => new Promise(() => {}));
    await assert.rejects(w.ask(w.clock.at + 1), /it did not answer in time/);
  });

  test('once it is over nothing is asked', async () => {
    const w = guarding(async () => ({ allow: true }));
    await assert.rejects(w.ask(w.clock.at), /no time is left/);
    assert.equal(w.asked(), 0);
  });
});

test('what it is told goes through the same guard, and a validator that is told nothing stays so', async () => {
  const clock = { now: () => start };
  const question = {
    ...{ requestHash: 'h', endpoint: 'default', transactionID: 't', csr: utf8('csr') },
    until: start + 8000,
  };
  const validate = async () => ({ allow: true }) as const;
  const told = guardedValidator(
    'mdm',
    {
      ...{ validate, notify: async () => 'refuse', waiting: async () => undefined },
      refused: () => Promise.reject(new Error('full')),
    },
    clock,
  );
  assert.equal(
    await told.notify?.({ ...question, serial: '01', certificate: utf8('c') }),
    'refuse',
  );
  await assert.rejects(
    told.refused?.({ ...question, reason: 'keyRefused', text: '' }) ?? Promise.resolve(),
    /the validator "mdm": full/,
  );
  const waiting = { id: 'i', endpoint: 'default', subject: '', names: [], expiresAt: start };
  const late = { ...waiting, decisionUrl: undefined, until: start };
  await told.waiting?.({ ...late, until: start + 8000 });
  await assert.rejects(told.waiting?.(late) ?? Promise.resolve(), /no time is left/);
  const { notify, refused, waiting: none } = guardedValidator('mdm', { validate }, clock);
  assert.deepEqual([notify, refused, none], [undefined, undefined, undefined]);
});

test('its queue of revocations is its own', () => {
  const revocations = { take: async () => [], report: async () => {} };
  const validate: Validator['validate'] = async () => ({ allow: true });
  const guarded = guardedValidator('mdm', { validate, revocations }, { now: () => start });
  assert.equal(guarded.revocations, revocations);
});
