// A lineage (shared design 4.10): a certificate that was enrolled and all that lead back to it by
// renewals. What a person does to one of them counts for all; what one has used up, all have.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hex } from '../../../lib/base/bytes.ts';
import { LEASE_MS, SWEEP_AFTER_MS } from '../../../lib/base/limits.ts';
import type { RegisterReason } from '../../../lib/base/words.ts';
import { decide } from '../../../lib/ca/approve/decide.ts';
import { sweep } from '../../../lib/ca/jobs.ts';
import { revoke } from '../../../lib/ca/revoke/revoke.ts';
import { revokeWithRenewals } from '../../../lib/ca/revoke/revoke-renewals.ts';
import type { CertificateRecord } from '../../../lib/ports/records/certificate.ts';
import { readCertificate } from '../../../lib/x509/certificate.ts';
import { deviceKey, memorySigner } from '../../support/keys.ts';
import type { LabOptions } from '../../support/lab.ts';
import { enrolment } from '../../support/messages.ts';
import {
  held as enrolled,
  got,
  HOUR,
  refusedWith,
  type World,
  world,
} from '../../support/world.ts';

const DAY = 24 * HOUR;
const admin = { kind: 'admin', id: 'somebody' } as const;
const key = await deviceKey('lineage');
type Held = Awaited<ReturnType<typeof enrolled>>;

let requests = 0;
/** Each is a request of its own, for the same key. */
const another = (signer: Held) =>
  ({ signer, key, messageType: 'RenewalReq', challenge: `stale ${requests++}` }) as const;

async function renewed(w: World, signer: Held): Promise<Held> {
  const certificate = readCertificate(got(await w.ask(another(signer))));
  return { key, certificate };
}

const serialOf = ({ certificate }: Held): string => hex(certificate.serial);
const withdraw = (w: World, one: Held, reason: RegisterReason = 'cessationOfOperation') =>
  revoke(w.lab.deps, { ca: 'default', serial: serialOf(one), reason, actor: admin });

function recordOf(w: World, one: Held): CertificateRecord {
  const found = w.certificates().find(({ serial }) => serial === serialOf(one));
  assert.ok(found);
  return found;
}
const statesOf = (w: World, ...all: Held[]) => all.map((one) => recordOf(w, one).state);

/** A chain in which each was signed by the one before, days apart. */
async function chain(w: World, length: number, apart = 30 * DAY): Promise<Held[]> {
  const all = [await enrolled(w, key)];
  for (let i = 1; i < length; i++) {
    w.lab.clock.at += apart;
    all.push(await renewed(w, all.at(-1) as Held));
  }
  return all;
}

const small: LabOptions = { caKey: 'ec:P-256' };

describe('a certificate in use that a person revokes ends its lineage:', () => {
  for (const reason of ['unspecified', 'superseded', 'privilegeWithdrawn'] as const) {
    test(`the one before it renews nothing, for ${reason}`, async () => {
      const w = await world(small);
      const [a, b] = (await chain(w, 2)) as [Held, Held];
      assert.equal(await withdraw(w, b, reason), 'done');
      refusedWith('SCEP-421', await w.ask(another(a)));
      w.lab.clock.at += 60 * DAY;
      refusedWith('SCEP-421', await w.ask(another(a)));
      assert.deepEqual(Object.keys(recordOf(w, a).successors), [serialOf(b)]);
      w.check();
    });
  }

  test('the one before it renews nothing, also where another hand has removed its record', async () => {
    const w = await world(small);
    const [a, b] = (await chain(w, 2)) as [Held, Held];
    await withdraw(w, b);
    const row = w.store
      .dump()
      .find(({ kind, key: at }) => kind === 'certificate' && at.endsWith(serialOf(b)));
    assert.ok(row);
    await w.store.write([{ do: 'delete', kind: 'certificate', key: row.key, rev: row.rev }]);
    refusedWith('SCEP-421', await w.ask(another(a)));
  });

  test('neither of the two before it renews', async () => {
    const w = await world(small);
    const [a, b, c] = (await chain(w, 3)) as [Held, Held, Held];
    await withdraw(w, c);
    refusedWith('SCEP-327', await w.ask(another(a)));
    refusedWith('SCEP-421', await w.ask(another(b)));
    w.check();
  });

  test('its renewal, which nobody has seen in use, renews nothing either', async () => {
    const w = await world(small);
    const [a, b] = (await chain(w, 2)) as [Held, Held];
    await withdraw(w, a);
    refusedWith('SCEP-421', await w.ask(another(b)));
    w.lab.clock.at = recordOf(w, a).notAfter + DAY;
    refusedWith('SCEP-421', await w.ask(another(b)));
    assert.equal(recordOf(w, b).state, 'issued');
    w.check();
  });

  test('its renewal goes on where it is revoked as superseded, also out of a hold', async () => {
    const w = await world(small);
    const [a, b] = (await chain(w, 2)) as [Held, Held];
    await withdraw(w, a, 'certificateHold');
    refusedWith('SCEP-421', await w.ask(another(b)));
    await withdraw(w, a, 'superseded');
    const c = await renewed(w, b);
    assert.deepEqual(statesOf(w, a, b, c), ['revoked', 'issued', 'issued']);
    refusedWith('SCEP-323', await w.ask(another(a)));
    w.check();
  });

  test('its renewal that is on the way is not finished', async () => {
    const w = await world(small);
    const a = await enrolled(w, key);
    const sent = await enrolment(w.lab, another(a));
    w.key.down = true;
    await assert.rejects(w.lab.operate(sent.message), /HTTP 503/);
    w.key.down = false;
    await withdraw(w, a);
    w.lab.clock.at += LEASE_MS;
    refusedWith('SCEP-323', await w.send(sent));
    w.lab.clock.at += SWEEP_AFTER_MS;
    await sweep(w.lab.deps);
    assert.deepEqual(
      w
        .certificates()
        .map(({ state }) => state)
        .sort(),
      ['revoked', 'voided'],
    );
    w.check();
  });

  test('its renewal is not finished when it is revoked between intent and commit', async () => {
    const w = await world(small);
    const a = await enrolled(w, key);
    const { signer } = w.lab.deps;
    const during = { meanwhile: async () => {} };
    const other = await w.instance({
      signer: {
        ...memorySigner,
        sign: async (...args) => {
          await during.meanwhile();
          return signer.sign(...args);
        },
      },
    });
    during.meanwhile = async () => void (await withdraw(w, a));
    const sent = await enrolment(w.lab, another(a));
    await assert.rejects(other.operate(sent.message), /HTTP 503/);
    const states = w.certificates().map(({ state }) => state);
    assert.deepEqual(states.sort(), ['intended', 'revoked']);
    w.check();
  });

  test('its renewal that an approver allows afterwards is denied', async () => {
    const w = await world({ ...small, endpoint: { approval: 'always' } });
    const approve = async () => {
      const waiting = w.transactions().find(({ state }) => state === 'pending');
      await decide(w.lab.deps, waiting?.id ?? '', 'approved', { by: 'approver' });
    };
    const first = await enrolment(w.lab, { key, challenge: await w.lab.challenge() });
    assert.equal((await w.send(first)).pkiStatus, 'PENDING');
    await approve();
    const a = { key, certificate: readCertificate(got(await w.send(first))) };
    const next = await enrolment(w.lab, another(a));
    await w.send(next);
    await approve();
    const b = { key, certificate: readCertificate(got(await w.send(next))) };
    const waits = await enrolment(w.lab, another(b));
    await w.send(waits);
    await withdraw(w, b);
    await approve();
    refusedWith('SCEP-323', await w.send(waits));
    w.check();
  });

  test('its renewal that waits for its release gate is never released', async () => {
    const gate = { down: true };
    const w = await world({
      ...small,
      validators: {
        gate: {
          validate: async () => ({ allow: true }),
          notify: async () => {
            if (gate.down) throw new Error('the gate is down');
            return 'release';
          },
        },
      },
      authorize: { renew: ['gate'] },
    });
    const a = await enrolled(w, key);
    const sent = await enrolment(w.lab, another(a));
    await assert.rejects(w.lab.operate(sent.message), /HTTP 503/);
    await withdraw(w, a);
    gate.down = false;
    w.lab.clock.at += LEASE_MS;
    await sweep(w.lab.deps);
    assert.deepEqual(
      w
        .certificates()
        .map(({ state, unseen = false }) => `${state} ${unseen}`)
        .sort(),
      ['revoked false', 'revoked true'],
    );
    w.check();
  });

  test('a challenge begins another', async () => {
    const w = await world(small);
    const [a, b] = (await chain(w, 2)) as [Held, Held];
    await withdraw(w, b);
    const challenge = await w.lab.challenge();
    const answer = await w.ask({ ...another(a), challenge });
    const fresh = { key, certificate: readCertificate(got(answer)) };
    assert.equal(recordOf(w, fresh).lineage.root, serialOf(fresh));
    await renewed(w, fresh);
    w.check();
  });
});

describe('a hold', () => {
  test('a hold of either certificate ends the lineage until the hold ends', async () => {
    const w = await world(small);
    const [a, b] = (await chain(w, 2)) as [Held, Held];
    await withdraw(w, a, 'certificateHold');
    refusedWith('SCEP-421', await w.ask(another(b)));
    await withdraw(w, b, 'certificateHold');
    await withdraw(w, a, 'removeFromCRL');
    refusedWith('SCEP-329', await w.ask(another(a)));
    await withdraw(w, b, 'removeFromCRL');
    await renewed(w, b);
    w.check();
  });
});

test('a certificate whose renewal has been seen in use is revoked alone', async () => {
  const w = await world(small);
  const [a, b, c] = (await chain(w, 3)) as [Held, Held, Held];
  await withdraw(w, a);
  w.lab.clock.at += 30 * DAY;
  await renewed(w, c);
  assert.deepEqual(statesOf(w, a, b, c), ['revoked', 'issued', 'issued']);
  w.check();
});

test('what a release gate has refused unseen ends nothing', async () => {
  const says = { release: false };
  const w = await world({
    ...small,
    validators: {
      gate: {
        validate: async () => ({ allow: true }),
        notify: async () => (says.release ? 'release' : 'refuse'),
      },
    },
    authorize: { renew: ['gate'] },
  });
  const a = await enrolled(w, key);
  refusedWith('SCEP-353', await w.ask(another(a)));
  says.release = true;
  const b = await renewed(w, a);
  const { good, superseded } = recordOf(w, b).lineage;
  assert.deepEqual(
    good.map(({ serial }) => serial),
    [serialOf(a), serialOf(b)],
  );
  assert.equal(superseded.length, 1);
  w.check();
});

describe('renewals of a lineage are counted together:', () => {
  test('a hundred with one clock reading, each by the newest, are four', async () => {
    const w = await world(small);
    let newest = await enrolled(w, key);
    const all = [newest];
    for (let i = 0; i < 100; i++) {
      const answer = await w.ask(another(newest));
      if (answer.pkiStatus !== 'SUCCESS') {
        refusedWith('SCEP-328', answer);
        continue;
      }
      newest = { key, certificate: readCertificate(got(answer)) };
      all.push(newest);
    }
    assert.equal(all.length, 5);
    assert.deepEqual(statesOf(w, ...all), ['revoked', 'revoked', 'issued', 'issued', 'issued']);
    assert.equal(recordOf(w, all[0] as Held).supersededBy, serialOf(all[3] as Held));
    w.check();
  });

  test('a hundred with one clock reading, by two in turn, are four', async () => {
    const w = await world(small);
    let [signer, newest] = (await chain(w, 2, 0)) as [Held, Held];
    let renewals = 1;
    for (let i = 0; i < 100; i++) {
      if (i % 2 === 1) signer = newest;
      const answer = await w.ask(another(signer));
      if (answer.pkiStatus !== 'SUCCESS') continue;
      renewals++;
      newest = { key, certificate: readCertificate(got(answer)) };
    }
    assert.equal(renewals, 4);
    w.check();
  });

  test('a certificate of three days has a window of one', async () => {
    const w = await world({
      ...small,
      endpoint: { profile: 'brief' },
      config: { profiles: { brief: { validity: '3d' } } },
    });
    let newest = await enrolled(w, key);
    for (let i = 0; i < 4; i++) newest = await renewed(w, newest);
    refusedWith('SCEP-328', await w.ask(another(newest)));
    w.lab.clock.at += DAY + HOUR;
    await renewed(w, newest);
    w.check();
  });

  test('an attempt that is voided gives its place back, the sweeper or a replacement', async () => {
    const w = await world(small);
    let newest = await enrolled(w, key);
    for (let i = 0; i < 3; i++) newest = await renewed(w, newest);
    for (let lost = 0; lost < 3; lost++) {
      await w.stuck(await enrolment(w.lab, another(newest)));
      w.lab.clock.at += LEASE_MS + SWEEP_AFTER_MS;
      await sweep(w.lab.deps);
    }
    const sent = await enrolment(w.lab, another(newest));
    for (let again = 0; again < 3; again++) {
      await w.stuck(sent);
      w.lab.clock.at += LEASE_MS;
    }
    const last = { key, certificate: readCertificate(got(await w.send(sent))) };
    refusedWith('SCEP-328', await w.ask(another(last)));
    w.check();
  });

  test('the lapsed attempt of another renewal, which the next one ends, gives its place to that', async () => {
    const w = await world(small);
    let newest = await enrolled(w, key);
    for (let i = 0; i < 3; i++) newest = await renewed(w, newest);
    await w.stuck(await enrolment(w.lab, another(newest)));
    w.lab.clock.at += LEASE_MS;
    const last = await renewed(w, newest);
    refusedWith('SCEP-328', await w.ask(another(last)));
    w.check();
  });

  test('a repeated request counts once', async () => {
    const w = await world(small);
    const a = await enrolled(w, key);
    const sent = await enrolment(w.lab, another(a));
    for (let i = 0; i < 10; i++) got(await w.send(sent));
    for (let i = 0; i < 3; i++) await renewed(w, a);
    refusedWith('SCEP-328', await w.ask(another(a)));
    w.check();
  });

  test('requests that wait for an approver count, and an approved one counts once', async () => {
    const w = await world({ ...small, endpoint: { approval: 'always' } });
    const approve = async () => {
      for (const { id } of w.transactions().filter(({ state }) => state === 'pending'))
        await decide(w.lab.deps, id, 'approved', { by: 'approver' });
    };
    const first = await enrolment(w.lab, { key, challenge: await w.lab.challenge() });
    await w.send(first);
    await approve();
    let signer = { key, certificate: readCertificate(got(await w.send(first))) };
    for (let i = 0; i < 2; i++) {
      const sent = await enrolment(w.lab, another(signer));
      assert.equal((await w.send(sent)).pkiStatus, 'PENDING');
      assert.equal((await w.send(sent)).pkiStatus, 'PENDING');
      await approve();
      await w.stuck(sent);
      w.lab.clock.at += LEASE_MS;
      signer = { key, certificate: readCertificate(got(await w.send(sent))) };
    }
    for (let i = 0; i < 2; i++) {
      const sent = await enrolment(w.lab, another(signer));
      assert.equal((await w.send(sent)).pkiStatus, 'PENDING');
    }
    const before = w.store.dump().length;
    for (let i = 0; i < 20; i++) refusedWith('SCEP-328', await w.ask(another(signer)));
    const waiting = w.transactions().filter(({ state }) => state === 'pending');
    assert.equal(waiting.length, 2);
    assert.ok(w.store.dump().length > before, 'the refusals are kept, within their budget');
    w.lab.clock.at += 8 * DAY;
    assert.equal((await w.ask(another(signer))).pkiStatus, 'PENDING');
    w.check();
  });

  test('a clock that was ahead for a while opens nothing', async () => {
    const w = await world(small);
    const start = w.lab.clock.at;
    let newest = await enrolled(w, key);
    for (let i = 0; i < 3; i++) newest = await renewed(w, newest);
    w.lab.clock.at = start + 300 * DAY;
    newest = await renewed(w, newest);
    w.lab.clock.at = start;
    refusedWith('SCEP-328', await w.ask(another(newest)));
    w.lab.clock.at = start + 8 * DAY;
    await renewed(w, newest);
  });

  test('signer and successor renew at once no more often than there is room for', async () => {
    const w = await world(small);
    const [a, b] = (await chain(w, 2, 0)) as [Held, Held];
    const sent = await Promise.all(
      Array.from({ length: 12 }, (_, i) => enrolment(w.lab, another(i % 2 === 0 ? a : b))),
    );
    await Promise.allSettled(sent.map(({ message }) => w.lab.operate(message)));
    w.check();
  });
});

describe('certificates of a lineage that are good:', () => {
  test('ordinary renewals revoke nothing', async () => {
    const w = await world(small);
    const all = await chain(w, 5, 300 * DAY);
    assert.deepEqual(statesOf(w, ...all), Array(5).fill('issued'));
    assert.ok(w.events().every(({ type }) => type !== 'certificate.superseded'));
    w.check();
  });

  test('the oldest of four good ones is superseded, in the write of the newest', async () => {
    const w = await world(small);
    const all = await chain(w, 4, 8 * DAY);
    assert.deepEqual(statesOf(w, ...all), ['revoked', 'issued', 'issued', 'issued']);
    const [oldest] = all as [Held];
    const { supersededBy, revocationReason } = recordOf(w, oldest);
    assert.equal(revocationReason, 'superseded');
    assert.equal(supersededBy, serialOf(all[3] as Held));
    w.check();
  });

  test('a renewal whose reply got lost is superseded, and nothing beside', async () => {
    const w = await world(small);
    const [a, lost] = (await chain(w, 2, DAY)) as [Held, Held];
    const next = await renewed(w, a);
    assert.deepEqual(statesOf(w, a, lost, next), ['issued', 'revoked', 'issued']);
    assert.equal(recordOf(w, lost).supersededBy, serialOf(next));
    w.check();
  });

  test('only a challenge helps after twelve superseded ones, until they expire', async () => {
    const w = await world({
      ...small,
      endpoint: { profile: 'season' },
      config: { profiles: { season: { validity: '90d' } } },
    });
    let signer = await enrolled(w, key);
    let newest = signer;
    let renewals = 0;
    for (let week = 0; renewals < 14 && week < 8; week++) {
      for (;;) {
        const answer = await w.ask(another(signer));
        if (answer.pkiStatus !== 'SUCCESS') break;
        renewals++;
        newest = { key, certificate: readCertificate(got(answer)) };
      }
      w.lab.clock.at += 8 * DAY;
    }
    assert.equal(renewals, 13);
    refusedWith('SCEP-422', await w.ask(another(signer)));
    assert.equal(recordOf(w, newest).lineage.superseded.length, 12);
    // It needs no place: three are good with it.
    signer = await renewed(w, newest);
    w.lab.clock.at += 8 * DAY;
    refusedWith('SCEP-422', await w.ask(another(signer)));
    w.check();
  });
});

describe('revoked with its renewals', () => {
  const together = (w: World, one: Held, reason: RegisterReason = 'privilegeWithdrawn') =>
    revokeWithRenewals(w.lab.deps, { ca: 'default', serial: serialOf(one), reason, actor: admin });

  test('all good ones of a lineage are revoked, whichever is named; done again, nothing is done', async () => {
    for (const named of [0, 1, 2]) {
      const w = await world(small);
      const all = (await chain(w, 3, 300 * DAY)).slice();
      const other = await enrolled(w, await deviceKey('lineage other'), 'CN=other');
      const one = all[named] as Held;
      const said = await together(w, one);
      assert.ok(typeof said === 'object');
      // The first has expired.
      assert.equal(said.others.length, named === 0 ? 2 : 1);
      assert.deepEqual(statesOf(w, all[1] as Held, all[2] as Held, other), [
        'revoked',
        'revoked',
        'issued',
      ]);
      const before = JSON.stringify(w.store.dump());
      const again = await together(w, one);
      assert.ok(typeof again === 'object');
      assert.deepEqual(again.others, []);
      assert.equal(JSON.stringify(w.store.dump()), before);
      w.check();
    }
  });

  test('what is left of a lineage is held, released and revoked where some was revoked before', async () => {
    const w = await world(small);
    const [a, b, c] = (await chain(w, 3, 8 * DAY)) as [Held, Held, Held];
    await withdraw(w, c);
    await together(w, c, 'certificateHold');
    assert.deepEqual(statesOf(w, a, b, c), ['held', 'held', 'revoked']);
    await together(w, b, 'removeFromCRL');
    assert.deepEqual(statesOf(w, a, b, c), ['issued', 'issued', 'revoked']);
    await together(w, c);
    assert.deepEqual(statesOf(w, a, b, c), ['revoked', 'revoked', 'revoked']);
    w.check();
  });

  test('a revocation with renewals leaves no renewal that was on the way', async () => {
    const w = await world(small);
    const [a, b] = (await chain(w, 2, 8 * DAY)) as [Held, Held];
    const sent = await enrolment(w.lab, another(b));
    await w.stuck(sent);
    await together(w, a);
    w.lab.clock.at += LEASE_MS;
    refusedWith('SCEP-323', await w.send(sent));
    assert.ok(w.certificates().every(({ state }) => state !== 'issued'));
    w.check();
  });
});
