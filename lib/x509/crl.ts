// CertificateList (RFC 5280 §5): v2, full, with AKI and number. It is written entry by entry and
// never parsed again: a CRL may hold more entries than any parser's caps allow.

import { type Bytes, concat } from '../bytes.ts';
import { context, tag } from '../cms/der.ts';
import { integer, sequence, timeOf, tlv } from '../cms/der-writer.ts';
import { type SignatureScheme, signatureAlgorithm } from './algorithm.ts';
import { authorityKeyIdentifier, crlNumber } from './extensions.ts';

export type TbsCertList = {
  readonly scheme: SignatureScheme;
  /** Name, DER. */
  readonly issuer: Bytes;
  readonly issuerKeyIdentifier: Bytes;
  /** Milliseconds since 1970. */
  readonly thisUpdate: number;
  readonly nextUpdate: number;
  readonly number: number;
  readonly revoked: readonly RevokedCertificate[];
};

export type RevokedCertificate = {
  /** Content octets of the serial's INTEGER. */
  readonly serial: Bytes;
  readonly revokedAt: number;
};

export function encodeTbsCertList(list: TbsCertList): Bytes {
  const entries = list.revoked.map(({ serial, revokedAt }) =>
    sequence(tlv(tag.integer, serial), timeOf(revokedAt)),
  );
  return sequence(
    integer(1),
    signatureAlgorithm(list.scheme),
    list.issuer,
    timeOf(list.thisUpdate),
    timeOf(list.nextUpdate),
    // RFC 5280 §5.1.2.6: absent, not empty, when nothing is revoked.
    // Joined first: as arguments, so many would not fit on the stack.
    ...(entries.length > 0 ? [sequence(concat(entries))] : []),
    tlv(
      context(0),
      sequence(authorityKeyIdentifier(list.issuerKeyIdentifier), crlNumber(list.number)),
    ),
  );
}
