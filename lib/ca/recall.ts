// What the store knows about a request: one consistent read, a second and third only if the first
// finds that the request, or the one that holds its challenge, has been here before.

import { hex } from '../bytes.ts';
import type { Endpoint } from '../config.ts';
import type { CertificateRecord, Challenge, Transaction } from '../ports/records.ts';
import type { PkiMessage } from '../scep/decode.ts';
import type { ProvenRequest } from '../scep/request.ts';
import { type Certificate, isIssuedBy } from '../x509/certificate.ts';
import type { PublicKey } from '../x509/public-key.ts';
import type { Ca } from './ca-certificates.ts';
import { challengeKeys } from './challenges.ts';
import type { Deps } from './deps.ts';
import { certificateIdentity, certificateKey, keyIdentity, keyOwnerKey, pollKey } from './keys.ts';
import type { ReplyRecipient } from './reply.ts';
import { View } from './view.ts';

/** A request for a certificate whose signatures have all been verified. */
export type CertificateRequest = {
  readonly endpoint: Endpoint;
  readonly ca: Ca;
  readonly message: Pick<PkiMessage, 'transactionID'>;
  readonly messageType: 'PKCSReq' | 'RenewalReq';
  readonly signer: Signer;
  readonly recipient: ReplyRecipient;
  readonly csr: ProvenRequest;
  /** `requestKey` of it. */
  readonly requestHash: string;
};

/** Who signed the pkiMessage. */
export type Signer = {
  readonly certificate: Certificate;
  readonly key: PublicKey;
  readonly identity: string;
  /** This CA issued the certificate; whether it is still good only the store knows. */
  readonly ours: boolean;
};

/** "Ours" by the CA's signature, not by a name. */
export async function identify(ca: Ca, certificate: Certificate, key: PublicKey): Promise<Signer> {
  const ours = await isIssuedBy(certificate, { subject: ca.certificate.subject, key: ca.key });
  const identity = ours ? certificateIdentity(certificate.der) : keyIdentity(key.spki);
  return { certificate, key, identity, ours };
}

export type Known = {
  /** Everything that was read; a decision may read more into it. */
  readonly view: View;
  /** The newest Transaction of this very request, and the certificate that it is about. */
  readonly transaction: Transaction | undefined;
  readonly certificate: CertificateRecord | undefined;
  /** Key and record of the challenge that came along, if it is one of this endpoint. */
  readonly challenge: { readonly key: string; readonly record: Challenge } | undefined;
  /** The record of the certificate that signed, if this CA issued it. */
  readonly signer: CertificateRecord | undefined;
};

export async function recall(deps: Deps, request: CertificateRequest): Promise<Known> {
  const { endpoint, ca, csr, signer, message, requestHash } = request;
  const { challengePassword } = csr;
  const asked = endpoint.enrol.authorize.includes('challenge');
  const candidates =
    challengePassword && asked
      ? challengeKeys(await deps.macKeys.live('challenge'), endpoint.id, challengePassword)
      : [];
  const signerKey = signer.ours ? certificateKey(ca.id, hex(signer.certificate.serial)) : undefined;
  const view = new View(deps.store);
  await view.load([
    { kind: 'request', key: requestHash },
    { kind: 'poll', key: pollKey(endpoint.id, signer.key.spki, message.transactionID) },
    { kind: 'keyOwner', key: keyOwnerKey(ca.id, csr.publicKey.spki) },
    ...candidates.map((key) => ({ kind: 'challenge', key }) as const),
    ...(signerKey === undefined ? [] : [{ kind: 'certificate', key: signerKey } as const]),
  ]);
  const found = await loadTransaction(view, view.get('request', requestHash)?.transaction);
  const key = candidates.find((candidate) => view.get('challenge', candidate));
  const record = view.get('challenge', key);
  return {
    view,
    ...found,
    challenge: key !== undefined && record ? { key, record } : undefined,
    signer: view.get('certificate', signerKey),
  };
}

/** A Transaction with the certificate of its current attempt, read into the view. */
export async function loadTransaction(view: View, id: string | undefined) {
  if (id !== undefined) await view.load([{ kind: 'transaction', key: id }]);
  const transaction = view.get('transaction', id);
  const key = transaction?.serial && certificateKey(transaction.ca, transaction.serial);
  if (key) await view.load([{ kind: 'certificate', key }]);
  return { transaction, certificate: view.get('certificate', key || undefined) };
}

export const pointerTo = ({ requestHash }: CertificateRequest) =>
  ({ kind: 'request', key: requestHash }) as const;

/** Whether what was recalled of this request is, by what was just read, still all there is. */
export const isNewest = (
  { requestHash }: CertificateRequest,
  { view, transaction }: Known,
): boolean => view.get('request', requestHash)?.transaction === transaction?.id;
