// Which digest, signature algorithm and key belong together: every pair of digestAlgorithm and
// signatureAlgorithm, parameters of all shapes, RSASSA-PSS parameter by parameter, EdDSA.

import assert from 'node:assert/strict';
import { constants, createSign } from 'node:crypto';
import { test } from 'node:test';
import { scan, tag } from '../../lib/asn1/reader.ts';
import {
  explicit,
  integer,
  nullValue,
  objectIdentifier,
  octets,
  sequence,
  tlv,
} from '../../lib/asn1/writer.ts';
import { type Bytes, concat } from '../../lib/base/bytes.ts';
import { readSignedData, verifySignedData } from '../../lib/cms/signed-data.ts';
import { type Digest, type DigestName, digests, oids } from '../../lib/crypto/algorithms.ts';
import {
  readDigestAlgorithm,
  readSignatureAlgorithm,
  type SignatureScheme,
  signatureAlgorithm,
} from '../../lib/x509/algorithm.ts';
import { type Knobs, signedDataOf, signers } from '../support/signed-data.ts';
import { malformed } from '../support/vectors.ts';

const identifier = (dotted: string, ...parameters: Bytes[]): Bytes =>
  sequence(objectIdentifier(dotted), ...parameters);
const digestNames = Object.keys(digests) as DigestName[];
const scheme = (algorithm: Bytes, digest?: Digest): SignatureScheme | undefined =>
  readSignatureAlgorithm(scan(algorithm), digest);

test('RFC 5754 §2: a digest algorithm has parameters NULL or none', () => {
  for (const name of digestNames) {
    const { oid } = digests[name];
    assert.equal(readDigestAlgorithm(scan(identifier(oid, nullValue))), digests[name]);
    assert.equal(readDigestAlgorithm(scan(identifier(oid))), digests[name]);
    for (const odd of [sequence(), integer(1), octets(new Uint8Array(0)), explicit(0)]) {
      assert.equal(readDigestAlgorithm(scan(identifier(oid, odd))), undefined);
    }
    assert.throws(
      () => readDigestAlgorithm(scan(identifier(oid, nullValue, nullValue))),
      malformed(/AlgorithmIdentifier has a field too many/),
    );
  }
  for (const unknown of ['1.2.840.113549.2.4', '2.16.840.1.101.3.4.2.7', '1.2.3', oids.mgf1]) {
    assert.equal(readDigestAlgorithm(scan(identifier(unknown, nullValue))), undefined);
  }
  for (const odd of [sequence(), sequence(nullValue), nullValue, objectIdentifier('1.2.3')]) {
    assert.throws(() => readDigestAlgorithm(scan(odd)), malformed(/AlgorithmIdentifier/));
  }
});

test('RFC 5652 §5.3: a signature algorithm with a digest of its own agrees with digestAlgorithm', () => {
  for (const own of digestNames) {
    for (const said of digestNames) {
      const rsa = scheme(identifier(digests[own].rsaOid, nullValue), digests[said]);
      const expected = { kind: 'RSASSA-PKCS1-v1_5', digest: digests[said] };
      assert.deepEqual(rsa, own === said ? expected : undefined, `${own} under ${said}`);
      const { ecdsaOid } = digests[own];
      if (!ecdsaOid) continue;
      const ecdsa = scheme(identifier(ecdsaOid), digests[said]);
      const expectedEcdsa = { kind: 'ECDSA', digest: digests[said] };
      assert.deepEqual(ecdsa, own === said ? expectedEcdsa : undefined, `${own} under ${said}`);
    }
  }
});

test('RFC 5652 §5.3: rsaEncryption is completed by digestAlgorithm and means nothing without it', () => {
  for (const name of digestNames) {
    for (const parameters of [[nullValue], []]) {
      assert.deepEqual(scheme(identifier(oids.rsaEncryption, ...parameters), digests[name]), {
        kind: 'RSASSA-PKCS1-v1_5',
        digest: digests[name],
      });
    }
    assert.equal(scheme(identifier(oids.rsaEncryption, sequence()), digests[name]), undefined);
  }
  assert.equal(scheme(identifier(oids.rsaEncryption, nullValue)), undefined);
});

test('RFC 5758 §3.2: parameters of ECDSA are absent; those of RSA are NULL or absent', () => {
  const { rsaOid, ecdsaOid } = digests['SHA-256'];
  assert.equal(scheme(identifier(ecdsaOid ?? ''))?.kind, 'ECDSA');
  assert.equal(scheme(identifier(rsaOid, nullValue))?.kind, 'RSASSA-PKCS1-v1_5');
  assert.equal(scheme(identifier(rsaOid))?.kind, 'RSASSA-PKCS1-v1_5');
  for (const odd of [sequence(), integer(1), octets(new Uint8Array(0))]) {
    assert.equal(scheme(identifier(rsaOid, odd)), undefined);
  }
  for (const odd of [nullValue, sequence(), objectIdentifier('1.2.840.10045.3.1.7')]) {
    assert.equal(scheme(identifier(ecdsaOid ?? '', odd)), undefined);
  }
});

test('RFC 8419 §2.2 §3: Ed25519 has no parameters and goes with SHA-512', () => {
  const expected = { kind: 'Ed25519', digest: digests['SHA-512'] };
  assert.deepEqual(scheme(identifier(oids.ed25519)), expected);
  assert.deepEqual(scheme(identifier(oids.ed25519), digests['SHA-512']), expected);
  assert.equal(scheme(identifier(oids.ed25519), digests['SHA-256']), undefined);
  assert.equal(scheme(identifier(oids.ed25519, nullValue)), undefined);
});

test('RFC 5280 §4.1.1.2: an algorithm outside the registry has no scheme', () => {
  const unknown = ['1.2.840.10040.4.3', '1.3.101.113', '1.2.840.113549.1.1.2', '1.3.14.3.2.29'];
  for (const dotted of [...unknown, oids.ecPublicKey, oids.rsaesOaep, digests['SHA-256'].oid]) {
    assert.equal(scheme(identifier(dotted), digests['SHA-256']), undefined, dotted);
    assert.equal(scheme(identifier(dotted, nullValue), digests['SHA-256']), undefined, dotted);
  }
});

type Pss = { hash?: Bytes; mask?: Bytes; salt?: number; trailer?: number };
/** RSASSA-PSS with those parameters that are given. */
function pss({ hash, mask, salt, trailer }: Pss): Bytes {
  return identifier(
    oids.rsassaPss,
    sequence(
      ...(hash ? [explicit(0, hash)] : []),
      ...(mask ? [explicit(1, mask)] : []),
      ...(salt === undefined ? [] : [explicit(2, integer(salt))]),
      ...(trailer === undefined ? [] : [explicit(3, integer(trailer))]),
    ),
  );
}
const digestId = (name: DigestName) => identifier(digests[name].oid, nullValue);
const mgf1 = (name: DigestName) => identifier(oids.mgf1, digestId(name));
const sha256 = { hash: digestId('SHA-256'), mask: mgf1('SHA-256') };

test('RFC 8017 A.2.3: RSASSA-PSS parameters are read, defaults where they are absent', () => {
  const read = (name: DigestName, saltOctets: number) => ({
    kind: 'RSA-PSS',
    digest: digests[name],
    saltOctets,
  });
  assert.deepEqual(scheme(pss({})), read('SHA-1', 20));
  assert.deepEqual(scheme(pss({ salt: 20, trailer: 1 })), read('SHA-1', 20));
  assert.deepEqual(scheme(pss({ hash: digestId('SHA-1') })), read('SHA-1', 20));
  for (const name of ['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512'] as const) {
    const salts = [0, 1, 20, digests[name].octets];
    for (const salt of salts) {
      const algorithm = pss({ hash: digestId(name), mask: mgf1(name), salt, trailer: 1 });
      assert.deepEqual(scheme(algorithm), read(name, salt));
      assert.deepEqual(scheme(algorithm, digests[name]), read(name, salt));
    }
  }
  assert.deepEqual(scheme(pss(sha256)), read('SHA-256', 20));
});

test('RFC 4055 §3.1: RSASSA-PSS with a mask of another digest is not accepted', () => {
  assert.equal(scheme(pss({ hash: digestId('SHA-256') })), undefined);
  assert.equal(scheme(pss({ mask: mgf1('SHA-256') })), undefined);
  assert.equal(scheme(pss({ hash: digestId('SHA-256'), mask: mgf1('SHA-512') })), undefined);
  const otherMask = identifier('1.2.3', digestId('SHA-256'));
  assert.equal(scheme(pss({ ...sha256, mask: otherMask })), undefined);
  assert.equal(scheme(pss({ ...sha256, mask: identifier(oids.mgf1) })), undefined);
});

test('RFC 4055 §3.1: RSASSA-PSS with a weak, unknown or contradicted digest is not accepted', () => {
  for (const name of ['MD5', 'SHA-224'] as const) {
    assert.equal(scheme(pss({ hash: digestId(name), mask: mgf1(name), salt: 0 })), undefined);
  }
  const unknown = identifier('1.2.3', nullValue);
  assert.equal(scheme(pss({ hash: unknown, mask: identifier(oids.mgf1, unknown) })), undefined);
  assert.equal(scheme(pss(sha256), digests['SHA-512']), undefined);
  assert.equal(scheme(pss(sha256), digests['SHA-1']), undefined);
});

test('RFC 8017 A.2.3: RSASSA-PSS with another trailer or a salt longer than the digest is not accepted', () => {
  for (const trailer of [0, 2, 188]) {
    assert.equal(scheme(pss({ ...sha256, salt: 32, trailer })), undefined);
  }
  assert.equal(scheme(pss({ ...sha256, salt: 33 })), undefined);
  assert.equal(scheme(pss({ ...sha256, salt: 2 ** 31 - 1 })), undefined);
  assert.equal(scheme(pss({ salt: 21 })), undefined);
  const negative = identifier(
    oids.rsassaPss,
    sequence(explicit(2, tlv(tag.integer, Uint8Array.of(0xff)))),
  );
  assert.throws(() => scheme(negative), malformed(/not a small INTEGER/));
});

test('RFC 4055 §3.1: RSASSA-PSS without parameters, or with something else for them, is not accepted', () => {
  assert.equal(scheme(identifier(oids.rsassaPss)), undefined);
  assert.equal(scheme(identifier(oids.rsassaPss, nullValue)), undefined);
  const twice = sequence(explicit(2, integer(20)), explicit(2, integer(20)));
  const disordered = sequence(explicit(2, integer(20)), explicit(0, digestId('SHA-1')));
  for (const parameters of [twice, disordered, sequence(nullValue), sequence(explicit(4))]) {
    assert.throws(
      () => scheme(identifier(oids.rsassaPss, parameters)),
      malformed(/field too many/),
    );
  }
});

async function verdict(knobs: Knobs): Promise<string> {
  const signedData = readSignedData(signedDataOf(knobs));
  const { key } = signedData;
  if (!key || !signedData.scheme) return 'no scheme';
  return verifySignedData(signedData, key, signedData.scheme);
}

test('RFC 5652 §5.3: a message whose algorithms do not belong together has no scheme', async () => {
  const { rsaOid, ecdsaOid = '' } = digests['SHA-256'];
  const [rsa, ec] = [signers.rsa, signers['P-256']];
  const sha1Rsa = identifier(digests['SHA-1'].rsaOid, nullValue);
  assert.equal(await verdict({ signatureAlgorithm: sha1Rsa }), 'no scheme');
  assert.equal(await verdict({ signatureAlgorithm: identifier(ecdsaOid) }), 'no scheme');
  assert.equal(await verdict({ signatureAlgorithm: identifier(oids.ed25519) }), 'no scheme');
  const rsaForEc = { signer: ec, signatureAlgorithm: identifier(rsaOid, nullValue) };
  assert.equal(await verdict(rsaForEc), 'no scheme');
  const pssForEc = { signer: ec, signatureAlgorithm: pss(sha256) };
  assert.equal(await verdict(pssForEc), 'no scheme');
  const keyType = { signer: ec, signatureAlgorithm: identifier(oids.ecPublicKey) };
  assert.equal(await verdict(keyType), 'no scheme');
  const sha256WithSha1Digest = {
    signer: rsa,
    digestAlgorithm: digestId('SHA-1'),
    signatureAlgorithm: identifier(rsaOid, nullValue),
  };
  assert.equal(await verdict(sha256WithSha1Digest), 'no scheme');
  assert.equal(await verdict({ signatureAlgorithm: identifier(rsaOid, nullValue) }), 'good');
});

test('RFC 5652 §5.3: a digest that is not the one of the message does not verify', async () => {
  // rsaEncryption takes whatever digestAlgorithm says, which is then not what was signed with.
  assert.equal(await verdict({ digestAlgorithm: digestId('SHA-512') }), 'digestWrong');
  assert.equal(await verdict({ digestAlgorithm: digestId('SHA-1') }), 'digestWrong');
  assert.equal(await verdict({ digestAlgorithm: identifier('1.2.3') }), 'no scheme');
  const { digest } = readSignedData(signedDataOf({ digestAlgorithm: identifier('1.2.3') }));
  assert.equal(digest, undefined);
});

test('RFC 4055 §3: RSASSA-PSS verifies with the salt that was used and with no other', async () => {
  // workerd's `sign` has no PSS and takes no KeyObject with options; its `createSign` has it.
  const pem = signers.rsa.privateKey.export({ type: 'pkcs8', format: 'pem' });
  const names = ['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512'] as const;
  for (const digest of names) {
    for (const saltLength of [0, 20, digests[digest].octets]) {
      const signing = (signedAttrs: Bytes) => {
        const padding = constants.RSA_PKCS1_PSS_PADDING;
        const signer = createSign(digest.replace('-', '')).update(signedAttrs);
        return concat([signer.sign({ key: pem, padding, saltLength })]);
      };
      const said = (salt: number) =>
        verdict({
          digest,
          sign: signing,
          signatureAlgorithm: pss({ hash: digestId(digest), mask: mgf1(digest), salt }),
        });
      assert.equal(await said(saltLength), 'good', `${digest} with ${saltLength}`);
      assert.equal(await said(saltLength === 0 ? 1 : saltLength - 1), 'signatureWrong');
    }
    const pkcs1 = {
      digest,
      signatureAlgorithm: pss({ hash: digestId(digest), mask: mgf1(digest) }),
    };
    assert.equal(await verdict(pkcs1), 'signatureWrong');
  }
});

test('RFC 5754 §3: what is written for a scheme is read as that scheme, and PSS is never written', () => {
  for (const name of digestNames) {
    const digest = digests[name];
    const rsa = { kind: 'RSASSA-PKCS1-v1_5', digest } as const;
    assert.deepEqual(scheme(signatureAlgorithm(rsa), digest), rsa);
    const ecdsa = { kind: 'ECDSA', digest } as const;
    if (digest.ecdsaOid) assert.deepEqual(scheme(signatureAlgorithm(ecdsa), digest), ecdsa);
    else assert.throws(() => signatureAlgorithm(ecdsa), TypeError);
  }
  const salted = { kind: 'RSA-PSS', digest: digests['SHA-256'], saltOctets: 32 } as const;
  assert.throws(() => signatureAlgorithm(salted), /nothing here signs with RSA-PSS/);
});
