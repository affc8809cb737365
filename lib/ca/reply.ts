// The CertRep of an outcome: algorithms of the request mirrored, sealed for its signer, signed by
// the RA generation that the request was encrypted to.

import type { ContentCipher, DigestName } from '../algorithms.ts';
import { type Bytes, utf8 } from '../bytes.ts';
import { sealForCertificate } from '../cms/enveloped-data.ts';
import { sealForPassword } from '../cms/password-envelope.ts';
import { type Evidence, type Reason, ScepFailure } from '../errors.ts';
import { MIN_PASSWORD_ENVELOPE_OCTETS } from '../limits.ts';
import type { Random } from '../ports/clock-and-random.ts';
import type { PkiMessage } from '../scep/decode.ts';
import { type CertRep, encodeCertRep } from '../scep/encode.ts';
import type { Certificate } from '../x509/certificate.ts';
import { keyName, type PublicKey } from '../x509/public-key.ts';
import type { Generation } from './ca-certificates.ts';

export type Outcome =
  | {
      readonly pkiStatus: 'SUCCESS';
      /** A degenerate certs-only message: the issued certificate, or what was asked for. */
      readonly plaintext: Bytes;
      readonly recipient: ReplyRecipient;
      readonly evidence: Evidence;
    }
  | { readonly pkiStatus: 'PENDING'; readonly digest?: DigestName; readonly evidence: Evidence }
  | {
      readonly pkiStatus: 'FAILURE';
      readonly reason: Reason;
      readonly digest?: DigestName;
      readonly evidence: Evidence;
    };

/** Whom a SUCCESS is sealed for, and in which algorithms. */
export type ReplyRecipient = {
  readonly certificate: Certificate;
  readonly key: PublicKey;
  readonly digest: DigestName;
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
    const allowed = `at least ${MIN_PASSWORD_ENVELOPE_OCTETS}`;
    throw new ScepFailure('passwordEnvelopeImpossible', {
      key: keyName(key.kind),
      octets,
      allowed,
    });
  }
}

/**
 * The CertRep, DER.
 * @param mirrored the digest for outcomes that name none
 * @param now milliseconds since 1970
 */
export async function encodeReply(
  random: Random,
  { transactionID, senderNonce }: PkiMessage,
  outcome: Outcome,
  mirrored: DigestName,
  generation: Generation,
  now: number,
): Promise<Bytes> {
  const digest = outcome.pkiStatus === 'SUCCESS' ? outcome.recipient.digest : outcome.digest;
  const certRep = { transactionID, recipientNonce: senderNonce, senderNonce: random(16) };
  const result = await resultOf(random, outcome);
  return encodeCertRep({ ...certRep, result }, generation.signer(digest ?? mirrored), now);
}

async function resultOf(random: Random, outcome: Outcome): Promise<CertRep['result']> {
  switch (outcome.pkiStatus) {
    case 'SUCCESS':
      return { pkiStatus: 'SUCCESS', pkcsPKIEnvelope: await seal(random, outcome) };
    case 'PENDING':
      return { pkiStatus: 'PENDING' };
    case 'FAILURE':
      return { pkiStatus: 'FAILURE', reason: outcome.reason };
  }
}

/** For the key that signed the request. */
async function seal(
  random: Random,
  { plaintext, recipient }: Extract<Outcome, { pkiStatus: 'SUCCESS' }>,
): Promise<Bytes> {
  const { key, cipher, certificate, challengePassword } = recipient;
  return key.kind.type === 'RSA'
    ? sealForCertificate(plaintext, cipher.name, certificate, key, random)
    : sealForPassword(plaintext, cipher.name, utf8(challengePassword ?? ''), random);
}
