// The page of Microsoft's Network Device Enrollment Service on which an administrator, or an MDM in his stead, finds a
// challenge. MDMs read it as text, so the sentences are NDES's own, octet by octet and in its order: the thumbprint is
// between the same tags before the challenge, and a reader that takes the first one for it is wrong at NDES, too.

import { type Bytes, concat, hex, utf8 } from '../base/bytes.ts';
import type { Charset } from '../config/outside/ndes.ts';

const page = (sentences: readonly string[]): string =>
  [
    '<HTML><Head><Title>Network Device Enrollment Service</Title></Head><Body>',
    '<P> Network Device Enrollment Service allows you to obtain certificates for routers or other network devices using the Simple Certificate Enrollment Protocol (SCEP). </P>',
    ...sentences.map((sentence) => `<P> ${sentence} </P>`),
    '</Body></HTML>',
    '',
  ].join('\r\n');

/** `A656FA66 AB12B433 A2DA5CF7 CC153D9A`. @param digest MD5 of the CA's certificate */
const thumbprint = (digest: Bytes): string =>
  (hex(digest).toUpperCase().match(/.{8}/g) ?? []).join(' ');

/** @param digest MD5 of the CA's certificate */
export const challengePage = (digest: Bytes, challenge: string): string =>
  page([
    'To complete certificate enrollment for your network device you will need the following information:',
    `The thumbprint (hash value) for the CA certificate is: <B> ${thumbprint(digest)} </B>`,
    `The enrollment challenge password is: <B> ${challenge} </B>`,
    'This password can be used only once and will expire within 60 minutes.',
    'Each enrollment requires a new challenge password. You can refresh this web page to obtain a new challenge password.',
  ]);

/** What NDES says, with status 200, while it gives no more. */
export const fullPage: string = page([
  'The password cache is full.',
  'Each challenge password expires within 60 minutes: ask again later, or have the limit of this account raised.',
]);

/** UTF-16LE comes with the byte order mark by which its readers know it. */
export function encoded(text: string, charset: Charset): Bytes {
  if (charset === 'utf-8') return utf8(text);
  const units = new Uint8Array(2 * text.length);
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    units[2 * at] = unit & 0xff;
    units[2 * at + 1] = unit >> 8;
  }
  return concat([new Uint8Array([0xff, 0xfe]), units]);
}
