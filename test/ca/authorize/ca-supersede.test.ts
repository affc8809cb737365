// What becomes of a certificate that was renewed, where the endpoint says so: once the new one has signed a message, or so
// long after the renewal while the old one has signed nothing since, the old one is revoked.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { integer, sequence } from '../../../lib/asn1/writer.ts';
import { hex } from '../../../lib/base/bytes.ts';
import { decide } from '../../../lib/ca/approve/decide.ts';
import { sweep } from '../../../lib/ca/jobs.ts';
import { keepCrls } from '../../../lib/ca/revoke/publish-crl.ts';
import { revoke } from '../../../lib/ca/revoke/revoke.ts';
import { checkConfig } from '../../../lib/config/config.ts';
import { readCertificate } from '../../../lib/x509/certificate.ts';
import { describeCrl } from '../../../lib/x509/describe/describe.ts';
import type { LabOptions } from '../../support/lab.ts';
import { got, HOUR, held, keys, refusedWith, type World, world } from '../../support/world.ts';

const DAY = 24 * HOUR;
const admin = { kind: 'admin', id: 'somebody' } as const;
type Held = Awaited<ReturnType<typeof held>>;

const supersedes = (supersede: string): LabOptions => ({ endpoint: { renew: { supersede } } });
const [a, b, c] = await keys('supersede a', 'supersede b', 'supersede c');
assert.ok(a && b && c);

async function renewed(w: World, signer: Held, key = b): Promise<Held> {
  assert.ok(key);
  const answer = await w.ask({ signer, key, messageType: 'RenewalReq' });
  return { key, certificate: readCertificate(got(answer)) };
}
async function pair(options: LabOptions) {
  const w = await world(options);
  assert.ok(a);
  const old = await held(w, a);
  return { w, old, renewal: await renewed(w, old) };
}
const query = (w: World, signer: Held, messageType: 'GetCert' | 'GetCRL' = 'GetCRL') => {
  const [ca] = w.lab.announced.chain;
  assert.ok(ca);
  const plaintext = sequence(ca.subject, integer(signer.certificate.serial));
  return w.ask({ messageType, signer, key: signer.key, plaintext });
};
const recordOf = (w: World, { certificate }: Held) =>
  w.certificates().find(({ serial }) => serial === hex(certificate.serial)) ??
  assert.fail('no record');
const supersededEvents = (w: World) =>
  w.events().filter(({ type }) => type === 'certificate.superseded');

describe('a renewed certificate, with supersede: a duration', () => {
  test('is good until then, and is revoked as superseded by the first sweep after it', async () => {
    const { w, old, renewal } = await pair(supersedes('7d'));
    const second = w.transactions().find(({ renews }) => renews !== undefined);
    assert.equal(second?.supersedeAt, w.lab.clock.at + 7 * DAY);
    w.lab.clock.at += 7 * DAY - 1;
    assert.equal((await sweep(w.lab.deps)).superseded, 0);
    assert.equal(recordOf(w, old).state, 'issued');
    w.lab.clock.at += 1;
    assert.equal((await sweep(w.lab.deps)).superseded, 1);
    const { state, revocationReason, supersededBy } = recordOf(w, old);
    const by = hex(renewal.certificate.serial);
    assert.deepEqual([state, revocationReason, supersededBy], ['revoked', 'superseded', by]);
    const [event] = supersededEvents(w);
    assert.deepEqual(event?.actor, { kind: 'system', id: 'sweeper' });
    const [crl] = await keepCrls(w.lab.deps, await w.lab.deps.cas.issuer('default'));
    const { revoked } = describeCrl(crl.der);
    assert.deepEqual(
      revoked.map(({ serial, reason }) => [serial, reason]),
      [[hex(old.certificate.serial), 'superseded']],
    );
    refusedWith('SCEP-323', await w.ask({ signer: old, key: c, messageType: 'RenewalReq' }));
    assert.equal((await sweep(w.lab.deps)).superseded, 0, 'once');
    await renewed(w, renewal, c);
    w.check();
  });

  test('is looked at anew that long after a message that it signs', async () => {
    const { w, old } = await pair(supersedes('7d'));
    w.lab.clock.at += 5 * DAY;
    assert.equal((await query(w, old)).pkiStatus, 'SUCCESS');
    w.lab.clock.at += 2 * DAY;
    assert.equal((await sweep(w.lab.deps)).superseded, 0);
    w.lab.clock.at += 5 * DAY - 1;
    assert.equal((await sweep(w.lab.deps)).superseded, 0);
    w.lab.clock.at += 1;
    assert.equal((await sweep(w.lab.deps)).superseded, 1);
    w.check();
  });

  test('is revoked when its renewal has signed a query, which is written once', async () => {
    const { w, old, renewal } = await pair(supersedes('30d'));
    assert.equal((await query(w, renewal, 'GetCert')).pkiStatus, 'SUCCESS');
    w.lab.calls.length = 0;
    assert.equal((await query(w, renewal, 'GetCert')).pkiStatus, 'SUCCESS');
    assert.ok(!w.lab.calls.includes('store.write'));
    refusedWith('SCEP-327', await w.ask({ signer: old, key: c, messageType: 'RenewalReq' }));
    assert.equal((await sweep(w.lab.deps)).superseded, 1);
    assert.equal(recordOf(w, old).state, 'revoked');
    w.check();
  });

  test('renews again after a lost reply, and only the renewal that replaced the lost one supersedes it', async () => {
    const { w, old, renewal: lost } = await pair(supersedes('7d'));
    w.lab.clock.at += 3 * DAY;
    const second = await renewed(w, old, c);
    assert.equal(recordOf(w, lost).state, 'revoked');
    w.lab.clock.at += 4 * DAY;
    assert.equal((await sweep(w.lab.deps)).superseded, 0);
    w.lab.clock.at += 3 * DAY;
    assert.equal((await sweep(w.lab.deps)).superseded, 1);
    assert.equal(recordOf(w, old).supersededBy, hex(second.certificate.serial));
    w.check();
  });

  test('stays suspended until somebody decides, and is superseded a day after', async () => {
    const { w, old, renewal } = await pair(supersedes('7d'));
    const about = { ca: 'default', serial: hex(old.certificate.serial), actor: admin } as const;
    await revoke(w.lab.deps, { ...about, reason: 'certificateHold' });
    w.lab.clock.at += 8 * DAY;
    assert.equal((await sweep(w.lab.deps)).superseded, 0);
    await revoke(w.lab.deps, { ...about, reason: 'removeFromCRL' });
    w.lab.clock.at += DAY;
    assert.equal((await sweep(w.lab.deps)).superseded, 1);
    assert.equal(recordOf(w, renewal).state, 'issued');
    w.check();
  });

  test('stays good where a person has revoked its renewal, or the configuration supersedes no more', async () => {
    for (const change of ['revoked', 'configured'] as const) {
      const { w, old, renewal } = await pair(supersedes('7d'));
      w.lab.clock.at += 8 * DAY;
      let { deps } = w.lab;
      if (change === 'revoked') {
        const serial = hex(renewal.certificate.serial);
        await revoke(deps, { ca: 'default', serial, reason: 'unspecified', actor: admin });
      } else ({ deps } = await w.instance(supersedes('used')));
      assert.equal((await sweep(deps)).superseded, 0, change);
      assert.equal(recordOf(w, old).state, 'issued', change);
      assert.ok(
        w.transactions().every(({ supersedeAt, state }) => !supersedeAt || state === 'revoked'),
        change,
      );
    }
  });

  test('is superseded by a renewal that an approver allowed', async () => {
    const w = await world({ endpoint: { renew: { supersede: '7d' }, approval: 'always' } });
    const approved = async (wanted: Parameters<World['ask']>[0]) => {
      assert.equal((await w.ask(wanted)).pkiStatus, 'PENDING');
      const waiting = w.transactions().find(({ state }) => state === 'pending');
      assert.equal(await decide(w.lab.deps, waiting?.id ?? '', 'approved', { by: 'boss' }), 'done');
      return readCertificate(got(await w.ask(wanted)));
    };
    const challenge = await w.lab.challenge();
    const old = { key: a, certificate: await approved({ challenge, key: a }) };
    await approved({ signer: old, key: b, messageType: 'RenewalReq' });
    w.lab.clock.at += 7 * DAY;
    assert.equal((await sweep(w.lab.deps)).superseded, 1);
    w.check();
  });

  test('two sweepers at once revoke it once', async () => {
    const { w } = await pair(supersedes('7d'));
    const other = await w.instance(supersedes('7d'));
    w.lab.clock.at += 7 * DAY;
    other.clock.at = w.lab.clock.at;
    const swept = await Promise.all([sweep(w.lab.deps), sweep(other.deps)]);
    assert.deepEqual(swept.map(({ superseded }) => superseded).sort(), [0, 1]);
    assert.equal(supersededEvents(w).length, 1);
    w.check();
  });
});

describe('a renewed certificate, with supersede: used', () => {
  test('stays good while its renewal has signed nothing', async () => {
    const { w, old } = await pair(supersedes('used'));
    w.lab.clock.at += 60 * DAY;
    assert.equal((await sweep(w.lab.deps)).superseded, 0);
    assert.equal(recordOf(w, old).state, 'issued');
  });

  test('is revoked in the write of the next renewal', async () => {
    const { w, old, renewal } = await pair(supersedes('used'));
    const next = await renewed(w, renewal, c);
    assert.equal(recordOf(w, old).supersededBy, hex(next.certificate.serial));
    assert.equal(recordOf(w, renewal).state, 'issued');
    w.check();
  });

  test('is revoked by the sweep after a query of its renewal', async () => {
    const { w, old, renewal } = await pair(supersedes('used'));
    await query(w, renewal);
    assert.equal((await sweep(w.lab.deps)).superseded, 1);
    assert.equal(recordOf(w, old).state, 'revoked');
    w.check();
  });
});

test('without supersede a query writes nothing, and nothing is superseded', async () => {
  const { w, old, renewal } = await pair({});
  w.lab.calls.length = 0;
  for (const signer of [old, renewal]) await query(w, signer);
  assert.ok(!w.lab.calls.includes('store.write'));
  w.lab.clock.at += 100 * DAY;
  assert.equal((await sweep(w.lab.deps)).superseded, 0);
  assert.equal(recordOf(w, old).state, 'issued');
});

test('less than seven days, or another word, is refused with a sentence', () => {
  for (const supersede of ['6d', '167h', 'soon', '', 7]) {
    const document = {
      publicUrl: 'http://scep.test',
      cas: { default: { subject: 'CN=Lab CA' } },
      endpoints: { default: { ca: 'default', renew: { supersede } } },
    };
    assert.throws(
      () => checkConfig(document),
      /endpoints\.default\.renew\.supersede: .*must be "used", or a duration of at least 7 days/,
      String(supersede),
    );
  }
});
