// Shared design 4.4: the one answer takes the same work. Where the signer's key must be the one that is
// asked for, whatever comes out of an envelope costs the same primitives, under the signer's key alone;
// where it may be another, the answer waits for a timer that began before the envelope was opened.

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { raw, scan } from '../../../lib/asn1/reader.ts';
import { objectIdentifier, sequence } from '../../../lib/asn1/writer.ts';
import { type Bytes, concat } from '../../../lib/base/bytes.ts';
import { UNIFORM_ANSWER_MS } from '../../../lib/base/limits.ts';
import {
  buildRequest,
  type ClientKey,
  selfSigned,
} from '../../../lib/protocol/scep/client/client.ts';
import { type Certificate, readCertificate } from '../../../lib/x509/certificate.ts';
import { parseName } from '../../../lib/x509/names/name.ts';
import { deviceKey } from '../../support/keys.ts';
import { type Lab, makeLab } from '../../support/lab.ts';
import { type EnrolOptions, enrolment, random, rsaRaw, seal } from '../../support/messages.ts';
import { ed25519, rsa8192 } from '../../support/other-keys.ts';
import { primitivesOf } from '../../support/primitives.ts';
import { flipped } from '../../support/vectors.ts';

const names = ['RSA-2048', 'RSA-8192', 'P-256', 'P-521', 'Ed25519'] as const;
type Keys = Readonly<Record<(typeof names)[number], ClientKey>>;

async function keysOf(whose: 'signer' | 'victim'): Promise<Keys> {
  return {
    'RSA-2048': await deviceKey(whose),
    'RSA-8192': rsa8192(whose === 'signer' ? 257n : 65_537n),
    'P-256': await deviceKey(whose, { type: 'EC', curve: 'P-256' }),
    'P-521': await deviceKey(whose, { type: 'EC', curve: 'P-521' }),
    Ed25519: ed25519(),
  };
}

const subject = parseName('CN=device-1,O=Test');
const requestOf = (key: ClientKey): Promise<Bytes> =>
  buildRequest(key, { subject, names: [] }, 'a challenge of 26 octets..');

/** Ways in which an envelope around this PKCS#10 can fail; each is as long as the others. */
const envelopes: Readonly<Record<string, (csr: Bytes, lab: Lab) => Bytes>> = {
  'a wrong padding of the content key': (csr, { announced: { ra } }) =>
    seal(csr, ra, { encryptedKey: rsaRaw(concat([Uint8Array.of(0, 1), random(254)]), ra) }),
  'another content key': (csr, { announced: { ra } }) => seal(csr, ra, { contentKey: random(8) }),
  'a wrong padding of the content': (csr, { announced: { ra } }) =>
    seal(csr, ra, { blocks: (padded) => concat([padded.subarray(0, -1), Uint8Array.of(0)]) }),
  'a first block that was changed': (csr, { announced: { ra } }) =>
    seal(csr, ra, { blocks: (padded) => flipped(padded, 1, 0x40) }),
  'a DER that ends too early': (csr, { announced: { ra } }) => seal(flipped(csr, 3, 0x01), ra),
  'a PKCS#10 whose signature was changed': (csr, { announced: { ra } }) =>
    seal(flipped(csr, csr.length - 3, 0x01), ra),
};
const intact = (csr: Bytes, { announced: { ra } }: Lab): Bytes => seal(csr, ra);

/** The same request under an algorithm that is not known, or not accepted. */
const renamed = (csr: Bytes, oid: string): Bytes => {
  const [info, , signature] = scan(csr).children.map(raw);
  assert.ok(info && signature);
  return sequence(info, sequence(objectIdentifier(oid)), signature);
};
const sha1WithRsa = '1.2.840.113549.1.1.5';

/** A timer that ends with an error for whoever waits for it, and for nobody else. */
const failing = Promise.reject(new Error('the timer'));
failing.catch(() => {});

const nothing = new Uint8Array(0);
const certificates = new Map<ClientKey, Promise<Certificate>>();

/** Signed by itself, once: the longest keys sign slowly. */
function certificateOf(key: ClientKey, { clock }: Lab): Promise<Certificate> {
  const made = certificates.get(key) ?? selfSigned(key, subject, clock.now(), random);
  certificates.set(key, made);
  return made;
}

type Exchange = { readonly status: number; readonly body: Bytes };

async function exchange(lab: Lab, options: EnrolOptions) {
  const digest = options.key?.scheme.kind === 'Ed25519' ? 'SHA-512' : 'SHA-256';
  const fixed = { transactionID: 'uniform', senderNonce: new Uint8Array(16), digest } as const;
  const { key = await deviceKey() } = options;
  const signer = options.signer ?? { key, certificate: await certificateOf(key, lab) };
  const { message, read } = await enrolment(lab, {
    plaintext: nothing,
    ...fixed,
    signer,
    ...options,
  });
  const { result, asked } = await primitivesOf(async (note): Promise<Exchange> => {
    lab.clock.sleep = (ms) => {
      note({ what: 'sleep', ms });
      return failing;
    };
    const response = await lab.fetch('/scep?operation=PKIOperation', {
      method: 'POST',
      body: message,
    });
    return { status: response.status, body: new Uint8Array(await response.arrayBuffer()) };
  });
  const code = async (): Promise<string> => {
    const answer = await read(result.body);
    return answer.pkiStatus === 'FAILURE' ? (answer.text ?? '').slice(0, 8) : answer.pkiStatus;
  };
  return { status: result.status, asked, code };
}

/** Without the signature of the reply and what seals it: all before it is about the request. */
const untilReply = (asked: readonly object[]): string => JSON.stringify(asked, undefined, 1);

describe('RFC 8894 §7.6 [75]: where the signer must certify its own key, every failure is the same work', () => {
  let attackers: Keys;
  let victims: Keys;
  before(async () => {
    [attackers, victims] = [await keysOf('signer'), await keysOf('victim')];
  });

  for (const signer of names) {
    test(`the work under a signer of ${signer} is the same, whatever is inside of whichever key`, async () => {
      const lab = await makeLab();
      const key = attackers[signer];
      for (const victim of names) {
        const csr = await requestOf(victims[victim]);
        const seen = new Map<string, string>();
        for (const [name, envelope] of Object.entries({ ...envelopes, intact })) {
          const { asked, code, status } = await exchange(lab, {
            key,
            envelope: envelope(csr, lab),
          });
          assert.equal(status, 200, `${victim}, ${name}: no timer is needed`);
          assert.equal(await code(), 'SCEP-201', `${victim}, ${name}`);
          seen.set(untilReply(asked), `${victim}, ${name}`);
          const told = [...seen.entries()].map(([work, what]) => `${what}: ${work}`);
          assert.equal(seen.size, 1, `told apart: ${told.join(' / ')}`);
        }
      }
    });

    test(`a request of its own costs one verification too, under a signer of ${signer}`, async () => {
      const lab = await makeLab();
      const key = attackers[signer];
      const csr = await requestOf(key);
      const foreign = await requestOf(victims['RSA-2048']);
      const verifications = async (plaintext: Bytes) => {
        const envelope = seal(plaintext, lab.announced.ra);
        const { asked, code } = await exchange(lab, { key, envelope });
        assert.equal(await code(), 'SCEP-201');
        return asked.filter(({ what }) => what === 'verify');
      };
      const usual = await verifications(foreign);
      const nonsense = usual.at(-1);
      for (const oid of ['1.2.3', sha1WithRsa]) {
        const own = await verifications(renamed(csr, oid));
        const { octets: _own, ...last } = own.at(-1) ?? {};
        const { octets: _usual, ...expected } = nonsense ?? {};
        assert.deepEqual(last, expected, oid);
        assert.equal(own.length, usual.length, oid);
      }
      const bent = await verifications(flipped(csr, csr.length - 3, 0x01));
      const { kind, size, algorithm, signature } = nonsense ?? {};
      const last = bent.at(-1) ?? {};
      assert.deepEqual([last.kind, last.size, last.algorithm], [kind, size, algorithm]);
      if (key.scheme.kind !== 'ECDSA') assert.equal(last.signature, signature);
      assert.equal(bent.length, usual.length);
    });
  }

  test('the signature that stands in is as long as one of the key, and in its range', async () => {
    const lab = await makeLab();
    const octets = { 'RSA-2048': 256, 'RSA-8192': 1024, 'P-256': 64, 'P-521': 132, Ed25519: 64 };
    for (const signer of names) {
      const csr = await requestOf(victims['RSA-2048']);
      const envelope = envelopes['a wrong padding of the content']?.(csr, lab);
      assert.ok(envelope);
      const { asked } = await exchange(lab, { key: attackers[signer], envelope });
      const last = asked.findLast(({ what }) => what === 'verify');
      assert.equal(last?.signature, octets[signer], signer);
    }
  });
});

describe('RFC 8894 §7.6 [75]: where the keys may differ, every failure waits for a timer', () => {
  const waits = async (lab: Lab, options: EnrolOptions, what: string): Promise<void> => {
    const { status, asked } = await exchange(lab, options);
    const steps = asked.map(({ what: step }) => step);
    assert.deepEqual(
      asked.find(({ what: step }) => step === 'sleep'),
      {
        ...{ what: 'sleep', ms: UNIFORM_ANSWER_MS },
      },
    );
    assert.ok(steps.indexOf('sleep') < steps.indexOf('privateDecrypt'), `${what}: begins before`);
    assert.equal(status, 503, `${what}: not answered without it`);
  };

  test('every failure waits on an endpoint with enrol.signer "any", under signers of all kinds', async () => {
    const lab = await makeLab({ endpoint: { enrol: { authorize: ['challenge'], signer: 'any' } } });
    const [attackers, victims] = [await keysOf('signer'), await keysOf('victim')];
    for (const signer of names) {
      for (const victim of names) {
        const csr = await requestOf(victims[victim]);
        for (const [name, envelope] of Object.entries(envelopes)) {
          const options = { key: attackers[signer], envelope: envelope(csr, lab) };
          await waits(lab, options, `${signer}, ${victim}, ${name}`);
        }
      }
    }
  });

  test('what cannot be read costs what a request of RSA-2048 costs, whatever key signs', async () => {
    const lab = await makeLab({ endpoint: { enrol: { authorize: ['challenge'], signer: 'any' } } });
    const attackers = await keysOf('signer');
    const csr = await requestOf((await keysOf('victim'))['RSA-2048']);
    for (const signer of names) {
      const seen = new Set<string>();
      for (const envelope of Object.values(envelopes)) {
        const options = { key: attackers[signer], envelope: envelope(csr, lab) };
        const { asked } = await exchange(lab, options);
        const from = asked.findIndex(({ what }) => what === 'privateDecrypt');
        const opening = asked.slice(from).map(({ octets: _, ...primitive }) => primitive);
        seen.add(JSON.stringify(opening));
      }
      assert.equal(seen.size, 1, [...seen].join(' / '));
    }
  });

  for (const messageType of ['PKCSReq', 'RenewalReq', 'GetCert', 'GetCRL'] as const) {
    test(`${messageType} signed with a certificate of this CA`, async () => {
      const lab = await makeLab();
      const key = await deviceKey('holder');
      const challenge = await lab.challenge();
      const sent = await enrolment(lab, { key, challenge });
      const answer = await sent.read(await lab.operate(sent.message));
      assert.ok(answer.pkiStatus === 'SUCCESS');
      const [der] = answer.certificates;
      assert.ok(der);
      const signer = { key, certificate: readCertificate(der) };
      const csr = await requestOf(await deviceKey('victim'));
      for (const [name, envelope] of Object.entries(envelopes)) {
        await waits(lab, { signer, key, messageType, envelope: envelope(csr, lab) }, name);
      }
      if (messageType === 'GetCert' || messageType === 'GetCRL') {
        await waits(lab, { signer, key, messageType, envelope: intact(csr, lab) }, 'intact');
        const unknown = sequence(lab.announced.ra.issuer, Uint8Array.of(2, 1, 5));
        if (messageType === 'GetCert') {
          const options = { signer, key, messageType, plaintext: unknown };
          await waits(lab, options, 'an unknown serial number');
        }
      }
    });
  }

  test('what opens is answered at once', async () => {
    const lab = await makeLab({ endpoint: { enrol: { authorize: ['challenge'], signer: 'any' } } });
    const sleep = lab.clock.sleep;
    lab.clock.sleep = () => new Promise(() => {});
    const [key, temporary] = [await deviceKey('victim'), await deviceKey('signer')];
    const plaintext = await buildRequest(key, { subject, names: [] }, await lab.challenge());
    const sent = await enrolment(lab, { key: temporary, plaintext });
    const answer = await sent.read(await lab.operate(sent.message));
    assert.equal(answer.pkiStatus, 'SUCCESS');
    lab.clock.sleep = sleep;
  });
});
