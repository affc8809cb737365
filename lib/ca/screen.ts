// What is visible of a pkiMessage in clear, judged before a key of ours touches it: algorithms,
// signature, recipient, lengths. Each refusal has its own failInfo; nothing here is secret.

import { accepted, type ContentCipher } from '../algorithms.ts';
import { type EnvelopedData, readEnvelopedData } from '../cms/enveloped-data.ts';
import { verifySignedData } from '../cms/signed-data.ts';
import type { Endpoint } from '../config.ts';
import { Malformed, ScepFailure } from '../errors.ts';
import type { PkiMessage } from '../scep/decode.ts';
import type { SealedRequest } from '../scep/request.ts';
import type { PublicKey } from '../x509/public-key.ts';
import type { Ca, CaCertificates, Generation } from './ca-certificates.ts';

/** RFC 8894 §3.2 and RFC 5652 §5.6: algorithms first, then attributes, digest and signature. */
export async function verifyMessage(
  { legacy }: Endpoint,
  { signedData, nonceWrong }: PkiMessage,
): Promise<PublicKey> {
  const { key, digest, scheme } = signedData;
  if (!digest || !accepted(digest, legacy)) throw new ScepFailure('digestRefused');
  if (!key) throw new ScepFailure('signerKeyRefused');
  if (!scheme) throw new ScepFailure('signatureRefused');
  const verdict = await verifySignedData(signedData, key, scheme);
  if (verdict !== 'good') throw new ScepFailure(verdict);
  if (nonceWrong) throw new ScepFailure('attributesWrong');
  return key;
}

export function screenEnvelope(
  { legacy }: Endpoint,
  { signedData: { eContent } }: PkiMessage,
): { envelope: EnvelopedData; cipher: ContentCipher } {
  let envelope: EnvelopedData;
  try {
    envelope = readEnvelopedData(eContent ?? new Uint8Array(0));
  } catch (error) {
    if (error instanceof Malformed) throw new ScepFailure('envelopeMalformed');
    throw error;
  }
  const { cipher } = envelope;
  if (!cipher || !accepted(cipher, legacy)) throw new ScepFailure('cipherRefused');
  return { envelope, cipher };
}

/** The one recipientInfo that names an RA certificate of ours; the others are not looked at. */
export async function findRecipient(
  cas: CaCertificates,
  ca: Ca,
  envelope: EnvelopedData,
  cipher: ContentCipher,
): Promise<SealedRequest & { generation: Generation }> {
  const matches = ({ generations }: Ca) =>
    envelope.recipients.flatMap((recipient) =>
      generations
        .filter(({ certificate }) => recipient.names(certificate))
        .map((generation) => ({ recipient, generation })),
    );
  let found = matches(ca);
  if (found.length === 0) found = matches(await cas.reloaded(ca.id));
  const [match] = found;
  if (!match || found.length !== 1) throw new ScepFailure('recipientUnknown');
  const { recipient, generation } = match;
  if (!recipient.transport) throw new ScepFailure('keyTransportRefused');
  const { encryptedKey, transport } = recipient;
  if (encryptedKey.length !== generation.modulusOctets) throw new ScepFailure('envelopeMalformed');
  const { decryptionKey } = generation;
  return { envelope, cipher, transport, encryptedKey, decryptionKey, generation };
}
