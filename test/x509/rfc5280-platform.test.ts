// What the platform's parser prints of a certificate: it confirms what devices have, on each runtime, so
// that pkijs need not read it, and nothing that differs.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { extensionOids } from '../../lib/asn1/oids.ts';
import { scan } from '../../lib/asn1/reader.ts';
import type { Bytes } from '../../lib/base/bytes.ts';
import { digests } from '../../lib/crypto/algorithms.ts';
import { readNatively } from '../../lib/crypto/native.ts';
import { encodeTbsCertificate, readCertificate, signed } from '../../lib/x509/certificate.ts';
import { subjectAltName } from '../../lib/x509/extensions.ts';
import { confirmed, confirmsNames } from '../../lib/x509/lint/platform.ts';
import { parseGeneralName } from '../../lib/x509/names/general-name.ts';
import { parseName } from '../../lib/x509/names/name.ts';
import { readPublicKey } from '../../lib/x509/public-key.ts';
import { signers } from '../support/signed-data.ts';

const scheme = { kind: 'RSASSA-PKCS1-v1_5', digest: digests['SHA-256'] } as const;
const keyOf = (name: keyof typeof signers) =>
  readPublicKey(scan(signers[name].spki)) ?? assert.fail();
const good = {
  serial: new Uint8Array(16).fill(0x5a),
  issuer: parseName('CN=CA'),
  subject: parseName('CN=device-1,O=Test'),
  notBefore: Date.UTC(2026, 0, 1),
  notAfter: Date.UTC(2055, 11, 31, 23, 59, 59),
  spki: keyOf('rsa').spki,
  names: ['dns:host.example'],
};
function certificate(changes: Partial<typeof good> = {}): Bytes {
  const { names, ...fields } = { ...good, ...changes };
  const extensions = names.length > 0 ? [subjectAltName(names.map(parseGeneralName), false)] : [];
  return signed(encodeTbsCertificate({ ...fields, scheme, extensions }), scheme, new Uint8Array(1));
}

test('the platform confirms certificates for every kind of key', () => {
  for (const name of ['rsa', 'P-256', 'P-384', 'P-521', 'Ed25519'] as const) {
    const key = keyOf(name);
    const der = certificate({ spki: key.spki });
    assert.ok(confirmed(der, readCertificate(der), key), name);
  }
});

test('the platform confirms subjects as devices have them', () => {
  const subjects = [
    '',
    'CN=device-1',
    'CN=J\u00f6rg \u{1f600},O=Example\\, Inc.,C=DE',
    'CN=\\#1 \\<a\\>\\;b\\\\c\\"d=e\\+f,serialNumber=1,dnQualifier=2',
    'CN=\\ a\\ ,OU=b+O=c,DC=corp,DC=example,UID=u,SN=s,GN=g,title=t',
    'emailAddress=a@b.example,unstructuredName=n,L=l,ST=s,1.2.3.4=k',
  ];
  for (const subject of subjects) {
    const der = certificate({ subject: parseName(subject) });
    assert.ok(confirmed(der, readCertificate(der), keyOf('rsa')), subject);
  }
});

test('the platform confirms host names, mail and IP addresses, and no other names', () => {
  const names = (list: readonly string[]): boolean => {
    const der = certificate({ names: [...list] });
    const value = readCertificate(der).extensions.get(extensionOids.subjectAltName)?.value;
    return confirmsNames(readNatively(der), scan(value ?? assert.fail()));
  };
  const plain = ['dns:*.host.example', 'ip:10.0.0.1', 'ip:2001:db8::ab:1', 'ip:::ffff:1.2.3.4'];
  assert.ok(names(plain));
  assert.ok(names([...plain, 'email:a+b@host.example']));
  for (const other of ['uri:https://a.example/', 'upn:user@corp', 'uri:DNS:a', 'upn:DNS:a']) {
    assert.equal(names([other]), false, other);
    assert.equal(names([...plain, other]), false, other);
  }
});

test('the platform confirms nothing that differs', () => {
  const der = certificate();
  const own = readCertificate(der);
  const key = keyOf('rsa');
  assert.ok(confirmed(der, own, key));
  const others: Partial<typeof own>[] = [
    { serial: new Uint8Array(16).fill(0x5b) },
    { notBefore: own.notBefore + 1000 },
    { notAfter: own.notAfter - 1000 },
    { subject: parseName('CN=device-2,O=Test') },
    { subject: parseName('CN=device-1+O=Test') },
    { subject: parseName('CN=device-1') },
  ];
  for (const other of others) assert.equal(confirmed(der, { ...own, ...other }, key), undefined);
  assert.equal(confirmed(der, own, keyOf('P-256')), undefined);
  assert.equal(confirmed(der.subarray(0, -1), own, key), undefined);
});
