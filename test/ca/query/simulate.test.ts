// POST /simulate: for every kind of request, what it foretells is what a device then gets, for the
// same reason; and foretelling changes nothing.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Bytes, base64, hex, pem, utf8 } from '../../../lib/base/bytes.ts';
import { hash } from '../../../lib/crypto/native.ts';
import {
  buildRequest,
  type ClientKey,
  importKey,
} from '../../../lib/protocol/scep/client/client.ts';
import { readCertificate } from '../../../lib/x509/certificate.ts';
import { describeCertificate } from '../../../lib/x509/describe/describe.ts';
import { parseGeneralName } from '../../../lib/x509/names/general-name.ts';
import { parseName } from '../../../lib/x509/names/name.ts';
import { type Body, call, ok } from '../../support/api.ts';
import { makeSigner, signed } from '../../support/jws.ts';
import { deviceKey, memoryRaKeys } from '../../support/keys.ts';
import type { LabOptions } from '../../support/lab.ts';
import { type EnrolOptions, enrolment } from '../../support/messages.ts';
import { nextPrime, randomPrime, rsaKey } from '../../support/weak-keys.ts';
import { got, held, type World, world } from '../../support/world.ts';

const DAY = 24 * 3_600_000;
type Signer = NonNullable<EnrolOptions['signer']>;

type Case = {
  readonly expected: 'grant' | 'pend' | `SCEP-${number}`;
  readonly options?: LabOptions;
  /** Before the request; may give the certificate that it is signed with. */
  readonly prepare?: (w: World) => Promise<Signer | undefined>;
  /** Default: RSA. */
  readonly key?: () => Promise<ClientKey>;
  readonly subject?: string;
  readonly names?: readonly string[];
  /** Default: bound to nothing. */
  readonly challenge?: { readonly subject?: string; readonly san?: readonly string[] } | 'none';
  /** Where challenges are signed: the key that its challenge is signed with, the second of two. */
  readonly signedBy?: 'edge';
  readonly bend?: (csr: Bytes) => Bytes;
};

const ec = (name: string) => deviceKey(name, { type: 'EC', curve: 'P-256' });
const rsa = (name: string) => deviceKey(name);
const blocked = await ec('simulate blocked');
const profile = (rules: object): LabOptions => ({
  endpoint: { profile: 'p' },
  config: { profiles: { p: rules } },
});
const firstHeld = async (w: World) => held(w, await rsa('simulate held'));
const renew = async (w: World, signer: Signer, name: string): Promise<Signer> => {
  const key = await rsa(name);
  const answer = await w.ask({ signer, key, messageType: 'RenewalReq' });
  return { key, certificate: readCertificate(got(answer)) };
};
const revoke = async (w: World, { certificate }: Signer, reason: string) =>
  ok(w.lab, 'POST', `/certificates/default/${hex(certificate.serial)}/revoke`, {
    body: { reason },
  });

const mdm = makeSigner('mdm');
const edge = makeSigner('edge', 'EdDSA');
const signing: LabOptions = {
  endpoint: {
    enrol: {
      authorize: ['signedChallenge'],
      signedChallenge: {
        keys: {
          mdm: { publicKey: mdm.publicKey },
          edge: { publicKey: edge.publicKey, subject: { O: 'Test' }, names: { dns: '*.example' } },
        },
      },
    },
  },
};

const cases: Readonly<Record<string, Case>> = {
  'an enrolment': { expected: 'grant' },
  'an enrolment with an EC key': { expected: 'grant', key: () => ec('simulate ec') },
  'one with bound names': {
    ...{ expected: 'grant', challenge: { subject: 'CN=device-1,O=Test', san: ['dns:a.example'] } },
  },
  'one that names itself': {
    expected: 'grant',
    options: profile({ names: { dns: { pattern: '*.example' } }, validity: '30d' }),
    names: ['dns:b.example'],
  },
  'a static challenge': {
    expected: 'grant',
    options: {
      endpoint: {
        enrol: {
          authorize: ['staticChallenge'],
          staticChallenge: { secret: 'env:SECRET', subject: { CN: 'device-*' } },
        },
      },
      staticSecrets: { 'env:SECRET': 'a secret that many know' },
    },
  },
  'a static challenge, another subject': {
    expected: 'SCEP-314',
    subject: 'CN=printer',
    options: {
      endpoint: {
        enrol: {
          authorize: ['staticChallenge'],
          staticChallenge: { secret: 'env:SECRET', subject: { CN: 'device-*' } },
        },
      },
      staticSecrets: { 'env:SECRET': 'a secret that many know' },
    },
  },
  'a signed challenge': {
    ...{ expected: 'grant', options: signing, signedBy: 'edge' },
    challenge: { subject: 'CN=device-1,O=Test', san: ['dns:a.example'] },
  },
  'a signed challenge, another subject': {
    ...{ expected: 'SCEP-311', options: signing, signedBy: 'edge' },
    challenge: { subject: 'CN=somebody else' },
  },
  'a signed challenge with a name that its key may not give': {
    ...{ expected: 'SCEP-307', options: signing, signedBy: 'edge' },
    challenge: { san: ['dns:a.b.example'] },
  },
  'a signed challenge for a subject that its key may not give': {
    ...{ expected: 'SCEP-314', options: signing, signedBy: 'edge', subject: 'CN=x,O=Other' },
  },
  'no signed challenge': { expected: 'SCEP-301', options: signing, challenge: 'none' },
  'what a validator outside has to allow, which a simulation does not ask': {
    expected: 'grant',
    options: {
      validators: { mdm: { validate: async () => ({ allow: true }) } },
      authorize: { enrol: ['challenge', 'mdm'] },
    },
  },
  'where an approver has the last word': {
    ...{ expected: 'pend', options: { endpoint: { approval: 'always' } } },
  },
  'a signature that does not verify': {
    expected: 'SCEP-201',
    bend: (csr) => csr.map((octet, at) => (at === csr.length - 9 ? octet ^ 1 : octet)),
  },
  'no challenge': { expected: 'SCEP-301', challenge: 'none' },
  'another subject than is bound': {
    expected: 'SCEP-311',
    challenge: { subject: 'CN=somebody else' },
  },
  'another name than is bound': {
    ...{ expected: 'SCEP-312', names: ['dns:b.example'], challenge: { san: ['dns:a.example'] } },
  },
  'a name that nobody bound': { expected: 'SCEP-312', names: ['dns:b.example'] },
  'a subject that the profile refuses': {
    ...{ expected: 'SCEP-314', options: profile({ subject: { fixed: { O: 'Other' } } }) },
  },
  'a key that the profile refuses': {
    ...{ expected: 'SCEP-402', options: profile({ keys: { rsa: false } }) },
  },
  'an EC key without a challenge': {
    ...{ expected: 'SCEP-401', key: () => ec('simulate ec'), challenge: 'none' },
  },
  'names that cannot be certified': {
    expected: 'SCEP-403',
    subject: 'CN=x,emailAddress=nobody',
    options: profile({ names: { email: 'copy' } }),
  },
  'a common name that is too long': { expected: 'SCEP-403', subject: `CN=${'x'.repeat(65)}` },
  'no name at all': { expected: 'SCEP-404', subject: '' },
  'primes that are too close': {
    expected: 'SCEP-413',
    key: async () => {
      const p = randomPrime(1024);
      return rsaKey(p, nextPrime(p + 2n));
    },
  },
  'a blocked key': {
    expected: 'SCEP-416',
    key: async () => blocked,
    options: { config: { blockedKeys: [hex(hash('SHA-256', blocked.spki))] } },
  },
  'a key of our own': {
    expected: 'SCEP-417',
    key: async () => {
      const pkcs8 = await memoryRaKeys.unseal(utf8('ra default'), { ca: 'default', purpose: 'ra' });
      const key = await importKey(pkcs8);
      assert.ok(key);
      return key;
    },
  },
  'a key that is certified for another': {
    expected: 'SCEP-341',
    key: () => rsa('simulate held'),
    subject: 'CN=somebody else',
    prepare: async (w) => {
      await firstHeld(w);
      return undefined;
    },
  },
  'a renewal': { expected: 'grant', prepare: firstHeld, challenge: 'none' },
  'a renewal with a stale challenge': { expected: 'grant', prepare: firstHeld },
  'a renewal that waits': {
    expected: 'pend',
    options: { endpoint: { approval: 'always' } },
    prepare: async (w) => {
      const open = await w.instance({ endpoint: { approval: 'never' } });
      const key = await rsa('simulate held');
      const sent = await enrolment(open, { challenge: await open.challenge(), key });
      return { key, certificate: readCertificate(got(await w.send(sent, '/scep', open))) };
    },
  },
  'a renewal for other names': {
    ...{ expected: 'SCEP-325', prepare: firstHeld, names: ['dns:more.example'] },
    challenge: 'none',
  },
  'a renewal for the same key where it must be new': {
    ...{ expected: 'SCEP-326', prepare: firstHeld, challenge: 'none' },
    key: () => rsa('simulate held'),
    options: profile({ sameKey: false }),
  },
  'a renewal before its time': {
    ...{ expected: 'SCEP-324', prepare: firstHeld, challenge: 'none' },
    options: { endpoint: { renew: { window: '10d' } } },
  },
  'a renewal of what has expired': {
    ...{ expected: 'SCEP-322', challenge: 'none' },
    prepare: async (w) => {
      const signer = await firstHeld(w);
      w.lab.clock.at += 366 * DAY;
      return signer;
    },
  },
  'an enrolment of a key that was compromised': {
    ...{ expected: 'SCEP-343', key: () => rsa('simulate held') },
    prepare: async (w) => {
      await revoke(w, await firstHeld(w), 'keyCompromise');
      return undefined;
    },
  },
  'a renewal of what is revoked': {
    ...{ expected: 'SCEP-323', challenge: 'none' },
    prepare: async (w) => {
      const signer = await firstHeld(w);
      await revoke(w, signer, 'superseded');
      return signer;
    },
  },
  'a renewal at another endpoint': {
    ...{ expected: 'SCEP-321', challenge: 'none' },
    prepare: async (w) => {
      const key = await rsa('simulate held');
      const challenge = await w.lab.challenge({ endpoint: 'other' });
      const sent = await enrolment(w.lab, { challenge, key });
      return { key, certificate: readCertificate(got(await w.send(sent, '/scep/other'))) };
    },
  },
  'a renewal of what has been renewed': {
    ...{ expected: 'SCEP-327', challenge: 'none' },
    prepare: async (w) => {
      const signer = await firstHeld(w);
      await renew(w, await renew(w, signer, 'simulate 2'), 'simulate 3');
      return signer;
    },
  },
  'a renewal too often': {
    ...{ expected: 'SCEP-328', challenge: 'none' },
    prepare: async (w) => {
      const signer = await firstHeld(w);
      for (const name of ['2', '3', '4', '5']) await renew(w, signer, `simulate ${name}`);
      return signer;
    },
  },
  'a renewal whose successor is on hold': {
    ...{ expected: 'SCEP-329', challenge: 'none' },
    prepare: async (w) => {
      const signer = await firstHeld(w);
      await revoke(w, await renew(w, signer, 'simulate 2'), 'certificateHold');
      return signer;
    },
  },
};

const csrOf = async (one: Case, key: ClientKey, challenge?: string): Promise<Bytes> => {
  const { subject = 'CN=device-1,O=Test', names = [], bend = (csr: Bytes) => csr } = one;
  const wanted = { subject: parseName(subject), names: names.map(parseGeneralName) };
  return bend(await buildRequest(key, wanted, challenge));
};

describe('what is foretold is what happens', () => {
  for (const [name, one] of Object.entries(cases)) {
    test(`${name}: ${one.expected}`, async () => {
      const w = await world(one.options);
      const signer = await one.prepare?.(w);
      const key = await (one.key?.() ?? rsa('simulate new'));
      const { challenge = {} } = one;
      // The first request notes when its token was used.
      await ok(w.lab, 'GET', '/status');
      const before = w.store.dump();
      w.lab.calls.length = 0;
      const logged = w.lab.log.length;
      const body = {
        csr: base64(await csrOf(one, key)),
        challenge,
        ...(one.signedBy ? { signedBy: one.signedBy } : {}),
        ...(signer ? { renews: hex(signer.certificate.serial) } : {}),
      };
      const foretold = await ok(w.lab, 'POST', '/simulate', { body });
      assert.deepEqual(w.store.dump(), before, 'nothing was written');
      assert.ok(!w.lab.calls.some((made) => /write|sign$|create|publish/.test(made)));
      assert.equal(w.lab.log.length, logged, 'nothing was logged');
      assert.equal(foretold.code ?? foretold.decision, one.expected, JSON.stringify(foretold));

      const secret = await secretFor(w, one);
      const sent = await enrolment(w.lab, {
        key,
        ...(one.subject === undefined ? {} : { subject: one.subject }),
        ...(secret === undefined ? {} : { challenge: secret }),
        ...(signer ? { signer, messageType: 'RenewalReq' } : {}),
        plaintext: await csrOf(one, key, secret),
      });
      const answer = await w.send(sent);
      if (answer.pkiStatus === 'FAILURE') {
        assert.equal(answer.text, `${foretold.code}: ${foretold.text}`);
        assert.equal(answer.failInfo, foretold.failInfo);
        const said = w.lab.log.findLast(({ event }) => event === 'scep.pkiOperation');
        for (const [field, value] of Object.entries(foretold.evidence as Body)) {
          // Why the proof fails is for people, never for the device or its log line.
          if (foretold.code !== 'SCEP-201') assert.equal(said?.[field], value, field);
        }
      } else if (answer.pkiStatus === 'PENDING') assert.equal(foretold.decision, 'pend');
      else {
        assert.equal(foretold.decision, 'grant');
        agree(foretold, answer.certificates[0] ?? new Uint8Array(0));
      }
      // Each validator says what was foretold of it.
      const csrHash = hex(hash('SHA-256', sent.request.plaintext));
      const recorded = w.transactions().find((made) => made.csrHash === csrHash);
      const said = (recorded?.verdicts ?? []).map(({ validator, allows }) => [validator, allows]);
      const verdicts = foretold.verdicts as Body[];
      assert.deepEqual(
        verdicts.map(({ validator, allows }) => [validator, allows]),
        said,
      );
      // No check of a whole CA knows of a hold.
      if (one.expected !== 'SCEP-329') w.check();
    });
  }
});

async function secretFor(
  w: World,
  { challenge = {}, options, signedBy }: Case,
): Promise<string | undefined> {
  if (challenge === 'none') return undefined;
  if (signedBy) {
    const iat = Math.floor(w.lab.clock.at / 1000);
    const claims = { aud: 'default', iat, exp: iat + 3600, jti: 'challenge-1', ...challenge };
    return signed(edge, claims);
  }
  const [shared] = Object.values(options?.staticSecrets ?? {});
  const { subject, san = [] } = challenge;
  const bound = { names: san, ...(subject === undefined ? {} : { subject }) };
  return shared ?? w.lab.challenge(bound);
}

function agree(foretold: Body, der: Bytes): void {
  const { subject, issuer, notBefore, notAfter, key, extensions } = describeCertificate(der);
  const { names: _names, lint, ...certificate } = foretold.certificate as Body;
  assert.deepEqual(certificate, {
    ...{ subject, issuer, notBefore, notAfter, key: key.algorithm, extensions },
  });
  assert.equal(lint, 'clean');
}

describe('what it is asked with', () => {
  test('a CSR as PEM, old PEM, or base64 in lines; what is none is a 422', async () => {
    const w = await world();
    const csr = await csrOf(cases['an enrolment'] as Case, await rsa('simulate new'));
    const lines = base64(csr).replace(/.{64}/g, '$&\r\n');
    for (const text of [
      pem('CERTIFICATE REQUEST', csr),
      `junk before\n${pem('NEW CERTIFICATE REQUEST', csr)}`,
      lines,
    ]) {
      const { decision } = await ok(w.lab, 'POST', '/simulate', {
        body: { csr: text, challenge: {} },
      });
      assert.equal(decision, 'grant');
    }
    for (const text of [
      '',
      '-',
      'CSR',
      '-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----',
    ]) {
      const { status, json } = await call(w.lab, 'POST', '/simulate', { body: { csr: text } });
      assert.ok(status === 422 || json.code === 'SCEP-201', `${text}: ${status}`);
    }
    const nonsense = await ok(w.lab, 'POST', '/simulate', {
      body: { csr: base64(utf8('nonsense')) },
    });
    assert.equal(nonsense.code, 'SCEP-201');
  });

  test('whoever simulates is told what is wrong with the proof of a CSR', async () => {
    const w = await world();
    const csr = await csrOf(cases['an enrolment'] as Case, await rsa('simulate new'));
    const last = csr.length - 1;
    for (const [der, said] of [
      [csr.with(last, (csr[last] ?? 0) ^ 1), /^the signature of the PKCS#10 does not verify$/],
      [csr.subarray(0, last), /^not a PKCS#10: /],
    ] as const) {
      const { code, evidence } = await ok(w.lab, 'POST', '/simulate', {
        body: { csr: base64(der) },
      });
      assert.equal(code, 'SCEP-201');
      assert.match(String((evidence as Body).detail), said);
    }
  });

  test('the challengePassword of a CSR is never looked up: nobody guesses one here', async () => {
    const w = await world();
    const challenge = await w.lab.challenge();
    const csr = await csrOf(cases['an enrolment'] as Case, await rsa('simulate new'), challenge);
    w.lab.calls.length = 0;
    const { code } = await ok(w.lab, 'POST', '/simulate', { body: { csr: base64(csr) } });
    assert.equal(code, 'SCEP-301');
  });

  test('what does not exist is a 422 that says so', async () => {
    const w = await world();
    const csr = base64(await csrOf(cases['an enrolment'] as Case, await rsa('simulate new')));
    for (const [more, said] of [
      [{ endpoint: 'nowhere' }, /^endpoint: "nowhere" does not exist$/],
      [{ renews: '00ff' }, /^renews: the CA "default" has issued no certificate 00ff$/],
      [{ challenge: { san: ['a'] } }, /^challenge\.san: "a" must be TYPE:VALUE/],
      [{ challenge: 'some' }, /^challenge: must be "none" or/],
      [{ challenge: {}, signedBy: 'mdm' }, /^signedBy: the endpoint "default" takes no signed/],
    ] as const) {
      const { status, json } = await call(w.lab, 'POST', '/simulate', { body: { csr, ...more } });
      assert.equal(status, 422);
      assert.match(String(json.detail), said);
    }
  });

  test('which of several keys would sign the challenge has to be said', async () => {
    const w = await world(signing);
    const csr = base64(await csrOf(cases['an enrolment'] as Case, await rsa('simulate new')));
    for (const [more, said] of [
      [{}, /^signedBy: has to be one of mdm, edge$/],
      [
        { signedBy: 'x' },
        /^signedBy: "x" signs no challenges for the endpoint "default": mdm, edge$/,
      ],
    ] as const) {
      const body = { csr, challenge: {}, ...more };
      const { status, json } = await call(w.lab, 'POST', '/simulate', { body });
      assert.equal(status, 422);
      assert.match(String(json.detail), said);
    }
  });

  test('what a signed challenge has no room for is foretold: nobody could use it', async () => {
    const w = await world(signing);
    const csr = base64(await csrOf(cases['an enrolment'] as Case, await rsa('simulate new')));
    const san = Array.from({ length: 30 }, (_, i) => `dns:a-very-long-name-${i}.example`);
    const body = { csr, challenge: { san }, signedBy: 'edge' };
    const { code, evidence } = await ok(w.lab, 'POST', '/simulate', { body });
    assert.equal(code, 'SCEP-302');
    assert.match(String((evidence as Body).detail), /no signed challenge/);
  });

  test('a simulation shows what an approver would allow, where one would decide', async () => {
    const w = await world({ endpoint: { approval: 'always' } });
    const csr = base64(await csrOf(cases['an enrolment'] as Case, await rsa('simulate new')));
    const { decision, certificate } = await ok(w.lab, 'POST', '/simulate', {
      body: { csr, challenge: { san: ['dns:a.example'] } },
    });
    assert.equal(decision, 'pend');
    assert.deepEqual((certificate as Body).names, ['dns:a.example']);
  });
});
