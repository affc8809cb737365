// What is visible of a pkiMessage in clear, judged before a key of ours touches it: algorithms,
// signature, recipient, lengths. Each refusal has its own failInfo; nothing here is secret.

import { accepted, type ContentCipher, type Digest, type Legacy } from '../algorithms.ts';
import { type EnvelopedData, type Recipient, readEnvelopedData } from '../cms/enveloped-data.ts';
import { verifySignedData } from '../cms/signed-data.ts';
import type { Endpoint } from '../config.ts';
import { Malformed, ScepFailure } from '../errors.ts';
import type { PkiMessage } from '../scep/decode.ts';
import type { SealedRequest } from '../scep/request.ts';
import type { PublicKey } from '../x509/public-key.ts';
import type { Ca, CaCertificates, Generation } from './ca-certificates.ts';

/** RFC 8894 §3.2 and RFC 5652 §5.6: algorithms first, then attributes, digest and signature. */
export async function verifyMessage(
  legacy: Legacy,
  { signedData, nonceWrong }: PkiMessage,
): Promise<{ key: PublicKey; digest: Digest }> {
  const { key, digest, scheme } = signedData;
  if (!digest || !accepted(digest, legacy)) throw new ScepFailure('digestRefused');
  if (!key) throw new ScepFailure('signerKeyRefused');
  if (!scheme) throw new ScepFailure('signatureRefused');
  const verdict = await verifySignedData(signedData, key, scheme);
  if (verdict !== 'good') throw new ScepFailure(verdict);
  if (nonceWrong) throw new ScepFailure('attributesWrong');
  return { key, digest };
}

/** Apple polls in SHA-1 whatever its request used, so a poll may be signed with it everywhere. */
export const verifyPoll = ({ legacy }: Endpoint, message: PkiMessage) =>
  verifyMessage({ ...legacy, sha1: true }, message);

/** The pkcsPKIEnvelope, or undefined for content that is none. */
export function readEnvelope({ signedData: { eContent } }: PkiMessage): EnvelopedData | undefined {
  try {
    return eContent && readEnvelopedData(eContent);
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

type Addressed = { readonly recipient: Recipient; readonly generation: Generation };

/** Every recipientInfo that names an RA certificate of ours. */
export function addressed({ generations }: Ca, envelope: EnvelopedData | undefined): Addressed[] {
  return (envelope?.recipients ?? []).flatMap((recipient) =>
    generations
      .filter(({ certificate }) => recipient.names(certificate))
      .map((generation) => ({ recipient, generation })),
  );
}

/** Exactly one recipientInfo must be ours; the others are not looked at. */
export async function screenEnvelope(
  cas: CaCertificates,
  { legacy }: Endpoint,
  ca: Ca,
  envelope: EnvelopedData | undefined,
): Promise<SealedRequest & { cipher: ContentCipher; generation: Generation }> {
  if (!envelope) throw new ScepFailure('envelopeMalformed');
  const { cipher } = envelope;
  if (!cipher || !accepted(cipher, legacy)) throw new ScepFailure('cipherRefused');
  let found = addressed(ca, envelope);
  if (found.length === 0) found = addressed(await cas.reloaded(ca.id), envelope);
  const [match] = found;
  if (!match || found.length !== 1) throw new ScepFailure('recipientUnknown');
  const { recipient, generation } = match;
  if (!recipient.transport) throw new ScepFailure('keyTransportRefused');
  const { encryptedKey, transport } = recipient;
  if (encryptedKey.length !== generation.modulusOctets) throw new ScepFailure('envelopeMalformed');
  const { decryptionKey } = generation;
  return { envelope, cipher, transport, encryptedKey, decryptionKey, generation };
}
