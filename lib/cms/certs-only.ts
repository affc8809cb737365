// Degenerate certs-only SignedData (RFC 8894 §3.4, RFC 5652 §5): how GetCACert, a successful CertRep
// and GetCRL carry certificates and CRLs. No content, no signer.

import { contentTypes } from '../asn1/oids.ts';
import { context, Fields, raw, smallInteger, tag } from '../asn1/reader.ts';
import { integer, objectIdentifier, sequence, setOf, tlv } from '../asn1/writer.ts';
import type { Bytes } from '../base/bytes.ts';
import { contentInfo, openContentInfo } from './signed-data.ts';

/**
 * As ContentInfo, DER but for the order of the bags, which is the order given: clients take the
 * first certificate for theirs.
 */
export function encodeCertsOnly(
  certificates: readonly Bytes[],
  crls: readonly Bytes[] = [],
): Bytes {
  return contentInfo(
    sequence(
      integer(1),
      setOf(),
      withoutContent,
      ...(certificates.length > 0 ? [tlv(context(0), ...certificates)] : []),
      ...(crls.length > 0 ? [tlv(context(1), ...crls)] : []),
      setOf(),
    ),
  );
}

const withoutContent = sequence(objectIdentifier(contentTypes.data));

/** The certificates and CRLs of a degenerate SignedData, DER, in their order. @throws {Malformed} */
export function readCertsOnly(message: Bytes): { certificates: Bytes[]; crls: Bytes[] } {
  const fields = new Fields(openContentInfo(message), 'SignedData');
  smallInteger(fields.next(tag.integer, 'version'));
  fields.next(tag.set, 'digestAlgorithms');
  fields.next(tag.sequence, 'encapContentInfo');
  const certificates = fields.optional(context(0));
  const crls = fields.optional(context(1));
  return {
    certificates: (certificates?.children ?? []).map((element) => raw(element)),
    crls: (crls?.children ?? []).map((element) => raw(element)),
  };
}
