// Lint of a TBSCertList before it is signed: RFC 5280 §5 as a table, for full CRLs. pkijs cannot read
// a CRL of more than some thousand entries, so the octets are walked here, one entry at a time: each
// is read and judged by itself and then forgotten. What grows with the list is only the set of its
// serial numbers, by which one that stands twice is seen. All that can be found is our own doing.

import { elementsIn } from '../../asn1/elements.ts';
import { extensionOids } from '../../asn1/oids.ts';
import {
  content,
  context,
  contextPrimitive,
  type Element,
  octetString,
  oid,
  raw,
  scan,
  tag,
} from '../../asn1/reader.ts';
import { readTime } from '../../asn1/time.ts';
import { sequence, tlv } from '../../asn1/writer.ts';
import { type Bytes, equal, fromLatin1 } from '../../base/bytes.ts';
import { Malformed } from '../../base/errors.ts';
import { type SignatureScheme, signatureAlgorithm } from '../algorithm.ts';
import { readIssuingDistributionPoint } from '../extensions.ts';
import {
  extensionsAreDer,
  extensionsAreDistinct,
  type Finding,
  firstFinding,
  ours,
  type ReadExtension,
  type Rule,
  timeIsEncoded,
} from './rule.ts';

type CrlContext = {
  /** What the list is about to be signed with. */
  readonly scheme: SignatureScheme;
  /** The issuer's Name, DER, and its subjectKeyIdentifier. */
  readonly issuer: Bytes;
  readonly issuerKeyIdentifier: Bytes;
  /** URLs of the only certificates that it tells of; by default it tells of all. */
  readonly distributionPoint?: readonly string[];
};

type ExtensionList = {
  readonly listed: readonly Element[];
  /** By OID. */
  readonly extensions: ReadonlyMap<string, ReadExtension>;
};
type ListSubject = ExtensionList & {
  readonly context: CrlContext;
  /** All fields but revokedCertificates, in their order. */
  readonly fields: readonly Element[];
  /** revokedCertificates, unread; undefined where the field is absent. */
  readonly revoked: Bytes | undefined;
};
type EntrySubject = ExtensionList & { readonly entry: Element };

/** A number from `least` on, of at most 20 octets. */
function isNumber(element: Element | undefined, least: 0 | 1): boolean {
  if (element?.tag !== tag.integer) return false;
  const octets = content(element);
  const [first = 0x80] = octets;
  return octets.length <= 20 && first < 0x80 && (octets.length > 1 || first >= least);
}

const sameTexts = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((one, i) => one === b[i]);

const encoding = ours<ListSubject>('crl-encoding', 'X.690 §10', ({ fields, extensions }) => {
  const values = [...extensions.values()].map(({ value }) => value);
  return [...fields, ...values].every(({ der }) => der);
});
const repeated = ours<ListSubject>('entry-repeated', 'RFC 5280 §5.1.2.6', ({ revoked }) => {
  const serials = new Set<string>();
  let count = 0;
  for (const octets of revoked ? elementsIn(revoked) : []) {
    count++;
    const [serial] = scan(octets).children;
    if (serial) serials.add(fromLatin1(content(serial)));
  }
  return serials.size === count;
});

/** All rules about the list as a whole, in the order in which they are asked. */
export const listRules: readonly Rule<ListSubject>[] = [
  encoding,
  ours('crl-version', 'RFC 5280 §5.1.2.1', ({ fields: [version] }) => {
    return version?.tag === tag.integer && equal(content(version), Uint8Array.of(1));
  }),
  ours('crl-signature', 'RFC 5280 §5.1.2.2', ({ fields: [, algorithm], context: { scheme } }) => {
    return algorithm !== undefined && equal(raw(algorithm), signatureAlgorithm(scheme));
  }),
  ours('crl-issuer', 'RFC 5280 §5.1.2.3', ({ fields: [, , issuer], context: wanted }) => {
    return issuer !== undefined && issuer.children.length > 0 && equal(raw(issuer), wanted.issuer);
  }),
  ours('this-update', 'RFC 5280 §5.1.2.4', ({ fields: [, , , thisUpdate] }) =>
    timeIsEncoded(thisUpdate),
  ),
  ours('next-update', 'RFC 5280 §5.1.2.5', ({ fields: [, , , thisUpdate, nextUpdate] }) => {
    if (!thisUpdate || !nextUpdate || !timeIsEncoded(nextUpdate)) return false;
    return readTime(thisUpdate) < readTime(nextUpdate);
  }),
  ours('crl-fields', 'RFC 5280 §5.1.2.7', ({ fields }) => {
    return fields.length === 6 && fields[5]?.tag === context(0);
  }),
  ours('revoked-empty', 'RFC 5280 §5.1.2.6', ({ revoked }) => {
    return revoked === undefined || !elementsIn(revoked).next().done;
  }),
  ours('crl-extension-repeated', 'RFC 5280 §5.2', ({ listed }) => extensionsAreDistinct(listed)),
  ours('crl-extension-encoding', 'X.690 §11.5', ({ listed }) => extensionsAreDer(listed)),
  ours('crl-authority-key-identifier', 'RFC 5280 §5.2.1', ({ extensions, context: wanted }) => {
    const found = extensions.get(extensionOids.authorityKeyIdentifier);
    const value = sequence(tlv(contextPrimitive(0), wanted.issuerKeyIdentifier));
    return found?.critical === false && equal(raw(found.value), value);
  }),
  ours('crl-number', 'RFC 5280 §5.2.3', ({ extensions }) => {
    const found = extensions.get(extensionOids.crlNumber);
    return found?.critical === false && isNumber(found.value, 0);
  }),
  ours('delta-crl-indicator', 'RFC 5280 §5.2.4', ({ extensions }) => {
    return !extensions.has(extensionOids.deltaCRLIndicator);
  }),
  ours('issuing-distribution-point', 'RFC 5280 §5.2.5', ({ extensions, context: wanted }) => {
    const found = extensions.get(extensionOids.issuingDistributionPoint);
    const { distributionPoint: urls = [] } = wanted;
    if (!found) return urls.length === 0;
    return found.critical && sameTexts(readIssuingDistributionPoint(raw(found.value)), urls);
  }),
  ours('crl-critical', 'RFC 5280 §5.2', ({ extensions }) =>
    [...extensions].every(([id, { critical }]) => {
      return !critical || id === extensionOids.issuingDistributionPoint;
    }),
  ),
];

/** RFC 5280 §5.3.1: what a reasonCode may say; 0 is said by leaving it out, 7 is not used. */
const reasonCodes: readonly number[] = [1, 2, 3, 4, 5, 6, 8, 9, 10];
const REMOVE_FROM_CRL = 8;

const reasonOf = ({ extensions }: EntrySubject): number | undefined => {
  const value = extensions.get(extensionOids.reasonCode)?.value;
  return value && content(value)[0];
};

/** All rules about one entry. */
export const entryRules: readonly Rule<EntrySubject>[] = [
  ours('entry-encoding', 'X.690 §10', ({ entry, extensions }) => {
    const values = [...extensions.values()].every(({ value }) => value.der);
    return entry.tag === tag.sequence && entry.der && values;
  }),
  ours('entry-serial', 'RFC 5280 §5.1.2.6', ({ entry: { children } }) => isNumber(children[0], 1)),
  ours('revocation-date', 'RFC 5280 §5.1.2.6', ({ entry: { children } }) =>
    timeIsEncoded(children[1]),
  ),
  ours('entry-extensions', 'RFC 5280 §5.3', ({ entry: { children }, listed }) => {
    return children.length === 2 || (children.length === 3 && listed.length > 0);
  }),
  ours('entry-extension-repeated', 'RFC 5280 §5.3', ({ listed }) => extensionsAreDistinct(listed)),
  ours('entry-extension-encoding', 'X.690 §11.5', ({ listed }) => extensionsAreDer(listed)),
  ours('reason-code', 'RFC 5280 §5.3.1', (subject) => {
    const value = subject.extensions.get(extensionOids.reasonCode)?.value;
    if (!value) return true;
    const single = value.tag === tag.enumerated && content(value).length === 1;
    return single && reasonCodes.includes(reasonOf(subject) ?? 0);
  }),
  ours('remove-from-crl', 'RFC 5280 §5.3.1', (subject) => reasonOf(subject) !== REMOVE_FROM_CRL),
  ours('invalidity-date', 'RFC 5280 §5.3.2', ({ extensions }) => {
    const value = extensions.get(extensionOids.invalidityDate)?.value;
    return !value || (value.tag === tag.generalizedTime && Number.isFinite(readTime(value)));
  }),
  // The only one that may be is certificateIssuer, which a CRL of one's own does not have.
  ours('entry-critical', 'RFC 5280 §5.3', ({ extensions }) =>
    [...extensions.values()].every(({ critical }) => !critical),
  ),
];

/** Last, because it is the only one that looks at all entries at once. */
export const wholeRules: readonly Rule<ListSubject>[] = [repeated];

/**
 * The first rule that does not hold, or undefined.
 * @param tbs TBSCertList, DER; of any number of entries
 */
export function lintTbsCertList(tbs: Bytes, crl: CrlContext): Finding | undefined {
  try {
    const list = readList(tbs, crl);
    const finding = firstFinding(listRules, list);
    if (finding || !list.revoked) return finding;
    for (const octets of elementsIn(list.revoked)) {
      const entry = scan(octets);
      const found = firstFinding(entryRules, { entry, ...readExtensionList(entry.children[2]) });
      if (found) return found;
    }
    return firstFinding(wholeRules, list);
  } catch (error) {
    if (error instanceof Malformed) return encoding;
    throw error;
  }
}

/** @throws {Malformed} */
function readList(tbs: Bytes, crl: CrlContext): ListSubject {
  const fields: Element[] = [];
  let revoked: Bytes | undefined;
  for (const octets of elementsIn(tbs)) {
    const last = fields.at(-1)?.tag;
    const afterTime = last === tag.utcTime || last === tag.generalizedTime;
    if (afterTime && octets[0] === tag.sequence && !revoked) revoked = octets;
    else fields.push(scan(octets));
  }
  const tagged = fields.find((field) => field.tag === context(0));
  return { context: crl, fields, revoked, ...readExtensionList(tagged?.children[0]) };
}

const none: ExtensionList = { listed: [], extensions: new Map() };

/** @throws {Malformed} */
function readExtensionList(list: Element | undefined): ExtensionList {
  if (!list) return none;
  const extensions = list.children.map(({ children }): [string, ReadExtension] => {
    const [id, critical] = children;
    const value = children.at(-1);
    if (!id || !value) throw new Malformed('an Extension without its fields');
    const stated = children.length === 3 && critical !== undefined;
    const isCritical = stated && content(critical)[0] !== 0;
    return [oid(id), { critical: isCritical, value: scan(octetString(value)) }];
  });
  return { listed: list.children, extensions: new Map(extensions) };
}
