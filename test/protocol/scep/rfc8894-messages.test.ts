// RFC 8894 §3: what a request must be, and which failInfo each deviation earns.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { contextPrimitive, raw, scan, tag } from '../../../lib/asn1/reader.ts';
import {
  explicit,
  integer,
  objectIdentifier,
  octets,
  printableString,
  sequence,
  setOf,
  tlv,
} from '../../../lib/asn1/writer.ts';
import { type Bytes, concat, latin1 } from '../../../lib/base/bytes.ts';
import type { ContentCipherName, DigestName } from '../../../lib/crypto/algorithms.ts';
import { digests } from '../../../lib/crypto/algorithms.ts';
import { selfSigned } from '../../../lib/protocol/scep/client/client.ts';
import type { FailInfo } from '../../../lib/protocol/scep/wire/fail-info.ts';
import { attributeOids } from '../../../lib/protocol/scep/wire/registry.ts';
import { rsaEncryption, signatureAlgorithm } from '../../../lib/x509/algorithm.ts';
import { readCertificate } from '../../../lib/x509/certificate.ts';
import { parseName } from '../../../lib/x509/names/name.ts';
import { deviceKey } from '../../support/keys.ts';
import { type Lab, type LabOptions, makeLab } from '../../support/lab.ts';
import { attribute, type EnrolOptions, enrolment, random, seal } from '../../support/messages.ts';

/** Sends one enrolment with a good challenge and gives the strict client's reading of the answer. */
async function enrol(lab: Lab, options: EnrolOptions = {}) {
  const sent = await enrolment(lab, { challenge: await lab.challenge(), ...options });
  return sent.read(await lab.operate(sent.message));
}

async function refused(lab: Lab, failInfo: FailInfo, code: string, options: EnrolOptions) {
  const answer = await enrol(lab, options);
  assert.ok(answer.pkiStatus === 'FAILURE', `answered ${answer.pkiStatus}`);
  assert.equal(answer.failInfo, failInfo);
  assert.match(answer.text ?? '', new RegExp(`^${code}: `));
}

/** There is nobody to answer to: HTTP 400. */
async function unanswerable(lab: Lab, options: EnrolOptions) {
  const { message } = await enrolment(lab, options);
  const response = await lab.fetch('/scep?operation=PKIOperation', {
    method: 'POST',
    body: message,
  });
  assert.equal(response.status, 400);
}

const lab = await makeLab();
const legacyLab = await makeLab({ legacy: { sha1: true, md5: true, des3: true, des: true } });

describe('digests', () => {
  const cases: [DigestName, LabOptions['legacy'] | undefined][] = [
    ['SHA-256', undefined],
    ['SHA-384', undefined],
    ['SHA-512', undefined],
    ['SHA-224', undefined],
    ['SHA-1', { sha1: true }],
    ['MD5', { md5: true }],
  ];
  for (const [digest, legacy] of cases) {
    test(`RFC 8894 §2.9 [21][22], §3.5.2 [36]: a request in ${digest}`, async () => {
      const accepting = legacy ? await makeLab({ legacy }) : lab;
      assert.equal((await enrol(accepting, { digest })).pkiStatus, 'SUCCESS');
      if (legacy) await refused(lab, 'badAlg', 'SCEP-111', { digest });
    });
  }
  test('RFC 8894 §7.5 [38][79]: what was advertised changes nothing; policy decides', async () => {
    await refused(lab, 'badAlg', 'SCEP-111', { digest: 'MD5' });
    await refused(lab, 'badAlg', 'SCEP-114', { cipher: 'DES' });
  });
});

describe('content ciphers', () => {
  for (const cipher of ['AES-128', 'AES-192', 'AES-256', '3DES', 'DES'] as ContentCipherName[]) {
    for (const transport of ['pkcs1', 'oaep-sha1', 'oaep-sha256'] as const) {
      test(`RFC 8894 §2.9 [21], §3.1 [43]: ${cipher} with ${transport}`, async () => {
        const legacy = cipher === '3DES' || cipher === 'DES';
        const used = legacy ? legacyLab : lab;
        assert.equal((await enrol(used, { cipher, transport })).pkiStatus, 'SUCCESS');
        if (legacy) await refused(lab, 'badAlg', 'SCEP-114', { cipher, transport });
      });
    }
  }

  test('an unknown content cipher is badAlg', async () => {
    const { ra } = lab.announced;
    const csr = random(64);
    const envelope = seal(csr, ra);
    const unknown = replaced(
      envelope,
      objectIdentifier('2.16.840.1.101.3.4.1.2'),
      objectIdentifier('2.16.840.1.101.3.4.1.6'),
    );
    await refused(lab, 'badAlg', 'SCEP-114', { envelope: unknown });
  });

  test('an unknown key transport is badAlg', async () => {
    const envelope = seal(random(64), lab.announced.ra);
    const unknown = replaced(
      envelope,
      rsaEncryption,
      sequence(objectIdentifier('1.2.840.113549.1.1.2'), tlv(tag.null)),
    );
    await refused(lab, 'badAlg', 'SCEP-115', { envelope: unknown });
  });
});

/** The first occurrence replaced by octets of the same length, so that no length changes. */
function replaced(message: Bytes, from: Bytes, to: Bytes): Bytes {
  assert.equal(from.length, to.length);
  const at = Buffer.from(message).indexOf(from);
  assert.ok(at >= 0);
  return concat([message.subarray(0, at), to, message.subarray(at + from.length)]);
}

describe('signatures', () => {
  test('RSA keys of 2048, 3072 and 4096 bits', async () => {
    for (const bits of [2048, 3072, 4096]) {
      const key = await deviceKey(`rsa ${bits}`, { type: 'RSA', bits });
      assert.equal((await enrol(lab, { key })).pkiStatus, 'SUCCESS');
    }
  });

  for (const curve of ['P-256', 'P-384', 'P-521'] as const) {
    test(`RFC 8894 §3.1 [44]: an ECDSA key on ${curve} gets its reply in a password-based envelope`, async () => {
      const key = await deviceKey(curve, { type: 'EC', curve });
      assert.equal((await enrol(lab, { key })).pkiStatus, 'SUCCESS');
    });
  }

  test('RFC 8894 §3.1 [44]: an ECDSA key without a challengePassword of 16 octets is told so, before anything is read', async () => {
    const key = await deviceKey('ec', { type: 'EC', curve: 'P-256' });
    // A refusal before these has taken places of the budget for all that follow.
    await refused(lab, 'badRequest', 'SCEP-401', { key, challenge: 'fourteen octet' });
    for (const challenge of [undefined, '', 'fifteen octets!']) {
      const sent = await enrolment(lab, { key, ...(challenge === undefined ? {} : { challenge }) });
      lab.calls.length = 0;
      const answer = await sent.read(await lab.operate(sent.message));
      assert.ok(answer.pkiStatus === 'FAILURE' && answer.failInfo === 'badRequest');
      assert.match(answer.text ?? '', /^SCEP-401: /);
      assert.deepEqual(lab.calls, ['store.write'], 'only that it was refused');
    }
  });

  test('a signatureAlgorithm that contradicts the digestAlgorithm is badAlg', async () => {
    const sha1 = signatureAlgorithm({ kind: 'RSASSA-PKCS1-v1_5', digest: digests['SHA-1'] });
    await refused(legacyLab, 'badAlg', 'SCEP-112', { signatureAlgorithm: sha1 });
    const ecdsa = signatureAlgorithm({ kind: 'ECDSA', digest: digests['SHA-256'] });
    await refused(lab, 'badAlg', 'SCEP-112', { signatureAlgorithm: ecdsa });
    const unknown = sequence(objectIdentifier('1.2.840.113549.1.1.2'), tlv(tag.null));
    await refused(lab, 'badAlg', 'SCEP-112', { signatureAlgorithm: unknown });
  });

  test('the combined OID is accepted as rsaEncryption is', async () => {
    const combined = signatureAlgorithm({ kind: 'RSASSA-PKCS1-v1_5', digest: digests['SHA-256'] });
    assert.equal((await enrol(lab, { signatureAlgorithm: combined })).pkiStatus, 'SUCCESS');
  });

  test('RFC 8894 §7.1 [73]: a key below 2048 bits is badAlg', async () => {
    const key = await deviceKey('small', { type: 'RSA', bits: 1024 });
    await refused(lab, 'badAlg', 'SCEP-113', { key });
  });

  test('RFC 8894 §3.2.1.4 [54]: a signature of another key is badMessageCheck', async () => {
    const key = await deviceKey();
    const other = await deviceKey('other');
    const certificate = await selfSigned(key, parseName('CN=x'), lab.clock.now(), random);
    await refused(lab, 'badMessageCheck', 'SCEP-101', { signer: { certificate, key: other } });
  });
});

describe('signed attributes', () => {
  const drop =
    (name: string): NonNullable<EnrolOptions['attributes']> =>
    (standard) => {
      standard.delete(name);
      return [...standard.values()];
    };
  const twice =
    (name: string): NonNullable<EnrolOptions['attributes']> =>
    (standard) => {
      const value = standard.get(name);
      return value ? [...standard.values(), value] : [];
    };
  const instead =
    (name: string, value: Bytes): NonNullable<EnrolOptions['attributes']> =>
    (standard) => {
      standard.set(name, value);
      return [...standard.values()];
    };

  test('RFC 8894 §3.2.1 [49]: without one transactionID, messageType and signer there is nobody to answer', async () => {
    for (const name of ['transactionID', 'messageType']) {
      await unanswerable(lab, { attributes: drop(name) });
      await unanswerable(lab, { attributes: twice(name) });
      const type = attributeOids[name as 'transactionID' | 'messageType'];
      await unanswerable(lab, {
        attributes: instead(name, attribute(type, tlv(tag.utf8String, latin1('19')))),
      });
      await unanswerable(lab, { attributes: instead(name, attribute(type, octets(latin1('19')))) });
      await unanswerable(lab, { attributes: instead(name, attribute(type, printableString(''))) });
      const two = sequence(
        objectIdentifier(type),
        setOf(printableString('19'), printableString('20')),
      );
      await unanswerable(lab, { attributes: instead(name, two) });
      const none = sequence(objectIdentifier(type), setOf());
      await unanswerable(lab, { attributes: instead(name, none) });
    }
    await unanswerable(lab, { transactionID: 'x'.repeat(1025) });
    await unanswerable(lab, { shell: { certificates: [] } });
    await unanswerable(lab, { shell: { signerInfos: () => [] } });
    await unanswerable(lab, { shell: { signerInfos: (info) => [info, info] } });
  });

  test('RFC 8894 §3.2 [46], RFC 5652 §11: content-type and messageDigest, exactly once, or badMessageCheck', async () => {
    for (const name of ['contentType', 'messageDigest']) {
      await refused(lab, 'badMessageCheck', 'SCEP-103', { attributes: drop(name) });
      await refused(lab, 'badMessageCheck', 'SCEP-103', { attributes: twice(name) });
    }
    const enveloped = attribute('1.2.840.113549.1.9.3', objectIdentifier('1.2.840.113549.1.7.3'));
    await refused(lab, 'badMessageCheck', 'SCEP-103', {
      attributes: instead('contentType', enveloped),
    });
    const digest = attribute('1.2.840.113549.1.9.4', octets(random(32)));
    await refused(lab, 'badMessageCheck', 'SCEP-102', {
      attributes: instead('messageDigest', digest),
    });
  });

  test('RFC 8894 §3.2.1.5 [56]: the senderNonce comes back as it came: 16 octets, others up to 64, or none', async () => {
    for (const length of [0, 1, 8, 16, 32, 64]) {
      const sent = await enrolment(lab, {
        challenge: await lab.challenge(),
        senderNonce: random(length),
      });
      assert.equal((await sent.read(await lab.operate(sent.message))).pkiStatus, 'SUCCESS');
    }
    const sent = await enrolment(lab, { challenge: await lab.challenge(), senderNonce: 'absent' });
    await assert.rejects(sent.read(await lab.operate(sent.message)), /another nonce/);
  });

  test('a senderNonce that is repeated, too long or no OCTET STRING is badMessageCheck', async () => {
    for (const attributes of [
      twice('senderNonce'),
      instead('senderNonce', attribute(attributeOids.senderNonce, octets(random(65)))),
      instead('senderNonce', attribute(attributeOids.senderNonce, printableString('nonce'))),
    ]) {
      const { message } = await enrolment(lab, { attributes });
      const certRep = Buffer.from(await lab.operate(message)).toString('latin1');
      assert.match(certRep, /SCEP-103: /);
    }
  });

  test('unknown attributes are no hindrance', async () => {
    const extra: NonNullable<EnrolOptions['attributes']> = (standard) => [
      ...standard.values(),
      attribute('1.2.840.113549.1.9.52', sequence(objectIdentifier('2.16.840.1.101.3.4.2.1'))),
      attribute('1.3.6.1.4.1.99999.1', octets(random(8))),
      attribute('1.3.6.1.4.1.99999.1', octets(random(8))),
    ];
    assert.equal((await enrol(lab, { attributes: extra })).pkiStatus, 'SUCCESS');
  });

  test('RFC 8894 §3.2.1.4 [54]: a signingTime however wrong is not judged: devices have no clocks', async () => {
    const time = attribute('1.2.840.113549.1.9.5', tlv(tag.utcTime, latin1('700101000000Z')));
    const withTime: NonNullable<EnrolOptions['attributes']> = (standard) => [
      ...standard.values(),
      time,
    ];
    assert.equal((await enrol(lab, { attributes: withTime })).pkiStatus, 'SUCCESS');
  });

  for (const transactionID of [
    '0',
    ' ',
    'SSCEP transactionId',
    'r7LQBzyYyPkdG0FsAXFN/s=',
    '1'.repeat(78),
    '"quoted\'',
    'a/b\\c',
    'line\r\nbreak\0',
    '\u00fc\u00ff',
    'x'.repeat(1024),
  ]) {
    test(`RFC 8894 §3.2.1.1 [51]: transactionID ${JSON.stringify(transactionID.slice(0, 40))} is opaque and echoed`, async () => {
      assert.equal((await enrol(lab, { transactionID })).pkiStatus, 'SUCCESS');
    });
  }
});

describe('messageType', () => {
  test('RFC 8894 §3.2.1.2 [52]: nothing but 17, 19, 20, 21, 22 is answered with anything but badRequest', async () => {
    const asked = [...Array(256).keys()]
      .map(String)
      .filter((type) => !['17', '19', '20', '21', '22'].includes(type));
    const odd = [
      '',
      '-19',
      '+19',
      '019',
      '19 ',
      ' 19',
      '19.0',
      '0x13',
      '1e1',
      '19,17',
      '\u00b9\u00b9',
      '12345678',
    ];
    for (const messageType of [...asked, ...odd.filter((type) => type !== '')]) {
      const sent = await enrolment(lab, {
        challenge: await lab.challenge(),
        messageType: messageType as `${number}`,
      });
      lab.calls.length = 0;
      const answer = await sent.read(await lab.operate(sent.message));
      assert.ok(answer.pkiStatus === 'FAILURE' && answer.failInfo === 'badRequest', messageType);
      assert.match(answer.text ?? '', /^SCEP-121: /);
      assert.deepEqual(lab.calls, []);
    }
  });

  test('RFC 8894 §4.4 [64], §3.3.3 [63]: a CertPoll of nothing that waits is badCertId, without opening its envelope', async () => {
    for (const envelope of [undefined, random(40)]) {
      const options: EnrolOptions = { messageType: 'CertPoll', ...(envelope ? { envelope } : {}) };
      const answer = await enrol(lab, options);
      assert.ok(answer.pkiStatus === 'FAILURE' && answer.failInfo === 'badCertId');
    }
  });

  test('RFC 8894 §4.5 [68], §4.6 [69], §7.8 [77]: GetCert and GetCRL of a stranger are badCertId', async () => {
    for (const messageType of ['GetCert', 'GetCRL'] as const) {
      const answer = await enrol(lab, { messageType });
      assert.ok(answer.pkiStatus === 'FAILURE' && answer.failInfo === 'badCertId');
    }
  });
});

describe('pkcsPKIEnvelope', () => {
  test('RFC 8894 §3.1 [45], §3.2 [46], §3.2.2 [47]: content that is absent, empty or no EnvelopedData is badMessageCheck', async () => {
    for (const envelope of [
      'absent',
      new Uint8Array(0),
      random(100),
      sequence(),
      octets(random(8)),
    ] as const) {
      await refused(lab, 'badMessageCheck', 'SCEP-122', { envelope });
    }
  });

  test('RFC 8894 §3.2.2 [47]: an inner content type other than id-data is badMessageCheck', async () => {
    const envelope = seal(random(64), lab.announced.ra);
    const bent = replaced(
      envelope,
      objectIdentifier('1.2.840.113549.1.7.1'),
      objectIdentifier('1.2.840.113549.1.7.2'),
    );
    await refused(lab, 'badMessageCheck', 'SCEP-122', { envelope: bent });
  });

  test('a recipient that is not ours is never tried', async () => {
    const [ca] = lab.announced.chain;
    assert.ok(ca);
    await refused(lab, 'badMessageCheck', 'SCEP-123', { envelope: seal(random(64), ca) });
    const key = await deviceKey();
    const stranger = await selfSigned(key, parseName('CN=RA'), lab.clock.now(), random);
    await refused(lab, 'badMessageCheck', 'SCEP-123', { envelope: seal(random(64), stranger) });
  });

  test('several recipientInfos are no hindrance if one is ours (micromdm); two that are ours are', async () => {
    const key = await deviceKey();
    const stranger = await selfSigned(key, parseName('CN=RA'), lab.clock.now(), random);
    const sent = await enrolment(lab, { challenge: await lab.challenge() });
    const ours = seal(sent.request.plaintext, lab.announced.ra, { contentKey: new Uint8Array(16) });
    const other = seal(sent.request.plaintext, stranger, { contentKey: new Uint8Array(16) });
    assert.equal(
      (
        await enrol(lab, {
          envelope: withRecipientsOf(ours, other, ours),
          plaintext: sent.request.plaintext,
        })
      ).pkiStatus,
      'SUCCESS',
    );
    await refused(lab, 'badMessageCheck', 'SCEP-123', {
      envelope: withRecipientsOf(ours, ours, ours),
    });
    await refused(lab, 'badMessageCheck', 'SCEP-123', {
      envelope: withRecipientsOf(ours, other, other),
    });
  });

  test('an encrypted key of another length than the modulus is badMessageCheck, in clear', async () => {
    for (const length of [0, 128, 255, 257, 512]) {
      const envelope = seal(random(64), lab.announced.ra, { encryptedKey: random(length) });
      await refused(lab, 'badMessageCheck', 'SCEP-122', { envelope });
    }
  });
});

/** The first envelope, with the recipientInfos of the two others. */
function withRecipientsOf(base: Bytes, one: Bytes, two: Bytes): Bytes {
  const parts = (envelope: Bytes) => {
    const enveloped = rawChildren(rawChildren(envelope)[1])[0];
    return rawChildren(enveloped);
  };
  const [version, , encrypted] = parts(base);
  const infos = [one, two].map((envelope) => rawChildren(parts(envelope)[1])[0]);
  return sequence(
    objectIdentifier('1.2.840.113549.1.7.3'),
    explicit(
      0,
      sequence(
        version ?? integer(0),
        tlv(tag.set, ...infos.map((info) => info ?? integer(0))),
        encrypted ?? integer(0),
      ),
    ),
  );
}

function rawChildren(der: Bytes | undefined): Bytes[] {
  if (!der) throw new Error('nothing to look into');
  return scan(der).children.map((element) => raw(element));
}

describe('the shell', () => {
  test('RFC 8894 §2.3 [11]: other certificates in the bag are not looked at', async () => {
    const key = await deviceKey();
    const other = await selfSigned(
      await deviceKey('other'),
      parseName('CN=other'),
      lab.clock.now(),
      random,
    );
    const certificate = await selfSigned(key, parseName('CN=me'), lab.clock.now(), random);
    const bag = [other.der, certificate.der, sequence(octets(random(9))), tlv(contextPrimitive(1))];
    const answer = await enrol(lab, {
      key,
      signer: { certificate, key },
      shell: { certificates: bag },
    });
    assert.equal(answer.pkiStatus, 'SUCCESS');
  });

  test('RFC 8894 §2.3 [8], §3.3.1 [57]: a self-signed signer with another subject, long expired, is accepted', async () => {
    const key = await deviceKey();
    const certificate = await selfSigned(key, parseName('CN=4E1F1B42-RANDOM'), 0, random);
    assert.equal((await enrol(lab, { key, signer: { certificate, key } })).pkiStatus, 'SUCCESS');
  });

  test('a 33-octet serial number of the signer is copied into the reply (certmonger)', async () => {
    const key = await deviceKey();
    const certificate = await selfSigned(key, parseName('CN=me'), lab.clock.now(), () =>
      concat([Uint8Array.of(0x40), random(32)]),
    );
    assert.equal(readCertificate(certificate.der).serial.length, 33);
    assert.equal((await enrol(lab, { key, signer: { certificate, key } })).pkiStatus, 'SUCCESS');
  });

  for (const size of [7, 100, 1000]) {
    test(`BER: indefinite lengths, eContent in segments of ${size} octets (Apple, jscep)`, async () => {
      assert.equal((await enrol(lab, { shell: { ber: size } })).pkiStatus, 'SUCCESS');
    });
  }

  test('BER: a message of more elements than any client sends is a 400', async () => {
    await unanswerable(lab, { shell: { ber: 1 }, plaintext: random(2100) });
  });
});
