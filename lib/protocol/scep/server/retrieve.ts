// What is asked for without a PKCS#10: the outcome of a request that waits (CertPoll, RFC 8894
// §3.3.3), a certificate (GetCert, §4.5), the CRL (GetCRL, §4.6).

import { type Bytes, equal, fromBase64, fromHex, hex } from '../../../base/bytes.ts';
import { Malformed, Outage } from '../../../base/errors.ts';
import { MAX_ISSUE_ROUNDS } from '../../../base/limits.ts';
import { OUTSIDE_MS } from '../../../base/mdm-limits.ts';
import { unsealPassword } from '../../../ca/approve/sealed.ts';
import type { AnsweringCa } from '../../../ca/authority/ca-certificates.ts';
import type { Deps, ServerDeps } from '../../../ca/deps.ts';
import { loadTransaction } from '../../../ca/enrol/lookup.ts';
import type { MessageSigner } from '../../../ca/enrol/request.ts';
import { resume } from '../../../ca/enrol/resume.ts';
import { certificateKey, pollKey } from '../../../ca/record/keys.ts';
import { View } from '../../../ca/record/unit-of-work.ts';
import { crlName, partitionFor } from '../../../ca/revoke/partitions.ts';
import { noteQuery } from '../../../ca/supersede.ts';
import { encodeCertsOnly } from '../../../cms/certs-only.ts';
import { openEnvelope, type SealedContent } from '../../../cms/enveloped-data.ts';
import type { Endpoint } from '../../../config/endpoint/endpoint.ts';
import { contentCiphers } from '../../../crypto/algorithms.ts';
import { isReleased } from '../../../ports/records/certificate.ts';
import { Refusal } from '../../../refusal/reasons.ts';
import { sameName } from '../../../x509/names/same-name.ts';
import type { PublicKey } from '../../../x509/public-key.ts';
import { type PkiMessage, readIssuerAndSerialNumber } from '../wire/decode.ts';
import { type Reply, type ReplyRecipient, requireSealable } from './reply.ts';

/** A pkiMessage, the endpoint that it came to, and the CA of that. */
export type Exchange = {
  readonly endpoint: Endpoint;
  readonly ca: AnsweringCa;
  readonly message: PkiMessage;
};

/**
 * The outcome of the request that this key made under this transactionID. The poll itself is never
 * decrypted, and the answer is in the algorithms of the request: Apple polls in SHA-1 and 3DES
 * whatever it used before.
 * @throws {Refusal} transactionUnknown, for a stranger's as for none
 */
export async function poll(
  deps: ServerDeps,
  { endpoint, ca, message: { transactionID, signedData } }: Exchange,
  key: PublicKey,
): Promise<Reply> {
  const until = deps.clock.now() + OUTSIDE_MS;
  for (let round = 0; round < MAX_ISSUE_ROUNDS; round++) {
    const view = new View(deps.store);
    const pointerKey = pollKey(endpoint.id, key.spki, transactionID);
    await view.load([{ kind: 'poll', key: pointerKey }]);
    const pointer = view.get('poll', pointerKey);
    const recorded = await loadTransaction(view, pointer?.transaction);
    const { transaction } = recorded;
    if (!transaction) throw new Refusal('transactionUnknown');
    const password = await unsealPassword(await deps.macKeys.live('pending'), transaction);
    const recipient: ReplyRecipient = {
      certificate: signedData.certificate,
      key,
      digest: transaction.reply.digest,
      cipher: contentCiphers[transaction.reply.cipher],
      challengePassword: password,
    };
    const found = await resume(deps, { ...recorded, endpoint, ca, view, until });
    switch (found.kind) {
      case 'issued':
        // The password is erased with the first answer; the request itself, sent again, has it.
        requireSealable(recipient);
        return {
          pkiStatus: 'SUCCESS',
          plaintext: encodeCertsOnly([found.certificate]),
          recipient,
          evidence: found.evidence,
        };
      case 'pending':
      case 'busy':
      case 'lapsed':
        return {
          pkiStatus: 'PENDING',
          digest: recipient.digest,
          evidence: { transaction: transaction.id },
        };
      case 'refused':
        return {
          pkiStatus: 'FAILURE',
          reason: found.reason,
          digest: recipient.digest,
          evidence: { transaction: transaction.id },
        };
      case 'new':
        throw new Refusal('transactionUnknown');
      case 'again':
    }
  }
  throw new Outage('too many requests compete for the same records');
}

/**
 * Whoever holds a good certificate of this endpoint may ask; anybody else is refused before a key of
 * ours is used. That it has signed is noted, where its renewal supersedes it. @throws {Refusal} certificateUnknown
 */
export async function requireHolder(
  deps: Deps,
  { endpoint, ca }: Exchange,
  { ours, certificate }: MessageSigner,
): Promise<void> {
  const view = new View(deps.store);
  if (!ours) throw new Refusal('certificateUnknown');
  const key = certificateKey(ca.id, hex(certificate.serial));
  await view.load([{ kind: 'certificate', key }]);
  const record = view.get('certificate', key);
  const same = record?.der !== undefined && equal(fromBase64(record.der), certificate.der);
  const good = same && record.state === 'issued' && certificate.notAfter > deps.clock.now();
  if (!good || record.endpoint !== endpoint.id) {
    throw new Refusal('certificateUnknown');
  }
  await noteQuery(deps, endpoint, view, record);
}

/** A certificate of this endpoint.
 * @throws {Refusal} certificateUnknown, for unwrap, parsing and not found alike */
export async function getCert(
  { store }: Deps,
  { endpoint, ca }: Exchange,
  sealed: SealedContent,
  fallback: Bytes,
): Promise<Bytes> {
  const view = new View(store);
  // One read in every case: `none` is the serial number of no certificate.
  const key = certificateKey(ca.id, wanted(ca, sealed, fallback) ?? 'none');
  await view.load([{ kind: 'certificate', key }]);
  const record = view.get('certificate', key);
  if (!record?.der || !isReleased(record) || record.endpoint !== endpoint.id) {
    throw new Refusal('certificateUnknown');
  }
  return encodeCertsOnly([fromBase64(record.der)]);
}

/** The CRL that tells of the certificate that is asked about. @throws {Refusal} certificateUnknown */
export async function getCrl(
  deps: Deps,
  { ca }: Exchange,
  sealed: SealedContent,
  fallback: Bytes,
): Promise<Bytes> {
  const serial = wanted(ca, sealed, fallback);
  if (serial === undefined) throw new Refusal('certificateUnknown');
  const view = new View(deps.store);
  const key = certificateKey(ca.id, serial);
  await view.load([{ kind: 'certificate', key }]);
  const record = view.get('certificate', key);
  const partitions = record ? [record.partition] : partitionsOf(ca, serial);
  const names = partitions.map((partition) => crlName(ca.id, partition));
  const crls = await Promise.all(names.map((name) => deps.served.newest(deps, name)));
  const ders = crls.flatMap((crl) => (crl ? [crl.der] : []));
  if (ders.length === 0) throw new Outage('no CRL has been published');
  return encodeCertsOnly([], ders);
}

/** Where a certificate stands that has no record, or whose record another hand has removed: in one CRL of each
 * generation, the latest first, or in the CA's own. */
function partitionsOf({ partitions, generations }: AnsweringCa, serial: string) {
  const isRa = generations.some(({ certificate }) => hex(certificate.serial) === serial);
  if (isRa || partitions.length === 0) return [undefined];
  return partitions.toReversed().map((one) => partitionFor({ partitions: [one] }, fromHex(serial)));
}

/** The serial number asked for, of this CA; the issuer may be named by the RA's subject (sscep). */
function wanted(ca: AnsweringCa, sealed: SealedContent, fallback: Bytes): string | undefined {
  const plaintext = openEnvelope(sealed, fallback);
  try {
    const { issuer, serialNumber } = readIssuerAndSerialNumber(plaintext);
    const issuers = [
      ca.certificate.subject,
      ...ca.generations.map(({ certificate }) => certificate.subject),
    ];
    return issuers.some((name) => sameName(name, issuer)) ? hex(serialNumber) : undefined;
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}
