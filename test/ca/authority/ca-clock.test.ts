// The clock is set: by hours, by years, forwards and back. While it is wrong nothing is given away
// that should not be; when it is right again every device gets on with what it had.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hex } from '../../../lib/base/bytes.ts';
import { CLOCK_SKEW_MS } from '../../../lib/base/limits.ts';
import { decide } from '../../../lib/ca/approve/decide.ts';
import { sweep } from '../../../lib/ca/jobs.ts';
import { keepCrls, publishCrl } from '../../../lib/ca/revoke/publish-crl.ts';
import { revoke } from '../../../lib/ca/revoke/revoke.ts';
import { readCertificate } from '../../../lib/x509/certificate.ts';
import { crlEntries, describeCrlEntry } from '../../../lib/x509/describe/describe.ts';
import { enrolment } from '../../support/messages.ts';
import { got, HOUR, held, keys, refusedWith, type World, world } from '../../support/world.ts';

const admin = { kind: 'admin', id: 'somebody' } as const;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;
const jumps: Record<string, number> = {
  'two hours ahead': 2 * HOUR,
  'two years ahead': 2 * YEAR,
  'twenty years ahead, after the end of the CA': 20 * YEAR,
  'two hours back': -2 * HOUR,
  'two years back, before the CA': -2 * YEAR,
};

/** Runs with the clock wrong by so much, and right again after it, a second later. */
async function wrongBy(w: World, ms: number, work: () => Promise<unknown>): Promise<void> {
  w.lab.clock.at += ms;
  await work();
  w.lab.clock.at += 1000 - ms;
}

/** An answer, or that there was none but a 503. */
const tried = (answer: Promise<{ readonly pkiStatus: string }>): Promise<string> =>
  answer.then(
    ({ pkiStatus }) => pkiStatus,
    (error: Error) => {
      assert.match(error.message, /HTTP 503/);
      return '503';
    },
  );

for (const [name, ms] of Object.entries(jumps)) {
  describe(`a clock that is ${name}`, () => {
    test('an unused challenge: refused as expired, served, or 503; then good for one certificate', async () => {
      const w = await world();
      const challenge = await w.lab.challenge({ ttlMs: HOUR });
      const sent = await enrolment(w.lab, { challenge });
      let before = '';
      await wrongBy(w, ms, async () => {
        before = await tried(w.send(sent));
      });
      assert.equal(before, ms > 0 ? 'FAILURE' : ms < -DAY ? '503' : 'SUCCESS');
      assert.equal(w.challenges()[0]?.failures, 0);
      const certificate = got(await w.send(sent));
      assert.deepEqual(got(await w.send(sent)), certificate);
      const [other] = await keys('clock other');
      refusedWith('SCEP-304', await w.ask({ challenge, ...(other ? { key: other } : {}) }));
      w.check();
    });

    test('an attempt that broke off meanwhile holds nobody up afterwards', async () => {
      for (const mine of [true, false]) {
        const w = await world();
        const [key] = await keys('clock stuck');
        assert.ok(key);
        const challenge = await w.lab.challenge({ ttlMs: 40 * YEAR });
        const sent = await enrolment(w.lab, { challenge });
        await wrongBy(w, ms, () => w.stuck(sent));
        got(await (mine ? w.send(sent) : w.ask({ challenge, key })));
        w.check();
      }
    });

    test('a request that waits can be approved when the clock is right, if not before, and is fetched', async () => {
      const w = await world({ endpoint: { approval: 'always' } });
      const sent = await enrolment(w.lab, { challenge: await w.lab.challenge() });
      await w.send(sent);
      const [{ id } = { id: '' }] = w.transactions();
      const approve = () => decide(w.lab.deps, id, 'approved', { by: 'somebody' });
      await wrongBy(w, ms, async () => {
        // A poll when its time seems over would end it: that much a clock decides.
        if (ms < DAY) assert.equal((await w.poll()).pkiStatus, 'PENDING');
        assert.equal(await approve(), ms < DAY ? 'done' : 'expired');
      });
      assert.equal(await approve(), ms < DAY ? 'approved' : 'done');
      got(await w.poll());
      got(await w.send(sent));
      w.check();
    });

    test('what was issued is repeated, renewed and asked for when the clock is right', async () => {
      const w = await world();
      const [a, b] = await keys('clock a', 'clock b');
      assert.ok(a && b);
      const signer = await held(w, a);
      const renewal = await enrolment(w.lab, { signer, key: b, messageType: 'RenewalReq' });
      await wrongBy(w, ms, () => tried(w.send(renewal)));
      const once = got(await w.send(renewal));
      assert.deepEqual(got(await w.send(renewal)), once);
      w.check();
    });

    test('there is a CRL that is good when the clock is right, with the next number and every entry', async () => {
      const w = await world();
      const ca = await w.lab.deps.cas.of('default');
      const [first, meanwhile] = await keys('clock revoked', 'clock revoked meanwhile');
      assert.ok(first && meanwhile);
      const serials: string[] = [];
      for (const key of [first, meanwhile]) {
        serials.push(hex((await held(w, key)).certificate.serial));
      }
      const withdraw = async (serial = '') =>
        assert.equal(
          await revoke(w.lab.deps, {
            ca: 'default',
            serial,
            reason: 'keyCompromise',
            actor: admin,
          }),
          'done',
        );
      await withdraw(serials[0]);
      const before = await w.lab.deps.crls.newest('default');
      await wrongBy(w, ms, async () => {
        await withdraw(serials[1]);
        for (let n = 0; n < 3; n++) {
          await publishCrl(w.lab.deps, ca, { actor: admin });
          w.lab.clock.at += DAY;
        }
        w.lab.clock.at -= 3 * DAY;
      });
      await keepCrls(w.lab.deps, ca);
      const newest = await w.lab.deps.crls.newest('default');
      assert.ok(newest && before);
      assert.ok(newest.number >= before.number);
      assert.ok(newest.thisUpdate <= w.lab.clock.at + CLOCK_SKEW_MS);
      assert.ok(newest.nextUpdate > w.lab.clock.at);
      const entries = crlEntries(newest.der).map(describeCrlEntry);
      assert.deepEqual(entries.map(({ serial }) => serial).sort(), [...serials].sort());
      assert.ok(entries.every(({ revokedAt }) => Date.parse(revokedAt) <= newest.thisUpdate));
    });

    test('ids stay distinct', async () => {
      const w = await world();
      await w.ask({ challenge: await w.lab.challenge() });
      await wrongBy(w, ms, () => w.lab.challenge());
      await w.lab.challenge();
      const ids = w.events().map(({ id }) => id);
      assert.equal(new Set(ids).size, ids.length);
      w.check();
    });
  });
}

describe('a clock that was ahead while something was made', () => {
  test('its challenge is refused when the clock is right, uncounted: its hour would last for years', async () => {
    const w = await world();
    let challenge = '';
    await wrongBy(w, YEAR / 2, async () => {
      challenge = await w.lab.challenge({ ttlMs: HOUR });
    });
    refusedWith('SCEP-303', await w.ask({ challenge }));
    assert.equal(w.challenges()[0]?.failures, 0);
    await wrongBy(w, YEAR / 2, async () => got(await w.ask({ challenge })));
    w.check(YEAR);
  });
});

describe('a clock that was ahead while requests ended', () => {
  test('what expired by it does not stay refused for years: a fresh challenge works at once', async () => {
    const w = await world({ endpoint: { approval: 'always', pendingTtl: '2h' } });
    const [a, b] = await keys('ended a', 'ended b');
    assert.ok(a && b);
    const approve = () =>
      decide(w.lab.deps, w.transactions().at(-1)?.id ?? '', 'approved', { by: 'somebody' });
    await w.ask({ challenge: await w.lab.challenge(), key: a });
    await approve();
    const signer = { key: a, certificate: readCertificate(got(await w.poll({ key: a }))) };
    w.lab.clock.at += 1000;
    const renewal = await enrolment(w.lab, { signer, key: b, messageType: 'RenewalReq' });
    await w.send(renewal);
    await wrongBy(w, YEAR / 2, async () => {
      assert.equal((await sweep(w.lab.deps)).expired, 1);
    });
    assert.equal((await w.send(renewal)).pkiStatus, 'PENDING', 'judged anew');
    await approve();
    got(await w.send(renewal));
    w.check(YEAR);
  });

  test('renewals that it dated months ahead count among the four of seven days', async () => {
    const w = await world();
    const [a, ...more] = await keys('dated a', 'dated b', 'dated c', 'dated d', 'dated e');
    assert.ok(a);
    const signer = await held(w, a);
    const asked = more.map((key) => ({ signer, key, messageType: 'RenewalReq' }) as const);
    await wrongBy(w, YEAR / 2, async () => {
      for (const one of asked.slice(0, 2)) got(await w.ask(one));
    });
    for (const one of asked.slice(2)) got(await w.ask(one));
    const last = { ...asked[0], signer, challenge: 'stale' } as const;
    refusedWith('SCEP-328', await w.ask(last));
    got(await w.ask({ ...last, challenge: await w.lab.challenge() }));
    w.check();
  });
});

test('validators take their time: the lease begins with the intent', async () => {
  const w = await world({
    validators: {
      slow: {
        validate: async () => {
          w.lab.clock.at += 8000;
          return { allow: true };
        },
      },
    },
    authorize: { enrol: ['challenge', 'slow'] },
  });
  await w.stuck(await enrolment(w.lab, { challenge: await w.lab.challenge() }));
  assert.equal(w.transactions()[0]?.leaseUntil, w.lab.clock.at + 10_000);
});
