// Judges the part of a pkiMessage that is in clear, before any RA key is used: algorithms, signature,
// recipient, lengths. Each refusal has its own failInfo, because nothing here is secret.

import { Malformed } from '../../../base/errors.ts';
import type {
  AnsweringCa,
  AnsweringCas,
  Generation,
} from '../../../ca/authority/ca-certificates.ts';
import {
  type EnvelopedData,
  type Recipient,
  readEnvelopedData,
  type SealedContent,
} from '../../../cms/enveloped-data.ts';
import { verifySignedData } from '../../../cms/signed-data.ts';
import type { Endpoint } from '../../../config/endpoint/endpoint.ts';
import { accepted, type Digest, type Legacy } from '../../../crypto/algorithms.ts';
import { Refusal } from '../../../refusal/reasons.ts';
import type { PublicKey } from '../../../x509/public-key.ts';
import type { PkiMessage } from '../wire/decode.ts';

/** RFC 8894 §3.2 and RFC 5652 §5.6: algorithms first, then attributes, digest and signature. */
export async function verifyMessage(
  legacy: Legacy,
  { signedData, nonceWrong }: PkiMessage,
): Promise<{ key: PublicKey; digest: Digest }> {
  const { key, digest, scheme } = signedData;
  if (!digest || !accepted(digest, legacy)) throw new Refusal('digestRefused');
  if (!key) throw new Refusal('signerKeyRefused');
  if (!scheme) throw new Refusal('signatureRefused');
  const verdict = await verifySignedData(signedData, key, scheme);
  if (verdict !== 'good') throw new Refusal(verdict);
  if (nonceWrong) throw new Refusal('attributesWrong');
  return { key, digest };
}

/** Apple polls in SHA-1 whatever its request used, so a poll may be signed with it everywhere. */
export const verifyPoll = ({ legacy }: Endpoint, message: PkiMessage) =>
  verifyMessage({ ...legacy, sha1: true }, message);

/** The pkcsPKIEnvelope, or undefined for other content. */
export function readEnvelope({ signedData: { eContent } }: PkiMessage): EnvelopedData | undefined {
  try {
    return eContent && readEnvelopedData(eContent);
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

type Addressed = { readonly recipient: Recipient; readonly generation: Generation };

/** Every recipientInfo that names an RA certificate of this CA. */
export function addressed(
  { generations }: AnsweringCa,
  envelope: EnvelopedData | undefined,
): Addressed[] {
  return (envelope?.recipients ?? []).flatMap((recipient) =>
    generations
      .filter(({ certificate }) => recipient.names(certificate))
      .map((generation) => ({ recipient, generation })),
  );
}

/** Exactly one recipientInfo must be ours; the others are not looked at. */
export async function screenEnvelope(
  cas: AnsweringCas,
  { legacy }: Endpoint,
  ca: AnsweringCa,
  envelope: EnvelopedData | undefined,
): Promise<{ readonly sealed: SealedContent; readonly generation: Generation }> {
  if (!envelope) throw new Refusal('envelopeMalformed');
  const { cipher } = envelope;
  if (!cipher || !accepted(cipher, legacy)) throw new Refusal('cipherRefused');
  let found = addressed(ca, envelope);
  if (found.length === 0) found = addressed(await cas.reloaded(ca.id), envelope);
  const [match] = found;
  if (!match || found.length !== 1) throw new Refusal('recipientUnknown');
  const { recipient, generation } = match;
  if (!recipient.transport) throw new Refusal('keyTransportRefused');
  const { encryptedKey, transport } = recipient;
  if (encryptedKey.length !== generation.modulusOctets) throw new Refusal('envelopeMalformed');
  const { decryptionKey } = generation;
  const sealed = { envelope, cipher, transport, encryptedKey, decryptionKey };
  return { sealed, generation };
}
