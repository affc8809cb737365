// Envelopes made and opened: every cipher under every key transport, what is written, and the one thing
// that an envelope with any wrong part gives: octets, never an error.

import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { scan } from '../../lib/asn1/reader.ts';
import { type Bytes, concat, equal, utf8 } from '../../lib/base/bytes.ts';
import {
  openEnvelope,
  readEnvelopedData,
  sealForCertificate,
  unpadBlocks,
} from '../../lib/cms/enveloped-data.ts';
import { type ContentCipherName, contentCiphers } from '../../lib/crypto/algorithms.ts';
import { cbcDecrypt, type RsaPrivateKey, rsaPrivateKey } from '../../lib/crypto/native.ts';
import { publicKeyOf } from '../../lib/x509/certificate.ts';
import { random, rsaRaw, seal } from '../support/messages.ts';
import { signers } from '../support/signed-data.ts';
import { flipped, runs, vectorText } from '../support/vectors.ts';

const certificate = signers.rsa.certificate;
const exported = (pem: string): RsaPrivateKey =>
  rsaPrivateKey(concat([createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' })]));
const key = exported(vectorText('captures/pki/ra.key'));
const otherKey = exported(vectorText('captures/pki/ca.key'));
const recipient = publicKeyOf(certificate) ?? assert.fail('no key in the certificate');
const names = Object.keys(contentCiphers) as ContentCipherName[];
const text = utf8('thirty-five octets, not whole blocks');

const fallbackOf = (length: number): Bytes => new Uint8Array(length).fill(0xee);

function open(message: Bytes, decryptionKey = key, change?: (encryptedKey: Bytes) => Bytes): Bytes {
  const envelope = readEnvelopedData(message);
  const { cipher } = envelope;
  const [ours, ...more] = envelope.recipients;
  assert.ok(cipher && ours?.transport && more.length === 0);
  const encryptedKey = change?.(ours.encryptedKey) ?? ours.encryptedKey;
  const fallback = fallbackOf(cipher.keyOctets);
  const { transport } = ours;
  return openEnvelope({ envelope, cipher, transport, encryptedKey, decryptionKey }, fallback);
}

/** What is seen when the fallback was used for the key. */
function underFallback(message: Bytes): Bytes {
  const { cipher, iv, encryptedContent } = readEnvelopedData(message);
  assert.ok(cipher);
  const wrongKey = fallbackOf(cipher.keyOctets);
  return unpadBlocks(cbcDecrypt(cipher.name, wrongKey, iv, encryptedContent), cipher.blockOctets);
}

test('RFC 8894 §3.1 [43]: what is sealed for an RSA certificate opens with its key, for each cipher', () => {
  for (const name of names) {
    const message = sealForCertificate(text, name, { certificate, key: recipient }, random);
    const envelope = readEnvelopedData(message);
    assert.equal(envelope.cipher?.name, name);
    assert.equal(envelope.recipients[0]?.names(certificate), true);
    assert.deepEqual(envelope.recipients[0]?.transport, { kind: 'RSAES-PKCS1-v1_5' });
    assert.deepEqual(open(message), text);
    assert.equal(scan(message).der, true);
  }
});

test('RFC 5652 §6.1: each cipher opens under each key transport', () => {
  for (const cipher of names) {
    for (const transport of ['pkcs1', 'oaep-sha1', 'oaep-sha256'] as const) {
      const message = seal(text, certificate, { cipher, transport });
      assert.deepEqual(open(message), text, `${cipher} under ${transport}`);
    }
  }
});

test('RFC 5652 §6.3: content of any length and octets opens as it was sealed', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(...names), (content, name) => {
      const message = sealForCertificate(content, name, { certificate, key: recipient }, random);
      assert.ok(equal(open(message), content));
    }),
    runs(60),
  );
});

test('RFC 5652 §6.1: key, IV and padding of RSA are drawn anew for each envelope', () => {
  const drawn: number[] = [];
  const counting = (length: number) => {
    drawn.push(length);
    return random(length);
  };
  const [first, second] = [1, 2].map(() =>
    readEnvelopedData(
      sealForCertificate(text, 'AES-256', { certificate, key: recipient }, counting),
    ),
  );
  assert.deepEqual(drawn, [32, 16, 32, 16]);
  assert.ok(first && second);
  assert.notDeepEqual(first.iv, second.iv);
  assert.notDeepEqual(first.encryptedContent, second.encryptedContent);
  assert.notDeepEqual(first.recipients[0]?.encryptedKey, second.recipients[0]?.encryptedKey);
});

test('RFC 8017 §7.2: an encrypted key of wrong padding opens under the fallback', () => {
  const wrongBlocks: Record<string, (block: Bytes) => void> = {
    'block type 1': (block) => block.fill(1, 1, 2),
    'no separator': (block) => block.fill(7, 256 - 17, 256 - 16),
    'a zero in PS': (block) => block.fill(0, 100, 101),
  };
  for (const [what, change] of Object.entries(wrongBlocks)) {
    const block = new Uint8Array(256).fill(0x33);
    block.set([0, 2]);
    block[256 - 17] = 0;
    const right = seal(text, certificate, {
      contentKey: block.slice(-16),
      encryptedKey: rsaRaw(block, certificate),
    });
    assert.deepEqual(open(right), text);
    change(block);
    const wrong = seal(text, certificate, {
      contentKey: block.slice(-16),
      encryptedKey: rsaRaw(block, certificate),
    });
    assert.deepEqual(open(wrong), underFallback(wrong), what);
    assert.notDeepEqual(open(wrong), text);
  }
});

test('RFC 5652 §6.1: a content-encryption key of another length opens under the fallback', () => {
  for (const length of [0, 1, 8, 15, 17, 24, 32]) {
    const message = seal(text, certificate, { contentKey: random(length) });
    assert.deepEqual(open(message), underFallback(message), `${length} octets`);
  }
});

test('RFC 5652 §6.1: the key of another certificate opens under the fallback', () => {
  for (const transport of ['pkcs1', 'oaep-sha1', 'oaep-sha256'] as const) {
    const message = seal(text, certificate, { transport });
    assert.deepEqual(open(message, otherKey), underFallback(message), transport);
  }
});

test('RFC 5652 §6.1: an encrypted key of another length, or beyond the modulus, is no error', () => {
  // One that begins with a zero octet is the same number without it.
  const leading = (octets: Bytes) => readEnvelopedData(octets).recipients[0]?.encryptedKey[0];
  let message = seal(text, certificate);
  while (leading(message) === 0) message = seal(text, certificate);
  const expected = underFallback(message);
  for (const change of [
    () => new Uint8Array(256),
    () => new Uint8Array(256).fill(0xff),
    (encryptedKey: Bytes) => encryptedKey.slice(1),
    (encryptedKey: Bytes) => concat([encryptedKey, Uint8Array.of(0)]),
    () => new Uint8Array(0),
    () => new Uint8Array(1),
  ]) {
    assert.deepEqual(open(message, key, change), expected);
  }
  const padded = (encryptedKey: Bytes) => concat([Uint8Array.of(0), encryptedKey]);
  assert.notDeepEqual(open(message, key, padded), text);
});

test('RFC 5652 §6.3: content of wrong padding comes with all its octets', () => {
  for (const last of [0, 17, 255]) {
    const blocks = (padded: Bytes) => padded.fill(last, padded.length - 1);
    const message = seal(text, certificate, { blocks });
    const opened = open(message);
    assert.equal(opened.length, 48);
    assert.deepEqual(opened.subarray(0, text.length), text);
  }
});

test('RFC 5652 §6: no changed octet of an envelope is an error, and hardly any opens as before', () => {
  const message = sealForCertificate(text, 'AES-128', { certificate, key: recipient }, random);
  const { encryptedContent } = readEnvelopedData(message);
  let same = 0;
  for (let at = 0; at < message.length; at++) {
    const changed = flipped(message, at, 0x10);
    let envelope: ReturnType<typeof readEnvelopedData>;
    try {
      envelope = readEnvelopedData(changed);
    } catch (error) {
      assert.equal((error as Error).name, 'Malformed', `octet ${at}`);
      continue;
    }
    const { cipher } = envelope;
    const [first] = envelope.recipients;
    if (!cipher || !first?.transport) continue;
    const fallback = fallbackOf(cipher.keyOctets);
    const { transport, encryptedKey } = first;
    const sealed = { envelope, cipher, transport, encryptedKey, decryptionKey: key };
    const opened = openEnvelope(sealed, fallback);
    if (equal(opened, text)) same++;
    assert.ok(opened.length <= encryptedContent.length);
  }
  // Only the names of the recipient and the versions have no part in decryption.
  assert.ok(same <= 2 + certificate.issuer.length + certificate.serial.length, `${same}`);
});
