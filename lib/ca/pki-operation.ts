// PKIOperation (RFC 8894 §4.3): a pkiMessage in, a CertRep out. This page is the life of a request,
// step by step; each step is a file. Until somebody is known who can be answered it throws
// `Malformed`; from then on whatever is wrong with the message becomes a signed FAILURE. Trouble of
// our own is thrown as `Outage` and never blamed on the device.

import { accepted } from '../algorithms.ts';
import type { Bytes } from '../bytes.ts';
import type { EnvelopedData } from '../cms/enveloped-data.ts';
import type { Endpoint } from '../config.ts';
import { reasons, ScepFailure } from '../errors.ts';
import { decodePkiMessage, type PkiMessage } from '../scep/decode.ts';
import { requestTypeOf } from '../scep/registry.ts';
import { openRequest } from '../scep/request.ts';
import type { Ca, Generation } from './ca-certificates.ts';
import { certify } from './certify.ts';
import type { Deps } from './deps.ts';
import { requireGoodKeys } from './key-rules.ts';
import { requestKey } from './keys.ts';
import { identify } from './recall.ts';
import { refuse } from './refusal.ts';
import { encodeReply, type Outcome, requireSealable } from './reply.ts';
import { getCert, getCrl, poll, requireHolder } from './retrieve.ts';
import { addressed, readEnvelope, screenEnvelope, verifyMessage, verifyPoll } from './screen.ts';

/**
 * @param octets the pkiMessage as it came
 * @returns the CertRep, DER
 * @throws {Malformed} when there is nobody to answer to
 * @throws {Outage} when our own side failed
 */
export async function pkiOperation(deps: Deps, endpoint: Endpoint, octets: Bytes): Promise<Bytes> {
  const message = decodePkiMessage(octets);
  const ca = await deps.cas.of(endpoint.ca);
  const envelope = readEnvelope(message);
  // The generation that the message is encrypted to signs the reply.
  const answering = { generation: addressed(ca, envelope)[0]?.generation ?? ca.current };
  let outcome: Outcome;
  try {
    outcome = await decide(deps, endpoint, ca, message, envelope, answering);
  } catch (error) {
    if (!(error instanceof ScepFailure)) throw error;
    outcome = { pkiStatus: 'FAILURE', reason: error.reason, evidence: error.evidence };
  }
  log(deps, endpoint, message, outcome);
  // A digest that is refused is not signed with either: its collisions are why it is refused.
  const { digest } = message.signedData;
  const mirrored = digest && accepted(digest, endpoint.legacy) ? digest.reply : 'SHA-256';
  const now = deps.clock.now();
  return encodeReply(deps.random, message, outcome, mirrored, answering.generation, now);
}

async function decide(
  deps: Deps,
  endpoint: Endpoint,
  ca: Ca,
  message: PkiMessage,
  envelope: EnvelopedData | undefined,
  answering: { generation: Generation },
): Promise<Outcome> {
  const messageType = requestTypeOf(message.messageType);
  // A poll asks for what is on record: its envelope is not opened.
  if (messageType === 'CertPoll') {
    const { key } = await verifyPoll(endpoint, message);
    return poll(deps, endpoint, ca, message, key);
  }
  // 1. The signature, over the received octets, with algorithms this endpoint accepts.
  const { key, digest } = await verifyMessage(endpoint.legacy, message);
  // 2. The message type, by exact allow-list.
  if (!messageType) throw new ScepFailure('messageTypeRefused');
  const signer = await identify(ca, message.signedData.certificate, key);
  if (messageType === 'GetCert' || messageType === 'GetCRL') {
    await requireHolder(deps, endpoint, ca, signer);
  }
  // 3. Everything about the envelope that is visible in clear.
  const screened = await screenEnvelope(deps.cas, endpoint, ca, envelope);
  const { generation, ...sealed } = screened;
  answering.generation = generation;
  const { cipher } = sealed;
  const fallback = deps.random(cipher.keyOctets);
  const sealedFor = { certificate: signer.certificate, key, digest: digest.reply, cipher };
  switch (messageType) {
    case 'GetCert':
    case 'GetCRL': {
      const recipient = { ...sealedFor, challengePassword: undefined };
      requireSealable(recipient);
      const plaintext = await (messageType === 'GetCert' ? getCert : getCrl)(
        deps,
        endpoint,
        ca,
        sealed,
        fallback,
      );
      return { pkiStatus: 'SUCCESS', plaintext, recipient, evidence: {} };
    }
    case 'PKCSReq':
    case 'RenewalReq': {
      // 4. Opened and proven: one answer for every failure in here.
      const csr = await openRequest(
        sealed,
        key,
        signer.ours ? 'any' : 'same',
        fallback,
        endpoint.legacy,
      );
      const recipient = { ...sealedFor, challengePassword: csr.challengePassword };
      const requestHash = requestKey(endpoint.id, signer.identity, csr.info);
      const asked = { endpoint, ca, message, messageType, signer, recipient, csr, requestHash };
      try {
        requireSealable(recipient);
        // 5. Keys that are weak, blocked or our own.
        requireGoodKeys(deps.config, ca, csr.publicKey, key);
        // 6. Recalled, authorized, recorded, signed, recorded again.
        return await certify(deps, asked);
      } catch (error) {
        if (!(error instanceof ScepFailure)) throw error;
        // 7. Proven and refused: recorded too, within a budget.
        return refuse(deps, asked, error);
      }
    }
  }
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
