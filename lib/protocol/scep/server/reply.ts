// The CertRep of an outcome: algorithms of the request mirrored, sealed for its signer, signed by
// the RA generation that the request was encrypted to.

import { type Bytes, type Random, utf8 } from '../../../base/bytes.ts';
import { MIN_PASSWORD_ENVELOPE_OCTETS } from '../../../base/limits.ts';
import type { Generation } from '../../../ca/authority/ca-certificates.ts';
import type { Deps } from '../../../ca/deps.ts';
import type { Outcome } from '../../../ca/enrol/request.ts';
import { encodeCertsOnly } from '../../../cms/certs-only.ts';
import { sealForCertificate } from '../../../cms/enveloped-data.ts';
import { sealForPassword } from '../../../cms/password-envelope.ts';
import type { ContentCipher, DigestName } from '../../../crypto/algorithms.ts';
import type { Evidence } from '../../../refusal/evidence.ts';
import { type Reason, Refusal } from '../../../refusal/reasons.ts';
import type { Certificate } from '../../../x509/certificate.ts';
import { keyName, type PublicKey } from '../../../x509/public-key.ts';
import type { PkiMessage } from '../wire/decode.ts';
import { type CertRep, encodeCertRep } from '../wire/encode.ts';

/** What a CertRep says. */
export type Reply =
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

/** The recipient that a SUCCESS is sealed for, and the algorithms. */
export type ReplyRecipient = {
  readonly certificate: Certificate;
  readonly key: PublicKey;
  readonly digest: DigestName;
  readonly cipher: ContentCipher;
  readonly challengePassword: string | undefined;
};

/** What the core made of a request, as its device is told. */
export function asCertRep(outcome: Outcome, recipient: ReplyRecipient): Reply {
  switch (outcome.kind) {
    case 'issued': {
      const plaintext = encodeCertsOnly([outcome.certificate]);
      return { pkiStatus: 'SUCCESS', plaintext, recipient, evidence: outcome.evidence };
    }
    case 'pending':
      return { pkiStatus: 'PENDING', evidence: {} };
    case 'refused':
      return { pkiStatus: 'FAILURE', reason: outcome.reason, evidence: outcome.evidence ?? {} };
  }
}

/**
 * RFC 8894 §3.1: the reply to a key that cannot encrypt is keyed by the challengePassword, so there
 * must be one, whatever authorizes the request. @throws {Refusal} passwordEnvelopeImpossible
 */
export function requireSealable({ key, challengePassword }: ReplyRecipient): void {
  const octets = utf8(challengePassword ?? '').length;
  if (key.kind.type !== 'RSA' && octets < MIN_PASSWORD_ENVELOPE_OCTETS) {
    const allowed = `at least ${MIN_PASSWORD_ENVELOPE_OCTETS}`;
    throw new Refusal('passwordEnvelopeImpossible', {
      key: keyName(key.kind),
      octets,
      allowed,
    });
  }
}

type ReplySigner = {
  /** That the request was encrypted to. */
  readonly generation: Generation;
  /** The digest of an answer that names none. */
  readonly mirrored: DigestName;
};

/** The CertRep, DER. */
export async function encodeReply(
  { random, clock }: Pick<Deps, 'random' | 'clock'>,
  { transactionID, senderNonce }: PkiMessage,
  answer: Reply,
  { mirrored, generation }: ReplySigner,
): Promise<Bytes> {
  const digest = answer.pkiStatus === 'SUCCESS' ? answer.recipient.digest : answer.digest;
  const certRep = { transactionID, recipientNonce: senderNonce, senderNonce: random(16) };
  const result = await resultOf(random, answer);
  return encodeCertRep({ ...certRep, result }, generation.signer(digest ?? mirrored), clock.now());
}

async function resultOf(random: Random, outcome: Reply): Promise<CertRep['result']> {
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
  { plaintext, recipient }: Extract<Reply, { pkiStatus: 'SUCCESS' }>,
): Promise<Bytes> {
  const { key, cipher, certificate, challengePassword } = recipient;
  return key.kind.type === 'RSA'
    ? sealForCertificate(plaintext, cipher.name, { certificate, key }, random)
    : sealForPassword(plaintext, cipher.name, utf8(challengePassword ?? ''), random);
}
