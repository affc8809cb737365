// Which CA has issued a certificate: by its signature, and only if it is one (RFC 5280 §6.1).

import { extensionOids } from '../asn1/oids.ts';
import { content, scan, smallInteger, tag } from '../asn1/reader.ts';
import { type Certificate, isIssuedBy, publicKeyOf } from './certificate.ts';

export const signs = (issuer: Certificate, certificate: Certificate): Promise<boolean> =>
  isIssuedBy(certificate, { subject: issuer.subject, key: publicKeyOf(issuer) });

export const extensionValueOf = ({ extensions }: Certificate, id: keyof typeof extensionOids) => {
  const found = extensions.get(extensionOids[id]);
  return found && scan(found.value);
};

/** RFC 5280 §4.2.1.9. @throws {Malformed} */
export function constraintsOf(certificate: Certificate): { isCa: boolean; pathLength: number } {
  const [ca, pathLength] = extensionValueOf(certificate, 'basicConstraints')?.children ?? [];
  return {
    isCa: ca?.tag === tag.boolean && content(ca)[0] === 0xff,
    pathLength: pathLength ? smallInteger(pathLength) : Number.POSITIVE_INFINITY,
  };
}

/**
 * The CAs among these by which a certificate was issued: its issuer first, then each one's, as far as they go.
 * @param found in any order
 */
export async function issuersOf(
  certificate: Certificate,
  found: readonly Certificate[],
): Promise<readonly Certificate[]> {
  const path: Certificate[] = [];
  for (let last = certificate; ; ) {
    const named = found.filter((one) => !path.includes(one) && constraintsOf(one).isCa);
    const verdicts = await Promise.all(named.map((issuer) => signs(issuer, last)));
    const issuer = named[verdicts.indexOf(true)];
    if (!issuer) return path;
    path.push(issuer);
    last = issuer;
  }
}
