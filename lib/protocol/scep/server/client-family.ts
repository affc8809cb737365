// Which kind of client a message is from, as far as it can be told from what each was seen to send: for people, and
// for how it will poll. A client can look like any other: nothing is allowed by it.

import type { ClientFamily } from '../../../base/words.ts';
import type { KeyTransport } from '../../../crypto/key-transport.ts';

type Seen = {
  /** Its User-Agent; undefined where it sent none. */
  readonly agent: string | undefined;
  readonly transactionID: string;
  readonly transport: KeyTransport;
};

/** By the name that it gives itself. */
const byAgent: readonly (readonly [RegExp, ClientFamily])[] = [
  [/CFNetwork\/|\bDarwin\//, 'apple'],
  [/Cisco PKI/, 'cisco'],
  [/NDES client/, 'windows'],
];

/** By the form of the transactionID, of those who give no name but that of their HTTP library, or none. */
const byTransactionID: readonly (readonly [RegExp, RegExp, ClientFamily])[] = [
  // Base64 of a SHA-1; hexadecimal SHA-1 of the key; decimal digits of its SHA-256; hexadecimal MD5 of it.
  [/^Go-http-client\//, /^[A-Za-z0-9+/]{27}=$/, 'micromdm'],
  [/^Java\//, /^[0-9a-f]{40}$/, 'jscep'],
  [/^$/, /^\d{70,80}$/, 'certmonger'],
  [/^$/, /^[0-9A-F]{40}$/, 'strongswan'],
  [/^$/, /^[0-9A-F]{32}$/, 'sscep'],
];

/** Undefined where nothing that is known of clients fits. */
export function familyOf({ agent = '', transactionID, transport }: Seen): ClientFamily | undefined {
  const [, named] = byAgent.find(([pattern]) => pattern.test(agent)) ?? [];
  if (named) return named;
  // No other client was seen to wrap keys so.
  if (transport.kind === 'RSAES-OAEP' && transport.digest === 'SHA-1') return 'windows';
  return byTransactionID.find(
    ([library, form]) => library.test(agent) && form.test(transactionID),
  )?.[2];
}
