// The approval rule of an endpoint: for whom a person has the last word. A subject is known by a
// certificate that was issued, never by a request that waits, was denied or was given up.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hex } from '../../../lib/base/bytes.ts';
import { LEASE_MS, SWEEP_AFTER_MS } from '../../../lib/base/limits.ts';
import { decide } from '../../../lib/ca/approve/decide.ts';
import { sweep } from '../../../lib/ca/jobs.ts';
import { subjectKey } from '../../../lib/ca/record/keys.ts';
import { revoke } from '../../../lib/ca/revoke/revoke.ts';
import type { Transaction } from '../../../lib/ports/records/transaction.ts';
import type { Action } from '../../../lib/ports/store.ts';
import type { ClientKey } from '../../../lib/protocol/scep/client/client.ts';
import { readCertificate } from '../../../lib/x509/certificate.ts';
import { parseName } from '../../../lib/x509/names/name.ts';
import { type EnrolOptions, enrolment } from '../../support/messages.ts';
import { got, HOUR, held, keys, refusedWith, type World, world } from '../../support/world.ts';

const by = { by: 'somebody' };

const waiting = (w: World): Transaction[] =>
  w.transactions().filter(({ state }) => state === 'pending');

async function approveAll(w: World): Promise<void> {
  for (const { id } of waiting(w))
    assert.equal(await decide(w.lab.deps, id, 'approved', by), 'done');
}

const enrol = async (w: World, key: ClientKey | undefined, more: EnrolOptions = {}) =>
  enrolment(w.lab, {
    challenge: await w.lab.challenge({ names: more.names ?? [] }),
    ...(key ? { key } : {}),
    ...more,
  });

/** Enrols with an approver's help. */
async function approved(w: World, key: ClientKey | undefined, more: EnrolOptions = {}) {
  const sent = await enrol(w, key, more);
  assert.equal((await w.send(sent)).pkiStatus, 'PENDING');
  await approveAll(w);
  return readCertificate(got(await w.send(sent)));
}

const subjects = (w: World) => w.store.dump().filter(({ kind }) => kind === 'subject');

describe('firstEnrolment: enrolments need an approver, renewals do not', () => {
  test('a first certificate waits, its renewal does not, and another enrolment of the subject waits again', async () => {
    const w = await world({ endpoint: { approval: 'firstEnrolment' } });
    const [a, b, c] = await keys('rule a', 'rule b', 'rule c');
    assert.ok(a && b && c);
    const certificate = await approved(w, a);
    got(await w.ask({ signer: { certificate, key: a }, key: b, messageType: 'RenewalReq' }));
    assert.equal((await w.send(await enrol(w, c))).pkiStatus, 'PENDING');
    assert.deepEqual(subjects(w), []);
    w.check();
  });

  test('a renewal that is none, with a challenge along, is an enrolment and waits', async () => {
    const w = await world({ endpoint: { approval: 'firstEnrolment' } });
    const [a, b] = await keys('rule none a', 'rule none b');
    assert.ok(a && b);
    const certificate = await approved(w, a);
    const serial = hex(certificate.serial);
    const actor = { kind: 'admin', id: 'somebody' } as const;
    assert.equal(
      await revoke(w.lab.deps, { ca: 'default', serial, reason: 'superseded', actor }),
      'done',
    );
    const signer = { certificate, key: a };
    refusedWith('SCEP-323', await w.ask({ signer, key: b, messageType: 'RenewalReq' }));
    const sent = await enrol(w, b, { signer, messageType: 'RenewalReq' });
    assert.equal((await w.send(sent)).pkiStatus, 'PENDING');
    w.check();
  });
});

describe('newSubject: an approver where no certificate was issued for this subject and these names', () => {
  const rule = { endpoint: { approval: 'newSubject' } } as const;

  test('the first waits; from its certificate on, another key for the same names is granted at once', async () => {
    const w = await world(rule);
    const [a, b, c, d] = await keys('new a', 'new b', 'new c', 'new d');
    await approved(w, a, { names: ['dns:a.example', 'dns:b.example'] });
    assert.equal(subjects(w).length, 1);
    got(await w.send(await enrol(w, b, { names: ['dns:b.example', 'dns:a.example'] })));
    // In another order, and other string types, it is the same subject.
    got(
      await w.send(
        await enrol(w, c, {
          subject: 'O=Test,CN=device-1',
          names: ['dns:a.example', 'dns:b.example'],
        }),
      ),
    );
    assert.equal(subjects(w).length, 1);
    for (const other of [
      { subject: 'CN=device-2,O=Test', names: ['dns:a.example', 'dns:b.example'] },
      { names: ['dns:a.example'] },
      { names: ['dns:a.example', 'dns:b.example', 'dns:c.example'] },
      {},
    ]) {
      assert.equal(
        (await w.send(await enrol(w, d, other))).pkiStatus,
        'PENDING',
        JSON.stringify(other),
      );
    }
    w.check();
  });

  test('the values of one type in another order are another subject, and wait', async () => {
    for (const [i, [known, swapped, reordered]] of [
      [
        'CN=x,OU=Users,OU=Admins',
        ['CN=x,OU=Admins,OU=Users', 'OU=Admins,OU=Users,CN=x'],
        'OU=Users,OU=Admins,CN=x',
      ],
      ['DC=corp,DC=local', ['DC=local,DC=corp'], 'DC=corp,DC=local'],
      ['L=a,L=b,O=c', ['L=b,L=a,O=c', 'O=c,L=b,L=a'], 'L=a,O=c,L=b'],
      ['CN=a,OU=b', ['CN=a+OU=b'], 'OU=b,CN=a'],
      ['CN=e\u0301,O=c', ['CN=\u00e9,O=c'], 'O=c,CN=e\u0301'],
    ].entries() as ArrayIterator<[number, [string, string[], string]]>) {
      const w = await world(rule);
      const [a, b, c] = await keys(`order ${i} a`, `order ${i} b`, `order ${i} c`);
      await approved(w, a, { subject: known });
      for (const subject of swapped) {
        const answer = await w.send(await enrol(w, b, { subject }));
        assert.equal(answer.pkiStatus, 'PENDING', subject);
      }
      got(await w.send(await enrol(w, c, { subject: reordered })));
      assert.equal(subjects(w).length, 1);
      w.check();
    }
  });

  test('a renewal that turns the order of its subject round waits; one that keeps it does not', async () => {
    const w = await world(rule);
    const [a, b, c] = await keys('turn a', 'turn b', 'turn c');
    assert.ok(a && b && c);
    const certificate = await approved(w, a, { subject: 'CN=x,OU=Users,OU=Admins' });
    const renew = (key: ClientKey, subject: string) =>
      w.ask({ signer: { certificate, key: a }, key, subject, messageType: 'RenewalReq' });
    assert.equal((await renew(b, 'OU=Admins,OU=Users,CN=x')).pkiStatus, 'PENDING');
    got(await renew(c, 'OU=Users,CN=x,OU=Admins'));
    w.check();
  });

  test('the rule costs one read more where it is set, and nothing is written before the certificate', async () => {
    const w = await world(rule);
    const [a, b] = await keys('cost a', 'cost b');
    const first = await enrol(w, a);
    w.lab.calls.length = 0;
    await w.send(first);
    assert.deepEqual(w.lab.calls, ['store.read', 'store.read', 'store.write']);
    await approveAll(w);
    got(await w.send(first));
    const second = await enrol(w, b);
    w.lab.calls.length = 0;
    got(await w.send(second));
    const expected = ['store.read', 'store.read', 'store.write', 'signer.sign', 'store.write'];
    assert.deepEqual(w.lab.calls, expected);
  });

  test('a request that waits, is denied, expires or is given up makes nobody known', async () => {
    const w = await world({ endpoint: { approval: 'newSubject', pendingTtl: '1h' } });
    const [a, b, c, d] = await keys('nobody a', 'nobody b', 'nobody c', 'nobody d');
    await w.send(await enrol(w, a));
    const [first] = waiting(w);
    assert.equal(await decide(w.lab.deps, first?.id ?? '', 'denied', by), 'done');
    assert.equal((await w.send(await enrol(w, b))).pkiStatus, 'PENDING');
    w.lab.clock.at += HOUR;
    await sweep(w.lab.deps);
    const sent = await enrol(w, c);
    assert.equal((await w.send(sent)).pkiStatus, 'PENDING');
    await approveAll(w);
    await w.stuck(sent);
    assert.equal((await w.send(await enrol(w, d))).pkiStatus, 'PENDING');
    assert.deepEqual(subjects(w), []);
    w.lab.clock.at += LEASE_MS + SWEEP_AFTER_MS;
    await sweep(w.lab.deps);
    assert.deepEqual(subjects(w), []);
    w.check();
  });

  test('two first requests at once both wait, and one that is approved does not speak for the other', async () => {
    const w = await world(rule);
    const devices = await keys('twin a', 'twin b', 'twin c');
    const sent = await Promise.all(devices.map((key) => enrol(w, key)));
    const answers = await Promise.all(sent.map((one) => w.send(one)));
    assert.deepEqual(
      answers.map(({ pkiStatus }) => pkiStatus),
      ['PENDING', 'PENDING', 'PENDING'],
    );
    const [first] = waiting(w);
    await decide(w.lab.deps, first?.id ?? '', 'approved', by);
    const after = await Promise.all(sent.map((one) => w.send(one)));
    assert.deepEqual(after.map(({ pkiStatus }) => pkiStatus).sort(), [
      'PENDING',
      'PENDING',
      'SUCCESS',
    ]);
    // Both others approved, and issued at once: each commit finds the subject known or makes it so.
    await approveAll(w);
    const last = await Promise.all(sent.map((one) => w.send(one)));
    assert.deepEqual(
      last.map(({ pkiStatus }) => pkiStatus),
      ['SUCCESS', 'SUCCESS', 'SUCCESS'],
    );
    assert.equal(subjects(w).length, 1);
    w.check();
  });

  test('two approved at once: the commit that comes second finds the subject known', async () => {
    const w = await world(rule);
    const devices = await keys('commit a', 'commit b');
    const sent = await Promise.all(devices.map((key) => enrol(w, key)));
    for (const one of sent) await w.send(one);
    await approveAll(w);
    const last = await Promise.all(sent.map((one) => w.send(one)));
    assert.deepEqual(
      last.map(({ pkiStatus }) => pkiStatus),
      ['SUCCESS', 'SUCCESS'],
    );
    assert.deepEqual(
      subjects(w).map(({ rev }) => rev),
      [1],
    );
    w.check();
  });

  test('what one endpoint has certified spares no request at another endpoint its approver', async () => {
    const w = await world({
      config: {
        endpoints: {
          default: { ca: 'default', approval: 'newSubject' },
          other: { ca: 'default', approval: 'newSubject' },
        },
      },
    });
    const [a, b] = await keys('one endpoint a', 'one endpoint b');
    await approved(w, a);
    const challenge = await w.lab.challenge({ endpoint: 'other' });
    const sent = await enrolment(w.lab, { challenge, ...(b ? { key: b } : {}) });
    assert.equal((await w.send(sent, '/scep/other')).pkiStatus, 'PENDING');
    w.check();
  });

  test('a subject of before the rule waits once more, unless it renews, which makes it known', async () => {
    const w = await world();
    const [a, b, c] = await keys('before a', 'before b', 'before c');
    assert.ok(a && b && c);
    const signer = await held(w, a);
    const ruled = await w.instance(rule);
    const wanted = async (key: ClientKey) =>
      enrolment(ruled, { challenge: await ruled.challenge(), key });
    assert.equal((await w.send(await wanted(b), '/scep', ruled)).pkiStatus, 'PENDING');
    const renewal = await enrolment(ruled, { signer, key: b, messageType: 'RenewalReq' });
    got(await w.send(renewal, '/scep', ruled));
    got(await w.send(await wanted(c), '/scep', ruled));
    w.check();
  });

  test('a certificate that its release gate refused makes nobody known; a released one does', async () => {
    let verdict: 'release' | 'refuse' = 'refuse';
    const gate = { validate: async () => ({ allow: true as const }), notify: async () => verdict };
    const w = await world({
      ...rule,
      validators: { gate },
      authorize: { enrol: ['challenge', 'gate'] },
    });
    const [a, b, c] = await keys('gate a', 'gate b', 'gate c');
    const refused = await enrol(w, a);
    await w.send(refused);
    await approveAll(w);
    refusedWith('SCEP-353', await w.send(refused));
    assert.deepEqual(subjects(w), []);
    verdict = 'release';
    await approved(w, b);
    assert.equal(subjects(w).length, 1);
    got(await w.send(await enrol(w, c)));
    w.check();
  });

  test('whoever can write records spares nobody the approver: a forged or moved record counts as none', async () => {
    const w = await world(rule);
    const [a, b, c] = await keys('forged a', 'forged b', 'forged c');
    await approved(w, a);
    const [known] = subjects(w);
    assert.ok(known);
    // The record of one subject under the key of another.
    const key = subjectKey('default', 'default', parseName('CN=admin'), []);
    const moved = { do: 'put', kind: 'subject', key, rev: 0, record: known.record } as Action;
    assert.equal(await w.store.write([moved]), 'done');
    const admin = await enrol(w, b, { subject: 'CN=admin' });
    assert.equal((await w.send(admin)).pkiStatus, 'PENDING');
    await w.forge('subject', () => ({ serial: 'ff' }));
    assert.equal((await w.send(await enrol(w, c))).pkiStatus, 'PENDING');
  });
});
