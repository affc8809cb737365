// Where a certificate says that its CRL and its OCSP responder are (RFC 5280 §4.2.1.13, §4.2.2.1).

import { accessMethods, extensionOids } from '../../asn1/oids.ts';
import { content, context, contextPrimitive, type Element, oid, scan } from '../../asn1/reader.ts';
import { fromLatin1 } from '../../base/bytes.ts';
import { Malformed } from '../../base/errors.ts';
import type { Certificate } from '../../x509/certificate.ts';

type Locations = { readonly crl: readonly string[]; readonly ocsp: readonly string[] };

export function locationsOf({ extensions }: Certificate): Locations {
  const of = (id: string): readonly Element[] => {
    const found = extensions.get(id);
    if (!found) return [];
    try {
      return scan(found.value).children;
    } catch (error) {
      if (error instanceof Malformed) return [];
      throw error;
    }
  };
  const crl = of(extensionOids.cRLDistributionPoints)
    .flatMap(({ children }) => children.filter(({ tag }) => tag === context(0)))
    .flatMap(({ children }) => children.flatMap(({ children: names }) => names.flatMap(uriIn)));
  const ocsp = of(extensionOids.authorityInfoAccess)
    .filter(({ children: [method] }) => method && oid(method) === accessMethods.ocsp)
    .flatMap(({ children: [, location] }) => (location ? uriIn(location) : []));
  return { crl, ocsp };
}

const uriIn = (name: Element): string[] =>
  name.tag === contextPrimitive(6) ? [fromLatin1(content(name))] : [];
