// EnvelopedData against openssl, both ways: what it encrypts we open, what we seal it decrypts, under
// each cipher and key transport, and under a password.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scan } from '../../lib/asn1/reader.ts';
import { type Bytes, concat, fromPem, fromUtf8, latin1, pem, utf8 } from '../../lib/base/bytes.ts';
import {
  openEnvelope,
  readEnvelopedData,
  sealForCertificate,
} from '../../lib/cms/enveloped-data.ts';
import { openPasswordEnvelope, sealForPassword } from '../../lib/cms/password-envelope.ts';
import { type ContentCipherName, contentCiphers } from '../../lib/crypto/algorithms.ts';
import { rsaPrivateKey } from '../../lib/crypto/native.ts';
import { publicKeyOf, readCertificate } from '../../lib/x509/certificate.ts';
import { random, seal } from '../support/messages.ts';
import { withOpenssl } from '../support/openssl.ts';
import { malformed, vectorText } from '../support/vectors.ts';

const content = concat([utf8('content, binary: '), Uint8Array.of(0, 13, 10, 10, 255, 26)]);
const names = Object.keys(contentCiphers) as ContentCipherName[];
const [der = content] = fromPem('CERTIFICATE', vectorText('captures/pki/ra.pem'));
const [pkcs8 = content] = fromPem('PRIVATE KEY', vectorText('captures/pki/ra.key'));
const ra = readCertificate(der);
const key = rsaPrivateKey(pkcs8);
const recipient = publicKeyOf(ra) ?? assert.fail('no key in the RA certificate');

/** The plaintext, by the one recipient that is ours. */
function open(message: Bytes): Bytes {
  const envelope = readEnvelopedData(message);
  const { cipher, recipients } = envelope;
  const [ours, ...more] = recipients.filter(({ names: isFor }) => isFor(ra));
  assert.ok(cipher && ours?.transport && more.length === 0);
  const fallback = new Uint8Array(cipher.keyOctets);
  const { transport, encryptedKey } = ours;
  return openEnvelope({ envelope, cipher, transport, encryptedKey, decryptionKey: key }, fallback);
}
const transportOf = (message: Bytes) => readEnvelopedData(message).recipients[0]?.transport;

withOpenssl((openssl) => {
  const input = openssl.file('content', content);
  const recip = openssl.file('ra.pem', pem('CERTIFICATE', der));
  const inkey = openssl.file('ra.key', vectorText('captures/pki/ra.key'));
  const other = openssl.file('other.pem', vectorText('captures/pki/ca.pem'));
  const encrypt = (...args: string[]) =>
    openssl.run('cms', '-encrypt', '-binary', '-outform', 'DER', '-in', input, ...args);

  /** openssl 3 has single DES only in its legacy provider, which may not be there. */
  const legacy = ['-provider', 'legacy', '-provider', 'default'];
  const hasDes = openssl.attempt('enc', '-des-cbc', '-k', 'x', '-in', input, ...legacy).ok;
  const provider = (name: ContentCipherName) => (name === 'DES' ? legacy : []);
  const offered = names.filter((name) => name !== 'DES' || hasDes);
  const flags: Record<ContentCipherName, string> = {
    'AES-128': '-aes-128-cbc',
    'AES-192': '-aes-192-cbc',
    'AES-256': '-aes-256-cbc',
    '3DES': '-des-ede3-cbc',
    DES: '-des-cbc',
  };

  test('RFC 8894 §3.1 [43]: what openssl encrypts opens, for each cipher', () => {
    assert.ok(offered.length >= 4);
    for (const name of offered) {
      const message = encrypt(flags[name], ...provider(name), '-recip', recip);
      assert.equal(readEnvelopedData(message).cipher?.name, name);
      assert.deepEqual(transportOf(message), { kind: 'RSAES-PKCS1-v1_5' });
      assert.deepEqual(open(message), content, name);
    }
  });

  const oaep = ['-keyopt', 'rsa_padding_mode:oaep'];

  test('RFC 4055 §4.1: what openssl encrypts with RSAES-OAEP opens, for each digest and mask', () => {
    for (const digest of ['SHA-1', 'SHA-256'] as const) {
      for (const mgf1 of ['SHA-1', 'SHA-256'] as const) {
        const md = (option: string, name: string) => [
          '-keyopt',
          `${option}:${name.replace('-', '')}`,
        ];
        const options = [...oaep, ...md('rsa_oaep_md', digest), ...md('rsa_mgf1_md', mgf1)];
        const message = encrypt('-aes-256-cbc', '-recip', recip, ...options);
        assert.deepEqual(transportOf(message), { kind: 'RSAES-OAEP', digest, mgf1 });
        assert.deepEqual(open(message), content, `${digest} ${mgf1}`);
      }
    }
    assert.deepEqual(open(encrypt('-aes-128-cbc', '-recip', recip, ...oaep)), content);
  });

  test('RFC 4055 §4.1: what openssl encrypts with a label or another digest has no transport', () => {
    const labelled = [...oaep, '-keyopt', 'rsa_oaep_label:6c6162656c'];
    assert.equal(transportOf(encrypt('-aes-128-cbc', '-recip', recip, ...labelled)), undefined);
    const sha512 = [...oaep, '-keyopt', 'rsa_oaep_md:sha512'];
    assert.equal(transportOf(encrypt('-aes-128-cbc', '-recip', recip, ...sha512)), undefined);
  });

  test('RFC 5652 §6: what openssl streams in BER opens', () => {
    const large = openssl.file('large', new Uint8Array(20_000).fill(0x5a));
    for (const option of ['-stream', '-indef']) {
      const message = encrypt('-aes-128-cbc', '-recip', recip, option, '-in', large);
      assert.equal(scan(message).der, false);
      assert.deepEqual(open(message), new Uint8Array(20_000).fill(0x5a));
    }
  });

  test('RFC 5652 §6.2: what openssl encrypts to two, or by key identifier, opens', () => {
    const two = encrypt('-aes-128-cbc', other, recip);
    assert.equal(readEnvelopedData(two).recipients.length, 2);
    assert.deepEqual(open(two), content);
    const byIdentifier = encrypt('-aes-128-cbc', '-recip', recip, '-keyid');
    assert.deepEqual(open(byIdentifier), content);
    const withPassword = ['-pwri_password', 'secret', '-recip', recip];
    assert.deepEqual(open(encrypt('-aes-128-cbc', ...withPassword)), content);
  });

  test('RFC 5652 §6.1: a cipher of openssl that is not offered is undefined', () => {
    for (const flag of ['-camellia128', '-aria-128-cbc']) {
      const message = encrypt(flag, '-recip', recip);
      assert.equal(readEnvelopedData(message).cipher, undefined, flag);
    }
  });

  const decrypt = (message: Bytes, ...args: string[]): Bytes => {
    const path = openssl.file('message', message);
    return openssl.run('cms', '-decrypt', '-binary', '-inform', 'DER', '-in', path, ...args);
  };

  test('RFC 5652 §6.2.1: openssl decrypts what we seal for a certificate, for each cipher', () => {
    for (const name of offered) {
      const message = sealForCertificate(
        content,
        name,
        { certificate: ra, key: recipient },
        random,
      );
      const opened = decrypt(message, ...provider(name), '-recip', recip, '-inkey', inkey);
      assert.deepEqual(opened, content, name);
    }
  });

  test('RFC 5652 §6.2.1: openssl decrypts what the tests seal with RSAES-OAEP', () => {
    for (const transport of ['oaep-sha1', 'oaep-sha256'] as const) {
      const message = seal(content, ra, { transport });
      assert.deepEqual(decrypt(message, '-recip', recip, '-inkey', inkey), content);
    }
  });

  test('RFC 8894 §3.1 [44]: openssl decrypts what we seal for a password, for each cipher', async () => {
    const password = 'correct horse battery staple';
    for (const name of offered) {
      const message = await sealForPassword(content, name, utf8(password), random);
      const opened = decrypt(message, ...provider(name), '-pwri_password', password);
      assert.deepEqual(opened, content, name);
      const path = openssl.file('message', message);
      const wrong = ['-pwri_password', 'correct horse battery stapl'];
      const options = ['-inform', 'DER', '-in', path, ...provider(name), ...wrong];
      assert.equal(openssl.attempt('cms', '-decrypt', ...options).ok, false);
    }
  });

  test('RFC 8894 §3.1 [44]: a password of other characters than ASCII keys the envelope as UTF-8', async () => {
    const password = 'sécret@1 öäü 🔑';
    const message = await sealForPassword(content, 'AES-128', utf8(password), random);
    assert.deepEqual(decrypt(message, '-pwri_password', password), content);
    const other = await sealForPassword(content, 'AES-128', latin1('s\u00e9cret'), random);
    await assert.rejects(openPasswordEnvelope(other, utf8('sécret')), malformed(/does not fit/));
  });

  test('RFC 5652 §6.2.4: openssl prints our password envelope as PBKDF2 with HMAC-SHA-256', async () => {
    const message = await sealForPassword(content, 'AES-256', utf8('password'), random);
    const path = openssl.file('message', message);
    const printed = fromUtf8(
      openssl.run('cms', '-cmsout', '-print', '-inform', 'DER', '-in', path),
    );
    for (const name of ['PBKDF2', 'hmacWithSHA256', 'id-alg-PWRI-KEK', 'aes-256-cbc']) {
      assert.ok(printed.includes(name), name);
    }
  });

  test('RFC 5652 §6.2.4: what openssl seals for a password is never opened as something else', async () => {
    // PBKDF2 with HMAC-SHA-1 is its default, which our client does not offer.
    const message = encrypt('-aes-256-cbc', '-pwri_password', 'secret');
    await assert.rejects(openPasswordEnvelope(message, utf8('secret')), malformed(/./));
  });
});
