// From the sealed envelope to a proven PKCS#10: the window in which every failure is one answer
// (shared design 4.4). Unwrap, padding, parsing, proof of possession and the comparison with the
// signer's key all run, whatever the steps before them found, and are judged together at the end.

import { accepted, type ContentCipher, digests, type Legacy } from '../algorithms.ts';
import type { Bytes } from '../bytes.ts';
import { integer, sequence } from '../cms/der-writer.ts';
import { type EnvelopedData, openEnvelope } from '../cms/enveloped-data.ts';
import type { KeyTransport } from '../cms/key-transport.ts';
import type { RsaPrivateKey } from '../cms/native.ts';
import { ScepFailure } from '../errors.ts';
import type { SignatureScheme } from '../x509/algorithm.ts';
import { type CertificationRequest, readCertificationRequest, sameKey } from '../x509/csr.ts';
import { type PublicKey, verifySignature } from '../x509/public-key.ts';

/** An envelope whose algorithms, lengths and recipient have been accepted. */
export type SealedRequest = {
  readonly envelope: EnvelopedData;
  readonly cipher: ContentCipher;
  readonly transport: KeyTransport;
  readonly encryptedKey: Bytes;
  readonly decryptionKey: RsaPrivateKey;
};

export type ProvenRequest = CertificationRequest & { readonly publicKey: PublicKey };

/**
 * The request inside the envelope, signed by its own key.
 * @param signer the key that signed the pkiMessage
 * @param keys `same` on an initial request, where the signer certifies its own key; `any` on one
 *   that is signed with a certificate of ours
 * @param fallback fresh random octets, as many as the content cipher's key has
 * @param legacy which weak digests the PKCS#10 may be signed with
 * @throws {ScepFailure} envelopeRejected, and nothing else
 */
export async function openRequest(
  { envelope, cipher, transport, encryptedKey, decryptionKey }: SealedRequest,
  signer: PublicKey,
  keys: 'same' | 'any',
  fallback: Bytes,
  legacy: Legacy,
): Promise<ProvenRequest> {
  const plaintext = openEnvelope(
    envelope,
    cipher,
    transport,
    encryptedKey,
    decryptionKey,
    fallback,
  );
  const request = readIfPossible(plaintext);
  const requested = request?.publicKey;
  const same = requested !== undefined && sameKey(requested, signer);
  // One verification in every case: of nonsense under the signer's key when there is no request.
  const key = requested === undefined || same ? signer : requested;
  const proven = await verifySignature(
    key,
    request?.scheme ?? nonsenseScheme(key),
    request?.info ?? plaintext,
    request?.signature ?? nonsenseSignature(key),
  );
  // A scheme that stood in for an unknown one proves nothing, whatever it verified; nor does one
  // whose digest is not accepted here.
  const scheme = request?.scheme;
  const known = scheme !== undefined && (!scheme.digest || accepted(scheme.digest, legacy));
  if (!request || !requested || !known || !proven || (keys === 'same' && !same)) {
    throw new ScepFailure('envelopeRejected');
  }
  return { ...request, publicKey: key };
}

function readIfPossible(plaintext: Bytes): CertificationRequest | undefined {
  try {
    return readCertificationRequest(plaintext);
  } catch {
    return undefined; // whatever it was, it is the same answer
  }
}

function nonsenseScheme({ kind }: PublicKey): SignatureScheme {
  switch (kind.type) {
    case 'RSA':
      return { kind: 'RSASSA-PKCS1-v1_5', digest: digests['SHA-256'] };
    case 'EC':
      return { kind: 'ECDSA', digest: digests['SHA-256'] };
    case 'Ed25519':
      return { kind: 'Ed25519', digest: digests['SHA-512'] };
  }
}

function nonsenseSignature({ kind }: PublicKey): Bytes {
  if (kind.type === 'RSA') return new Uint8Array(kind.bits / 8).fill(1);
  return kind.type === 'EC' ? sequence(integer(1), integer(1)) : new Uint8Array(64).fill(1);
}
