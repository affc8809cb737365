// What the platform's parser prints of a certificate, held against what ours reads in it. What it
// prints in another way (names of rare attribute types, quoted names) it does not confirm, no more.

import { content, contextPrimitive, type Element } from '../../asn1/reader.ts';
import { type Bytes, fromLatin1, hex } from '../../base/bytes.ts';
import { type PlatformReading, readNatively } from '../../crypto/native.ts';
import type { Certificate } from '../certificate.ts';
import { attributeName, nameOf } from '../names/name.ts';
import type { PublicKey } from '../public-key.ts';

/**
 * What the platform reads, where it reads the same serial number, validity, subject and key.
 * @param der a Certificate, of which the signature is not looked at
 * @param own the same as our own parser reads it
 */
export function confirmed(
  der: Bytes,
  { serial, notBefore, notAfter, subject }: Certificate,
  key: PublicKey,
): PlatformReading | undefined {
  try {
    const read = readNatively(der);
    const same =
      read.serial === hex(serial) &&
      read.notBefore === notBefore &&
      read.notAfter === notAfter &&
      read.subject === printedSubject(subject) &&
      read.hasKey(key.native());
    return same ? read : undefined;
  } catch {
    return undefined; // one of the two cannot read it
  }
}

/** Whether it reads the same names in a subjectAltName: none but host names, mail and IP addresses. */
export const confirmsNames = (read: PlatformReading, { children }: Element): boolean =>
  read.subjectAltName === children.map(printedName).join(', ');

/** X509_NAME_print_ex of OpenSSL and BoringSSL: RFC 2253's escapes, a line for each RDN. */
const printedSubject = (subject: Bytes): string =>
  nameOf(subject)
    .map((rdn) =>
      rdn
        .map(({ type, value = '' }) => {
          return `${attributeName(type)}=${value.replace(/[,+"\\<>;]|^[# ]| $/g, '\\$&')}`;
        })
        .join(' + '),
    )
    .join('\n');

function printedName(name: Element): string {
  const octets = content(name);
  switch (name.tag) {
    case contextPrimitive(1):
      return `email:${fromLatin1(octets)}`;
    case contextPrimitive(2):
      return `DNS:${fromLatin1(octets)}`;
    case contextPrimitive(7):
      return `IP Address:${octets.length === 4 ? octets.join('.') : groups(hex(octets)).join(':')}`;
    default:
      return '';
  }
}

const groups = (digits: string): string[] =>
  (digits.match(/.{4}/g) ?? []).map((group) => group.replace(/^0{1,3}/, '').toUpperCase());
