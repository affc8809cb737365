// A Transaction begins: what is written of a request that has been allowed, whether its certificate
// is made at once or an approver is asked first.

import { base64, hex } from '../bytes.ts';
import { hash } from '../cms/native.ts';
import type { Transaction } from '../ports/records.ts';
import { ulid } from '../ulid.ts';
import { redact } from '../x509/csr.ts';
import { printName } from '../x509/name.ts';
import type { Deps } from './deps.ts';
import type { CertificateRequest } from './recall.ts';

/** The Transaction as it begins; the write that stores it says in which state. */
export function beginTransaction(
  { random }: Deps,
  request: CertificateRequest,
  now: number,
): Transaction {
  const { endpoint, ca, message, messageType, signer, csr, requestHash, recipient } = request;
  return {
    id: ulid(now, random(10)),
    endpoint: endpoint.id,
    ca: ca.id,
    state: 'intended',
    messageType,
    signer: signer.identity,
    requestHash,
    transactionIDs: [message.transactionID],
    subject: printName(csr.subject),
    csr: base64(redact(csr)),
    csrHash: hex(hash('SHA-256', csr.der)),
    names: [],
    profile: endpoint.profile.id,
    authorizedBy: [],
    undo: {},
    repeatUntil: now + endpoint.repeatMs,
    reply: { digest: recipient.digest, cipher: recipient.cipher.name },
    timeline: [],
    createdAt: now,
  };
}
