// AlgorithmIdentifier (RFC 5280 §4.1.1.2) for digests and signatures: read into entries of the
// registry, written in the form that clients were seen to need. Parameters that are not the ones of
// the algorithm make it an unknown one; nothing is guessed.

import { context, type Element, Fields, oid, smallInteger, tag } from '../asn1/reader.ts';
import { nullValue, objectIdentifier, sequence } from '../asn1/writer.ts';
import type { Bytes } from '../base/bytes.ts';
import { Malformed } from '../base/errors.ts';
import {
  combinedSignatureOf,
  type Digest,
  type DigestName,
  digestOf,
  digests,
  oids,
} from '../crypto/algorithms.ts';

/** How a signature is made, digest included. */
export type SignatureScheme =
  | { readonly kind: 'RSASSA-PKCS1-v1_5'; readonly digest: Digest }
  | { readonly kind: 'RSA-PSS'; readonly digest: Digest; readonly saltOctets: number }
  | { readonly kind: 'ECDSA'; readonly digest: Digest }
  | { readonly kind: 'Ed25519'; readonly digest: Digest };

type AlgorithmIdentifier = {
  readonly oid: string;
  readonly parameters: Element | undefined;
};

/** @throws {Malformed} */
export function readAlgorithm(element: Element): AlgorithmIdentifier {
  const fields = new Fields(element, 'AlgorithmIdentifier');
  const algorithm = oid(fields.next(tag.oid, 'algorithm'));
  const parameters = element.children.length > 1 ? fields.any('parameters') : undefined;
  fields.end();
  return { oid: algorithm, parameters };
}

const absentOrNull = (parameters: Element | undefined): boolean =>
  parameters === undefined || parameters.tag === tag.null;

/** The digest, or undefined for one that is not in the registry. NULL or absent parameters alike. */
export function readDigestAlgorithm(element: Element): Digest | undefined {
  const { oid, parameters } = readAlgorithm(element);
  return absentOrNull(parameters) ? digestOf(oid) : undefined;
}

/**
 * The scheme of a certificate's, request's or SignerInfo's signatureAlgorithm.
 * @param digest what a SignerInfo's digestAlgorithm says (RFC 5652 §5.3): it completes
 *   `rsaEncryption`, and a scheme with a digest of its own must agree with it
 * @returns undefined for an unknown algorithm and for a pair that does not belong together
 */
export function readSignatureAlgorithm(
  element: Element,
  digest?: Digest,
): SignatureScheme | undefined {
  const algorithm = readAlgorithm(element);
  const scheme = schemeOf(algorithm, digest);
  return scheme && (digest === undefined || scheme.digest === digest) ? scheme : undefined;
}

function schemeOf({ oid, parameters }: AlgorithmIdentifier, digest: Digest | undefined) {
  switch (oid) {
    case oids.rsaEncryption:
      return digest && absentOrNull(parameters)
        ? ({ kind: 'RSASSA-PKCS1-v1_5', digest } as const)
        : undefined;
    case oids.rsassaPss:
      return parameters?.tag === tag.sequence ? readPssParameters(parameters) : undefined;
    case oids.ed25519:
      // RFC 8419 §3: with signed attributes the message digest is SHA-512.
      return parameters ? undefined : ({ kind: 'Ed25519', digest: digests['SHA-512'] } as const);
    default: {
      const scheme = combinedSignatureOf(oid);
      if (!scheme) return undefined;
      // RFC 5758 §3.2: absent with ECDSA; RFC 4055 §5: NULL with RSA, and some leave it out.
      const fits = scheme.kind === 'ECDSA' ? parameters === undefined : absentOrNull(parameters);
      return fits ? scheme : undefined;
    }
  }
}

/** RSASSA-PSS-params (RFC 8017 A.2.3), MGF1 with the same digest, default trailer. */
function readPssParameters(element: Element): SignatureScheme | undefined {
  const fields = new Fields(element, 'RSASSA-PSS-params');
  const hash = fields.optional(context(0));
  const mask = fields.optional(context(1));
  const salt = fields.optional(context(2));
  const trailer = fields.optional(context(3));
  fields.end();
  const digest = hash ? readDigestAlgorithm(only(hash)) : digests['SHA-1'];
  const mgf1 = mask ? readMgf1(only(mask)) : digests['SHA-1'];
  const saltOctets = salt ? smallInteger(only(salt)) : 20;
  if (trailer && smallInteger(only(trailer)) !== 1) return undefined;
  if (!digest?.webCrypto || mgf1 !== digest || saltOctets > digest.octets) return undefined;
  return { kind: 'RSA-PSS', digest, saltOctets };
}

/** The digest of MGF1 (RFC 8017 A.2.1, B.2.1), or undefined for another mask. */
export function readMgf1(element: Element): Digest | undefined {
  const { oid, parameters } = readAlgorithm(element);
  return oid === oids.mgf1 && parameters ? readDigestAlgorithm(parameters) : undefined;
}

/** The one element inside an EXPLICIT tag. */
export function only(element: Element): Element {
  const [first] = element.children;
  if (!first || element.children.length !== 1) throw new Malformed('not one element under a tag');
  return first;
}

const withNull = (dotted: string): Bytes => sequence(objectIdentifier(dotted), nullValue);
const bare = (dotted: string): Bytes => sequence(objectIdentifier(dotted));

/** DER AlgorithmIdentifiers, written with NULL where RFC 4055 and RFC 5754 put it. */
const encodings = Object.fromEntries(
  Object.values<Digest>(digests).map(({ name, oid, rsaOid, ecdsaOid }) => [
    name,
    { digest: withNull(oid), rsa: withNull(rsaOid), ecdsa: ecdsaOid && bare(ecdsaOid) },
  ]),
) as Record<DigestName, { digest: Bytes; rsa: Bytes; ecdsa: Bytes | undefined }>;
const ed25519 = bare(oids.ed25519);
export const rsaEncryption: Bytes = withNull(oids.rsaEncryption);

export const digestAlgorithm = ({ name }: Digest): Bytes => encodings[name].digest;

/** As it stands in certificates, requests and CRLs: the combined OID. */
export function signatureAlgorithm(scheme: SignatureScheme): Bytes {
  const { rsa, ecdsa } = encodings[scheme.digest.name];
  if (scheme.kind === 'RSASSA-PKCS1-v1_5') return rsa;
  if (scheme.kind === 'ECDSA' && ecdsa) return ecdsa;
  if (scheme.kind === 'Ed25519') return ed25519;
  throw new TypeError(`nothing here signs with ${scheme.kind} and ${scheme.digest.name}`);
}
