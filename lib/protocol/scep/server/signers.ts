// The signer that the pkiMessage of a request would have, where there is only the request.

import { fromBase64 } from '../../../base/bytes.ts';
import { Malformed } from '../../../base/errors.ts';
import { BACKDATE_MS } from '../../../base/limits.ts';
import type { Ca } from '../../../ca/authority/ca-certificates.ts';
import type { MessageSigner } from '../../../ca/enrol/request.ts';
import { certificateIdentity, keyIdentity } from '../../../ca/record/keys.ts';
import type { CertificateRecord } from '../../../ports/records/certificate.ts';
import {
  encodeTbsCertificate,
  publicKeyOf,
  readCertificate,
  signed,
} from '../../../x509/certificate.ts';
import type { ProvenRequest } from '../../../x509/csr.ts';

/** Its own certificate, which it has made itself. */
export function selfSigner(
  { subject, publicKey }: ProvenRequest,
  { scheme }: Ca,
  now: number,
): MessageSigner {
  const tbs = encodeTbsCertificate({
    ...{ serial: Uint8Array.of(1), scheme, issuer: subject, subject, spki: publicKey.spki },
    ...{ notBefore: now - BACKDATE_MS, notAfter: now + BACKDATE_MS, extensions: [] },
  });
  const certificate = readCertificate(signed(tbs, scheme, new Uint8Array(0)));
  return { certificate, key: publicKey, identity: keyIdentity(publicKey.spki), ours: false };
}

/** A certificate that this service has issued. */
export function heldSigner({ der }: Pick<CertificateRecord<'issued'>, 'der'>): MessageSigner {
  const certificate = readCertificate(fromBase64(der));
  const key = publicKeyOf(certificate);
  if (!key) throw new Malformed('a certificate of ours with a key that is none');
  return { certificate, key, identity: certificateIdentity(certificate.der), ours: true };
}
