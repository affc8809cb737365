// What a challenge is bound to: it is in the certificate, and in its renewals, exactly; whatever does not fit is refused.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { extensionOids, extKeyUsages } from '../../../lib/asn1/oids.ts';
import { oid, scan } from '../../../lib/asn1/reader.ts';
import { hex } from '../../../lib/base/bytes.ts';
import { decide } from '../../../lib/ca/approve/decide.ts';
import { hash } from '../../../lib/crypto/native.ts';
import { type Certificate, readCertificate } from '../../../lib/x509/certificate.ts';
import { deviceKey } from '../../support/keys.ts';
import type { ChallengeOptions, Lab } from '../../support/lab.ts';
import { type EnrolOptions, enrolment } from '../../support/messages.ts';
import { got, held, keys, refusedWith, type World, world } from '../../support/world.ts';

const day = 86_400_000;

const purposesOf = ({ extensions }: Certificate): string[] => {
  const extension = extensions.get(extensionOids.extKeyUsage);
  return extension ? scan(extension.value).children.map(oid) : [];
};
/** Milliseconds from the moment of issue. */
const lifeOf = ({ notAfter }: Certificate, { clock }: Lab): number => notAfter - clock.at;

const profile = {
  profiles: { p: { extKeyUsage: ['clientAuth', 'serverAuth', 'ipsecIKE'], validity: '365d' } },
};
const withProfile = { endpoint: { profile: 'p' }, config: profile };

async function enrolled(w: World, bound: ChallengeOptions, asked: EnrolOptions = {}) {
  const challenge = await w.lab.challenge(bound);
  return readCertificate(got(await w.ask({ challenge, ...asked })));
}

async function from(w: World, address: string | undefined, asked: EnrolOptions) {
  const sent = await enrolment(w.lab, asked);
  const answer = await w.lab.fetch(
    '/scep?operation=PKIOperation',
    { method: 'POST', body: sent.message },
    address === undefined ? {} : { hops: [address] },
  );
  return sent.read(new Uint8Array(await answer.arrayBuffer()));
}

describe('purposes and lifetime', () => {
  const bound = { extKeyUsage: ['ipsecIKE'], validity: 7 * day };

  test('are those of the challenge, and others of the same profile keep theirs', async () => {
    const w = await world(withProfile);
    const [first, second, third] = await keys('narrow', 'wide', 'narrow again');
    assert.ok(first && second && third);
    const narrow = await enrolled(w, bound, { key: first });
    assert.deepEqual(purposesOf(narrow), [extKeyUsages.ipsecIKE]);
    assert.ok(Math.abs(lifeOf(narrow, w.lab) - 7 * day) < 1000);
    const wide = await enrolled(w, {}, { key: second });
    assert.equal(purposesOf(wide).length, 3);
    assert.ok(Math.abs(lifeOf(wide, w.lab) - 365 * day) < 1000);
    const again = await enrolled(w, bound, { key: third });
    assert.deepEqual(purposesOf(again), [extKeyUsages.ipsecIKE]);
    w.check();
  });

  test('stay so in every renewal', async () => {
    const w = await world(withProfile);
    const [first, second, third] = await keys('r1', 'r2', 'r3');
    assert.ok(first && second && third);
    let signer = {
      key: first,
      certificate: await enrolled(w, { ...bound, device: 'SN-7' }, { key: first }),
    };
    for (const key of [second, third]) {
      w.lab.clock.at += day;
      const answer = await w.ask({ signer, key, messageType: 'RenewalReq' });
      signer = { key, certificate: readCertificate(got(answer)) };
      assert.deepEqual(purposesOf(signer.certificate), [extKeyUsages.ipsecIKE]);
      assert.ok(Math.abs(lifeOf(signer.certificate, w.lab) - 7 * day) < 1000);
    }
    assert.deepEqual(
      w.certificates().map(({ device }) => device),
      ['SN-7', 'SN-7', 'SN-7'],
    );
    w.check();
  });

  test('are what an approver allows, and what is issued then', async () => {
    const w = await world({ ...withProfile, endpoint: { profile: 'p', approval: 'always' } });
    const challenge = await w.lab.challenge({ ...bound, device: 'SN-8' });
    const sent = await enrolment(w.lab, { challenge });
    assert.equal((await w.send(sent)).pkiStatus, 'PENDING');
    const [waiting] = w.transactions();
    assert.deepEqual(waiting?.narrowing, {
      extKeyUsage: [extKeyUsages.ipsecIKE],
      validityMs: 7 * day,
    });
    assert.equal(await decide(w.lab.deps, waiting?.id ?? '', 'approved', { by: 'jane' }), 'done');
    const certificate = readCertificate(got(await w.poll()));
    assert.deepEqual(purposesOf(certificate), [extKeyUsages.ipsecIKE]);
    assert.ok(Math.abs(lifeOf(certificate, w.lab) - 7 * day) < 1000);
    assert.equal(w.certificates()[0]?.device, 'SN-8');
    w.check();
  });

  test('a waiting request whose record says more than its challenge is not issued', async () => {
    for (const more of [{ narrowing: { validityMs: 365 * day } }, { device: 'SN-9' }]) {
      const w = await world({ ...withProfile, endpoint: { profile: 'p', approval: 'always' } });
      const sent = await enrolment(w.lab, { challenge: await w.lab.challenge(bound) });
      await w.send(sent);
      const [waiting] = w.transactions();
      await decide(w.lab.deps, waiting?.id ?? '', 'approved', { by: 'jane' });
      await w.bend('transaction', () => more);
      await assert.rejects(w.poll(), /HTTP 503/);
      assert.deepEqual(w.certificates(), []);
    }
  });

  test('where the profile has fewer by now, an enrolment is refused, and a renewal has what is left', async () => {
    const w = await world(withProfile);
    const [first, second] = await keys('p1', 'p2');
    assert.ok(first && second);
    const both = { extKeyUsage: ['clientAuth', 'ipsecIKE'] };
    const signer = { key: first, certificate: await enrolled(w, both, { key: first }) };
    const challenge = await w.lab.challenge(both);
    const later = await w.instance({
      config: { profiles: { p: { extKeyUsage: ['clientAuth'] } } },
    });
    refusedWith(
      'SCEP-319',
      await w.send(await enrolment(later, { challenge, key: second }), '/scep', later),
    );
    const renewal = await enrolment(later, { signer, key: second, messageType: 'RenewalReq' });
    const next = readCertificate(got(await w.send(renewal, '/scep', later)));
    assert.deepEqual(purposesOf(next), [extKeyUsages.clientAuth]);
  });
});

describe('key', () => {
  test('of the kind, or the one, that is bound: any other is refused, and counted', async () => {
    const w = await world();
    const rsa = await deviceKey('bound rsa');
    const ec = await deviceKey('bound ec', { type: 'EC', curve: 'P-256' });
    const keyHash = hex(hash('SHA-256', rsa.spki));
    for (const [bound, good, bad] of [
      [{ key: 'rsa' }, rsa, ec],
      [{ key: 'rsa:2048' }, rsa, ec],
      [{ key: 'ec' }, ec, rsa],
      [{ key: 'ec:P-256' }, ec, rsa],
      [{ keyHash }, rsa, await deviceKey('bound other')],
      [{ key: 'rsa', keyHash: keyHash.toUpperCase() }, rsa, await deviceKey('bound other')],
    ] as const) {
      const challenge = await w.lab.challenge(bound);
      refusedWith('SCEP-315', await w.ask({ challenge, key: bad }));
      assert.equal(w.challenges().at(-1)?.failures, 1, JSON.stringify(bound));
      got(await w.ask({ challenge, key: good }));
    }
    const larger = await w.lab.challenge({ key: 'rsa:4096' });
    refusedWith('SCEP-315', await w.ask({ challenge: larger, key: rsa }));
    w.check();
  });
});

describe('source', () => {
  test('a request from elsewhere, or from nowhere that is known, is refused', async () => {
    const w = await world();
    const challenge = await w.lab.challenge({ sources: ['10.0.0.0/8', '2001:db8::1'] });
    for (const [address, key] of [
      ['192.0.2.1', await deviceKey('s1')],
      ['2001:db8::2', await deviceKey('s2')],
      [undefined, await deviceKey('s3')],
    ] as const) {
      const answer = await from(w, address, { challenge, key });
      refusedWith('SCEP-316', answer);
    }
    const answer = await from(w, '10.200.3.4', { challenge });
    assert.equal(answer.pkiStatus, 'SUCCESS');
    assert.equal((await from(w, '2001:db8::1', { challenge })).pkiStatus, 'SUCCESS', 'its repeat');
  });
});

describe('subject pattern', () => {
  test('each value of the attribute fits, and there is one', async () => {
    const w = await world();
    const challenge = await w.lab.challenge({
      subjectPattern: { cn: ['printer-*', 'lab *'], O: 'Test' },
    });
    for (const subject of [
      'O=Test',
      'CN=printer-,O=Test',
      'CN=router-1,O=Test',
      'CN=printer-1',
      'CN=printer-1+CN=root,O=Test',
      'CN=printer-1,CN=root,O=Test',
    ]) {
      refusedWith('SCEP-311', await w.ask({ challenge, subject }));
    }
    got(await w.ask({ challenge, subject: 'CN=printer-1,O=Test' }));
  });

  test('gives no host of a TLS server: that takes a name, or the profile', async () => {
    const w = await world(withProfile);
    const subjectPattern = { CN: '*.example.com' };
    const subject = 'CN=a.example.com';
    refusedWith(
      'SCEP-318',
      await w.ask({ challenge: await w.lab.challenge({ subjectPattern }), subject }),
    );
    const names = ['dns:a.example.com'];
    got(
      await w.ask({ challenge: await w.lab.challenge({ subjectPattern, names }), subject, names }),
    );
  });
});

describe('profile', () => {
  test('an endpoint that has another by now refuses it, and counts nothing against it', async () => {
    const w = await world(withProfile);
    const challenge = await w.lab.challenge({ profile: 'p' });
    const later = await w.instance({ ...withProfile, endpoint: { profile: 'device' } });
    refusedWith('SCEP-317', await w.send(await enrolment(later, { challenge }), '/scep', later));
    assert.equal(w.challenges()[0]?.failures, 0);
    got(await w.ask({ challenge }));
  });
});

describe('device', () => {
  test('is on record with its Transaction and events, and not in the certificate', async () => {
    const w = await world();
    const certificate = await enrolled(w, { device: 'Serial 4711' });
    assert.equal(w.transactions()[0]?.device, 'Serial 4711');
    assert.equal(w.certificates()[0]?.device, 'Serial 4711');
    assert.ok(!Buffer.from(certificate.der).includes('4711'));
    const told = w.events().filter(({ device }) => device === 'Serial 4711');
    assert.deepEqual(
      told.map(({ type }) => type),
      ['challenge.created', 'certificate.intended', 'certificate.issued'],
    );
  });

  test('an enrolment of another challenge has none', async () => {
    const w = await world();
    const [first, second] = await keys('d1', 'd2');
    assert.ok(first && second);
    await enrolled(w, { device: 'one' }, { key: first });
    await held(w, second);
    assert.deepEqual(
      w
        .certificates()
        .map(({ device }) => device)
        .sort(),
      ['one', undefined],
    );
  });
});

describe('decoy', () => {
  test('whoever uses it is told what a stranger is told, and an alarm is raised', async () => {
    const w = await world();
    const decoy = await w.lab.challenge({ decoy: true });
    w.lab.log.length = 0;
    const [a, b] = [await w.ask({ challenge: decoy }), await w.ask({ challenge: 'x'.repeat(26) })];
    refusedWith('SCEP-302', a);
    refusedWith('SCEP-302', b);
    assert.equal(a.pkiStatus === 'FAILURE' && a.text, b.pkiStatus === 'FAILURE' && b.text);
    const alarms = w.lab.log.filter(({ event }) => event === 'challenge.decoyUsed');
    assert.deepEqual(
      alarms.map(({ severity, challengeId }) => [severity, challengeId]),
      [['error', w.challenges()[0]?.id]],
    );
    assert.equal(w.events().filter(({ type }) => type === 'challenge.decoyUsed').length, 1);
    assert.deepEqual(w.certificates(), []);
  });

  test('it raises one whatever has become of it, in the log of events up to ten times', async () => {
    const w = await world();
    const decoy = await w.lab.challenge({ decoy: true, ttlMs: 60_000 });
    w.lab.clock.at += 120_000;
    for (let i = 0; i < 12; i++) {
      w.lab.clock.at += 60_000;
      refusedWith('SCEP-302', await w.ask({ challenge: decoy, subject: `CN=${i}` }));
    }
    assert.equal(w.lab.log.filter(({ event }) => event === 'challenge.decoyUsed').length, 12);
    assert.equal(w.events().filter(({ type }) => type === 'challenge.decoyUsed').length, 10);
  });

  test('a record whose mark is taken away lets nobody in', async () => {
    const w = await world();
    const challenge = await w.lab.challenge({ decoy: true });
    await w.bend('challenge', () => ({ decoy: undefined as never }));
    refusedWith('SCEP-302', await w.ask({ challenge }));
  });
});

test('every part of a binding is under its MAC', async () => {
  const bound = {
    ...{ extKeyUsage: ['clientAuth'], validity: day, key: 'rsa', device: 'd' },
    ...{ keyHash: '0'.repeat(64), sources: ['10.0.0.0/8'], subjectPattern: { CN: 'a*' } },
    profile: 'device',
  };
  for (const left of [
    'extKeyUsage',
    'validityMs',
    'key',
    'device',
    'keyHash',
    'sources',
    'subjectPattern',
    'profile',
  ]) {
    const w = await world();
    const challenge = await w.lab.challenge(bound);
    await w.bend('challenge', ({ binding }) => ({
      binding: Object.fromEntries(
        Object.entries(binding).filter(([name]) => name !== left),
      ) as typeof binding,
    }));
    const key = await deviceKey('mac');
    refusedWith('SCEP-302', await w.ask({ challenge, key, subject: 'CN=abc' }));
    assert.ok(
      w.lab.log.some(({ event }) => event === 'challenge.tampered'),
      left,
    );
  }
});
