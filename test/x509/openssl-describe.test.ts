// What `inspect` says of certificates, requests and CRLs against what openssl says of them.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Bytes, fromUtf8 } from '../../lib/base/bytes.ts';
import { describePart } from '../../lib/cli/look/encodings.ts';
import type { DescribedEncoding } from '../../lib/protocol/scep/wire/describe.ts';
import { type Openssl, withOpenssl } from '../support/openssl.ts';

type Of<T extends DescribedEncoding['type']> = Extract<DescribedEncoding, { type: T }>;

async function described<T extends DescribedEncoding['type']>(type: T, der: Bytes): Promise<Of<T>> {
  const found = await describePart(der);
  assert.equal(found?.type, type);
  return found as Of<T>;
}

const config = `
[req]
distinguished_name = name
prompt = no
utf8 = yes
string_mask = utf8only
[name]
C = DE
O = Prüfung, Labor + Söhne
OU = eins
OU = zwei
CN = "  #gerät\\\\1  "
[plain]
CN = device
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature, keyEncipherment, keyAgreement, decipherOnly
extendedKeyUsage = clientAuth, serverAuth, 1.2.3.4
subjectKeyIdentifier = hash
subjectAltName = DNS:Device.Example.COM, email:a@example.com, IP:10.1.2.3, IP:2001:db8:0:0:1::5, URI:https://example.com/a, RID:1.2.3, otherName:1.3.6.1.4.1.311.20.2.3;UTF8:u@example.com, dirName:plain
crlDistributionPoints = URI:http://example.com/a.crl, URI:http://example.com/b.crl
authorityInfoAccess = OCSP;URI:http://example.com/o, caIssuers;URI:http://example.com/i
certificatePolicies = 2.5.29.32.0
1.2.3.4.5 = ASN1:UTF8String:mine
[ca]
basicConstraints = critical, CA:TRUE, pathlen:3
keyUsage = keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always, issuer:always
[authority]
database = index.txt
crlnumber = crlnumber
default_md = sha256
default_crl_days = 30
crl_extensions = list
[list]
authorityKeyIdentifier = keyid
`;

const keys = {
  'RSA-2048': ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
  'P-256': ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  'P-521': ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-521'],
  Ed25519: ['-algorithm', 'ED25519'],
} as const;

withOpenssl((openssl) => {
  const path = openssl.file('openssl.cnf', config);
  for (const [name, args] of Object.entries(keys)) {
    openssl.run('genpkey', ...args, '-out', openssl.path(`${name}.pem`));
  }
  const keyOf = (name: string) => openssl.path(`${name}.pem`);
  const say = (...args: string[]) => fromUtf8(openssl.run(...args)).trim();
  /** One field as openssl prints it, behind its `name=`. */
  const field = (command: 'x509' | 'req' | 'crl', file: string, ...options: string[]) =>
    say(command, '-inform', 'DER', '-noout', '-in', file, ...options).replace(/^[^=]*?=\s*/, '');
  const nameOption = ['-nameopt', 'RFC2253,-esc_msb'];
  const iso = (text: string) => new Date(text).toISOString().replace('.000Z', 'Z');

  function certificate(of: Openssl, key: string, ...more: string[]): { file: string; der: Bytes } {
    const file = of.path('certificate.der');
    const out = ['-outform', 'DER', '-out', file];
    of.run('req', '-x509', '-new', '-config', path, '-key', keyOf(key), ...out, ...more);
    return { file, der: of.read('certificate.der') };
  }

  async function agrees(file: string, der: Bytes): Promise<Of<'certificate'>> {
    const said = await described('certificate', der);
    assert.equal(said.subject, field('x509', file, '-subject', ...nameOption));
    assert.equal(said.issuer, field('x509', file, '-issuer', ...nameOption));
    assert.equal(said.serial.replace(/^00/, ''), field('x509', file, '-serial').toLowerCase());
    assert.equal(said.notBefore, iso(field('x509', file, '-startdate')));
    assert.equal(said.notAfter, iso(field('x509', file, '-enddate')));
    for (const digest of ['sha256', 'sha1'] as const) {
      const printed = field('x509', file, '-fingerprint', `-${digest}`);
      assert.equal(said[digest], printed.replaceAll(':', '').toLowerCase());
    }
    return said;
  }

  describe('certificates', () => {
    for (const key of Object.keys(keys)) {
      test(`${key}: names, serial, dates, fingerprints, key as openssl has them`, async () => {
        const { file, der } = certificate(openssl, key, '-extensions', 'leaf');
        const said = await agrees(file, der);
        assert.equal(said.key.algorithm, key);
        assert.equal(said.key.accepted, true);
        openssl.file('spki.pem', say('x509', '-inform', 'DER', '-in', file, '-noout', '-pubkey'));
        openssl.run(
          ...['pkey', '-pubin', '-in', openssl.path('spki.pem')],
          ...['-outform', 'DER', '-out', openssl.path('spki.der')],
        );
        const digest = say('dgst', '-sha256', '-r', openssl.path('spki.der')).split(' ')[0];
        assert.equal(said.key.sha256, digest);
        const alone = await described('publicKey', openssl.read('spki.der'));
        assert.deepEqual(alone.key, said.key);
      });
    }

    test('every extension that openssl wrote is described, whatever its kind', async () => {
      const { der } = certificate(openssl, 'P-256', '-extensions', 'leaf');
      const { extensions, key } = await described('certificate', der);
      const values = Object.fromEntries(
        extensions.map(({ id, name = id, critical, value }) => [
          critical ? `${name} critical` : name,
          value,
        ]),
      );
      const identifier = values.subjectKeyIdentifier;
      assert.match(String(identifier), /^[0-9a-f]{40}$/);
      assert.deepEqual(values, {
        'basicConstraints critical': ['CA:FALSE'],
        'keyUsage critical': [
          'digitalSignature',
          'keyEncipherment',
          'keyAgreement',
          'decipherOnly',
        ],
        extKeyUsage: ['clientAuth', 'serverAuth', '1.2.3.4'],
        subjectKeyIdentifier: identifier,
        subjectAltName: [
          'dns:device.example.com',
          'email:a@example.com',
          'ip:10.1.2.3',
          'ip:2001:db8::1:0:0:5',
          'uri:https://example.com/a',
          'rid:1.2.3',
          'upn:u@example.com',
          'dirName:CN=device',
        ],
        cRLDistributionPoints: ['uri:http://example.com/a.crl', 'uri:http://example.com/b.crl'],
        authorityInfoAccess: [
          'ocsp uri:http://example.com/o',
          'caIssuers uri:http://example.com/i',
        ],
        certificatePolicies: ['2.5.29.32.0'],
        '1.2.3.4.5': ['#0c046d696e65'],
      });
      assert.equal(key.algorithm, 'P-256');
    });

    test('a CA certificate is described with its constraints and identifier, a long serial and a late date', async () => {
      const serial = '0x00f1f2f3f4f5f6f7f8f9fafbfcfdfeff';
      const more = ['-extensions', 'ca', '-days', '20000', '-set_serial', serial];
      const { file, der } = certificate(openssl, 'RSA-2048', ...more);
      const { extensions, notAfter } = await agrees(file, der);
      assert.match(notAfter, /^20[6-9]\d-/);
      const said = extensions.map(({ value }) => value.join(' '));
      assert.deepEqual(said.slice(0, 2), ['CA:TRUE pathLenConstraint 3', 'keyCertSign cRLSign']);
      assert.equal(
        said[3],
        `${said[2]} issuer dirName:${field('x509', file, '-subject', ...nameOption)} serial ${serial.slice(2)}`,
      );
    });

    test('a certificate of version 1, and keys that no endpoint accepts, are described', async () => {
      for (const [algorithm, args] of [
        ['RSA-1024', ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:1024']],
        [
          '1.2.840.10045.2.1 1.3.132.0.10',
          ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:secp256k1'],
        ],
      ] as const) {
        openssl.run('genpkey', ...args, '-out', keyOf('odd'));
        const csr = openssl.path('odd.csr');
        openssl.run('req', '-new', '-config', path, '-key', keyOf('odd'), '-out', csr);
        const file = openssl.path('odd.der');
        openssl.run(
          ...['x509', '-req', '-in', csr, '-signkey', keyOf('odd')],
          ...['-days', '3', '-outform', 'DER', '-out', file],
        );
        assert.match(say('x509', '-inform', 'DER', '-in', file, '-noout', '-text'), /Version: 1 /);
        const { key, extensions } = await agrees(file, openssl.read('odd.der'));
        assert.equal(key.algorithm, algorithm);
        assert.equal(key.accepted, false);
        assert.deepEqual(extensions, []);
      }
    });
  });

  describe('requests', () => {
    for (const key of Object.keys(keys)) {
      test(`${key}: the subject, the names, the proof; never the challengePassword`, async () => {
        const secret = 'correct horse battery staple';
        openssl.file(
          'request.cnf',
          `${config}\n[req]\nattributes = attributes\nreq_extensions = leaf\n[attributes]\nchallengePassword = ${secret}\n`,
        );
        const file = openssl.path('request.der');
        openssl.run(
          ...['req', '-new', '-config', openssl.path('request.cnf'), '-key', keyOf(key)],
          ...['-outform', 'DER', '-out', file],
        );
        assert.ok(openssl.attempt('req', '-inform', 'DER', '-in', file, '-verify', '-noout').ok);
        const der = openssl.read('request.der');
        const said = await described('request', der);
        assert.equal(said.subject, field('req', file, '-subject', ...nameOption));
        assert.equal(said.names.length, 8);
        assert.equal(said.names[0], 'dns:device.example.com');
        assert.equal(said.key.algorithm, key);
        assert.equal(said.proof, 'good');
        assert.equal(said.challengePassword, 'present');
        assert.ok(!JSON.stringify(said).includes(secret));
        assert.equal(said.requestedExtensions.length, 9);
        assert.equal(said.sha256, say('dgst', '-sha256', '-r', file).split(' ')[0]);
        der[der.length - 1] = (der.at(-1) ?? 0) ^ 1;
        assert.equal((await described('request', der)).proof, 'wrong');
      });
    }
  });

  describe('CRLs', () => {
    test('a CRL is described with issuer, times, number, entries and reasons as openssl prints them', async () => {
      certificate(openssl, 'RSA-2048', '-extensions', 'ca');
      openssl.run(
        ...['x509', '-inform', 'DER', '-in', openssl.path('certificate.der')],
        ...['-out', openssl.path('ca.pem')],
      );
      const entry = (serial: string, reason: string) =>
        `R\t400101000000Z\t260102030405Z${reason}\t${serial}\tunknown\t/CN=a\n`;
      openssl.file(
        'index.txt',
        entry('0A', ',keyCompromise') + entry('F00D', '') + entry('0102', ',certificateHold'),
      );
      openssl.file('crlnumber', '0123456789ABCDEF0123\n');
      openssl.run(
        ...['ca', '-config', path, '-name', 'authority', '-gencrl', '-keyfile', keyOf('RSA-2048')],
        ...['-cert', openssl.path('ca.pem'), '-out', openssl.path('crl.pem')],
      );
      const file = openssl.path('crl.der');
      openssl.run('crl', '-in', openssl.path('crl.pem'), '-outform', 'DER', '-out', file);
      const said = await described('crl', openssl.read('crl.der'));
      assert.equal(said.issuer, field('crl', file, '-issuer', ...nameOption));
      assert.equal(said.thisUpdate, iso(field('crl', file, '-lastupdate')));
      assert.equal(said.nextUpdate, iso(field('crl', file, '-nextupdate')));
      const number = said.extensions.find(({ name }) => name === 'cRLNumber')?.value[0];
      assert.equal(number, String(BigInt(field('crl', file, '-crlnumber'))));
      const printed = field('crl', file, '-fingerprint', '-sha256');
      assert.equal(said.sha256, printed.replaceAll(':', '').toLowerCase());
      const revokedAt = '2026-01-02T03:04:05Z';
      assert.deepEqual(
        [...said.revoked].sort((a, b) => a.serial.length - b.serial.length),
        [
          { serial: '0a', revokedAt, reason: 'keyCompromise' },
          { serial: '0102', revokedAt, reason: 'certificateHold' },
          { serial: '00f00d', revokedAt },
        ],
      );
    });
  });

  test('a PKCS#7 of openssl is described as the certificates and the CRL in it', async () => {
    const first = certificate(openssl, 'P-256').der;
    openssl.run(
      ...['crl2pkcs7', '-in', openssl.path('crl.pem'), '-certfile', openssl.path('ca.pem')],
      ...['-outform', 'DER', '-out', openssl.path('bag.p7b')],
    );
    const { certificates, crls } = await described('certificates', openssl.read('bag.p7b'));
    assert.equal(certificates.length, 1);
    assert.equal(crls[0]?.revoked.length, 3);
    assert.notEqual(certificates[0]?.sha256, (await described('certificate', first)).sha256);
  });

  test('private keys in every form that openssl writes are recognized and not described', async () => {
    for (const key of ['RSA-2048', 'P-256', 'Ed25519']) {
      const forms: Record<string, string[]> = {
        'pkcs8.der': ['pkcs8', '-topk8', '-nocrypt', '-in', keyOf(key), '-outform', 'DER'],
        'encrypted.der': [
          ...['pkcs8', '-topk8', '-in', keyOf(key), '-outform', 'DER'],
          ...['-passout', 'pass:secret'],
        ],
        ...(key === 'Ed25519'
          ? {}
          : { 'old.der': ['pkey', '-in', keyOf(key), '-traditional', '-outform', 'DER'] }),
        'store.p12': [
          ...['pkcs12', '-export', '-inkey', keyOf(key), '-nocerts', '-passout', 'pass:secret'],
        ],
      };
      for (const [name, args] of Object.entries(forms)) {
        openssl.run(...args, '-out', openssl.path(name));
        assert.equal(await describePart(openssl.read(name)), undefined, `${key} ${name}`);
      }
    }
  });
});
