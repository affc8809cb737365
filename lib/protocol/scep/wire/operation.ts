// RFC 8894 §4.1: which operation an HTTP request asks for, from its raw query string. The query is
// never form-decoded: macOS, jscep and others send "+" unescaped, and it means "+".

import { type Bytes, fromBase64, fromLatin1 } from '../../../base/bytes.ts';
import { HttpFailure } from '../../../base/errors.ts';
import { MAX_MESSAGE_OCTETS } from '../../../base/limits.ts';

export type Operation =
  | { readonly name: 'GetCACaps' | 'GetCACert' | 'GetNextCACert' }
  /** `message` is the decoded GET parameter; a POST carries it in the body instead. */
  | { readonly name: 'PKIOperation'; readonly message: Bytes | undefined };

const names = ['GetCACaps', 'GetCACert', 'GetNextCACert', 'PKIOperation'] as const;

/**
 * @param rawQuery what follows the "?", undecoded
 * @throws {HttpFailure} 400 for no, an unknown or a repeated operation, and for a bad message
 */
export function parseOperation(method: 'GET' | 'POST', rawQuery: string): Operation {
  const parameters = new Map<string, string>();
  for (const pair of rawQuery.split('&')) {
    const [, key = '', value = ''] = /^([^=]*)=?(.*)$/s.exec(pair) ?? [];
    // A client whose URL ends in "?" appends one more, and an ingress escapes it.
    const name = percentDecode(key).toLowerCase().replace(/^\?+/, '');
    if (name !== 'operation' && name !== 'message') continue;
    if (parameters.has(name)) throw new HttpFailure(400, `the parameter ${name} stands twice`);
    parameters.set(name, value);
  }
  const asked = percentDecode(parameters.get('operation') ?? '').toLowerCase();
  // A POST without an operation can only be a PKIOperation; some clients send it so.
  const name =
    asked === '' && method === 'POST'
      ? 'PKIOperation'
      : names.find((candidate) => candidate.toLowerCase() === asked);
  if (!name) throw new HttpFailure(400, 'no operation of SCEP');
  if (name !== 'PKIOperation') return { name };
  return {
    name,
    message: method === 'GET' ? decodeMessage(parameters.get('message') ?? '') : undefined,
  };
}

/**
 * The `message` of a GET: base64, as clients escape it. Line ends are dropped, a space is taken for a "+"
 * that was form-decoded, and the URL-safe alphabet and missing padding are accepted.
 * @throws {HttpFailure} 400
 */
function decodeMessage(raw: string): Bytes {
  if (raw.length > 4 * MAX_MESSAGE_OCTETS) throw new HttpFailure(413, 'the message is too long');
  const text = percentDecode(raw)
    .replace(/[\r\n\t]/g, '')
    .replaceAll(' ', '+')
    .replaceAll('-', '+')
    .replaceAll('_', '/');
  let message: Bytes;
  try {
    message = fromBase64(text);
  } catch {
    throw new HttpFailure(400, 'the message is not base64');
  }
  if (message.length === 0) throw new HttpFailure(400, 'the message is empty');
  if (message.length > MAX_MESSAGE_OCTETS) throw new HttpFailure(413, 'the message is too long');
  return message;
}

/** Percent-decoding of octets, nothing else; a "%" that escapes nothing stays what it is. */
function percentDecode(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (run) =>
    fromLatin1(Uint8Array.from(run.slice(1).split('%'), (pair) => Number.parseInt(pair, 16))),
  );
}
