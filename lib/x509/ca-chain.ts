// A CA's certificate and its issuers up to a root: puts them in order and judges them as path validation
// will (RFC 5280 §6.1). A problem is returned as a sentence.

import { content, contextPrimitive, octetString, raw, tag } from '../asn1/reader.ts';
import { type Bytes, equal, hex } from '../base/bytes.ts';
import { Malformed } from '../base/errors.ts';
import { isoSeconds } from '../base/text.ts';
import { readSignatureAlgorithm } from './algorithm.ts';
import { type Certificate, subjectKeyIdentifierOf } from './certificate.ts';
import { constraintsOf, extensionValueOf, signs } from './issuers.ts';
import { lintForeignCa } from './lint/certificate.ts';
import { printName } from './names/name.ts';
import { sameName } from './names/same-name.ts';

const called = ({ subject }: Certificate): string => `the certificate of ${printName(subject)}`;

/**
 * The certificate of this key first, then its issuers up to one that signed itself.
 * @param found in any order
 * @returns a sentence where they make no such chain
 */
export async function chainOf(
  spki: Bytes,
  found: readonly Certificate[],
): Promise<readonly [Certificate, ...Certificate[]] | string> {
  const own = found.find(({ spki: key }) => equal(raw(key), spki));
  if (!own) return "none of the certificates is of the CA's key";
  const chain: [Certificate, ...Certificate[]] = [own];
  let left = found.filter((one) => one !== own);
  for (let last = own; !(await signs(last, last)); ) {
    const named = left.filter(({ subject }) => sameName(subject, last.issuer));
    const verdicts = await Promise.all(named.map((issuer) => signs(issuer, last)));
    const issuer = named[verdicts.indexOf(true)];
    if (!issuer) {
      const name = printName(last.issuer);
      return named.length > 0
        ? `${called(last)} does not verify with the key of ${name}`
        : `the certificate of ${name}, which issued ${called(last)}, is missing: give all certificates up to the root`;
    }
    chain.push(issuer);
    left = left.filter((one) => one !== issuer);
    last = issuer;
  }
  const [other] = left;
  return other ? `${called(other)} does not belong to the chain: leave it out` : chain;
}

/** Why the first certificate of a chain cannot be that of a CA that issues now; undefined if it can. */
export function chainProblem(
  chain: readonly [Certificate, ...Certificate[]],
  now: number,
): string | undefined {
  for (const [at, certificate] of chain.entries()) {
    const problem = problemAt(chain, at, certificate, now);
    if (problem !== undefined) return `${called(certificate)} ${problem}`;
  }
  const [own] = chain;
  const scheme = readSignatureAlgorithm(own.signatureAlgorithm);
  const { issuer, notBefore: issuerNotBefore, notAfter: issuerNotAfter } = own;
  const finding =
    scheme && lintForeignCa(own.tbs, scheme, { issuer, issuerNotBefore, issuerNotAfter });
  return finding && `${called(own)} has a fault: lint ${finding.id} (${finding.citation})`;
}

function problemAt(
  chain: readonly Certificate[],
  at: number,
  certificate: Certificate,
  now: number,
): string | undefined {
  const { notBefore, notAfter } = certificate;
  const { isCa, pathLength } = constraintsOf(certificate);
  const usage = usageOf(certificate);
  if (!isCa) return 'is not a CA certificate: its basicConstraints does not say cA';
  if (usage && !usage.keyCertSign) return 'does not allow to sign certificates: keyUsage';
  if (at === 0 && !usage?.cRLSign) return 'does not allow to sign CRLs: keyUsage';
  if (at === 0 && !subjectKeyIdentifierOf(certificate)) return 'has no subjectKeyIdentifier';
  // pathLenConstraint counts the CAs below this one, not the devices' certificates.
  if (pathLength < at) return `allows ${pathLength} CAs below it, and there are ${at}`;
  if (now < notBefore) return `is not valid before ${isoSeconds(notBefore)}`;
  if (now >= notAfter) return `expired on ${isoSeconds(notAfter)}`;
  const issuer = chain[at + 1];
  if (!issuer) return undefined;
  const scheme = readSignatureAlgorithm(certificate.signatureAlgorithm);
  if (scheme?.digest.legacy) return `is signed with ${scheme.digest.name}, which devices refuse`;
  const named = issuerKeyOf(certificate);
  const theirs = subjectKeyIdentifierOf(issuer);
  if (named && theirs && !equal(named, theirs)) {
    return `names the issuer's key ${hex(named)}, which is ${hex(theirs)}`;
  }
  return undefined;
}

/** RFC 5280 §4.2.1.3; one without it may be used for everything. @throws {Malformed} */
function usageOf(certificate: Certificate) {
  const value = extensionValueOf(certificate, 'keyUsage');
  if (!value) return undefined;
  if (value.tag !== tag.bitString) throw new Malformed('a keyUsage that is not a BIT STRING');
  const [, bits = 0] = content(value);
  return { keyCertSign: (bits & 0x04) !== 0, cRLSign: (bits & 0x02) !== 0 };
}

/** The keyIdentifier of RFC 5280 §4.2.1.1, where there is one. @throws {Malformed} */
function issuerKeyOf(certificate: Certificate): Bytes | undefined {
  const id = contextPrimitive(0);
  const found = extensionValueOf(certificate, 'authorityKeyIdentifier')?.children.find(
    (field) => field.tag === id,
  );
  return found && octetString(found, id);
}
