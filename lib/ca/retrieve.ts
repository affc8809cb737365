// What is asked for without a PKCS#10: the outcome of a request that waits (CertPoll, RFC 8894
// §3.3.3), a certificate (GetCert, §4.5), the CRL (GetCRL, §4.6).

import { contentCiphers } from '../algorithms.ts';
import { type Bytes, equal, fromBase64, hex } from '../bytes.ts';
import { encodeCertsOnly } from '../cms/certs-only.ts';
import { openEnvelope } from '../cms/enveloped-data.ts';
import type { Endpoint } from '../config.ts';
import { Malformed, Outage, ScepFailure } from '../errors.ts';
import { MAX_ISSUE_ROUNDS } from '../limits.ts';
import { isReleased } from '../ports/records.ts';
import { type PkiMessage, readIssuerAndSerialNumber } from '../scep/decode.ts';
import type { SealedRequest } from '../scep/request.ts';
import type { PublicKey } from '../x509/public-key.ts';
import { unsealPassword } from './approval.ts';
import type { Ca } from './ca-certificates.ts';
import type { Deps } from './deps.ts';
import { certificateKey, pollKey } from './keys.ts';
import { loadTransaction, type Signer } from './recall.ts';
import { type Outcome, type ReplyRecipient, requireSealable } from './reply.ts';
import { standing } from './standing.ts';
import { View } from './view.ts';

/**
 * The outcome of the request that this key made under this transactionID. The poll itself is never
 * decrypted, and the answer is in the algorithms of the request: Apple polls in SHA-1 and 3DES
 * whatever it used before.
 * @throws {ScepFailure} transactionUnknown, for a stranger's as for none
 */
export async function poll(
  deps: Deps,
  endpoint: Endpoint,
  ca: Ca,
  { transactionID, signedData }: PkiMessage,
  key: PublicKey,
): Promise<Outcome> {
  for (let round = 0; round < MAX_ISSUE_ROUNDS; round++) {
    const view = new View(deps.store);
    const pointerKey = pollKey(endpoint.id, key.spki, transactionID);
    await view.load([{ kind: 'poll', key: pointerKey }]);
    const pointer = view.get('poll', pointerKey);
    const { transaction, certificate } = await loadTransaction(view, pointer?.transaction);
    if (!transaction) throw new ScepFailure('transactionUnknown');
    const password = await unsealPassword(await deps.macKeys.live('pending'), transaction);
    const recipient: ReplyRecipient = {
      certificate: signedData.certificate,
      key,
      digest: transaction.reply.digest,
      cipher: contentCiphers[transaction.reply.cipher],
      challengePassword: password,
    };
    const found = await standing(deps, endpoint, ca, transaction, certificate, view);
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
        throw new ScepFailure('transactionUnknown');
      case 'again':
    }
  }
  throw new Outage('too many requests compete for the same records');
}

/**
 * Whoever holds a good certificate of this endpoint may ask; anybody else is refused before a key of
 * ours is used. @throws {ScepFailure} certificateUnknown
 */
export async function requireHolder(
  { store, clock }: Deps,
  endpoint: Endpoint,
  ca: Ca,
  { ours, certificate }: Signer,
): Promise<void> {
  const view = new View(store);
  if (!ours) throw new ScepFailure('certificateUnknown');
  const key = certificateKey(ca.id, hex(certificate.serial));
  await view.load([{ kind: 'certificate', key }]);
  const record = view.get('certificate', key);
  const same = record?.der !== undefined && equal(fromBase64(record.der), certificate.der);
  const good = same && record.state === 'issued' && record.notAfter > clock.now();
  if (!good || record.endpoint !== endpoint.id) {
    throw new ScepFailure('certificateUnknown');
  }
}

/** A certificate of this endpoint.
 * @throws {ScepFailure} certificateUnknown, for unwrap, parsing and not found alike */
export async function getCert(
  { store }: Deps,
  endpoint: Endpoint,
  ca: Ca,
  sealed: SealedRequest,
  fallback: Bytes,
): Promise<Bytes> {
  const view = new View(store);
  // One read in every case: there is no certificate without a serial number.
  const key = certificateKey(ca.id, wanted(ca, sealed, fallback) ?? 'none');
  await view.load([{ kind: 'certificate', key }]);
  const record = view.get('certificate', key);
  if (!record?.der || !isReleased(record) || record.endpoint !== endpoint.id) {
    throw new ScepFailure('certificateUnknown');
  }
  return encodeCertsOnly([fromBase64(record.der)]);
}

/** @throws {ScepFailure} certificateUnknown */
export async function getCrl(
  { crls }: Deps,
  _endpoint: Endpoint,
  ca: Ca,
  sealed: SealedRequest,
  fallback: Bytes,
): Promise<Bytes> {
  if (wanted(ca, sealed, fallback) === undefined) throw new ScepFailure('certificateUnknown');
  const crl = await crls.newest(ca.id);
  if (!crl) throw new Outage('no CRL has been published');
  return encodeCertsOnly([], [crl.der]);
}

/** The serial number asked for, of this CA; the issuer may be named by the RA's subject (sscep). */
function wanted(ca: Ca, sealed: SealedRequest, fallback: Bytes): string | undefined {
  const { envelope, cipher, transport, encryptedKey, decryptionKey } = sealed;
  const plaintext = openEnvelope(
    envelope,
    cipher,
    transport,
    encryptedKey,
    decryptionKey,
    fallback,
  );
  try {
    const { issuer, serialNumber } = readIssuerAndSerialNumber(plaintext);
    const issuers = [
      ca.certificate.subject,
      ...ca.generations.map(({ certificate }) => certificate.subject),
    ];
    return issuers.some((name) => equal(name, issuer)) ? hex(serialNumber) : undefined;
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}
