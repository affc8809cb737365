// RFC 8894 §3.3.2: the CertRep octet by octet, as real clients were seen to need it.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { content, type Element, oid, raw, scan, tag } from '../../../lib/asn1/reader.ts';
import { readTime } from '../../../lib/asn1/time.ts';
import { type Bytes, compare, equal, fromLatin1, hex } from '../../../lib/base/bytes.ts';
import { readCertsOnly } from '../../../lib/cms/certs-only.ts';
import {
  type ContentCipherName,
  contentCiphers,
  type DigestName,
  digests,
} from '../../../lib/crypto/algorithms.ts';
import { selfSigned } from '../../../lib/protocol/scep/client/client.ts';
import { readCertificate } from '../../../lib/x509/certificate.ts';
import { parseName } from '../../../lib/x509/names/name.ts';
import { deviceKey } from '../../support/keys.ts';
import { makeLab } from '../../support/lab.ts';
import { type EnrolOptions, enrolment, random } from '../../support/messages.ts';

const lab = await makeLab({ legacy: { sha1: true, md5: true, des3: true, des: true } });

const child = (element: Element | undefined, ...path: number[]): Element => {
  const found = path.reduce((at: Element | undefined, i) => at?.children[i], element);
  assert.ok(found, `no element at ${path.join('.')}`);
  return found;
};

/** A CertRep taken apart by position, without the code that wrote it. */
function dissect(certRep: Bytes) {
  const root = scan(certRep);
  const signedData = child(root, 1, 0);
  const [version, digestAlgorithms, encapsulated, certificates, signerInfos, ...more] =
    signedData.children;
  assert.equal(more.length, 0);
  const signerInfo = child(signerInfos, 0);
  const attributes = new Map(
    child(signerInfo, 3).children.map((element) => [oid(child(element, 0)), element]),
  );
  return {
    root,
    version,
    digestAlgorithms,
    encapsulated,
    certificates,
    signerInfos,
    signerInfo,
    attributes,
  };
}

async function exchange(options: EnrolOptions = {}) {
  const sent = await enrolment(lab, { challenge: await lab.challenge(), ...options });
  const certRep = await lab.operate(sent.message);
  return { sent, certRep, ...dissect(certRep) };
}

const success = () => exchange();
const failure = () => exchange({ challenge: 'not-a-challenge-of-ours' });

const value = (element: Element | undefined) => child(element, 1, 0);

describe('CertRep', () => {
  test('RFC 8894 §3.2.1 [49][50]: every attribute, once, with one value of its type', async () => {
    const { attributes, signerInfo } = await success();
    const types: Record<string, number> = {
      '1.2.840.113549.1.9.3': tag.oid,
      '1.2.840.113549.1.9.4': tag.octetString,
      '1.2.840.113549.1.9.5': tag.utcTime,
      '2.16.840.1.113733.1.9.2': tag.printableString,
      '2.16.840.1.113733.1.9.3': tag.printableString,
      '2.16.840.1.113733.1.9.5': tag.octetString,
      '2.16.840.1.113733.1.9.6': tag.octetString,
      '2.16.840.1.113733.1.9.7': tag.printableString,
    };
    assert.equal(child(signerInfo, 3).children.length, Object.keys(types).length);
    for (const [type, expected] of Object.entries(types)) {
      const element = attributes.get(type);
      assert.equal(child(element, 1).children.length, 1, type);
      assert.equal(value(element).tag, expected, type);
    }
    assert.equal(fromLatin1(content(value(attributes.get('2.16.840.1.113733.1.9.2')))), '3');
    assert.equal(readTime(value(attributes.get('1.2.840.113549.1.9.5'))), lab.clock.now());
  });

  test('RFC 5652 §5.3: signed attributes are DER, in the order of SET OF', async () => {
    for (const { signerInfo } of [await success(), await failure()]) {
      const attributes = child(signerInfo, 3);
      assert.ok(attributes.der);
      const encoded = attributes.children.map(raw);
      assert.deepEqual([...encoded].sort(compare).map(hex), encoded.map(hex));
    }
  });

  test('clients.md B14: signatureAlgorithm is rsaEncryption with NULL, whatever the digest', async () => {
    for (const digest of ['MD5', 'SHA-1', 'SHA-256', 'SHA-384', 'SHA-512'] as DigestName[]) {
      const { signerInfo } = await exchange({ digest });
      assert.equal(hex(raw(child(signerInfo, 4))), '300d06092a864886f70d0101010500');
    }
  });

  for (const [digest, mirrored] of [
    ['MD5', 'MD5'],
    ['SHA-1', 'SHA-1'],
    ['SHA-224', 'SHA-256'],
    ['SHA-256', 'SHA-256'],
    ['SHA-384', 'SHA-384'],
    ['SHA-512', 'SHA-512'],
  ] as [DigestName, DigestName][]) {
    test(`clients.md B13: a request in ${digest} is answered in ${mirrored}`, async () => {
      const { sent, certRep, digestAlgorithms, signerInfo } = await exchange({ digest });
      assert.equal(oid(child(digestAlgorithms, 0, 0)), digests[mirrored].oid);
      assert.equal(oid(child(signerInfo, 2, 0)), digests[mirrored].oid);
      assert.equal((await sent.read(certRep)).pkiStatus, 'SUCCESS');
    });
  }

  test('a refused digest is not mirrored', async () => {
    const strict = await makeLab();
    const { message } = await enrolment(strict, { digest: 'SHA-1' });
    const { signerInfo } = dissect(await strict.operate(message));
    assert.equal(oid(child(signerInfo, 2, 0)), digests['SHA-256'].oid);
  });

  for (const cipher of Object.keys(contentCiphers) as ContentCipherName[]) {
    test(`RFC 8894 §3.5.2 [36], clients.md B12: a request in ${cipher} is answered in ${cipher}`, async () => {
      const { encapsulated } = await exchange({ cipher });
      const envelope = scan(content(child(encapsulated, 1, 0)));
      const encrypted = child(envelope, 1, 0, 2);
      assert.equal(oid(child(encrypted, 1, 0)), contentCiphers[cipher].oid);
    });
  }

  test('RFC 8894 §2.3 [11]: the envelope is for the certificate that signed, named octet by octet', async () => {
    const key = await deviceKey();
    const certificate = await selfSigned(key, parseName('CN=me'), lab.clock.now(), (n) =>
      n === 16 ? random(33).fill(0xab, 1) : random(n),
    );
    const { encapsulated } = await exchange({ key, signer: { certificate, key } });
    const envelope = scan(content(child(encapsulated, 1, 0)));
    const recipients = child(envelope, 1, 0, 1);
    assert.equal(recipients.children.length, 1);
    const name = child(recipients, 0, 1);
    assert.ok(equal(raw(child(name, 0)), certificate.issuer));
    assert.ok(equal(content(child(name, 1)), certificate.serial));
    assert.equal(certificate.serial.length, 33);
  });

  test('RFC 8894 §3.3.2.1 [58]: a success holds the leaf and nothing else', async () => {
    const { sent, certRep } = await success();
    const answer = await sent.read(certRep);
    assert.ok(answer.pkiStatus === 'SUCCESS');
    assert.equal(answer.certificates.length, 1);
    assert.equal(answer.crls.length, 0);
    const leaf = readCertificate(answer.certificates[0] ?? new Uint8Array(0));
    assert.ok(equal(leaf.subject, parseName('CN=device-1,O=Test')));
  });

  test('RFC 8894 §3.4 [48]: the certs-only message has no content, no signer, empty digestAlgorithms', async () => {
    const bag = scan((await lab.deps.cas.of('default')).bag);
    const [version, digestAlgorithms, encapsulated, certificates, signerInfos] = child(
      bag,
      1,
      0,
    ).children;
    assert.equal(content(version ?? bag)[0], 1);
    assert.equal(digestAlgorithms?.children.length, 0);
    assert.equal(encapsulated?.children.length, 1);
    assert.equal(certificates?.tag, 0xa0);
    assert.equal(signerInfos?.children.length, 0);
    assert.equal(readCertsOnly((await lab.deps.cas.of('default')).bag).certificates.length, 2);
  });

  test('RFC 8894 §3 [42], §3.2.1.3 [53], §3.2.1.4 [55], §3.3.2.2 [60]: a failure has failInfo and failInfoText, and a zero-length eContent', async () => {
    const { attributes, encapsulated } = await failure();
    assert.equal(fromLatin1(content(value(attributes.get('2.16.840.1.113733.1.9.3')))), '2');
    const info = value(attributes.get('2.16.840.1.113733.1.9.4'));
    assert.equal(info.tag, tag.printableString);
    assert.equal(fromLatin1(content(info)), '2');
    const text = value(attributes.get('1.3.6.1.5.5.7.24.1'));
    assert.equal(text.tag, tag.utf8String);
    assert.match(fromLatin1(content(text)), /^SCEP-302: /);
    const eContent = child(encapsulated, 1, 0);
    assert.equal(hex(raw(eContent)), '0400');
  });

  test('a success has no failInfo', async () => {
    const { attributes } = await success();
    assert.ok(!attributes.has('2.16.840.1.113733.1.9.4'));
    assert.ok(!attributes.has('1.3.6.1.5.5.7.24.1'));
  });

  test('RFC 8894 §3.2.1.5 [56]: senderNonce is 16 fresh octets, recipientNonce the one that came', async () => {
    const nonces = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const senderNonce = random(16);
      const { attributes } = await exchange({ senderNonce });
      const own = content(value(attributes.get('2.16.840.1.113733.1.9.5')));
      assert.equal(own.length, 16);
      assert.ok(!equal(own, senderNonce));
      assert.ok(equal(content(value(attributes.get('2.16.840.1.113733.1.9.6'))), senderNonce));
      nonces.add(hex(own));
    }
    assert.equal(nonces.size, 20);
  });

  test('clients.md B16: the outer bag holds the RA certificate and nothing else', async () => {
    const { certificates } = await success();
    assert.equal(certificates?.children.length, 1);
    assert.ok(equal(raw(child(certificates, 0)), lab.announced.ra.der));
  });

  test('the whole CertRep is DER', async () => {
    for (const { root } of [await success(), await failure()]) assert.ok(root.der);
  });
});
