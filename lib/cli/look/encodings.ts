// Finds the PEM blocks, base64 or DER in a file, and decides what each one is. A private key is recognized
// so that it is not read.

import { elementsIn } from '../../asn1/elements.ts';
import { type Element, oid, scan, tag } from '../../asn1/reader.ts';
import { type Bytes, fromBase64, fromLatin1 } from '../../base/bytes.ts';
import { Malformed } from '../../base/errors.ts';
import { type DescribedEncoding, describeContentInfo } from '../../protocol/scep/wire/describe.ts';
import {
  describeCertificate,
  describeCrl,
  describeProven,
  describePublicKey,
} from '../../x509/describe/describe.ts';

/** DER of every part; undefined for one that is said to be a private key.
 * @throws {SyntaxError} when the file has none of the three encodings */
export function partsOf(file: Bytes): (Bytes | undefined)[] {
  const [first = 0, second = 0] = file;
  if (first === tag.sequence && (second >= 0x80 || second === file.length - 2)) return [file];
  const text = fromLatin1(file);
  const blocks = pemBlocks(text);
  const octets = (base64: string): Bytes => {
    return fromBase64(base64.replace(/\s+/g, '').replaceAll('-', '+').replaceAll('_', '/'));
  };
  if (blocks.length > 0) {
    return blocks.map(({ label, body }) =>
      label.includes('PRIVATE KEY') ? undefined : octets(body),
    );
  }
  if (/-----BEGIN [A-Z0-9 ]{0,52}PRIVATE KEY-----/.test(text)) return [undefined];
  const whole = text.trim();
  if (whole === '') throw new SyntaxError('it is empty');
  const der = octets(whole);
  if (der[0] !== tag.sequence) throw new SyntaxError('its base64 is not DER');
  return [der];
}

/**
 * Every BEGIN that is followed by its END. One pass, however many begin and never end.
 */
function pemBlocks(text: string): { readonly label: string; readonly body: string }[] {
  const marks = [...text.matchAll(/-----(BEGIN|END) ([A-Z0-9 ]{1,64})-----/g)];
  return marks.flatMap((mark, i) => {
    const [begin, kind, label = ''] = mark;
    const next = marks[i + 1];
    if (kind !== 'BEGIN' || next?.[1] !== 'END' || next[2] !== label) return [];
    return [{ label, body: text.slice(mark.index + begin.length, next.index) }];
  });
}

/** Describes one DER value. @returns undefined for a private key @throws {Malformed} */
export async function describePart(der: Bytes): Promise<DescribedEncoding | undefined> {
  const shape = tagsIn(der);
  const inner = shape === signed ? tagsIn([...elementsIn(der)][0] ?? der) : '';
  if (/(^| )(17|18)( |$)/.test(inner)) return describeCrl(der);
  if (inner.startsWith('a0 ') || inner.split(' ').length >= 6) return describeCertificate(der);
  if (inner !== '') return describeProven(der);
  if (secrets.some((pattern) => pattern.test(shape))) return undefined;
  const root = scan(der);
  if (shape === publicKey && isAlgorithm(root.children[0])) return describePublicKey(der);
  if (root.children[0]?.tag === tag.oid) return describeContentInfo(der);
  throw new Malformed('not a certificate, request, CRL, public key or CMS message');
}

/** Identifier octets of the fields, hexadecimal. Certificates, requests and CRLs have the first. */
const signed = '30 30 03';
const publicKey = '30 03';
/** PKCS#8 in clear and encrypted, PKCS#1 and DSA, SEC 1, PKCS#12. */
const secrets = [/^02 30 04( |$)/, /^30 04$/, /^02( 02){5,}/, /^02 04( |$)/, /^02 30( 30)?$/];

/** Of a SEQUENCE in DER; '' for anything else. */
function tagsIn(der: Bytes): string {
  try {
    return [...elementsIn(der)].map(([first = 0]) => first.toString(16).padStart(2, '0')).join(' ');
  } catch (error) {
    if (error instanceof Malformed) return '';
    throw error;
  }
}

function isAlgorithm(element: Element | undefined): boolean {
  const [first] = element?.children ?? [];
  return first?.tag === tag.oid && oid(first) !== '';
}
