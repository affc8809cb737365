// The messages that the doctor sends to a server which may be somebody else's. Each is a whole pkiMessage that no
// server can grant: a CertPoll for a transaction that nobody has begun (RFC 8894 §4.4 has it refused), and, for
// servers that know no CertPoll, a PKCSReq whose envelope holds no PKCS#10. So nothing is issued, no challenge is
// tried, and there is still a signed CertRep to look at.

import { hex } from '../../base/bytes.ts';
import {
  type Algorithms,
  buildPkiMessage,
  type CaCertResponse,
  type ClientKey,
  generateKey,
  issuerAndSubject,
  type PkiRequest,
  selfSigned,
} from '../../protocol/scep/client/client.ts';
import type { Certificate } from '../../x509/certificate.ts';
import { parseName } from '../../x509/names/name.ts';
import { random } from '../device/scep.ts';
import type { Message } from './facts.ts';

type Sender = {
  readonly key: ClientKey;
  readonly certificate: Certificate;
};

export async function makeSender(subject: string, now: number): Promise<Sender> {
  const key = await generateKey({ type: 'RSA', bits: 2048 });
  return { key, certificate: await selfSigned(key, parseName(subject), now, random) };
}

let own: Promise<Sender> | undefined;

/** Signs what cannot be granted: one key does for all of it. */
export function ownSender(now: number): Promise<Sender> {
  own ??= makeSender('CN=scepter doctor', now);
  return own;
}

export type Wanted = {
  readonly messageType: 'CertPoll' | 'PKCSReq';
  readonly ca: CaCertResponse;
  readonly algorithms: Algorithms;
  readonly sender: Sender;
};

/** A message that cannot be granted. @param filling characters that the name in its envelope is longer by */
export async function ungrantable(
  { messageType, ca, algorithms, sender }: Wanted,
  filling = 0,
): Promise<Message> {
  const units = Array.from({ length: Math.ceil(filling / 60) }, () => `OU=${'x'.repeat(50)}`);
  const subject = parseName(['CN=scepter doctor', ...units].join(','));
  return asMessage({
    ...algorithms,
    messageType,
    transactionID: hex(random(20)),
    senderNonce: random(16),
    plaintext: issuerAndSubject(ca, subject),
    ra: ca.ra,
    signer: sender,
  });
}

export const asMessage = async (request: PkiRequest): Promise<Message> => ({
  request,
  octets: await buildPkiMessage(request, random),
});

/** One whose target in a GET has at least so many characters, and hardly more. */
export async function ofLength(
  wanted: Wanted,
  characters: number,
  targetOf: (message: Message) => string,
): Promise<Message> {
  for (let filling = 0; ; ) {
    const message = await ungrantable(wanted, filling);
    const missing = characters - targetOf(message).length;
    if (missing <= 0) return message;
    filling += Math.max(60, Math.floor(missing * 0.65));
  }
}
