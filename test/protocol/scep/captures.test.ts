// What real clients sent, from `test/vectors/`: every captured message is parsed, verified, decrypted
// and read, and compared with what the README beside it says. A file that no test covers fails here.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { context, scan } from '../../../lib/asn1/reader.ts';
import { type Bytes, fromLatin1, fromPem, fromUtf8, hex } from '../../../lib/base/bytes.ts';
import { openEnvelope, readEnvelopedData } from '../../../lib/cms/enveloped-data.ts';
import { singleAttribute, verifySignedData } from '../../../lib/cms/signed-data.ts';
import { rsaPrivateKey } from '../../../lib/crypto/native.ts';
import {
  decodePkiMessage,
  type PkiMessage,
  readIssuerAndSubject,
} from '../../../lib/protocol/scep/wire/decode.ts';
import { parseOperation } from '../../../lib/protocol/scep/wire/operation.ts';
import { attributeOids } from '../../../lib/protocol/scep/wire/registry.ts';
import { type Certificate, publicKeyOf, readCertificate } from '../../../lib/x509/certificate.ts';
import { readCertificationRequest, sameKey } from '../../../lib/x509/csr.ts';
import { printGeneralName, readGeneralNames } from '../../../lib/x509/names/general-name.ts';
import { printName } from '../../../lib/x509/names/name.ts';
import { verifySignature } from '../../../lib/x509/public-key.ts';
import { malformed, vector, vectorFiles, vectorText } from '../../support/vectors.ts';

/** A row of the README's table. */
type Capture = {
  readonly name: string;
  readonly messageType: string;
  readonly method: string;
  readonly octets: number;
  readonly digest: string;
  readonly signature: string;
  readonly cipher: string;
  readonly recipients: number;
  readonly constructed: boolean;
  readonly transactionID: { readonly starts: string; readonly length: number };
};

const readme = vectorText('captures/README.md');
const captures = readme.split('\n').flatMap((line): Capture[] => {
  const cells = line.split('|').map((cell) => cell.trim());
  const [, file = '', method = '', octets, algorithms = '', cipher = '', recipients] = cells;
  const [, name, messageType] = /^(\S+-type(\d+)(?:-2)?)\.der$/.exec(file) ?? [];
  const [, starts = '', length] = /^([^…]*)…\((\d+)\)$/.exec(cells[8] ?? '') ?? [];
  if (!name || !messageType) return [];
  const [digest = '', signature = ''] = algorithms.split(' / ');
  return [
    {
      name,
      messageType,
      method,
      octets: Number(octets),
      digest,
      signature,
      cipher,
      recipients: Number(recipients),
      constructed: cells[7] === 'DER, constructed encryptedContent',
      transactionID: { starts, length: Number(length) },
    },
  ];
});

const file = (name: string): Bytes => vector(`captures/${name}`);
const certificateFrom = (name: string): Certificate => {
  const [der] = fromPem('CERTIFICATE', vectorText(`captures/pki/${name}.pem`));
  assert.ok(der);
  return readCertificate(der);
};
const ra = certificateFrom('ra');
const ca = certificateFrom('ca');
const [pkcs8] = fromPem('PRIVATE KEY', vectorText('captures/pki/ra.key'));
const raKey = rsaPrivateKey(pkcs8 ?? new Uint8Array(0));

const ciphers: Record<string, string> = {
  'AES-128': 'aes-128-cbc',
  'AES-256': 'aes-256-cbc',
  '3DES': 'des-ede3-cbc',
  DES: 'des-cbc',
};

test('the table of captures names every captured file, and every file is there', () => {
  const expected = captures.flatMap(({ name }) =>
    ['der', 'http.txt', 'plain.der'].map((extension) => `${name}.${extension}`),
  );
  const present = vectorFiles('captures').filter(
    (name) => name !== 'README.md' && !name.startsWith('pki/'),
  );
  assert.deepEqual([...expected].sort(), present);
  assert.equal(captures.length, 18);
  const pki = ['ca.key', 'ca.pem', 'crl.pem', 'ra.key', 'ra.pem'];
  const split = ['raenc.key', 'raenc.pem', 'rasig.key', 'rasig.pem'];
  assert.deepEqual(vectorFiles('captures/pki'), [...pki, ...split]);
  assert.deepEqual(vectorFiles('smallstep-scep'), [
    'CertRep.der',
    'LICENSE',
    'PKCSReq.der',
    'testca2__CertRep_NoCertificatesForSigners.der',
    'testca2__ca2.pem',
    'testca__ca.crt',
  ]);
});

async function verdictOf({ signedData }: PkiMessage): Promise<string> {
  const { key, scheme } = signedData;
  return key && scheme ? verifySignedData(signedData, key, scheme) : 'refused';
}

for (const capture of captures) {
  const { name, messageType, digest, signature, transactionID } = capture;

  test(`RFC 5652 §5: ${name} is parsed as its README says, and its signature verifies`, async () => {
    const octets = file(`${name}.der`);
    assert.equal(octets.length, capture.octets);
    const message = decodePkiMessage(octets);
    assert.equal(message.messageType, messageType);
    assert.ok(message.transactionID.startsWith(transactionID.starts));
    assert.equal(message.transactionID.length, transactionID.length);
    assert.equal(message.senderNonce?.length, 16);
    assert.equal(message.nonceWrong, false);
    const { scheme } = message.signedData;
    assert.equal(message.signedData.digest?.name, digest);
    assert.equal(scheme?.digest.name, digest);
    assert.equal(scheme?.kind, signature === 'RSASSA-PSS' ? 'RSA-PSS' : 'RSASSA-PKCS1-v1_5');
    assert.equal(await verdictOf(message), 'good');
  });

  test(`RFC 5652 §6: ${name} decrypts to exactly the octets that were captured`, () => {
    const { eContent } = decodePkiMessage(file(`${name}.der`)).signedData;
    assert.ok(eContent);
    const envelope = readEnvelopedData(eContent);
    const { cipher, recipients } = envelope;
    assert.ok(cipher);
    assert.equal(ciphers[cipher.name], capture.cipher);
    assert.equal(recipients.length, capture.recipients);
    const [ours, ...more] = recipients.filter(({ names }) => names(ra));
    assert.equal(more.length, 0);
    assert.ok(ours?.transport);
    assert.equal(recipients.filter(({ names }) => names(ca)).length, capture.recipients - 1);
    const encryptedContent = scan(eContent).children[1]?.children[0]?.children[2]?.children[2];
    assert.equal(encryptedContent?.tag === context(0), capture.constructed);
    const fallback = new Uint8Array(cipher.keyOctets);
    const { transport, encryptedKey } = ours;
    const opened = openEnvelope(
      { envelope, cipher, transport, encryptedKey, decryptionKey: raKey },
      fallback,
    );
    assert.deepEqual(opened, file(`${name}.plain.der`));
  });

  test(`RFC 8894 §4.1: the HTTP request of ${name} is a PKIOperation`, () => {
    const [line = ''] = vectorText(`captures/${name}.http.txt`).split(/\r?\n/);
    const [, method, query = ''] = /^(GET|POST) \/scep\?(\S+) HTTP\/1\.1$/.exec(line) ?? [];
    assert.equal(method, capture.method);
    const operation = parseOperation(method === 'GET' ? 'GET' : 'POST', query);
    const message = method === 'GET' ? file(`${name}.der`) : undefined;
    assert.deepEqual(operation, { name: 'PKIOperation', message });
  });
}

test('RFC 8894 §4.1 [26]: the messages of the GETs came escaped, bare, url-safe and before the operation', () => {
  const queries = captures
    .filter(({ method }) => method === 'GET')
    .map(({ name }) => vectorText(`captures/${name}.http.txt`).split(' ')[1] ?? '');
  assert.equal(queries.length, 7);
  assert.ok(queries.some((query) => query.includes('%2B')));
  assert.ok(queries.some((query) => query.includes('%3D')));
  const [urlSafe, ...others] = queries.filter((query) => query.startsWith('/scep?message='));
  assert.equal(others.length, 0);
  assert.match(urlSafe ?? '', /message=[A-Za-z0-9_-]+&operation=PKIOperation$/);
  assert.match(urlSafe ?? '', /_/);
});

type Expected = {
  readonly subject: string;
  readonly challengePassword: string | undefined;
  readonly names: readonly string[];
  readonly scheme: string;
  /** The key is the one that signed the message. */
  readonly sameKey: boolean;
};
const certmonger = (host: string): Expected => ({
  subject: `C=US,O=Interop,CN=${host}`,
  challengePassword: 'secret',
  names: [`dns:${host.toLowerCase()}.example.test`],
  scheme: 'RSASSA-PKCS1-v1_5 SHA-256',
  sameKey: true,
});
const micromdm: Expected = {
  subject: 'CN=mm-host,OU=MDM,O=scep-client,C=US',
  challengePassword: 'secret',
  names: [],
  scheme: 'RSASSA-PKCS1-v1_5 SHA-256',
  sameKey: true,
};
const strongSwan: Expected = {
  subject: 'CN=ss-host,O=Interop,C=US',
  challengePassword: 'secret',
  names: ['dns:ss-host.example.test'],
  scheme: 'RSASSA-PKCS1-v1_5 SHA-256',
  sameKey: true,
};
const requests: Record<string, Expected> = {
  'certmonger/get-aes256-sha256-type19': certmonger('CapA'),
  'certmonger/get-des3-sha256-type19': certmonger('CapB'),
  'certmonger/get-nocaps-type19': certmonger('CapC'),
  'certmonger/poll-type19': certmonger('CapD'),
  'certmonger/renewal-rekey-type19': { ...certmonger('CapA'), sameKey: false },
  'certmonger/renewal-same-key-type19': certmonger('CapA'),
  'micromdm-scepclient/des-sha1-type19': micromdm,
  'micromdm-scepclient/get-urlsafe-b64-type19': micromdm,
  'micromdm-scepclient/renewal-type17': micromdm,
  'strongswan-pki/aes128-sha256-type19': strongSwan,
  'strongswan-pki/aes128-sha512-utf8pw-type19': {
    ...strongSwan,
    challengePassword: 'sécret@1',
    scheme: 'RSASSA-PKCS1-v1_5 SHA-512',
  },
  'strongswan-pki/des3-sha1-type19': { ...strongSwan, scheme: 'RSASSA-PKCS1-v1_5 SHA-1' },
  'strongswan-pki/poll-type19': strongSwan,
  'strongswan-pki/profile-type19': strongSwan,
  'strongswan-pki/pss-sha256-type19': { ...strongSwan, scheme: 'RSA-PSS SHA-256' },
  'strongswan-pki/renewal-type17': {
    ...strongSwan,
    challengePassword: undefined,
    names: [],
    sameKey: false,
  },
};

test('RFC 2986 §4: every captured PKCS#10 says what its client was asked to send, and is proven', async () => {
  const pkcs10 = captures.filter(({ messageType }) => messageType !== '20');
  assert.deepEqual(pkcs10.map(({ name }) => name).sort(), Object.keys(requests).sort());
  for (const { name } of pkcs10) {
    const csr = readCertificationRequest(file(`${name}.plain.der`));
    const { key } = decodePkiMessage(file(`${name}.der`)).signedData;
    assert.ok(csr.publicKey && csr.scheme && key, name);
    const names = csr.subjectAltName ? readGeneralNames(scan(csr.subjectAltName)) : [];
    const read: Expected = {
      subject: printName(csr.subject),
      challengePassword: csr.challengePassword,
      names: names.map(printGeneralName),
      scheme: `${csr.scheme.kind} ${csr.scheme.digest.name}`,
      sameKey: sameKey(csr.publicKey, key),
    };
    assert.deepEqual(read, requests[name], name);
    assert.ok(await verifySignature(csr.publicKey, csr.scheme, csr.info, csr.signature), name);
  }
});

test('RFC 8894 §3.3.3 [62]: the captured CertPolls carry the name of the CA and of the request', () => {
  const polls = captures.filter(({ messageType }) => messageType === '20');
  assert.equal(polls.length, 2);
  for (const { name } of polls) {
    const { issuer, subject } = readIssuerAndSubject(file(`${name}.plain.der`));
    // strongSwan names the RA whose certificate it encrypted to.
    assert.equal(printName(issuer), printName(ra.subject));
    assert.equal(printName(subject), 'CN=ss-host,O=Interop,C=US');
    assert.throws(() => readCertificationRequest(file(`${name}.plain.der`)), malformed(/./));
  }
});

const smallstep = (name: string): Bytes => vector(`smallstep-scep/${name}`);

test('RFC 8894 §3.2: the PKCSReq of smallstep/scep is read with its SHA-1, 3DES and short nonce', async () => {
  const message = decodePkiMessage(smallstep('PKCSReq.der'));
  assert.equal(message.messageType, '19');
  assert.equal(message.transactionID, 'A13090761A30F66664F85D37433D2065E1112BA1');
  assert.equal(message.senderNonce?.length, 8);
  assert.equal(message.nonceWrong, false);
  assert.equal(message.signedData.digest?.name, 'SHA-1');
  assert.deepEqual(message.signedData.key?.kind, { type: 'RSA', bits: 2048 });
  assert.equal(await verdictOf(message), 'good');
  const envelope = readEnvelopedData(message.signedData.eContent ?? new Uint8Array(0));
  assert.equal(envelope.cipher?.name, '3DES');
  assert.equal(envelope.recipients.length, 1);
  assert.deepEqual(envelope.recipients[0]?.transport, { kind: 'RSAES-PKCS1-v1_5' });
  assert.equal(envelope.recipients[0]?.encryptedKey.length, 512);
});

test('RFC 8894 §3.3.2: the CertRep of smallstep/scep is read, with its single DES', async () => {
  const message = decodePkiMessage(smallstep('CertRep.der'));
  assert.equal(message.messageType, '3');
  const { signedData } = message;
  const status = singleAttribute(signedData.attributes, attributeOids.pkiStatus, 0x13);
  assert.equal(status && fromLatin1(status), '0');
  assert.deepEqual(publicKeyOf(signedData.certificate)?.kind, { type: 'RSA', bits: 4096 });
  assert.equal(await verdictOf(message), 'good');
  const envelope = readEnvelopedData(signedData.eContent ?? new Uint8Array(0));
  assert.equal(envelope.cipher?.name, 'DES');
});

test('RFC 8894 §2.3 [11]: a reply without the certificate of its signer is refused', () => {
  assert.throws(
    () => decodePkiMessage(smallstep('testca2__CertRep_NoCertificatesForSigners.der')),
    malformed(/do not hold exactly one of the signer/),
  );
});

test('RFC 5280 §4.1: the CA certificates of the vectors are read', () => {
  assert.equal(printName(ca.subject), printName(ca.issuer));
  assert.equal(printName(ra.issuer), printName(ca.subject));
  for (const name of ['raenc', 'rasig']) {
    assert.equal(printName(certificateFrom(name).issuer), printName(ca.subject));
  }
  const [mscep] = fromPem('CERTIFICATE', fromUtf8(smallstep('testca2__ca2.pem')));
  assert.ok(mscep);
  const { subject, serial } = readCertificate(mscep);
  assert.equal(printName(subject), 'CN=CERT-PROV-CA-MSCEP-RA,C=US');
  assert.equal(hex(serial), '4700000002f5400d7585dd8788000000000002');
  const [etcd] = fromPem('CERTIFICATE', fromUtf8(smallstep('testca__ca.crt')));
  assert.ok(etcd);
  assert.equal(printName(readCertificate(etcd).subject), 'OU=CA,O=etcd-ca,C=USA');
});
