// PKCS#10s that ask for more than names, as MDMs have their devices do.

import { extensionOids, requestAttributeOids } from '../../lib/asn1/oids.ts';
import { tag } from '../../lib/asn1/reader.ts';
import {
  explicit,
  integer,
  objectIdentifier,
  octets,
  sequence,
  tlv,
} from '../../lib/asn1/writer.ts';
import { type Bytes, utf8 } from '../../lib/base/bytes.ts';
import type { ClientKey } from '../../lib/protocol/scep/client/client.ts';
import { signed } from '../../lib/x509/certificate.ts';
import { encodeGeneralNames, parseGeneralName } from '../../lib/x509/names/general-name.ts';
import { parseName } from '../../lib/x509/names/name.ts';
import { attribute } from './messages.ts';

export type AskedRequest = {
  readonly subject?: string;
  readonly names?: readonly string[];
  readonly challenge?: string;
  /** Extension elements, DER. */
  readonly extensions?: readonly Bytes[];
};

/** A PKCS#10, DER. */
export async function requestFor(key: ClientKey, asked: AskedRequest): Promise<Bytes> {
  const { subject = 'CN=device-1,O=Test', names = [], challenge, extensions = [] } = asked;
  const all = [
    ...(names.length > 0
      ? [
          sequence(
            objectIdentifier(extensionOids.subjectAltName),
            octets(encodeGeneralNames(names.map(parseGeneralName))),
          ),
        ]
      : []),
    ...extensions,
  ];
  const { challengePassword, extensionRequest } = requestAttributeOids;
  const info = sequence(
    integer(0),
    parseName(subject),
    key.spki,
    explicit(
      0,
      ...(challenge === undefined
        ? []
        : [attribute(challengePassword, tlv(tag.utf8String, utf8(challenge)))]),
      ...(all.length > 0 ? [attribute(extensionRequest, sequence(...all))] : []),
    ),
  );
  return signed(info, key.scheme, await key.sign(info));
}
