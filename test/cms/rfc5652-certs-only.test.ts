// Degenerate certs-only SignedData: certificates and CRLs in the order given, no content, no signer.
// What is read back, also from shells in BER, and what is refused.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { context, raw, scan, tag } from '../../lib/asn1/reader.ts';
import {
  explicit,
  integer,
  nullValue,
  objectIdentifier,
  octets,
  sequence,
  setOf,
  tlv,
} from '../../lib/asn1/writer.ts';
import type { Bytes } from '../../lib/base/bytes.ts';
import { encodeCertsOnly, readCertsOnly } from '../../lib/cms/certs-only.ts';
import { readSignedData } from '../../lib/cms/signed-data.ts';
import { indefinite } from '../support/messages.ts';
import { certify, cmsOids, content, signedDataOf, signers } from '../support/signed-data.ts';
import { malformed } from '../support/vectors.ts';

const [a, b, c] = ['CN=a', 'CN=b', 'CN=c'].map((name) =>
  certify(signers.rsa.spki, signers.rsa.privateKey, { name }),
) as [Bytes, Bytes, Bytes];
const crl = sequence(sequence(integer(1)), sequence(), nullValue);

test('RFC 5652 §5.1: certificates and CRLs are written and read in the order given', () => {
  const none: Bytes[] = [];
  for (const certificates of [none, [a], [a, b, c], [c, a, b], [a, a]]) {
    for (const crls of [none, [crl], [crl, crl]]) {
      const message = encodeCertsOnly(certificates, crls);
      assert.deepEqual(readCertsOnly(message), { certificates, crls });
    }
  }
  assert.deepEqual(readCertsOnly(encodeCertsOnly([b])), { certificates: [b], crls: [] });
});

test('RFC 8894 §3.4 [48]: a certs-only message has no content, no digest algorithm and no signer', () => {
  const message = encodeCertsOnly([a], [crl]);
  const [version, digests, encapsulated, certificates, crls, signerInfos, ...more] = (
    scan(message).children[1]?.children[0]?.children ?? []
  ).map(raw);
  assert.deepEqual(version, integer(1));
  assert.deepEqual(digests, setOf());
  assert.deepEqual(encapsulated, sequence(objectIdentifier(cmsOids.data)));
  assert.deepEqual(certificates, tlv(context(0), a));
  assert.deepEqual(crls, tlv(context(1), crl));
  assert.deepEqual(signerInfos, setOf());
  assert.equal(more.length, 0);
  assert.equal(scan(message).der, true);
  assert.throws(() => readSignedData(message), malformed(/not exactly one SignerInfo/));
});

test('RFC 5652 §5.1: an empty list of certificates or CRLs is left out', () => {
  const fields = (message: Bytes) =>
    scan(message).children[1]?.children[0]?.children.map((element) => element.tag);
  assert.deepEqual(fields(encodeCertsOnly([])), [0x02, 0x31, 0x30, 0x31]);
  assert.deepEqual(fields(encodeCertsOnly([], [crl])), [0x02, 0x31, 0x30, 0xa1, 0x31]);
  assert.deepEqual(fields(encodeCertsOnly([a])), [0x02, 0x31, 0x30, 0xa0, 0x31]);
});

test('RFC 5652 §5: a certs-only message in BER, and one with a signer, give their certificates', () => {
  const encapsulated = indefinite(tag.sequence, objectIdentifier(cmsOids.data));
  const signedData = indefinite(
    tag.sequence,
    integer(1),
    setOf(),
    encapsulated,
    indefinite(context(0), a, b),
    indefinite(tag.set),
  );
  const message = indefinite(
    tag.sequence,
    objectIdentifier(cmsOids.signedData),
    indefinite(context(0), signedData),
  );
  assert.deepEqual(readCertsOnly(message), { certificates: [a, b], crls: [] });
  const { certificates } = readCertsOnly(signedDataOf());
  assert.deepEqual(certificates, [signers.rsa.certificate.der]);
});

test('RFC 5652 §3: what is not a SignedData is refused', () => {
  const type = objectIdentifier(cmsOids.signedData);
  for (const message of [
    new Uint8Array(0),
    nullValue,
    octets(content),
    a,
    sequence(objectIdentifier(cmsOids.envelopedData), explicit(0, sequence(integer(1)))),
    sequence(type, explicit(0, sequence())),
    sequence(type, explicit(0, sequence(integer(1)))),
    sequence(type, explicit(0, sequence(integer(1), setOf()))),
    sequence(type, explicit(0, setOf(integer(1)))),
  ]) {
    assert.throws(() => readCertsOnly(message), malformed(/./));
  }
});
