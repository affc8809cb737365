// PKIOperation (RFC 8894 §4.3): a pkiMessage in, a CertRep out. This page is the life of a request,
// step by step; each step is a file. Until it has read a signer to answer it throws `Malformed`; after that
// every fault of the message becomes a signed FAILURE. A fault of the service is thrown as `Outage` and never
// blamed on the device.

import type { Bytes } from '../../../base/bytes.ts';
import { OUTSIDE_MS } from '../../../base/mdm-limits.ts';
import type { Generation } from '../../../ca/authority/ca-certificates.ts';
import type { Deps, ServerDeps } from '../../../ca/deps.ts';
import { enrol } from '../../../ca/enrol/enrol.ts';
import { recordRefusal } from '../../../ca/enrol/record-refusal.ts';
import { hashesOf, identify, type MessageSigner } from '../../../ca/enrol/request.ts';
import { requireGoodKeys } from '../../../ca/policy/good-key.ts';
import type { Source } from '../../../ca/refused-sources.ts';
import type { EnvelopedData, SealedContent } from '../../../cms/enveloped-data.ts';
import type { Endpoint } from '../../../config/endpoint/endpoint.ts';
import { accepted, type Digest } from '../../../crypto/algorithms.ts';
import type { Client } from '../../../ports/records/transaction.ts';
import { Refusal, reasons } from '../../../refusal/reasons.ts';
import type { PublicKey } from '../../../x509/public-key.ts';
import { decodePkiMessage, type PkiMessage } from '../wire/decode.ts';
import { askedBy, type RequestType, requestTypeOf } from '../wire/registry.ts';
import { familyOf } from './client-family.ts';
import { inUniformTime, openRequest } from './open-request.ts';
import { asCertRep, encodeReply, type Reply, requireSealable } from './reply.ts';
import { type Exchange, getCert, getCrl, poll, requireHolder } from './retrieve.ts';
import {
  addressed,
  readEnvelope,
  screenEnvelope,
  verifyMessage,
  verifyPoll,
} from './verify-message.ts';

/** A pkiMessage as it came, and from where. */
export type Arrival = {
  readonly octets: Bytes;
  /** Undefined where no address is known. */
  readonly source?: Source;
  readonly client: Client;
};

/**
 * @returns the CertRep, DER
 * @throws {Malformed} when the message has no signer to answer
 * @throws {Outage} when our own side failed
 */
export async function pkiOperation(
  deps: ServerDeps,
  endpoint: Endpoint,
  { octets, source, client }: Arrival,
): Promise<Bytes> {
  // 1 to 3. The message is read until its signer is known, to whom the answer goes.
  const message = decodePkiMessage(octets);
  const ca = await deps.cas.of(endpoint.ca);
  const exchange = { endpoint, ca, message };
  const envelope = readEnvelope(message);
  // The generation that the message is encrypted to signs the reply.
  let generation = addressed(ca, envelope)[0]?.generation ?? ca.current;
  let answer: Reply;
  try {
    // 4. Everything that is visible in clear: signature, message type, algorithms, recipient, lengths.
    const asked = await verify(deps, exchange, envelope);
    if (asked.messageType !== 'CertPoll') generation = asked.generation;
    answer = await decide(deps, exchange, asked, client);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    answer = { pkiStatus: 'FAILURE', reason: error.reason, evidence: error.evidence };
  }
  log(deps, endpoint, message, answer);
  if (answer.pkiStatus === 'FAILURE') countRefusal(deps, endpoint, source);
  // A digest that is refused is not signed with either: its collisions are why it is refused.
  const { digest } = message.signedData;
  const mirrored = digest && accepted(digest, endpoint.legacy) ? digest.reply : 'SHA-256';
  // 9. The CertRep.
  return encodeReply(deps, message, answer, { generation, mirrored });
}

/** A message that is what it says it is. */
type Verified =
  | { readonly messageType: 'CertPoll'; readonly key: PublicKey }
  | {
      readonly messageType: Exclude<RequestType, 'CertPoll'>;
      readonly signer: MessageSigner;
      readonly digest: Digest;
      readonly sealed: SealedContent;
      readonly generation: Generation;
    };

async function verify(
  deps: ServerDeps,
  exchange: Exchange,
  envelope: EnvelopedData | undefined,
): Promise<Verified> {
  const { endpoint, ca, message } = exchange;
  const messageType = requestTypeOf(message.messageType);
  // A poll asks for what is on record: its envelope is not opened.
  if (messageType === 'CertPoll') {
    return { messageType, key: (await verifyPoll(endpoint, message)).key };
  }
  const { key, digest } = await verifyMessage(endpoint.legacy, message);
  if (!messageType) throw new Refusal('messageTypeRefused');
  const signer = await identify(ca, message.signedData.certificate, key);
  if (messageType === 'GetCert' || messageType === 'GetCRL') {
    await requireHolder(deps, exchange, signer);
  }
  const { sealed, generation } = await screenEnvelope(deps.cas, endpoint, ca, envelope);
  return { messageType, signer, digest, sealed, generation };
}

async function decide(
  deps: ServerDeps,
  exchange: Exchange,
  asked: Verified,
  client: Client,
): Promise<Reply> {
  if (asked.messageType === 'CertPoll') return poll(deps, exchange, asked.key);
  const { endpoint, ca, message } = exchange;
  const { messageType, signer, digest, sealed } = asked;
  const { certificate, key } = signer;
  const { cipher } = sealed;
  const fallback = deps.random(cipher.keyOctets);
  const sealedFor = { certificate, key, digest: digest.reply, cipher };
  switch (messageType) {
    case 'GetCert':
    case 'GetCRL': {
      const recipient = { ...sealedFor, challengePassword: undefined };
      requireSealable(recipient);
      const find = messageType === 'GetCert' ? getCert : getCrl;
      const plaintext = await inUniformTime(deps.clock.sleep, () =>
        find(deps, exchange, sealed, fallback),
      );
      return { pkiStatus: 'SUCCESS', plaintext, recipient, evidence: {} };
    }
    case 'PKCSReq':
    case 'RenewalReq': {
      // 5. Opened and proven: one answer for every failure in here.
      const keys = signer.ours ? 'any' : endpoint.enrol.signer;
      const open = () =>
        openRequest(sealed, { signer: key, keys, fallback, legacy: endpoint.legacy });
      const csr = keys === 'same' ? await open() : await inUniformTime(deps.clock.sleep, open);
      const recipient = { ...sealedFor, challengePassword: csr.challengePassword };
      const hashes = hashesOf(endpoint.id, csr, signer);
      const { transactionID } = message;
      const { agent } = client;
      const family = familyOf({ agent, transactionID, transport: sealed.transport });
      const kept = {
        asked: askedBy[messageType],
        reply: { digest: digest.reply, cipher: cipher.name },
        client,
        ...(family ? { family } : {}),
      };
      const until = deps.clock.now() + OUTSIDE_MS;
      const request = { endpoint, ca, transactionID, signer, csr, kept, until, ...hashes };
      try {
        requireSealable(recipient);
        requireGoodKeys(deps.config, ca, csr.publicKey, key);
        // 6 to 8. Looked up, authorized, recorded, signed, recorded again.
        return asCertRep(await enrol(deps, request), recipient);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        // Proven and refused: recorded too, within a budget.
        return asCertRep(await recordRefusal(deps, request, error), recipient);
      }
    }
  }
}

function countRefusal({ tally, clock, log }: Deps, { id }: Endpoint, source?: Source): void {
  if (!source || !tally.refusedSources.count(id, source, clock.now())) return;
  const { address, refusals } = source;
  const detail = `more than ${refusals} messages that were refused`;
  log({ event: 'scep.sourceHeld', severity: 'warning', endpoint: id, source: address, detail });
}

function log(deps: Deps, endpoint: Endpoint, message: PkiMessage, answer: Reply): void {
  const reason = answer.pkiStatus === 'FAILURE' ? answer.reason : undefined;
  deps.log({
    event: 'scep.pkiOperation',
    severity: 'info',
    endpoint: endpoint.id,
    transactionID: message.transactionID,
    messageType: message.messageType,
    pkiStatus: answer.pkiStatus,
    reason,
    code: reason && reasons[reason].code,
    ...answer.evidence,
  });
}
