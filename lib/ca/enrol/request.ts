// The request of a device as the core knows it, and what it comes to, in no protocol's words. Every front
// door makes the one, and tells its device of the other.

import type { Bytes } from '../../base/bytes.ts';
import type { Endpoint } from '../../config/endpoint/endpoint.ts';
import type { Transaction } from '../../ports/records/transaction.ts';
import type { Evidence } from '../../refusal/evidence.ts';
import type { Reason } from '../../refusal/reasons.ts';
import { type Certificate, isIssuedBy } from '../../x509/certificate.ts';
import type { ProvenRequest } from '../../x509/csr.ts';
import type { PublicKey } from '../../x509/public-key.ts';
import type { Ca } from '../authority/ca-certificates.ts';
import { certificateIdentity, keyIdentity, requestKey } from '../record/keys.ts';

/**
 * What a front door hands over for `enrol()`, once all signatures have been verified and the PKCS#10 is
 * proven: where it came in, what is asked for, by what it is allowed (a challenge in the PKCS#10, or the
 * certificate that signed), and how the same request is known again.
 */
export type EnrolmentRequest = {
  readonly endpoint: Endpoint;
  readonly ca: Ca;
  /** What the device calls it: it finds and authorizes nothing. */
  readonly transactionID: string;
  readonly signer: MessageSigner;
  /** What the door wants kept with the Transaction, to answer later polls in kind, and for auditors. It decides
   * nothing. */
  readonly kept: Pick<Transaction, 'asked' | 'reply' | 'client' | 'family'>;
  readonly csr: ProvenRequest;
  /** Milliseconds since 1970: validators outside have until then. */
  readonly until: number;
  /** `requestKey` of it as an enrolment, whose identity is the key that it asks for, whoever signed. */
  readonly requestHash: string;
  /** Its identity as a renewal, which includes the certificate that signed, if this CA issued that. */
  readonly renewalHash: string | undefined;
};

/** Whoever signed the message, which need not be the key that a certificate is asked for. */
export type MessageSigner = {
  readonly certificate: Certificate;
  readonly key: PublicKey;
  readonly identity: string;
  /** This CA issued the certificate; whether it is still good only the store knows. */
  readonly ours: boolean;
};

/** What a request comes to. Trouble of our own is thrown as `Outage`. */
export type Outcome =
  /** The certificate, DER. */
  | { readonly kind: 'issued'; readonly certificate: Bytes; readonly evidence: Evidence }
  | { readonly kind: 'pending' }
  | Refused;

export type Refused = {
  readonly kind: 'refused';
  readonly reason: Reason;
  readonly evidence?: Evidence;
};

/** The two identities of a request. @param info CertificationRequestInfo, DER */
export const hashesOf = (
  endpoint: string,
  { publicKey, info }: Pick<ProvenRequest, 'publicKey' | 'info'>,
  { ours, identity }: Pick<MessageSigner, 'ours' | 'identity'>,
): Pick<EnrolmentRequest, 'requestHash' | 'renewalHash'> => ({
  requestHash: requestKey(endpoint, keyIdentity(publicKey.spki), info),
  renewalHash: ours ? requestKey(endpoint, identity, info) : undefined,
});

/** "Ours" by the CA's signature, not by a name. */
export async function identify(
  ca: Ca,
  certificate: Certificate,
  key: PublicKey,
): Promise<MessageSigner> {
  const ours = await isIssuedBy(certificate, { subject: ca.certificate.subject, key: ca.key });
  const identity = ours ? certificateIdentity(certificate.der) : keyIdentity(key.spki);
  return { certificate, key, identity, ours };
}
