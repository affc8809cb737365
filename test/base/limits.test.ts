// Limits that belong together: what the reason of each says about another, or about the world outside.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as limits from '../../lib/base/limits.ts';

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

test('a server that is stopped ends by itself before a container is killed after ten seconds', () => {
  assert.ok(limits.STOP_GRACE_MS < limits.STOP_LIMIT_MS);
  assert.ok(limits.STOP_LIMIT_MS < 10_000);
});

test('whatever an attempt waits for has ended before its lease does', () => {
  const { STORE_CALL_MS, STORE_READ_MS, STORE_WRITE_MS, KMS_CALL_MS, KMS_REQUEST_MS } = limits;
  assert.ok(sum([STORE_WRITE_MS, STORE_CALL_MS, STORE_READ_MS, STORE_CALL_MS]) <= 6000);
  assert.ok(KMS_REQUEST_MS + KMS_CALL_MS <= 4000);
  assert.ok(6000 + KMS_REQUEST_MS < limits.LEASE_MS);
  assert.equal(sum(limits.WAIT_FOR_TWIN_MS), 3000);
});

test('the sweeper takes an attempt when no clock has it under a lease any more, and within the hour', () => {
  const { SWEEP_AFTER_MS, LEASE_MS, CLOCK_SKEW_MS } = limits;
  assert.ok(LEASE_MS + CLOCK_SKEW_MS < SWEEP_AFTER_MS);
  assert.ok(SWEEP_AFTER_MS <= 60 * 60 * 1000);
});

test('a file is tried with at least as much as an enrolment writes, and less than three times that', () => {
  const pages = limits.TRIED_OCTETS / 4096;
  assert.ok(pages >= 30 && pages < 60);
});

test('an RA generation is known to every instance before it is announced, and answered for a month after', () => {
  assert.ok(limits.RA_PREPARED_MS >= 2 * limits.RA_RELOAD_MS);
  assert.ok(limits.RA_PREVIOUS_MS >= 30 * 86_400_000);
});

test('a CRL is renewed, and out of all caches, before it ends', () => {
  const { MIN_CRL_VALIDITY_MS, MAX_CRL_AGE_S, CRL_MEMORY_MS, MINUTELY_MS } = limits;
  const late = MAX_CRL_AGE_S * 1000 + CRL_MEMORY_MS + 2 * MINUTELY_MS;
  assert.ok(MIN_CRL_VALIDITY_MS / 2 > late);
});

test('a job that runs every minute has ended when the next run is due, and is due before that comes', () => {
  assert.ok(limits.MINUTELY_MS < limits.JOB_LIMIT_MS && limits.JOB_LIMIT_MS < 60_000);
});

test('renewals are counted over seven days, or a third of a shorter validity, as docs/enrol.md tells', () => {
  assert.equal(limits.RENEWAL_WINDOW_MS, 7 * 86_400_000);
  assert.equal(Math.round(86_400_000 * limits.RENEWAL_WINDOW_FRACTION), 8 * 3_600_000);
});

test('a device that renews as often as it may keeps within a chain that is followed for a year', () => {
  const weeks = limits.MAX_LINEAGE_WALK / limits.MAX_RECENT_RENEWALS;
  assert.ok(weeks > 52 && weeks < 104);
});
