// A reply as it stands on the wire, read leniently: what is wrong with it is what the doctor is asked for.

import { type Element, tag } from '../../asn1/reader.ts';
import { type Bytes, fromLatin1 } from '../../base/bytes.ts';
import { Malformed } from '../../base/errors.ts';
import { readEnvelopedData } from '../../cms/enveloped-data.ts';
import {
  openContentInfo,
  readSignedData,
  type SignedData,
  singleAttribute,
} from '../../cms/signed-data.ts';
import type { ContentCipherName } from '../../crypto/algorithms.ts';
import { attributeOids, messageTypes, pkiStatus } from '../../protocol/scep/wire/registry.ts';
import { readAlgorithm } from '../../x509/algorithm.ts';
import type { Sent } from './facts.ts';
import { hasAnswered } from './wire/http.ts';

export type ReadReply = {
  readonly signedData: SignedData;
  /** Of the SignerInfo, dotted. */
  readonly signatureAlgorithm: string;
  readonly text: (attribute: keyof typeof attributeOids) => string | undefined;
  readonly octets: (attribute: keyof typeof attributeOids) => Bytes | undefined;
  readonly status: keyof typeof pkiStatus | undefined;
  /** Of the envelope in it, if that can be read. */
  readonly cipher: ContentCipherName | undefined;
};

/** @returns undefined for what is no CertRep, of whatever HTTP status */
export function readReply({ said }: Sent): ReadReply | undefined {
  if (!hasAnswered(said)) return undefined;
  try {
    const signedData = readSignedData(said.body);
    const { attributes, eContent } = signedData;
    const octets = (name: keyof typeof attributeOids) =>
      singleAttribute(attributes, attributeOids[name], tag.octetString);
    const text = (name: keyof typeof attributeOids) => {
      const value = singleAttribute(attributes, attributeOids[name], tag.printableString);
      return value && fromLatin1(value);
    };
    if (text('messageType') !== messageTypes.CertRep) return undefined;
    const code = text('pkiStatus');
    const names = Object.keys(pkiStatus) as (keyof typeof pkiStatus)[];
    return {
      ...{ signedData, text, octets },
      signatureAlgorithm: signatureAlgorithmIn(openContentInfo(said.body)),
      status: names.find((name) => pkiStatus[name] === code),
      cipher: eContent && eContent.length > 0 ? cipherIn(eContent) : undefined,
    };
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

/** Its last field is the SignerInfo, of which the last two, or the last before unsigned attributes. */
function signatureAlgorithmIn({ children }: Element): string {
  const fields = children.at(-1)?.children[0]?.children ?? [];
  const at = fields.findLastIndex((field) => field.tag === tag.octetString);
  const algorithm = fields[at - 1];
  return algorithm ? readAlgorithm(algorithm).oid : '';
}

function cipherIn(envelope: Bytes): ContentCipherName | undefined {
  try {
    return readEnvelopedData(envelope).cipher?.name;
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}
