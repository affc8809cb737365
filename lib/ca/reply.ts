// The CertRep of an outcome: algorithms of the request mirrored, sealed for its signer, signed by
// the RA generation that the request was encrypted to.

import { accepted, type ContentCipher } from '../algorithms.ts';
import { type Bytes, utf8 } from '../bytes.ts';
import { encodeCertsOnly } from '../cms/certs-only.ts';
import { sealForCertificate } from '../cms/enveloped-data.ts';
import { sealForPassword } from '../cms/password-envelope.ts';
import type { Endpoint } from '../config.ts';
import { type Evidence, type Reason, ScepFailure } from '../errors.ts';
import { MIN_PASSWORD_ENVELOPE_OCTETS } from '../limits.ts';
import type { Random } from '../ports/clock-and-random.ts';
import type { PkiMessage } from '../scep/decode.ts';
import { type CertRep, encodeCertRep } from '../scep/encode.ts';
import type { Certificate } from '../x509/certificate.ts';
import type { PublicKey } from '../x509/public-key.ts';
import type { Generation } from './ca-certificates.ts';

export type Outcome =
  | {
      readonly pkiStatus: 'SUCCESS';
      /** The issued certificate, DER. */
      readonly certificate: Bytes;
      readonly recipient: ReplyRecipient;
      readonly evidence: Evidence;
    }
  | { readonly pkiStatus: 'FAILURE'; readonly reason: Reason; readonly evidence: Evidence };

/** Whom a SUCCESS is sealed for, and in which cipher. */
export type ReplyRecipient = {
  readonly certificate: Certificate;
  readonly key: PublicKey;
  readonly cipher: ContentCipher;
  readonly challengePassword: string | undefined;
};

/**
 * RFC 8894 §3.1: the reply to a key that cannot encrypt is keyed by the challengePassword, so there
 * must be one, whatever authorizes the request. @throws {ScepFailure} passwordEnvelopeImpossible
 */
export function requireSealable({ key, challengePassword }: ReplyRecipient): void {
  const octets = utf8(challengePassword ?? '').length;
  if (key.kind.type !== 'RSA' && octets < MIN_PASSWORD_ENVELOPE_OCTETS) {
    throw new ScepFailure('passwordEnvelopeImpossible');
  }
}

/** The CertRep, DER. @param now milliseconds since 1970 */
export async function encodeReply(
  random: Random,
  { legacy }: Endpoint,
  { transactionID, senderNonce, signedData: { digest } }: PkiMessage,
  outcome: Outcome,
  generation: Generation,
  now: number,
): Promise<Bytes> {
  const result: CertRep['result'] =
    outcome.pkiStatus === 'SUCCESS'
      ? { pkiStatus: 'SUCCESS', pkcsPKIEnvelope: await seal(random, outcome) }
      : { pkiStatus: 'FAILURE', reason: outcome.reason };
  const certRep = { transactionID, recipientNonce: senderNonce, senderNonce: random(16), result };
  // A digest that is refused is not signed with either: its collisions are why it is refused.
  const mirrored = digest && accepted(digest, legacy) ? digest.reply : 'SHA-256';
  return encodeCertRep(certRep, generation.signer(mirrored), now);
}

/** The certificate, alone, for the key that signed the request. */
async function seal(
  random: Random,
  { certificate, recipient }: Extract<Outcome, { pkiStatus: 'SUCCESS' }>,
): Promise<Bytes> {
  const { key, cipher, challengePassword } = recipient;
  const plaintext = encodeCertsOnly([certificate]);
  return key.kind.type === 'RSA'
    ? sealForCertificate(plaintext, cipher.name, recipient.certificate, key.spki, random)
    : sealForPassword(plaintext, cipher.name, utf8(challengePassword ?? ''), random);
}
