// What the CA makes, judged by openssl: its own certificate, the RA's, certificates it issued for keys
// of each kind, and CRLs. Strictly verified, and printed with what they were asked to hold.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Bytes, fromHex, fromPem, fromUtf8, pem } from '../../lib/base/bytes.ts';
import { MAX_DER_NODES } from '../../lib/base/limits.ts';
import { digests } from '../../lib/crypto/algorithms.ts';
import type { ClientKeySpec } from '../../lib/protocol/scep/client/client.ts';
import { readCertificate, signed, subjectKeyIdentifierOf } from '../../lib/x509/certificate.ts';
import { encodeTbsCertList, type RevokedCertificate } from '../../lib/x509/crl.ts';
import { deviceKey, memorySigner } from '../support/keys.ts';
import { type Lab, type LabOptions, makeLab } from '../support/lab.ts';
import { enrolment } from '../support/messages.ts';
import { type Openssl, withOpenssl } from '../support/openssl.ts';
import { flipped } from '../support/vectors.ts';

const caKeys = ['rsa:2048', 'ec:P-256', 'ec:P-384'] as const;

const labs = new Map<string, Promise<Lab>>();
const labOf = (caKey: NonNullable<LabOptions['caKey']>): Promise<Lab> => {
  const lab = labs.get(caKey) ?? makeLab({ caKey });
  labs.set(caKey, lab);
  return lab;
};

/** The certificates and the CRL of a lab, as files. */
async function filesOf(openssl: Openssl, lab: Lab) {
  const { ra, chain } = lab.announced;
  const [ca] = chain;
  const crl = await lab.deps.crls.newest('default');
  assert.ok(ca && crl);
  return {
    ca: openssl.file('ca.pem', pem('CERTIFICATE', ca.der)),
    ra: openssl.file('ra.pem', pem('CERTIFICATE', ra.der)),
    crl: openssl.file('crl.pem', pem('X509 CRL', crl.der)),
    caCertificate: ca,
  };
}

async function issued(
  lab: Lab,
  spec: ClientKeySpec,
  names: readonly string[] = [],
): Promise<Bytes> {
  const subject = 'CN=device-1,O=Test';
  const key = await deviceKey(`openssl ${names}`, spec);
  const challenge = await lab.challenge({ subject, names });
  const sent = await enrolment(lab, { challenge, subject, names, key });
  const result = await sent.read(await lab.operate(sent.message));
  assert.equal(result.pkiStatus, 'SUCCESS');
  const [der] = result.pkiStatus === 'SUCCESS' ? result.certificates : [];
  assert.ok(der);
  return der;
}

withOpenssl((openssl) => {
  const text = (path: string) => fromUtf8(openssl.run('x509', '-noout', '-text', '-in', path));
  const holds = (printed: string, ...expected: (string | RegExp)[]) => {
    for (const each of expected) {
      assert.ok(
        printed.search(each instanceof RegExp ? each : plain(each)) >= 0,
        `${each}\n${printed}`,
      );
    }
  };
  const plain = (literal: string) => new RegExp(literal.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const strictly = ['-x509_strict', '-check_ss_sig', '-policy_check'];

  test('RFC 5280 §6.1: openssl verifies the CA and RA certificates strictly, for each kind of CA key', async () => {
    for (const caKey of caKeys) {
      const { ca, ra } = await filesOf(openssl, await labOf(caKey));
      for (const path of [ca, ra]) openssl.run('verify', ...strictly, '-CAfile', ca, path);
    }
  });

  test('RFC 5280 §4.2: openssl prints the CA certificate as one that signs certificates and CRLs', async () => {
    const { ca } = await filesOf(openssl, await labOf('rsa:2048'));
    holds(
      text(ca),
      'Version: 3 (0x2)',
      /Issuer: O = Lab, CN = Lab CA\n/,
      /Subject: O = Lab, CN = Lab CA\n/,
      /Basic Constraints: critical\n +CA:TRUE, pathlen:0\n/,
      /Key Usage: critical\n +Certificate Sign, CRL Sign\n/,
      'Subject Key Identifier',
      'Signature Algorithm: sha256WithRSAEncryption',
    );
  });

  test('RFC 8894 §2.1.2 [1]: openssl prints the RA certificate as one that signs and is encrypted to', async () => {
    const { ra } = await filesOf(openssl, await labOf('rsa:2048'));
    holds(
      text(ra),
      /Subject: O = Lab, CN = SCEP RA\n/,
      /Key Usage: critical\n +Digital Signature, Key Encipherment\n/,
      /Extended Key Usage: *\n +1\.3\.6\.1\.4\.1\.311\.20\.2\.1\n/,
      /Authority Key Identifier: *\n/,
      'URI:http://scep.test/crl/default.crl',
      'CA Issuers - URI:http://scep.test/aia/default.cer',
    );
  });

  test('RFC 5280 §6.1: openssl verifies what was issued, for each kind of CA and device key', async () => {
    for (const caKey of caKeys) {
      const lab = await labOf(caKey);
      const { ca, crl } = await filesOf(openssl, lab);
      // An EC device's reply is keyed by its challenge; a challenge of the lab is long enough.
      for (const spec of [
        { type: 'RSA', bits: 2048 },
        { type: 'EC', curve: 'P-256' },
        { type: 'EC', curve: 'P-384' },
      ] as const) {
        const leaf = openssl.file('leaf.pem', pem('CERTIFICATE', await issued(lab, spec)));
        openssl.run('verify', ...strictly, '-purpose', 'sslclient', '-CAfile', ca, leaf);
        openssl.run('verify', ...strictly, '-crl_check', '-CRLfile', crl, '-CAfile', ca, leaf);
      }
    }
  });

  test('RFC 5280 §4.2: openssl prints an issued certificate with the names and uses it was bound to', async () => {
    const names = ['dns:host.example', 'ip:2001:db8::1', 'upn:user@example'];
    const lab = await labOf('rsa:2048');
    const rsa = await issued(lab, { type: 'RSA', bits: 2048 }, names);
    const printed = text(openssl.file('leaf.pem', pem('CERTIFICATE', rsa)));
    holds(
      printed,
      /Subject: O = Test, CN = device-1\n/,
      /Key Usage: critical\n +Digital Signature, Key Encipherment\n/,
      'TLS Web Client Authentication',
      'DNS:host.example, IP Address:2001:DB8:0:0:0:0:0:1, othername: UPN::user@example',
      'URI:http://scep.test/crl/default.crl',
    );
    assert.doesNotMatch(printed, /CA:TRUE|Certificate Sign/);
    const ec = await issued(lab, { type: 'EC', curve: 'P-256' });
    const ofEc = text(openssl.file('leaf.pem', pem('CERTIFICATE', ec)));
    holds(ofEc, /Key Usage: critical\n +Digital Signature\n/, 'ASN1 OID: prime256v1');
  });

  test('RFC 5280 A.1: openssl prints values in the string types of the RFC, whatever type the client wrote', async () => {
    const lab = await labOf('rsa:2048');
    const hexadecimal = 'CN=x,serialNumber=#0c03312d31,emailAddress=#0c0b6140622e6578616d706c65';
    const subject = `${hexadecimal},DC=#1304636f7270,C=#0c024445`;
    const key = await deviceKey('openssl string types');
    const challenge = await lab.challenge({ subject });
    const sent = await enrolment(lab, { challenge, subject, key });
    const result = await sent.read(await lab.operate(sent.message));
    assert.ok(result.pkiStatus === 'SUCCESS', JSON.stringify(result));
    const [der = new Uint8Array(0)] = result.certificates;
    const leaf = openssl.file('leaf.pem', pem('CERTIFICATE', der));
    const { ca } = await filesOf(openssl, lab);
    openssl.run('verify', ...strictly, '-CAfile', ca, leaf);
    const options = ['-noout', '-subject', '-nameopt', 'show_type,sep_comma_plus,sname'];
    assert.equal(
      fromUtf8(openssl.run('x509', ...options, '-in', leaf)).trim(),
      'subject=C=PRINTABLESTRING:DE,DC=IA5STRING:corp,emailAddress=IA5STRING:a@b.example,serialNumber=PRINTABLESTRING:1-1,CN=UTF8STRING:x',
    );
    holds(text(leaf), 'email:a@b.example');
  });

  test('RFC 5280 §6.1: openssl does not verify an issued certificate with a changed octet, or under another CA', async () => {
    const lab = await labOf('ec:P-256');
    const { ca } = await filesOf(openssl, lab);
    const der = await issued(lab, { type: 'RSA', bits: 2048 });
    const changed = openssl.file('leaf.pem', pem('CERTIFICATE', flipped(der, der.length - 1, 1)));
    assert.equal(openssl.attempt('verify', '-CAfile', ca, changed).ok, false);
    const other = await filesOf(openssl, await labOf('ec:P-384'));
    const leaf = openssl.file('leaf.pem', pem('CERTIFICATE', der));
    assert.equal(openssl.attempt('verify', '-CAfile', other.ca, leaf).ok, false);
  });

  test('RFC 5280 §5.1: openssl verifies the CRL of each kind of CA and prints its fields', async () => {
    for (const caKey of caKeys) {
      const { ca, crl } = await filesOf(openssl, await labOf(caKey));
      const { ok, said } = openssl.attempt('crl', '-noout', '-CAfile', ca, '-in', crl);
      assert.ok(ok && said.includes('verify OK'), said);
      holds(
        fromUtf8(openssl.run('crl', '-noout', '-text', '-in', crl)),
        'Version 2 (0x1)',
        /X509v3 CRL Number: *\n +1\n/,
        'X509v3 Authority Key Identifier',
        'No Revoked Certificates.',
      );
    }
  });

  /** A CRL of the lab's CA with these entries. */
  async function crlOf(lab: Lab, revoked: readonly RevokedCertificate[]) {
    const [ca] = lab.announced.chain;
    const issuerKeyIdentifier = ca && subjectKeyIdentifierOf(ca);
    assert.ok(ca && issuerKeyIdentifier);
    const scheme = { kind: 'RSASSA-PKCS1-v1_5', digest: digests['SHA-256'] } as const;
    const now = lab.clock.now();
    const tbs = encodeTbsCertList({
      scheme,
      issuer: ca.subject,
      issuerKeyIdentifier,
      thisUpdate: now,
      nextUpdate: now + 86_400_000,
      number: 4097,
      revoked,
    });
    const { keyReference } = await lab.deps.cas.of('default');
    const algorithm = { kind: 'RSASSA-PKCS1-v1_5', digest: 'SHA-256' } as const;
    const { octets } = await memorySigner.sign(keyReference, algorithm, tbs);
    return signed(tbs, scheme, octets);
  }

  test('RFC 5280 §5.1.2.6: openssl finds the certificates that our CRL lists revoked, and no others', async () => {
    const lab = await labOf('rsa:2048');
    const { ca } = await filesOf(openssl, lab);
    const [gone, kept] = [await issued(lab, { type: 'RSA', bits: 2048 }), lab.announced.ra.der];
    const revoked: RevokedCertificate[] = [
      {
        serial: readCertificate(gone).serial,
        revokedAt: lab.clock.now() - 60_000,
        reason: 'keyCompromise',
      },
      { serial: fromHex('00ff'), revokedAt: Date.UTC(2049, 11, 31), reason: 'unspecified' },
      { serial: fromHex('01'), revokedAt: Date.UTC(2050, 0, 1), reason: 'certificateHold' },
    ];
    const crl = openssl.file('crl2.pem', pem('X509 CRL', await crlOf(lab, revoked)));
    const { said } = openssl.attempt('crl', '-noout', '-text', '-CAfile', ca, '-in', crl);
    assert.match(said, /verify OK/);
    assert.match(said, /CRL Number: *\n +4097\n/);
    assert.match(said, /Serial Number: FF\n +Revocation Date: Dec 31 00:00:00 2049 GMT\n +Serial/);
    assert.match(said, /X509v3 CRL Reason Code: *\n +Key Compromise\n/);
    assert.match(said, /X509v3 CRL Reason Code: *\n +Certificate Hold\n/);
    assert.match(said, /Serial Number: 01\n +Revocation Date: Jan {2}1 00:00:00 2050 GMT/);
    const check = (der: Bytes) => {
      const leaf = openssl.file('leaf.pem', pem('CERTIFICATE', der));
      return openssl.attempt('verify', '-crl_check', '-CRLfile', crl, '-CAfile', ca, leaf);
    };
    assert.equal(check(kept).ok, true);
    assert.match(check(gone).said, /certificate revoked/);
  });

  test('RFC 5280 §5.1: a CRL of more entries than our own parser reads is written and verified', async () => {
    const lab = await labOf('rsa:2048');
    const { ca } = await filesOf(openssl, lab);
    const count = MAX_DER_NODES + 1000;
    const revoked = Array.from({ length: count }, (_, i) => ({
      serial: Uint8Array.of(0x40, i >> 8, i & 255),
      revokedAt: lab.clock.now(),
      reason: 'superseded' as const,
    }));
    const path = openssl.file('crl3.pem', pem('X509 CRL', await crlOf(lab, revoked)));
    const { said } = openssl.attempt('crl', '-noout', '-text', '-CAfile', ca, '-in', path);
    assert.match(said, /verify OK/);
    assert.equal(said.match(/Serial Number: /g)?.length, count);
  });

  test('RFC 5280 §4.1.1.3: the certificates that devices sign with are verified by openssl', async () => {
    const lab = await labOf('rsa:2048');
    const { message } = await enrolment(lab, { subject: 'CN=device-1' });
    const path = openssl.file('message', message);
    const printed = openssl.run('pkcs7', '-inform', 'DER', '-in', path, '-print_certs');
    const own = openssl.file('own.pem', printed);
    openssl.run('verify', '-check_ss_sig', '-partial_chain', '-CAfile', own, own);
    const [der] = fromPem('CERTIFICATE', fromUtf8(printed));
    assert.ok(der);
    const bad = openssl.file('bad.pem', pem('CERTIFICATE', flipped(der, der.length - 1, 1)));
    const verifying = ['verify', '-check_ss_sig', '-partial_chain', '-CAfile', bad, bad];
    assert.equal(openssl.attempt(...verifying).ok, false);
  });
});
