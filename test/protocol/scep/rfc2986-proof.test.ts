// From the sealed envelope to a proven request: only a request that is signed by its own key, with the
// algorithm it names, is given; every other one is the one refusal, whatever is wrong with it.

import assert from 'node:assert/strict';
import { createPrivateKey, sign } from 'node:crypto';
import { test } from 'node:test';
import { raw, scan } from '../../../lib/asn1/reader.ts';
import { bits, nullValue, objectIdentifier, sequence } from '../../../lib/asn1/writer.ts';
import { type Bytes, concat } from '../../../lib/base/bytes.ts';
import { readEnvelopedData } from '../../../lib/cms/enveloped-data.ts';
import { contentCiphers, digests } from '../../../lib/crypto/algorithms.ts';
import { rsaPrivateKey } from '../../../lib/crypto/native.ts';
import { openRequest } from '../../../lib/protocol/scep/server/open-request.ts';
import { type SignatureScheme, signatureAlgorithm } from '../../../lib/x509/algorithm.ts';
import { signed } from '../../../lib/x509/certificate.ts';
import { encodeRequestInfo, type ProvenRequest } from '../../../lib/x509/csr.ts';
import { parseName } from '../../../lib/x509/names/name.ts';
import { type PublicKey, readPublicKey } from '../../../lib/x509/public-key.ts';
import { random, seal } from '../../support/messages.ts';
import { nodeDigests, signers, type TestSigner } from '../../support/signed-data.ts';
import { flipped, vectorText } from '../../support/vectors.ts';

const ra = signers.rsa.certificate;
const decryptionKey = rsaPrivateKey(
  concat([
    createPrivateKey(vectorText('captures/pki/ra.key')).export({ type: 'pkcs8', format: 'der' }),
  ]),
);
const keyOf = ({ spki }: TestSigner): PublicKey => {
  const key = readPublicKey(scan(spki));
  assert.ok(key);
  return key;
};
const cipher = contentCiphers['AES-128'];

const legacy = { sha1: true, md5: true, des3: false, des: false };

function open(
  plaintext: Bytes,
  signer = keyOf(signers.rsa),
  keys: 'same' | 'any' = 'same',
): Promise<ProvenRequest> {
  const envelope = readEnvelopedData(seal(plaintext, ra));
  const [recipient] = envelope.recipients;
  assert.ok(recipient?.transport);
  const { transport, encryptedKey } = recipient;
  const sealed = { envelope, cipher, transport, encryptedKey, decryptionKey };
  return openRequest(sealed, { signer, keys, fallback: random(cipher.keyOctets), legacy });
}
const refuses = (plaintext: Bytes, what: string, ...rest: [PublicKey?, ('same' | 'any')?]) =>
  assert.rejects(
    open(plaintext, ...rest),
    { name: 'Refusal', reason: 'envelopeRejected', evidence: {} },
    what,
  );

const infoOf = (signer: TestSigner): Bytes =>
  encodeRequestInfo({ subject: parseName('CN=device'), names: [] }, signer.spki, 'secret');
const algorithms = {
  rsa: { kind: 'RSASSA-PKCS1-v1_5', digest: digests['SHA-256'] },
  'P-256': { kind: 'ECDSA', digest: digests['SHA-256'] },
  Ed25519: { kind: 'Ed25519', digest: digests['SHA-512'] },
} as const satisfies Record<string, SignatureScheme>;
type Kind = keyof typeof algorithms;

function request(kind: Kind, by: TestSigner = signers[kind]): Bytes {
  const info = infoOf(signers[kind]);
  const digest = kind === 'Ed25519' ? null : nodeDigests['SHA-256'];
  return signed(info, algorithms[kind], concat([sign(digest, info, by.privateKey)]));
}
const kinds = Object.keys(algorithms) as Kind[];

test('RFC 2986 §4: a request signed by its own key is given, for each kind of key', async () => {
  for (const kind of kinds) {
    const key = keyOf(signers[kind]);
    for (const keys of ['same', 'any'] as const) {
      const proven = await open(request(kind), key, keys);
      assert.deepEqual(proven.publicKey.spki, signers[kind].spki);
      assert.equal(proven.challengePassword, 'secret');
    }
  }
});

test('RFC 8894 §7.6 [75]: a request for another key than the signer is given only where any key is', async () => {
  for (const kind of kinds) {
    const other = keyOf(kind === 'rsa' ? signers['P-256'] : signers.rsa);
    await refuses(request(kind), kind, other, 'same');
    const proven = await open(request(kind), other, 'any');
    assert.deepEqual(proven.publicKey.spki, signers[kind].spki);
  }
});

test('RFC 8894 §7.6 [75]: a request signed by another key than the one in it is refused', async () => {
  const thief = signers['P-384'];
  const info = infoOf(signers['P-256']);
  const stolen = signed(
    info,
    algorithms['P-256'],
    concat([sign('sha256', info, thief.privateKey)]),
  );
  for (const keys of ['same', 'any'] as const) {
    await refuses(stolen, keys, keyOf(signers['P-256']), keys);
    await refuses(stolen, keys, keyOf(thief), keys);
  }
});

test('RFC 2986 §4.2: no changed octet of a request is proven', async () => {
  for (const kind of ['rsa', 'P-256'] as const) {
    const key = keyOf(signers[kind]);
    const der = request(kind);
    for (let at = 0; at < der.length; at++) {
      await refuses(flipped(der, at, 1 << ((at * 5) % 8)), `${kind} ${at}`, key, 'any');
    }
  }
});

test('RFC 2986 §4.2: no changed bit of the algorithm of a request is proven', async () => {
  for (const kind of kinds) {
    const der = request(kind);
    const [, algorithm] = scan(der).children;
    assert.ok(algorithm);
    for (let at = algorithm.start; at < algorithm.end; at++) {
      for (const mask of [1, 2, 4, 8, 16, 32, 64, 128]) {
        await refuses(flipped(der, at, mask), `${kind} ${at} ^ ${mask}`, keyOf(signers[kind]));
      }
    }
  }
});

test('RFC 2986 §4.2: a request is not proven by an algorithm that it does not name', async () => {
  for (const kind of kinds) {
    const [info, , signature] = scan(request(kind)).children.map(raw);
    assert.ok(info && signature);
    const named = [
      sequence(objectIdentifier('1.2.3')),
      sequence(objectIdentifier('1.2.3'), nullValue),
      sequence(objectIdentifier('1.2.840.113549.1.1.1'), nullValue),
      sequence(objectIdentifier('1.2.840.113549.1.1.10')),
      sequence(objectIdentifier('1.2.840.113549.1.1.10'), nullValue),
      ...kinds
        .filter((other) => other !== kind)
        .map((other) => signatureAlgorithm(algorithms[other])),
      signatureAlgorithm({ kind: 'RSASSA-PKCS1-v1_5', digest: digests['SHA-512'] }),
      signatureAlgorithm({ kind: 'ECDSA', digest: digests['SHA-384'] }),
    ];
    for (const algorithm of named) {
      const renamed = sequence(info, algorithm, signature);
      await refuses(renamed, kind, keyOf(signers[kind]));
    }
  }
});

test('RFC 2986 §4: what is no request is refused, empty or random or cut', async () => {
  const der = request('P-256');
  for (const plaintext of [
    new Uint8Array(0),
    random(400),
    nullValue,
    sequence(),
    der.slice(1),
    der.slice(0, -1),
    concat([der, Uint8Array.of(0)]),
    sequence(der),
    sequence(...scan(der).children.slice(0, 2).map(raw), bits(new Uint8Array(0))),
  ]) {
    await refuses(plaintext, `${plaintext.length} octets`, keyOf(signers['P-256']));
  }
});
