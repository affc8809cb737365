// What people are shown of extensions and CRLs that openssl does not write.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { extensionOids } from '../../lib/asn1/oids.ts';
import { scan } from '../../lib/asn1/reader.ts';
import {
  bits,
  integer,
  objectIdentifier,
  octets,
  sequence,
  timeOf,
} from '../../lib/asn1/writer.ts';
import { type Bytes, hex } from '../../lib/base/bytes.ts';
import { digests } from '../../lib/crypto/algorithms.ts';
import { signatureAlgorithm } from '../../lib/x509/algorithm.ts';
import { describeCrl } from '../../lib/x509/describe/describe.ts';
import { describeExtensions } from '../../lib/x509/describe/extensions.ts';
import { readExtensions, securityIdentifier } from '../../lib/x509/extensions.ts';
import { parseName } from '../../lib/x509/names/name.ts';
import { malformed } from '../support/vectors.ts';

const described = (...extensions: Bytes[]) =>
  describeExtensions(readExtensions(scan(sequence(...extensions))));

test('a security identifier is described as it is written in an MDM', () => {
  const [shown] = described(securityIdentifier('S-1-5-21-1-2-3-1001'));
  assert.deepEqual(
    [shown?.name, shown?.value],
    ['securityIdentifier', ['sid:S-1-5-21-1-2-3-1001']],
  );
});

test('RFC 5280 §4.2.2.1: an AccessDescription without its location is shown as its octets', () => {
  const value = sequence(sequence(objectIdentifier('1.3.6.1.5.5.7.48.1')));
  const id = objectIdentifier(extensionOids.authorityInfoAccess);
  const [shown] = described(sequence(id, octets(value)));
  assert.deepEqual([shown?.name, shown?.value], ['authorityInfoAccess', [`#${hex(value)}`]]);
});

test('RFC 5280 §5.1: a CertificateList without a time, or without an issuer before it, is refused', () => {
  const algorithm = signatureAlgorithm({
    kind: 'RSASSA-PKCS1-v1_5',
    digest: digests['SHA-256'],
  });
  const [issuer, time] = [parseName('CN=issuer'), timeOf(Date.UTC(2026, 0, 1))];
  const list = (...fields: Bytes[]): Bytes =>
    sequence(sequence(integer(1), algorithm, ...fields), algorithm, bits(new Uint8Array(8)));
  assert.equal(describeCrl(list(issuer, time)).thisUpdate, '2026-01-01T00:00:00Z');
  for (const der of [list(issuer), list(integer(5), time), list()]) {
    assert.throws(() => describeCrl(der), malformed(/not a TBSCertList/));
  }
});
