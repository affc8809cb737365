// What the store knows about a request, and what makes two requests the same one.

import { equal, hex } from '../bytes.ts';
import { hash } from '../cms/native.ts';
import type { Endpoint } from '../config.ts';
import { canonical } from '../log/canonical.ts';
import type { Recalled } from '../ports/transactions.ts';
import type { PkiMessage } from '../scep/decode.ts';
import type { ProvenRequest } from '../scep/request.ts';
import { readSignatureAlgorithm } from '../x509/algorithm.ts';
import type { Certificate } from '../x509/certificate.ts';
import { type PublicKey, verifySignature } from '../x509/public-key.ts';
import type { Ca } from './ca-certificates.ts';
import { challengeKeys } from './challenges.ts';
import type { Deps } from './deps.ts';
import type { ReplyRecipient } from './reply.ts';

/** A request for a certificate whose signatures have all been verified. */
export type CertificateRequest = {
  readonly endpoint: Endpoint;
  readonly ca: Ca;
  readonly message: PkiMessage;
  readonly messageType: 'PKCSReq' | 'RenewalReq';
  readonly signer: Signer;
  readonly recipient: ReplyRecipient;
  readonly csr: ProvenRequest;
  /** Hexadecimal SHA-256 over endpoint, signer identity and CertificationRequestInfo. */
  readonly requestHash: string;
};

/** Who signed the pkiMessage. */
export type Signer = {
  readonly certificate: Certificate;
  readonly key: PublicKey;
  /** `certificate:` and fingerprint if this CA issued it, else `key:` and the key's hash. */
  readonly identity: string;
  readonly ours: boolean;
};

/** "Ours" by the CA's signature, not by a name; whether it is still good only the store knows. */
export async function identify(ca: Ca, certificate: Certificate, key: PublicKey): Promise<Signer> {
  const scheme = readSignatureAlgorithm(certificate.signatureAlgorithm);
  const ours =
    scheme !== undefined &&
    equal(certificate.issuer, ca.certificate.subject) &&
    (await verifySignature(ca.key, scheme, certificate.tbs, certificate.signature));
  const identity = ours
    ? `certificate:${hex(hash('SHA-256', certificate.der))}`
    : `key:${hex(hash('SHA-256', key.spki))}`;
  return { certificate, key, identity, ours };
}

/** Two pkiMessages with the same hash ask for the same thing (a retry, a lost reply). */
export function requestHash(endpoint: string, signer: string, csr: ProvenRequest): string {
  const parts = ['request', endpoint, signer, hex(hash('SHA-256', csr.info))];
  return hex(hash('SHA-256', canonical(parts)));
}

/** One consistent read of all that decides about the request. */
export async function recall(deps: Deps, request: CertificateRequest): Promise<Recalled> {
  const { endpoint, csr } = request;
  const challenge = csr.challengePassword;
  return deps.transactions.recall({
    requestHash: request.requestHash,
    challenges: challenge ? challengeKeys(await deps.macKeys.live(), endpoint.id, challenge) : [],
  });
}
