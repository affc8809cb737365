// SignedData against openssl, both ways: what it signs we read, what we sign it verifies. And
// certs-only messages, which both write and read.

import assert from 'node:assert/strict';
import { sign } from 'node:crypto';
import { test } from 'node:test';
import { scan } from '../../lib/asn1/reader.ts';
import { type Bytes, concat, fromPem, fromUtf8, pem, utf8 } from '../../lib/base/bytes.ts';
import { encodeCertsOnly, readCertsOnly } from '../../lib/cms/certs-only.ts';
import { encodeSignedData, readSignedData, verifySignedData } from '../../lib/cms/signed-data.ts';
import { type DigestName, digests } from '../../lib/crypto/algorithms.ts';
import { encodeCertRep } from '../../lib/protocol/scep/wire/encode.ts';
import type { SignatureScheme } from '../../lib/x509/algorithm.ts';
import { withOpenssl } from '../support/openssl.ts';
import { certify, nodeDigests, signers, type TestSigner } from '../support/signed-data.ts';
import { malformed, vectorText } from '../support/vectors.ts';

const content = concat([utf8('content, binary: '), Uint8Array.of(0, 13, 10, 10, 255, 26)]);
const now = Date.UTC(2026, 10, 22, 6, 57, 19);

async function verdict(message: Bytes): Promise<string> {
  const signedData = readSignedData(message);
  const { key, scheme } = signedData;
  return key && scheme ? verifySignedData(signedData, key, scheme) : 'no scheme';
}

withOpenssl((openssl) => {
  const input = openssl.file('content', content);
  const files = Object.fromEntries(
    Object.entries<TestSigner>(signers).map(([name, { privateKey, certificate }]) => [
      name,
      [
        '-signer',
        openssl.file(`${name}.pem`, pem('CERTIFICATE', certificate.der)),
        '-inkey',
        openssl.file(`${name}.key`, privateKey.export({ type: 'pkcs8', format: 'pem' })),
      ],
    ]),
  ) as Record<keyof typeof signers, string[]>;
  const cmsSign = (...args: string[]) =>
    openssl.run('cms', '-sign', '-binary', '-nodetach', '-outform', 'DER', '-in', input, ...args);

  test('RFC 5652 §5: what openssl signs verifies, for each digest and kind of key', async () => {
    for (const signer of ['rsa', 'P-256', 'P-384', 'P-521'] as const) {
      for (const digest of ['SHA-1', 'SHA-224', 'SHA-256', 'SHA-384', 'SHA-512'] as const) {
        const message = cmsSign(...files[signer], '-md', nodeDigests[digest]);
        const read = readSignedData(message);
        assert.equal(read.digest?.name, digest);
        assert.equal(read.scheme?.kind, signer === 'rsa' ? 'RSASSA-PKCS1-v1_5' : 'ECDSA');
        assert.deepEqual(read.eContent, content);
        assert.deepEqual(read.certificate.der, signers[signer].certificate.der);
        assert.equal(await verdict(message), 'good', `${signer} ${digest}`);
      }
    }
    assert.equal(await verdict(cmsSign(...files.rsa, '-md', 'md5')), 'good');
  });

  test('RFC 4055 §3: what openssl signs with RSASSA-PSS verifies, for each digest and salt', async () => {
    const pss = ['-keyopt', 'rsa_padding_mode:pss'];
    for (const digest of ['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512'] as const) {
      for (const salt of ['digest', '0', '20']) {
        const options = [...pss, '-keyopt', `rsa_pss_saltlen:${salt}`];
        const message = cmsSign(...files.rsa, '-md', nodeDigests[digest], ...options);
        assert.equal(await verdict(message), 'good', `${digest} ${salt}`);
        const saltOctets = salt === 'digest' ? digests[digest].octets : Number(salt);
        const expected = { kind: 'RSA-PSS', digest: digests[digest], saltOctets };
        assert.deepEqual(readSignedData(message).scheme, expected);
      }
    }
    const mixed = cmsSign(...files.rsa, '-md', 'sha256', ...pss, '-keyopt', 'rsa_mgf1_md:sha512');
    assert.equal(await verdict(mixed), 'no scheme');
    const longSalt = cmsSign(
      ...files.rsa,
      '-md',
      'sha256',
      ...pss,
      '-keyopt',
      'rsa_pss_saltlen:99',
    );
    assert.equal(await verdict(longSalt), 'no scheme');
  });

  test('RFC 5652 §5.3: what openssl signs by key identifier verifies', async () => {
    const withIdentifier = fromPem('CERTIFICATE', vectorText('captures/pki/ra.pem'));
    const signer = openssl.file('ra.pem', pem('CERTIFICATE', withIdentifier[0] ?? content));
    const key = openssl.file('ra.key', vectorText('captures/pki/ra.key'));
    const message = cmsSign('-signer', signer, '-inkey', key, '-keyid');
    assert.equal(await verdict(message), 'good');
    assert.deepEqual(readSignedData(message).certificate.der, withIdentifier[0]);
  });

  test('RFC 5652 §5: what openssl streams in BER verifies', async () => {
    const large = openssl.file('large', new Uint8Array(20_000).fill(0x5a));
    for (const option of ['-stream', '-indef']) {
      const message = cmsSign(...files.rsa, option, '-in', large);
      assert.equal(scan(message).der, false);
      assert.equal(readSignedData(message).eContent?.length, 20_000);
      assert.equal(await verdict(message), 'good');
    }
  });

  test('RFC 5652 §10.2.2: what openssl signs with other certificates beside its own verifies', async () => {
    const other = certify(signers['P-256'].spki, signers.rsa.privateKey, {
      name: 'CN=o',
      serial: 9,
    });
    const more = openssl.file('more.pem', pem('CERTIFICATE', other));
    assert.equal(await verdict(cmsSign(...files.rsa, '-certfile', more)), 'good');
  });

  test('RFC 8894 §3.2 [46]: what openssl signs without signed attributes is refused', () => {
    assert.throws(
      () => readSignedData(cmsSign(...files.rsa, '-noattr')),
      malformed(/no signedAttrs/),
    );
  });

  test('RFC 5652 §5.1: what two sign, and what carries no certificate, is refused', () => {
    const two = cmsSign(...files.rsa, ...files['P-256']);
    assert.throws(() => readSignedData(two), malformed(/not exactly one SignerInfo/));
    const none = cmsSign(...files.rsa, '-nocerts');
    assert.throws(() => readSignedData(none), malformed(/exactly one of the signer/));
  });

  test('RFC 5652 §5.2: what openssl signs detached has no content, and its digest does not fit', async () => {
    const detached = ['cms', '-sign', '-binary', '-outform', 'DER', '-in', input, ...files.rsa];
    const message = openssl.run(...detached);
    assert.equal(readSignedData(message).eContent, undefined);
    assert.equal(await verdict(message), 'digestWrong');
  });

  test('RFC 5652 §11.1: what openssl signs as another content type is not good', async () => {
    const message = cmsSign(...files.rsa, '-econtent_type', '1.2.840.113549.1.7.3');
    assert.equal(await verdict(message), 'attributesWrong');
  });

  /** What openssl gives as the verified content of our message. */
  const verified = (message: Bytes): Bytes => {
    const path = openssl.file('message', message);
    const out = openssl.path('verified');
    const options = ['-binary', '-noverify', '-inform', 'DER', '-in', path, '-out', out];
    openssl.run('cms', '-verify', ...options);
    return openssl.read('verified');
  };
  const cmsSigner = (signer: keyof typeof signers, digest: DigestName) => {
    const { privateKey, certificate } = signers[signer];
    const kind = signer === 'rsa' ? 'RSASSA-PKCS1-v1_5' : 'ECDSA';
    const scheme = { kind, digest: digests[digest] } as SignatureScheme;
    const signing = async (message: Bytes) =>
      concat([sign(nodeDigests[digest], message, privateKey)]);
    return { certificate, digest, scheme, sign: signing };
  };

  test('RFC 5652 §5: openssl verifies what we sign, for each digest and kind of key', async () => {
    for (const digest of Object.keys(digests) as DigestName[]) {
      const message = await encodeSignedData(content, [], cmsSigner('rsa', digest), now);
      assert.equal(await verdict(message), 'good');
      assert.deepEqual(verified(message), content, digest);
    }
    for (const curve of ['P-256', 'P-384', 'P-521'] as const) {
      const signer = cmsSigner(curve, 'SHA-256');
      const message = await encodeSignedData(content, [], signer, undefined);
      assert.equal(await verdict(message), 'good');
      assert.deepEqual(verified(message), content, curve);
    }
  });

  test('RFC 5652 §5.4: openssl refuses what we sign once an octet of the content is changed', async () => {
    const message = await encodeSignedData(content, [], cmsSigner('rsa', 'SHA-256'), now);
    const at = Buffer.from(message).indexOf(Buffer.from(content));
    message[at] = 0;
    const path = openssl.file('changed', message);
    const options = ['-binary', '-noverify', '-inform', 'DER', '-in', path];
    const { ok, said } = openssl.attempt('cms', '-verify', ...options);
    assert.equal(ok, false);
    assert.match(said, /verify_content/);
  });

  test('RFC 8894 §3.3.2: openssl verifies a CertRep of each status and prints its attributes', async () => {
    const nonces = { recipientNonce: new Uint8Array(16), senderNonce: new Uint8Array(16).fill(1) };
    const reply = { transactionID: 'transaction-1', ...nonces };
    const signer = cmsSigner('rsa', 'SHA-256');
    const results = {
      SUCCESS: { pkiStatus: 'SUCCESS', pkcsPKIEnvelope: content },
      PENDING: { pkiStatus: 'PENDING' },
      FAILURE: { pkiStatus: 'FAILURE', reason: 'challengeUnknown' },
    } as const;
    for (const [status, result] of Object.entries(results)) {
      const message = await encodeCertRep({ ...reply, result }, signer, now);
      const expected = status === 'SUCCESS' ? content : new Uint8Array(0);
      assert.deepEqual(verified(message), expected, status);
      const path = openssl.file('certrep', message);
      const printed = openssl.run('cms', '-cmsout', '-print', '-inform', 'DER', '-in', path);
      assert.match(fromUtf8(printed), /PRINTABLESTRING:transaction-1/);
      assert.match(fromUtf8(printed), /UTCTIME:Nov 22 06:57:19 2026 GMT/);
    }
  });

  const [ca = content, ra = content] = ['ca', 'ra'].flatMap((name) =>
    fromPem('CERTIFICATE', vectorText(`captures/pki/${name}.pem`)),
  );
  const [crl = content] = fromPem('X509 CRL', vectorText('captures/pki/crl.pem'));

  test('RFC 8894 §3.4 [48]: openssl prints the certificates and CRLs of our certs-only message in order', () => {
    const path = openssl.file('bag', encodeCertsOnly([ra, ca], [crl]));
    const printed = fromUtf8(openssl.run('pkcs7', '-inform', 'DER', '-in', path, '-print_certs'));
    assert.deepEqual(fromPem('CERTIFICATE', printed), [ra, ca]);
    assert.deepEqual(fromPem('X509 CRL', printed), [crl]);
    const single = openssl.file('single', encodeCertsOnly([ra]));
    const one = fromUtf8(openssl.run('pkcs7', '-inform', 'DER', '-in', single, '-print_certs'));
    assert.deepEqual(fromPem('CERTIFICATE', one), [ra]);
    const structure = openssl.run('asn1parse', '-inform', 'DER', '-in', single);
    // encapContentInfo holds its type and nothing else.
    assert.match(
      fromUtf8(structure),
      /l= +11 cons: SEQUENCE +\n.*OBJECT +:pkcs7-data\n.*cont \[ 0 \]/,
    );
  });

  test('RFC 5652 §5: certs-only messages of openssl are read, certificates and CRLs in order', () => {
    const [caFile, raFile] = [
      openssl.file('c', pem('CERTIFICATE', ca)),
      openssl.file('r', pem('CERTIFICATE', ra)),
    ];
    const crlFile = openssl.file('crl', pem('X509 CRL', crl));
    const bag = ['crl2pkcs7', '-outform', 'DER', '-certfile', raFile, '-certfile', caFile];
    const both = readCertsOnly(openssl.run(...bag, '-in', crlFile));
    assert.deepEqual(both, { certificates: [ra, ca], crls: [crl] });
    const none = readCertsOnly(openssl.run(...bag, '-nocrl'));
    assert.deepEqual(none, { certificates: [ra, ca], crls: [] });
  });
});
