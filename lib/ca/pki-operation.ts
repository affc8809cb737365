// PKIOperation (RFC 8894 §4.3): a pkiMessage in, a CertRep out. This page is the life of a request,
// step by step; each step is a file. Until somebody is known who can be answered it throws
// `Malformed`; from then on whatever is wrong with the message becomes a signed FAILURE. Trouble of
// our own is thrown as `Outage` and never blamed on the device.

import type { Bytes } from '../bytes.ts';
import type { Endpoint } from '../config.ts';
import { Outage, reasons, ScepFailure } from '../errors.ts';
import { MAX_ISSUE_ROUNDS } from '../limits.ts';
import { decodePkiMessage, type PkiMessage } from '../scep/decode.ts';
import { requestTypeOf } from '../scep/registry.ts';
import { openRequest } from '../scep/request.ts';
import { authorize } from './authorize.ts';
import type { Ca, Generation } from './ca-certificates.ts';
import type { Deps } from './deps.ts';
import { issue } from './issue.ts';
import { type CertificateRequest, identify, recall, requestHash } from './recall.ts';
import { encodeReply, type Outcome, requireSealable } from './reply.ts';
import { findRecipient, screenEnvelope, verifyMessage } from './screen.ts';

/**
 * @param octets the pkiMessage as it came
 * @returns the CertRep, DER
 * @throws {Malformed} when there is nobody to answer to
 * @throws {Outage} when our own side failed
 */
export async function pkiOperation(deps: Deps, endpoint: Endpoint, octets: Bytes): Promise<Bytes> {
  const now = deps.clock.now();
  const message = decodePkiMessage(octets);
  const ca = await deps.cas.of(endpoint.ca);
  // The generation that the request is encrypted to signs the reply; it is known on the way.
  let generation = ca.current;
  const answeredBy = (found: Generation) => {
    generation = found;
  };
  let outcome: Outcome;
  try {
    outcome = await decide(deps, endpoint, ca, message, now, answeredBy);
  } catch (error) {
    if (!(error instanceof ScepFailure)) throw error;
    outcome = { pkiStatus: 'FAILURE', reason: error.reason, evidence: error.evidence };
  }
  log(deps, endpoint, message, outcome);
  return encodeReply(deps.random, endpoint, message, outcome, generation, now);
}

async function decide(
  deps: Deps,
  endpoint: Endpoint,
  ca: Ca,
  message: PkiMessage,
  now: number,
  answeredBy: (generation: Generation) => void,
): Promise<Outcome> {
  // 1. The signature, over the received octets, with algorithms this endpoint accepts.
  const key = await verifyMessage(endpoint, message);
  // 2. The message type, by exact allow-list.
  const messageType = requestTypeOf(message.messageType);
  if (!messageType) throw new ScepFailure('messageTypeRefused');
  // 3. A poll and a query ask for what is on record; nothing has to be opened to say that it is not.
  if (messageType === 'CertPoll') throw new ScepFailure('transactionUnknown');
  if (messageType === 'GetCert' || messageType === 'GetCRL') {
    throw new ScepFailure('certificateUnknown');
  }
  // 4. Everything about the envelope that is visible in clear.
  const { envelope, cipher } = screenEnvelope(endpoint, message);
  const { generation, ...sealed } = await findRecipient(deps.cas, ca, envelope, cipher);
  answeredBy(generation);
  // 5. Opened and proven: one answer for every failure in here.
  const signer = await identify(ca, message.signedData.certificate, key);
  const fallback = deps.random(cipher.keyOctets);
  const csr = await openRequest(sealed, key, signer.ours ? 'any' : 'same', fallback);
  const { challengePassword } = csr;
  const recipient = { certificate: signer.certificate, key, cipher, challengePassword };
  requireSealable(recipient);
  const hash = requestHash(endpoint.id, signer.identity, csr);
  return certify(
    deps,
    { endpoint, ca, message, messageType, signer, recipient, csr, requestHash: hash },
    now,
  );
}

/** An attempt that lost a race starts over; a refusal rests on what was read, never on a race. */
async function certify(deps: Deps, request: CertificateRequest, now: number): Promise<Outcome> {
  const { recipient } = request;
  for (let round = 0; round < MAX_ISSUE_ROUNDS; round++) {
    // 6. What is known about this request, its challenge and its signer: one read.
    const recalled = await recall(deps, request);
    const { transaction, certificate: known } = recalled;
    if (transaction?.state === 'issued' && known?.state === 'issued' && known.der) {
      const evidence = { transaction: transaction.id, serial: known.serial, repeated: 1 };
      return { pkiStatus: 'SUCCESS', certificate: known.der, recipient, evidence };
    }
    if (transaction?.state === 'intended') throw new Outage('this request is being worked on');
    // 7. May it become a certificate, and which one?
    const decision = await authorize(deps, request, recalled, now);
    if (decision.kind === 'deny') return { pkiStatus: 'FAILURE', ...decision };
    // 8. Recorded, signed, verified, recorded again.
    const issued = await issue(deps, decision.authorization, now);
    if (issued === 'conflict') continue;
    const evidence = { transaction: issued.transaction, serial: issued.serial };
    return { pkiStatus: 'SUCCESS', certificate: issued.der, recipient, evidence };
  }
  throw new Outage('too many requests compete for the same records');
}

function log(deps: Deps, endpoint: Endpoint, message: PkiMessage, outcome: Outcome): void {
  const reason = outcome.pkiStatus === 'FAILURE' ? outcome.reason : undefined;
  deps.log({
    event: 'scep.pkiOperation',
    severity: 'info',
    endpoint: endpoint.id,
    transactionID: message.transactionID,
    messageType: message.messageType,
    pkiStatus: outcome.pkiStatus,
    reason,
    code: reason && reasons[reason].code,
    ...outcome.evidence,
  });
}
