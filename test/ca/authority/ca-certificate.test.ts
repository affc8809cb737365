// Certificates as the profile and the binding make them (shared design 4.7), and the CA's own.

import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe, test } from 'node:test';
import { extensionOids } from '../../../lib/asn1/oids.ts';
import { content, raw, scan, tag } from '../../../lib/asn1/reader.ts';
import { objectIdentifier, octets, sequence, setOf, tlv } from '../../../lib/asn1/writer.ts';
import { type Bytes, base64, equal, hex } from '../../../lib/base/bytes.ts';
import { BACKDATE_MS, RA_RELOAD_MS } from '../../../lib/base/limits.ts';
import type { Row } from '../../../lib/ports/store.ts';
import { readSignatureAlgorithm } from '../../../lib/x509/algorithm.ts';
import { type Certificate, readCertificate } from '../../../lib/x509/certificate.ts';
import { readGeneralNames } from '../../../lib/x509/names/general-name.ts';
import { parseName } from '../../../lib/x509/names/name.ts';
import { deviceKey } from '../../support/keys.ts';
import { type ChallengeOptions, type Lab, makeLab } from '../../support/lab.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { type EnrolOptions, enrolment } from '../../support/messages.ts';
import { certify, signers } from '../../support/signed-data.ts';

const lab = await makeLab();

async function answer(binding: ChallengeOptions, options: EnrolOptions = {}, from: Lab = lab) {
  // A key belongs to the names it is certified for first: other names, another key.
  const key = await deviceKey(JSON.stringify([options.subject, options.names, binding.names]));
  const sent = await enrolment(from, { key, challenge: await from.challenge(binding), ...options });
  return sent.read(await from.operate(sent.message));
}

async function issued(
  binding: ChallengeOptions,
  options: EnrolOptions = {},
  from: Lab = lab,
): Promise<Certificate> {
  const result = await answer(binding, options, from);
  assert.ok(result.pkiStatus === 'SUCCESS', JSON.stringify(result));
  return readCertificate(result.certificates[0] ?? new Uint8Array(0));
}

async function refused(code: string, binding: ChallengeOptions, options: EnrolOptions) {
  const result = await answer(binding, options);
  assert.ok(result.pkiStatus === 'FAILURE', 'it was issued');
  assert.match(result.text ?? '', new RegExp(`^${code}: `));
}

const extension = ({ extensions }: Certificate, id: keyof typeof extensionOids) =>
  extensions.get(extensionOids[id]);
const names = (certificate: Certificate) => {
  const value = extension(certificate, 'subjectAltName')?.value;
  return value
    ? readGeneralNames(scan(value)).map(({ kind, value: text }) => `${kind}:${text}`)
    : [];
};

test('RFC 5280 §4.2.1.2: a CA whose certificate on record has no subjectKeyIdentifier signs nothing, and says why', async () => {
  const store = new MemoryStore();
  const made = await makeLab({ store });
  const row = store.dump().find(({ kind }) => kind === 'authority') as Row<'authority'>;
  const [ca] = made.announced.chain;
  const spki = ca ? raw(ca.spki) : assert.fail();
  const bare = certify(spki, signers.rsa.privateKey, { name: 'CN=Lab CA,O=Lab', extensions: [] });
  const { key, rev } = row;
  const record = { ...row.record, chain: [base64(bare)] };
  assert.equal(
    await made.deps.store.write([{ do: 'put', kind: 'authority', key, rev, record }]),
    'done',
  );
  made.clock.at += RA_RELOAD_MS;
  await assert.rejects(
    made.deps.cas.of('default'),
    /the certificate of the CA "default" is not one of its key/,
  );
});

describe('what a certificate says', () => {
  test('RFC 5280 §4.1: version 3, issuer, key, signature by the CA', async () => {
    const certificate = await issued({});
    const [ca] = lab.announced.chain;
    assert.ok(ca);
    assert.ok(equal(certificate.issuer, ca.subject));
    const node = new X509Certificate(Buffer.from(certificate.der));
    assert.ok(node.verify(new X509Certificate(Buffer.from(ca.der)).publicKey));
    assert.ok(node.checkIssued(new X509Certificate(Buffer.from(ca.der))));
    const { spki } = await deviceKey('[null,null,null]');
    assert.ok(equal(new Uint8Array(node.publicKey.export({ type: 'spki', format: 'der' })), spki));
  });

  test('RFC 5280 §4.1.2.2: serials are 128 bits, positive, and all different', async () => {
    const serials = new Set<string>();
    for (let i = 0; i < 30; i++) {
      const { serial } = await issued({});
      assert.equal(serial.length, 16);
      assert.ok((serial[0] ?? 0x80) < 0x80);
      serials.add(hex(serial));
    }
    assert.equal(serials.size, 30);
  });

  test('validity starts five minutes back and lasts as the profile says', async () => {
    const { notBefore, notAfter } = await issued({});
    assert.equal(notBefore, lab.clock.now() - BACKDATE_MS);
    assert.equal(notAfter, lab.clock.now() + 365 * 86_400_000);
  });

  test('validity is clamped to the CA at both ends', async () => {
    const young = await makeLab({
      config: {
        cas: { default: { subject: 'CN=Young CA', key: 'rsa:2048', validity: '30d' } },
      },
    });
    const [ca] = young.announced.chain;
    const early = await issued({}, {}, young);
    assert.equal(early.notBefore, ca?.notBefore);
    assert.equal(early.notAfter, ca?.notAfter);
    young.clock.at += 29 * 86_400_000;
    assert.equal((await issued({}, {}, young)).notAfter, ca?.notAfter);
  });

  test('a CA that has expired issues nothing and says so to its operator, not to the device', async () => {
    const old = await makeLab({
      config: { cas: { default: { subject: 'CN=Old CA', key: 'rsa:2048', validity: '1d' } } },
    });
    old.clock.at += 2 * 86_400_000;
    const challenge = await old.challenge();
    const { message } = await enrolment(old, { challenge });
    const response = await old.fetch('/scep?operation=PKIOperation', {
      method: 'POST',
      body: message,
    });
    assert.equal(response.status, 503);
    assert.ok(old.log.some(({ detail }) => /has expired/.test(String(detail))));
  });

  test('RFC 5280 §4.2.1: extensions, their criticality and nothing else', async () => {
    const certificate = await issued({ names: ['dns:a.example'] });
    const critical = Object.fromEntries(
      [...certificate.extensions].map(([id, { critical: flag }]) => [id, flag]),
    );
    assert.deepEqual(critical, {
      [extensionOids.keyUsage]: true,
      [extensionOids.extKeyUsage]: false,
      [extensionOids.subjectKeyIdentifier]: false,
      [extensionOids.authorityKeyIdentifier]: false,
      [extensionOids.subjectAltName]: false,
      [extensionOids.cRLDistributionPoints]: false,
      [extensionOids.authorityInfoAccess]: false,
    });
    assert.equal(hex(extension(certificate, 'keyUsage')?.value ?? new Uint8Array(0)), '030205a0');
  });

  test('RFC 5280 §4.2.1.1: the AKI is the SKI of the CA', async () => {
    const certificate = await issued({});
    const [ca] = lab.announced.chain;
    const own = extension(certificate, 'authorityKeyIdentifier')?.value;
    const theirs = ca && extension(ca, 'subjectKeyIdentifier')?.value;
    assert.ok(own && theirs);
    assert.ok(equal(content(scan(own).children[0] ?? scan(own)), content(scan(theirs))));
  });

  test('keyEncipherment is for RSA keys only', async () => {
    const key = await deviceKey('ec', { type: 'EC', curve: 'P-256' });
    const certificate = await issued({}, { key });
    assert.equal(hex(extension(certificate, 'keyUsage')?.value ?? new Uint8Array(0)), '03020780');
  });

  test('RFC 8894 §2.2 [5], §3.3.4 [70]: CDP and AIA point to what is served by plain HTTP', async () => {
    const certificate = await issued({});
    const text = Buffer.from(certificate.der).toString('latin1');
    for (const [, path] of [...text.matchAll(/http:\/\/scep\.test(\/[a-z]+\/default\.[a-z]+)/g)]) {
      const response = await lab.fetch(path ?? '');
      assert.equal(response.status, 200);
    }
    assert.match(text, /http:\/\/scep\.test\/crl\/default\.crl/);
    assert.match(text, /http:\/\/scep\.test\/aia\/default\.cer/);
  });

  for (const [caKey, kind, digest] of [
    ['rsa:3072', 'RSASSA-PKCS1-v1_5', 'SHA-256'],
    ['ec:P-256', 'ECDSA', 'SHA-256'],
    ['ec:P-384', 'ECDSA', 'SHA-384'],
  ] as const) {
    test(`a CA with a key of ${caKey} signs with ${kind} and ${digest}`, async () => {
      const other = await makeLab({ caKey });
      const certificate = await issued({}, {}, other);
      const [ca] = other.announced.chain;
      assert.ok(ca);
      const node = new X509Certificate(Buffer.from(certificate.der));
      assert.ok(node.verify(new X509Certificate(Buffer.from(ca.der)).publicKey));
      const scheme = readSignatureAlgorithm(certificate.signatureAlgorithm);
      assert.deepEqual([scheme?.kind, scheme?.digest?.name], [kind, digest]);
    });
  }
});

describe('names come from the binding', () => {
  test('the subject is copied octet by octet', async () => {
    const subject = 'CN=Jürgen\\, the 1st,OU=a+UID=b,C=DE';
    assert.ok(equal((await issued({}, { subject })).subject, parseName(subject)));
  });

  test('a bound subject must be asked for; order does not matter, values do', async () => {
    const bound = { subject: 'CN=host,O=Interop,C=US' };
    assert.ok(await issued(bound, { subject: 'C=US,O=Interop,CN=host' }));
    await refused('SCEP-311', bound, { subject: 'CN=other,O=Interop,C=US' });
    await refused('SCEP-311', bound, { subject: 'CN=HOST,O=Interop,C=US' });
    await refused('SCEP-311', bound, { subject: 'CN=host,O=Interop' });
    await refused('SCEP-311', bound, { subject: 'CN=host,O=Interop,C=US,OU=extra' });
    await refused('SCEP-311', bound, { subject: 'CN=host,CN=host,O=Interop,C=US' });
    await refused('SCEP-311', bound, { subject: '' });
  });

  test('names that are bound are certified whether the CSR asks for them or not', async () => {
    const all = [
      'dns:a.example',
      'email:a@b.example',
      'uri:urn:x:1',
      'ip:192.0.2.7',
      'ip:2001:db8::1',
      'upn:a@corp.example',
    ];
    assert.deepEqual(names(await issued({ names: all })), all);
    assert.deepEqual(names(await issued({ names: all }, { names: ['dns:a.example'] })), all);
    assert.deepEqual(names(await issued({ names: all }, { names: all })), all);
  });

  test('RFC 8894 §2.1.2 [2]: a name that is not bound is refused, in every kind', async () => {
    for (const name of [
      'dns:b.example',
      'email:x@b.example',
      'uri:urn:x:2',
      'ip:192.0.2.8',
      'upn:x@corp.example',
    ]) {
      await refused('SCEP-312', {}, { names: [name] });
      await refused('SCEP-312', { names: ['dns:a.example'] }, { names: ['dns:a.example', name] });
    }
  });

  test('a CSR without subject needs bound names, which are then critical', async () => {
    await refused('SCEP-404', {}, { subject: '' });
    const certificate = await issued({ names: ['dns:a.example'] }, { subject: '' });
    assert.equal(extension(certificate, 'subjectAltName')?.critical, true);
  });

  test('extensions that a CSR asks for have no effect', async () => {
    const key = await deviceKey('[null,null,null]');
    const asked = [
      sequence(
        objectIdentifier('2.5.29.19'),
        tlv(tag.boolean, Uint8Array.of(0xff)),
        octets(sequence(tlv(tag.boolean, Uint8Array.of(0xff)))),
      ),
      sequence(objectIdentifier('2.5.29.15'), octets(tlv(tag.bitString, Uint8Array.of(1, 6)))),
      sequence(objectIdentifier('2.5.29.37'), octets(sequence(objectIdentifier('2.5.29.37.0')))),
      sequence(objectIdentifier('1.3.6.1.4.1.311.20.2'), octets(sequence())),
    ];
    const challenge = await lab.challenge();
    const plaintext = await csrWith(key.spki, challenge, sequence(...asked), key.sign);
    const certificate = await issued({}, { plaintext });
    assert.equal(extension(certificate, 'basicConstraints'), undefined);
    assert.equal(certificate.extensions.size, 6);
    assert.ok(!certificate.extensions.has('1.3.6.1.4.1.311.20.2'));
  });
});

/** A PKCS#10 for CN=device-1 with these extensions requested. */
async function csrWith(
  spki: Bytes,
  challenge: string,
  extensions: Bytes,
  sign: (message: Bytes) => Promise<Bytes>,
): Promise<Bytes> {
  const attribute = (type: string, value: Bytes) => sequence(objectIdentifier(type), setOf(value));
  const info = sequence(
    tlv(tag.integer, Uint8Array.of(0)),
    parseName('CN=device-1,O=Test'),
    spki,
    tlv(
      0xa0,
      attribute('1.2.840.113549.1.9.7', tlv(tag.printableString, Buffer.from(challenge))),
      attribute('1.2.840.113549.1.9.14', extensions),
    ),
  );
  const algorithm = sequence(objectIdentifier('1.2.840.113549.1.1.11'), tlv(tag.null));
  return sequence(info, algorithm, tlv(tag.bitString, Uint8Array.of(0), await sign(info)));
}

describe('names that cannot be certified', () => {
  for (const [subject, why] of [
    [`CN=${'x'.repeat(65)}`, 'a common name of 65 characters'],
    ['CN=a\\00b', 'a NUL'],
    ['CN=a\\0D\\0Ab', 'a line break'],
    ['CN=a\\E2\\80\\AEb', 'a bidi override'],
    ['CN=\\20', 'nothing but a space'],
    ['C=USA,CN=a', 'a country of three letters'],
    ['CN=a+CN=b', 'two common names in one RDN'],
  ] as const) {
    test(`${why} is refused`, async () => refused('SCEP-403', {}, { subject }));
  }
});

describe('the CA and its RA', () => {
  test('RFC 8894 §2.1.2 [1], §4.2.1.2 [3], §3.1 [12]: the CA signs certificates and CRLs only; the RA signs and deciphers', () => {
    const [ca] = lab.announced.chain;
    const { ra } = lab.announced;
    assert.ok(ca);
    assert.equal(hex(extension(ca, 'keyUsage')?.value ?? new Uint8Array(0)), '03020106');
    assert.equal(hex(extension(ra, 'keyUsage')?.value ?? new Uint8Array(0)), '030205a0');
    assert.ok(extension(ra, 'keyUsage')?.critical);
    assert.equal(
      hex(extension(ra, 'extKeyUsage')?.value ?? new Uint8Array(0)),
      '300c060a2b060104018237140201',
    );
    assert.ok(equal(ra.issuer, ca.subject));
  });
});
