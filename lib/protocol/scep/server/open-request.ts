// From the sealed envelope to a proven PKCS#10: the window in which every failure is one answer
// (shared design 4.4), and takes the same work, or the same time, whatever the steps before it found:
// unwrap, padding, parsing, proof of possession, the comparison with the signer's key.

import { bits, integer, sequence } from '../../../asn1/writer.ts';
import { type Bytes, equal } from '../../../base/bytes.ts';
import { UNIFORM_ANSWER_MS } from '../../../base/limits.ts';
import { openEnvelope, type SealedContent } from '../../../cms/enveloped-data.ts';
import { accepted, curves, digests, type Legacy } from '../../../crypto/algorithms.ts';
import { Refusal } from '../../../refusal/reasons.ts';
import { rsaEncryption, type SignatureScheme } from '../../../x509/algorithm.ts';
import { signed } from '../../../x509/certificate.ts';
import {
  type CertificationRequest,
  encodeRequestInfo,
  type ProvenRequest,
  readCertificationRequest,
  sameKey,
} from '../../../x509/csr.ts';
import { type PublicKey, verifySignature } from '../../../x509/public-key.ts';

/** What is known of a request before its envelope is opened. */
type Opening = {
  /** The key that signed the pkiMessage. */
  readonly signer: PublicKey;
  /** `same`: the request must be for the key that signed. `any`: it may be for another one. */
  readonly keys: 'same' | 'any';
  /** Fresh random octets, as many as the content cipher's key has. */
  readonly fallback: Bytes;
  /** Which weak digests the PKCS#10 may be signed with. */
  readonly legacy: Legacy;
};

/**
 * The request inside the envelope, signed by its own key.
 *
 * Whoever recorded a message can change its envelope and sign it anew, and time must not say what came
 * of it. Under `same` it cannot: only a plaintext in which the signer's key stands is read at all, and
 * every other one costs the same search and the same verification, under the signer's key. Under `any`
 * the keys of honest requests decide what they cost: call it through `inUniformTime`.
 * @throws {Refusal} envelopeRejected, and nothing else
 */
export async function openRequest(
  sealed: SealedContent,
  { signer, keys, fallback, legacy }: Opening,
): Promise<ProvenRequest> {
  const plaintext = openEnvelope(sealed, fallback);
  const request =
    keys === 'any' || contains(plaintext, signer.spki) ? readIfPossible(plaintext) : undefined;
  const requested = request?.publicKey;
  const isOwn = requested !== undefined && sameKey(requested, signer);
  const scheme = request?.scheme;
  const known = scheme !== undefined && (!scheme.digest || accepted(scheme.digest, legacy));
  if (request && requested && known && (isOwn || keys === 'any')) {
    const publicKey = isOwn ? signer : requested;
    const proven = await verifySignature(publicKey, scheme, request.info, request.signature);
    if (proven) return { ...request, publicKey };
  } else if (keys === 'same') {
    await verifyNonsense(signer, sealed.envelope.encryptedContent);
  } else {
    // A request of the kind that most devices send is read and verified instead.
    const { publicKey, info } = readCertificationRequest(standIn);
    if (publicKey) await verifyNonsense(publicKey, info);
  }
  throw new Refusal('envelopeRejected');
}

/**
 * Work on an envelope whose failures are told no sooner than a timer allows that began before it: what it
 * finds inside decides how long it takes. No clock is read: that of a Worker stands still while it computes.
 */
export async function inUniformTime<T>(
  sleep: (ms: number) => Promise<void>,
  work: () => Promise<T>,
): Promise<T> {
  const timer = sleep(UNIFORM_ANSWER_MS);
  try {
    return await work();
  } catch (error) {
    await timer;
    throw error;
  }
}

/**
 * Whether `part`, of eight octets or more, stands in `whole`. The search takes the same steps for all
 * octets of a length: eight octets of the middle are looked for at every place, without a branch.
 */
function contains(whole: Bytes, part: Bytes): boolean {
  const middle = (part.length >> 1) - 4;
  const words = new DataView(part.buffer, part.byteOffset + middle, 8);
  const [wantedHigh, wantedLow] = [words.getInt32(0), words.getInt32(4)];
  let high = 0;
  let low = 0;
  let end = 0;
  for (let i = 0; i < whole.length; i++) {
    high = (high << 8) | (low >>> 24);
    low = (low << 8) | (whole[i] ?? 0);
    const differs = (high ^ wantedHigh) | (low ^ wantedLow);
    const here = ~((differs | -differs) >> 31);
    end = (end & ~here) | ((i + 1) & here);
  }
  const start = end - 8 - middle;
  return start >= 0 && equal(whole.subarray(start, start + part.length), part);
}

function readIfPossible(plaintext: Bytes): CertificationRequest | undefined {
  try {
    return readCertificationRequest(plaintext);
  } catch {
    return undefined; // whatever it was, it is the same answer
  }
}

const verifyNonsense = (key: PublicKey, message: Bytes): Promise<boolean> =>
  verifySignature(key, nonsenseScheme(key), message, nonsenseSignature(key));

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

/** Of full length and in range, so that no library refuses it before it has computed. */
function nonsenseSignature({ kind }: PublicKey): Bytes {
  const ones = (octets: number): Bytes => new Uint8Array(octets).fill(1);
  switch (kind.type) {
    case 'RSA':
      return ones(kind.bits / 8);
    case 'EC': {
      const { octets } = curves[kind.curve];
      return sequence(integer(ones(octets)), integer(ones(octets)));
    }
    case 'Ed25519':
      return ones(64);
  }
}

/** A PKCS#10 of a 2048-bit key without a private key; its signature never verifies. */
const standIn: Bytes = (() => {
  const modulus = new Uint8Array(256).fill(0xff);
  const key = sequence(integer(modulus), integer(Uint8Array.of(1, 0, 1)));
  const spki = sequence(rsaEncryption, bits(key));
  const names = { subject: sequence(), names: [] };
  const info = encodeRequestInfo(names, spki, 'x'.repeat(32));
  const scheme = { kind: 'RSASSA-PKCS1-v1_5', digest: digests['SHA-256'] } as const;
  return signed(info, scheme, new Uint8Array(256).fill(1));
})();
