// Every reason there is, provoked for real: what the device is told has its code, and what is kept of it
// explains itself: which rule, what it looked at, what the device sent, what to change.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { extKeyUsages } from '../../lib/asn1/oids.ts';
import { scan, tag } from '../../lib/asn1/reader.ts';
import { bits, integer, objectIdentifier, octets, sequence, tlv } from '../../lib/asn1/writer.ts';
import { type Bytes, base64, hex, utf8 } from '../../lib/base/bytes.ts';
import { MAX_EVIDENCE_CHARACTERS, REFUSAL_PLACES_MS } from '../../lib/base/limits.ts';
import { decide } from '../../lib/ca/approve/decide.ts';
import { revokeChallenge } from '../../lib/ca/challenge/challenge-list.ts';
import { removeDevice } from '../../lib/ca/devices/device-list.ts';
import { importRows } from '../../lib/ca/devices/import.ts';
import type { WantedRow } from '../../lib/ca/devices/row.ts';
import { requireGoodKey } from '../../lib/ca/policy/good-key.ts';
import { explainRefusal } from '../../lib/ca/query/explain-refusal.ts';
import { storyOf } from '../../lib/ca/query/transactions.ts';
import { revoke } from '../../lib/ca/revoke/revoke.ts';
import { digests } from '../../lib/crypto/algorithms.ts';
import { hash } from '../../lib/crypto/native.ts';
import { type ClientKey, importKey, selfSigned } from '../../lib/protocol/scep/client/client.ts';
import { failInfoOf } from '../../lib/protocol/scep/wire/fail-info.ts';
import { shortened } from '../../lib/refusal/evidence.ts';
import { explained } from '../../lib/refusal/explanations.ts';
import { type Reason, Refusal, reasons } from '../../lib/refusal/reasons.ts';
import { readCertificate } from '../../lib/x509/certificate.ts';
import { extKeyUsage } from '../../lib/x509/extensions.ts';
import { certificateRules } from '../../lib/x509/lint/rules.ts';
import { lintTexts } from '../../lib/x509/lint/text.ts';
import { parseName } from '../../lib/x509/names/name.ts';
import { readPublicKey } from '../../lib/x509/public-key.ts';
import { makeSigner, signed } from '../support/jws.ts';
import { deviceKey, memoryRaKeys } from '../support/keys.ts';
import type { LabOptions } from '../support/lab.ts';
import { attribute, type EnrolOptions, enrolment, random, seal } from '../support/messages.ts';
import { requestFor } from '../support/requests.ts';
import { nextPrime, randomPrime, rocaFactor, rsaKey } from '../support/weak-keys.ts';
import { got, HOUR, held, type World, world } from '../support/world.ts';

type Answer = Awaited<ReturnType<World['send']>>;
/** Brings the world to the refusal; `kept` is what the record says more than its code. */
type Provoked = { readonly options?: LabOptions; readonly kept?: RegExp } & {
  readonly act: (w: World) => Promise<Answer>;
};

const admin = { kind: 'admin', id: 'somebody' } as const;
const DAY = 24 * HOUR;
const key = (name: string): Promise<ClientKey> => deviceKey(`explain ${name}`);
const fresh = async (w: World, more: EnrolOptions = {}) =>
  w.ask({ challenge: await w.lab.challenge(), ...more });
const spkiHash = ({ spki }: ClientKey): string => hex(hash('SHA-256', spki));

/** A renewal of a certificate that has just been issued, after something has happened. */
async function renewal(w: World, happens: (serial: string) => unknown, more: EnrolOptions = {}) {
  const signer = await held(w, await key('renewed'));
  await happens(hex(signer.certificate.serial));
  return w.ask({ signer, key: await key('renewal'), messageType: 'RenewalReq', ...more });
}

async function pendingThen(w: World, verdict: 'denied' | 'late'): Promise<Answer> {
  const sent = await enrolment(w.lab, { challenge: await w.lab.challenge() });
  await w.send(sent);
  const [waiting] = w.transactions();
  if (verdict === 'late') w.lab.clock.at += 8 * DAY;
  else await decide(w.lab.deps, waiting?.id ?? '', 'denied', { by: 'somebody' });
  return w.send(sent);
}

const bent = (envelope: Bytes, from: Bytes, to: Bytes): Bytes => {
  const text = Buffer.from(envelope).toString('latin1');
  const [a, b] = [from, to].map((part) => Buffer.from(part).toString('latin1'));
  return Uint8Array.from(Buffer.from(text.replace(a ?? '', b ?? ''), 'latin1'));
};

/** The neutral element of Ed25519, for which R = itself and S = 0 sign everything. */
function neutralKey(): ClientKey {
  const point = Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 1 : 0));
  const signature = Uint8Array.from({ length: 64 }, (_, i) => (i === 0 ? 1 : 0));
  return {
    spki: sequence(sequence(objectIdentifier('1.3.101.112')), bits(point)),
    pkcs8: new Uint8Array(0),
    scheme: { kind: 'Ed25519', digest: digests['SHA-512'] },
    sign: async () => signature,
  };
}

const gate = {
  validate: async () => ({ allow: true as const }),
  notify: async () => 'refuse' as const,
};
const withList: LabOptions = {
  endpoint: { enrol: { authorize: ['challenge', 'deviceList'] } },
};
const intoList = (w: World, row: WantedRow) =>
  importRows(w.lab.deps, {
    ...{ list: 'default', rows: [row], restore: false, dryRun: false, actor: admin },
  });
const refusing = { validate: async () => ({ allow: false as const, note: 'stolen in May' }) };

const intune = {
  kind: 'intune' as const,
  ...{ tenant: 'contoso.example', clientId: 'c', clientSecret: 'env:SECRET' },
};

const mdm = makeSigner('mdm');

const provoked: Record<Exclude<Reason, 'keyNotOnCurve'>, Provoked> = {
  signatureWrong: {
    act: async (w) => {
      const certificate = await selfSigned(
        await key('a'),
        parseName('CN=x'),
        w.lab.clock.now(),
        random,
      );
      return w.ask({ signer: { certificate, key: await key('b') } });
    },
  },
  digestWrong: {
    act: (w) =>
      w.ask({
        attributes: (standard) => {
          standard.set('messageDigest', attribute('1.2.840.113549.1.9.4', octets(random(32))));
          return [...standard.values()];
        },
      }),
  },
  attributesWrong: {
    act: (w) =>
      w.ask({
        attributes: (standard) =>
          [...standard].filter(([name]) => name !== 'contentType').map(([, value]) => value),
      }),
  },
  digestRefused: { act: (w) => w.ask({ digest: 'SHA-1' }) },
  signatureRefused: {
    act: (w) =>
      w.ask({
        signatureAlgorithm: sequence(objectIdentifier('1.2.840.113549.1.1.2'), tlv(tag.null)),
      }),
  },
  signerKeyRefused: {
    act: async (w) => w.ask({ key: await deviceKey('small', { type: 'RSA', bits: 1024 }) }),
  },
  cipherRefused: { act: (w) => w.ask({ cipher: '3DES' }) },
  keyTransportRefused: {
    act: (w) => {
      const pkcs1 = objectIdentifier('1.2.840.113549.1.1.1');
      const other = objectIdentifier('1.2.840.113549.1.1.2');
      return w.ask({ envelope: bent(seal(random(64), w.lab.announced.ra), pkcs1, other) });
    },
  },
  messageTypeRefused: { act: (w) => w.ask({ messageType: '18' }) },
  envelopeMalformed: { act: (w) => w.ask({ envelope: random(40) }) },
  recipientUnknown: {
    act: async (w) => {
      const stranger = await selfSigned(
        await key('stranger'),
        parseName('CN=x'),
        w.lab.clock.now(),
        random,
      );
      return w.ask({ envelope: seal(random(64), stranger) });
    },
  },
  envelopeRejected: { act: (w) => w.ask({ plaintext: random(64) }) },
  challengeMissing: { act: (w) => w.ask({}), kept: /challengePassword: none/ },
  challengeUnknown: {
    act: (w) => w.ask({ challenge: 'nobody made this' }),
    kept: /octets of the challengePassword: 16/,
  },
  challengeExpired: {
    act: async (w) => {
      const challenge = await w.lab.challenge({ ttlMs: 1000 });
      w.lab.clock.at += 1000;
      return w.ask({ challenge });
    },
    kept: /expired at: \d{4}-/,
  },
  challengeSpent: {
    act: async (w) => {
      const challenge = await w.lab.challenge();
      got(await w.ask({ challenge }));
      return w.ask({ challenge, key: await key('late') });
    },
    kept: /challenge: [0-9A-Z]{26}/,
  },
  challengeLocked: {
    act: async (w) => {
      const challenge = await w.lab.challenge({ subject: 'CN=right' });
      for (let i = 0; i < 10; i++) await w.ask({ challenge, subject: `CN=${i}` });
      w.lab.clock.at += REFUSAL_PLACES_MS;
      return w.ask({ challenge, subject: 'CN=right' });
    },
    kept: /failures: 10/,
  },
  challengeRevoked: {
    act: async (w) => {
      const challenge = await w.lab.challenge();
      await revokeChallenge(w.lab.deps, w.challenges()[0]?.id ?? '', undefined, admin);
      return w.ask({ challenge });
    },
    kept: /revoked at: \d{4}-/,
  },
  signerNotAllowed: {
    options: {
      endpoint: {
        enrol: {
          authorize: ['signedChallenge'],
          signedChallenge: { keys: { mdm: { publicKey: mdm.publicKey, names: { dns: 'a.*' } } } },
        },
      },
    },
    act: (w) => {
      const iat = Math.floor(w.lab.clock.at / 1000);
      const claims = {
        aud: 'default',
        iat,
        exp: iat + 60,
        jti: 'device-1',
        san: ['dns:b.example'],
      };
      return w.ask({ challenge: signed(mdm, claims), names: ['dns:b.example'] });
    },
    kept: /keys\.mdm\.names\nasked for: dns:b\.example\nallowed: a\.\*/,
  },
  subjectNotBound: {
    act: async (w) =>
      w.ask({ challenge: await w.lab.challenge({ subject: 'CN=a' }), subject: 'CN=b' }),
    kept: /asked for: CN=b\nallowed: CN=a/,
  },
  keyNotBound: {
    act: async (w) => w.ask({ challenge: await w.lab.challenge({ key: 'ec' }) }),
    kept: /asked for: RSA-2048\nallowed: ec$/m,
  },
  sourceNotBound: {
    act: async (w) => w.ask({ challenge: await w.lab.challenge({ sources: ['10.0.0.0/8'] }) }),
    kept: /allowed: 10\.0\.0\.0\/8/,
  },
  profileNotBound: {
    options: { endpoint: { profile: 'p' }, config: { profiles: { p: {} } } },
    act: async (w) => {
      const before = await w.instance({ endpoint: { profile: 'device' } });
      return w.ask({ challenge: await before.challenge({ profile: 'device' }) });
    },
    kept: /asked for: p\nallowed: device/,
  },
  purposeNotBound: {
    options: { endpoint: { profile: 'p' }, config: { profiles: { p: {} } } },
    act: async (w) => {
      const extKeyUsage = ['clientAuth', 'serverAuth'];
      const before = await w.instance({ config: { profiles: { p: { extKeyUsage } } } });
      return w.ask({ challenge: await before.challenge({ extKeyUsage: ['serverAuth'] }) });
    },
    kept: /rule profiles\.p\.extKeyUsage\nasked for: clientAuth\nallowed: serverAuth/,
  },
  nameNotBound: {
    options: {
      endpoint: { profile: 'p' },
      config: { profiles: { p: { names: { dns: { pattern: ['*.a.example', 'b.example'] } } } } },
    },
    act: (w) => fresh(w, { names: ['dns:evil.example'] }),
    kept: /rule profiles\.p\.names\.dns\nasked for: dns:evil\.example\nallowed: \*\.a\.example, b\.example/,
  },
  nameNotAllowed: {
    options: {
      endpoint: { profile: 'p' },
      config: { profiles: { p: { names: { email: 'none' } } } },
    },
    act: async (w) => {
      const before = await w.instance({ config: { profiles: { p: {} } } });
      const challenge = await before.challenge({ names: ['email:a@b.example'] });
      return w.ask({ challenge });
    },
    kept: /rule profiles\.p\.names\.email\nasked for: email:a@b\.example\nallowed: none/,
  },
  subjectNotAllowed: {
    options: {
      endpoint: { profile: 'p' },
      config: { profiles: { p: { subject: { pattern: { CN: ['dev-*', 'lab *'] } } } } },
    },
    act: (w) => fresh(w, { subject: 'CN=srv-1' }),
    kept: /rule profiles\.p\.subject\.pattern\nattribute: CN\nasked for: srv-1\nallowed: dev-\*, lab \*/,
  },
  hostNotBound: {
    options: {
      endpoint: { profile: 'p' },
      config: {
        profiles: {
          p: { extKeyUsage: ['serverAuth'], names: { dns: { pattern: '*.a.example' } } },
        },
      },
    },
    act: (w) => fresh(w, { subject: 'CN=Bank.example' }),
    kept: /rule profiles\.p\.names\.dns\nasked for: dns:bank\.example\nallowed: \*\.a\.example/,
  },
  renewalUnknown: {
    options: { config: { endpoints: { default: { ca: 'default' }, other: { ca: 'default' } } } },
    act: async (w) => {
      const signer = await held(w, await key('elsewhere'));
      const sent = await enrolment(w.lab, {
        signer,
        key: await key('other'),
        messageType: 'RenewalReq',
      });
      return w.send(sent, '/scep/other');
    },
    kept: /endpoint: default/,
  },
  renewalExpired: {
    act: (w) =>
      renewal(w, () => {
        w.lab.clock.at += 366 * DAY;
      }),
    kept: /which ends: \d{4}-/,
  },
  renewalRevoked: {
    act: (w) =>
      renewal(w, (serial) =>
        revoke(w.lab.deps, { ca: 'default', serial, reason: 'unspecified', actor: admin }),
      ),
    kept: /revoked for: unspecified/,
  },
  renewalTooEarly: {
    options: { endpoint: { renew: { window: '30d' } } },
    act: (w) => renewal(w, () => {}),
    kept: /may be renewed from: \d{4}-/,
  },
  renewalOtherNames: {
    act: (w) => renewal(w, () => {}, { names: ['dns:a.example'] }),
    kept: /allowed: CN=device-1,O=Test/,
  },
  renewalSameKey: {
    options: { endpoint: { profile: 'p' }, config: { profiles: { p: { sameKey: false } } } },
    act: async (w) => renewal(w, () => {}, { key: await key('renewed') }),
    kept: /rule profiles\.p\.sameKey/,
  },
  renewalDone: {
    act: async (w) => {
      const signer = await held(w, await key('first'));
      const second = await key('second');
      const certificate = readCertificate(
        got(await w.ask({ signer, key: second, messageType: 'RenewalReq' })),
      );
      got(
        await w.ask({
          signer: { certificate, key: second },
          key: await key('third'),
          messageType: 'RenewalReq',
        }),
      );
      return w.ask({ signer, key: await key('fourth'), messageType: 'RenewalReq' });
    },
    kept: /its renewal: [0-9a-f]{32}/,
  },
  renewalTooOften: {
    act: async (w) => {
      const signer = await held(w, await key('often'));
      for (const name of ['1', '2', '3', '4']) {
        got(await w.ask({ signer, key: await key(name), messageType: 'RenewalReq' }));
      }
      return w.ask({ signer, key: await key('5'), messageType: 'RenewalReq' });
    },
    kept: /renewals: 4/,
  },
  renewalEnded: {
    act: async (w) => {
      const signer = await held(w, await key('ended 1'));
      const asked = { signer, messageType: 'RenewalReq' } as const;
      const next = readCertificate(got(await w.ask({ ...asked, key: await key('ended 2') })));
      await revoke(w.lab.deps, {
        ca: 'default',
        serial: hex(next.serial),
        reason: 'affiliationChanged',
        actor: admin,
      });
      return w.ask({ ...asked, key: await key('ended 3') });
    },
    kept: /ended: [0-9a-f]{32}/,
  },
  renewalSpent: {
    act: async (w) => {
      const signer = await held(w, await key('spent'));
      const asked = { signer, key: signer.key, messageType: 'RenewalReq' } as const;
      for (let lost = 0; lost < 13; lost++) {
        if (lost % 4 === 0) w.lab.clock.at += 8 * DAY;
        got(await w.ask({ ...asked, challenge: `stale ${lost}` }));
      }
      return w.ask(asked);
    },
    kept: /root: [0-9a-f]{32}/,
  },
  renewalHeld: {
    act: async (w) => {
      const signer = await held(w, await key('h1'));
      const next = got(await w.ask({ signer, key: await key('h2'), messageType: 'RenewalReq' }));
      const serial = hex(readCertificate(next).serial);
      const asked = { ca: 'default', serial, reason: 'certificateHold', actor: admin } as const;
      await revoke(w.lab.deps, asked);
      return w.ask({ signer, key: await key('h3'), messageType: 'RenewalReq' });
    },
    kept: /its renewal: [0-9a-f]{32}/,
  },
  deviceUnlisted: {
    options: withList,
    act: (w) => fresh(w),
    kept: /list: default\ndevice: device-1/,
  },
  deviceRemoved: {
    options: withList,
    act: async (w) => {
      await intoList(w, { name: ['device-1'] });
      await removeDevice(w.lab.deps, 'default', 'device-1', { actor: admin, reason: undefined });
      return fresh(w);
    },
    kept: /list: default\ndevice: device-1\nremoved at: \d{4}-.*\nremoved by: somebody/,
  },
  deviceNameNotListed: {
    options: withList,
    act: async (w) => {
      await intoList(w, { name: ['device-1'], subject: 'CN=device-1' });
      return fresh(w);
    },
    kept: /asked for: CN=device-1,O=Test\nallowed: CN=device-1\nlist: default\ndevice: device-1/,
  },
  validatorRefused: {
    options: { validators: { mdm: refusing }, authorize: { enrol: ['challenge', 'mdm'] } },
    act: (w) => fresh(w),
    kept: /validator: mdm\nnote: stolen in May/,
  },
  usageNotAllowed: {
    options: {
      validators: { mdm: { validate: async () => ({ allow: true as const }) } },
      config: { validators: { mdm: intune } },
      endpoint: { enrol: { authorize: ['mdm'] }, renew: { authorize: ['mdm'] } },
    },
    act: async (w) => {
      const own = await key('asks for more');
      const extensions = [extKeyUsage([extKeyUsages.serverAuth])];
      return w.ask({ key: own, plaintext: await requestFor(own, { extensions }) });
    },
    kept: /rule profiles.device.extKeyUsage\nasked for: serverAuth\nallowed: clientAuth/,
  },
  keyOwned: {
    act: async (w) => {
      got(await fresh(w, { subject: 'CN=one' }));
      return fresh(w, { subject: 'CN=two' });
    },
    kept: /the key is of certificate: [0-9a-f]{32}/,
  },
  keyCompromised: {
    act: async (w) => {
      const signer = await held(w, await key('compromised'));
      const serial = hex(signer.certificate.serial);
      await revoke(w.lab.deps, { ca: 'default', serial, reason: 'keyCompromise', actor: admin });
      return w.ask({ key: signer.key, challenge: await w.lab.challenge() });
    },
    kept: /revoked: [0-9a-f]{32}/,
  },
  requestDenied: {
    options: { endpoint: { approval: 'always' } },
    act: (w) => pendingThen(w, 'denied'),
    kept: /endpoints\.default\.approval/,
  },
  requestExpired: {
    options: { endpoint: { approval: 'always' } },
    act: (w) => pendingThen(w, 'late'),
    kept: /endpoints\.default\.pendingTtl/,
  },
  releaseRefused: {
    options: { validators: { gate }, authorize: { enrol: ['challenge', 'gate'] } },
    act: (w) => fresh(w),
    kept: /endpoints\.default\.enrol\.authorize/,
  },
  requestRevoked: {
    act: async (w) => {
      const challenge = await w.lab.challenge({ uses: 2 });
      const sent = await enrolment(w.lab, { challenge });
      const serial = hex(readCertificate(got(await w.send(sent))).serial);
      await revoke(w.lab.deps, { ca: 'default', serial, reason: 'superseded', actor: admin });
      return w.send(sent);
    },
    kept: /revoked for: superseded/,
  },
  signerCannotDecrypt: {
    options: {
      endpoint: {
        enrol: {
          authorize: ['staticChallenge'],
          signer: 'any',
          staticChallenge: { secret: 'env:SECRET', subject: { CN: 'device-*' } },
        },
      },
      staticSecrets: { 'env:SECRET': 'known to many devices' },
    },
    act: async (w) => {
      const challenge = 'known to many devices';
      const { plaintext } = (await enrolment(w.lab, { challenge })).request;
      return w.ask({ key: await deviceKey('ec', { type: 'EC', curve: 'P-256' }), plaintext });
    },
    kept: /key: P-256/,
  },
  passwordEnvelopeImpossible: {
    act: async (w) =>
      w.ask({ key: await deviceKey('ec', { type: 'EC', curve: 'P-256' }), challenge: 'short' }),
    kept: /key: P-256\noctets of the challengePassword: 5\nallowed: at least 16/,
  },
  keyRefused: {
    options: {
      endpoint: { profile: 'p' },
      config: { profiles: { p: { keys: { rsa: { min: 3072 }, ec: ['P-384'], ed25519: false } } } },
    },
    act: (w) => fresh(w),
    kept: /rule profiles\.p\.keys\nasked for: RSA-2048\nallowed: RSA 3072 to 8192, P-384/,
  },
  requestLint: {
    act: (w) => fresh(w, { subject: 'CN=a,C=12' }),
    kept: /rule lint country \(RFC 5280 A\.1\): C must be a country code of two letters/,
  },
  subjectMissing: { act: (w) => fresh(w, { subject: '' }), kept: /subject: \(empty\)/ },
  keyExponentRefused: {
    act: async (w) => fresh(w, { key: await rsaKey(primeTwoModThree(), primeTwoModThree(), 3n) }),
    kept: /SHA-256 of the key: [0-9a-f]{64}/,
  },
  keyHasSmallFactor: {
    act: async (w) => fresh(w, { key: await rsaKey(randomPrime(2038), 751n) }),
    kept: /whose key: request/,
  },
  keyHasClosePrimes: {
    act: async (w) => {
      const p = randomPrime(1024);
      return fresh(w, { key: await rsaKey(p, nextPrime(p + 2n)) });
    },
    kept: /key: RSA-2048/,
  },
  keyIsRoca: {
    act: async (w) =>
      fresh(w, { key: await rsaKey(rocaFactor(2048, true), rocaFactor(2048, true)) }),
    kept: /key: RSA-2048/,
  },
  keyBlocked: {
    options: { config: { blockedKeys: [spkiHash(await key('blocked'))] } },
    act: async (w) => fresh(w, { key: await key('blocked') }),
    kept: /rule blockedKeys\n/,
  },
  keyIsOurs: {
    act: async (w) => {
      const pkcs8 = await memoryRaKeys.unseal(utf8('ra default'), { ca: 'default', purpose: 'ra' });
      const ours = await importKey(pkcs8);
      assert.ok(ours);
      return fresh(w, { key: ours });
    },
    kept: /whose key: request/,
  },
  transactionUnknown: { act: (w) => w.poll() },
  certificateUnknown: {
    act: async (w) => {
      const signer = await held(w, await key('asks'));
      const [ca] = w.lab.announced.chain;
      const plaintext = sequence(ca?.subject ?? sequence(), integer(5));
      return w.ask({ messageType: 'GetCert', signer, key: signer.key, plaintext });
    },
  },
};

function primeTwoModThree(): bigint {
  for (;;) {
    const prime = randomPrime(1024);
    if (prime % 3n === 2n) return prime;
  }
}

describe('every reason, provoked', () => {
  for (const [reason, { act, options = {}, kept }] of Object.entries(provoked)) {
    const { code, text, rule, means, change } = explained(reason as Reason);
    test(`${code} ${reason}: told with its code${kept ? ', and what is kept of it explains itself' : ''}`, async () => {
      const w = await world(options);
      const answer = await act(w);
      assert.ok(answer.pkiStatus === 'FAILURE', answer.pkiStatus);
      assert.deepEqual(
        [answer.text, answer.failInfo],
        [`${code}: ${text}`, failInfoOf[reason as Reason]],
      );
      for (const said of [rule, means, change]) assert.match(said, /^[A-Za-z0-9<].{5,}/);
      const records = w.transactions().filter((found) => found.reason === reason);
      assert.equal(records.length, kept ? 1 : 0, 'kept if and only if it was proven');
      w.check(366 * DAY);
      const [record] = records;
      if (!record) return;
      const { csr } = (await storyOf(w.lab.deps, record.id)) ?? assert.fail();
      const explained = explainRefusal({ ...record, csr: base64(csr) });
      assert.ok(explained);
      assert.deepEqual([explained.code, explained.text], [code, text]);
      assert.ok(explained.sent.length >= 3 && explained.change.length > 20);
      const page = [`rule ${explained.rule}`, ...explained.looked, ...explained.sent].join('\n');
      assert.match(page, kept ?? /^$/);
      assert.doesNotMatch(page + explained.change, /<\w+>|undefined/);
    });
  }

  test('SCEP-415 keyNotOnCurve: the second lock behind a signature that such a key cannot make here', async () => {
    const w = await world();
    const weak = neutralKey();
    const answer = await fresh(w, { key: weak, digest: 'SHA-512' });
    assert.ok(answer.pkiStatus === 'FAILURE', 'a signature of the neutral element vouches for all');
    const read = readPublicKey(scan(weak.spki));
    assert.ok(read);
    const ca = await w.lab.deps.cas.of('default');
    assert.throws(
      () => requireGoodKey(w.lab.config, ca, read, 'request'),
      (error) => {
        assert.ok(error instanceof Refusal && error.reason === 'keyNotOnCurve');
        const { reason, evidence } = error;
        const about = { csr: '', endpoint: 'default', profile: 'device' };
        const explained = explainRefusal({ ...about, reason, evidence });
        assert.equal(explained?.code, 'SCEP-415');
        assert.match(explained.looked.join(), /key: Ed25519/);
        return true;
      },
    );
  });

  test('what a device chose is kept whole up to its limit, and by its beginning beyond that', () => {
    const most = 'x'.repeat(MAX_EVIDENCE_CHARACTERS);
    assert.deepEqual([most.slice(1), most, `${most}x`].map(shortened), [
      most.slice(1),
      most,
      `${most}…`,
    ]);
  });

  test('explanations are whole sentences', () => {
    for (const { means, change } of (Object.keys(reasons) as Reason[]).map(explained)) {
      assert.match(means, /\.$/);
      assert.match(change, /\.$/);
    }
  });

  test('every rule of the lint that blames a request has words for people', () => {
    const blaming = certificateRules.filter(({ blame }) => blame === 'request').map(({ id }) => id);
    assert.deepEqual(Object.keys(lintTexts).sort(), [...new Set(blaming)].sort());
  });
});

describe('what is explained', () => {
  test('a Transaction that was not refused, or in words of a later release, has none', async () => {
    const w = await world();
    got(await w.ask({ challenge: await w.lab.challenge() }));
    const [transaction] = w.transactions();
    assert.ok(transaction);
    assert.equal(explainRefusal(transaction), undefined);
    assert.equal(explainRefusal({ ...transaction, reason: 'ofLater' }), undefined);
    assert.equal(explainRefusal({ ...transaction, reason: 'constructor' }), undefined);
  });

  test('a record whose CSR can no longer be read still says why', async () => {
    const w = await world();
    await w.ask({});
    const [transaction] = w.transactions();
    assert.ok(transaction);
    for (const csr of ['AAAA', '!']) {
      const explained = explainRefusal({ ...transaction, csr });
      assert.deepEqual([explained?.code, explained?.sent], ['SCEP-301', ['what cannot be read']]);
    }
  });

  test('a renewal that is none says what it would have been as an enrolment', async () => {
    const w = await world();
    const signer = await held(w, await key('neither'));
    await revoke(w.lab.deps, {
      ca: 'default',
      serial: hex(signer.certificate.serial),
      reason: 'superseded',
      actor: admin,
    });
    await w.ask({ signer, key: await key('neither 2'), challenge: 'x', messageType: 'RenewalReq' });
    const refused = w.transactions().find(({ state }) => state === 'refused');
    assert.ok(refused);
    assert.match(
      explainRefusal(refused)?.looked.join('\n') ?? '',
      /as an enrolment it would be refused with: SCEP-302/,
    );
  });
});
