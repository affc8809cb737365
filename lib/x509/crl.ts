// CertificateList (RFC 5280 §5): v2, full for what it tells of, with AKI and number. It is written entry by entry and
// never parsed again: a CRL may hold more entries than any parser's caps allow.

import { context, tag } from '../asn1/reader.ts';
import { integer, sequence, timeOf, tlv } from '../asn1/writer.ts';
import { type Bytes, concat } from '../base/bytes.ts';
import { type SignatureScheme, signatureAlgorithm } from './algorithm.ts';
import {
  authorityKeyIdentifier,
  crlNumber,
  crlReason,
  issuingDistributionPoint,
} from './extensions.ts';

type TbsCertList = {
  readonly scheme: SignatureScheme;
  /** Name, DER. */
  readonly issuer: Bytes;
  readonly issuerKeyIdentifier: Bytes;
  /** Milliseconds since 1970. */
  readonly thisUpdate: number;
  readonly nextUpdate: number;
  readonly number: number;
  /** URLs of the only certificates that it tells of; by default it tells of all. */
  readonly distributionPoint?: readonly string[];
  readonly revoked: readonly RevokedCertificate[];
};

/** RFC 5280 §5.3.1. */
const crlReasons = {
  unspecified: 0,
  keyCompromise: 1,
  cACompromise: 2,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
  certificateHold: 6,
  privilegeWithdrawn: 9,
  aACompromise: 10,
} as const;
type CrlReason = keyof typeof crlReasons;

/** By code; 8 stands in delta CRLs only, which we do not make. */
export const reasonNames: ReadonlyMap<number, string> = new Map([
  ...Object.entries(crlReasons).map(([name, code]) => [code, name] as const),
  [8, 'removeFromCRL'],
]);

export type RevokedCertificate = {
  /** Content octets of the serial's INTEGER. */
  readonly serial: Bytes;
  readonly revokedAt: number;
  readonly reason: CrlReason;
};

const entryExtensions = new Map(
  Object.entries(crlReasons).map(([reason, code]) => [
    reason,
    // §5.3.1: absent rather than unspecified.
    code === 0 ? new Uint8Array(0) : sequence(crlReason(code)),
  ]),
);

export function encodeTbsCertList(list: TbsCertList): Bytes {
  const { distributionPoint: urls = [] } = list;
  const entries = concat(
    list.revoked.map(({ serial, revokedAt, reason }) =>
      sequence(
        tlv(tag.integer, serial),
        timeOf(revokedAt),
        entryExtensions.get(reason) ?? new Uint8Array(0),
      ),
    ),
  );
  return sequence(
    integer(1),
    signatureAlgorithm(list.scheme),
    list.issuer,
    timeOf(list.thisUpdate),
    timeOf(list.nextUpdate),
    // RFC 5280 §5.1.2.6: absent, not empty, when nothing is revoked.
    ...(entries.length > 0 ? [sequence(entries)] : []),
    tlv(
      context(0),
      sequence(
        authorityKeyIdentifier(list.issuerKeyIdentifier),
        crlNumber(list.number),
        ...(urls.length > 0 ? [issuingDistributionPoint(urls)] : []),
      ),
    ),
  );
}
