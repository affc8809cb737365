// Lint of the TBSCertificates that a CA issues to devices. What profile and CA decide is the same in all
// of one shape: the first is read by pkijs (`certificate.ts`), and leaves its template; of each further
// one those octets must be the template's. All that differs is read by our own parser and by that of the
// platform. Every rule is asked of every certificate. What the platform does not confirm, pkijs reads.

import { extensionOids } from '../../asn1/oids.ts';
import { context, type Element, oid, raw } from '../../asn1/reader.ts';
import { type Bytes, equal } from '../../base/bytes.ts';
import { Malformed } from '../../base/errors.ts';
import type { PlatformReading } from '../../crypto/native.ts';
import type { SignatureScheme } from '../algorithm.ts';
import { signed } from '../certificate.ts';
import type { PublicKey } from '../public-key.ts';
import { confirmed, confirmsNames } from './platform.ts';
import { type OwnReading, readOwn } from './reading.ts';
import { type Finding, firstFinding, type LintContext } from './rule.ts';
import { certificateRules, reparse } from './rules.ts';

/** What certificates of one shape have in common, in its order. */
type Template = readonly Bytes[];

/** Of certificates that pkijs has read and no rule found fault with: by their shape, for one CA. */
export type Templates = Map<string, Template>;

export type Issued = {
  /** TBSCertificate, DER. */
  readonly tbs: Bytes;
  /** The key that was proven. */
  readonly key: PublicKey;
  /** What it is about to be signed with. */
  readonly scheme: SignatureScheme;
  readonly context: LintContext;
  /** Names all that decides what stands outside serial number, validity, subject, key and names. */
  readonly shape: string;
};

const notOfTemplate = {
  id: 'template',
  citation: 'RFC 5280 §4.1',
  blame: 'ours',
} as const satisfies Finding;

/**
 * The first rule that does not hold, or undefined.
 * @param templates those of the CA; gets one more with the first certificate of a shape
 */
export async function lintIssued(
  issued: Issued,
  templates: Templates,
): Promise<Finding | undefined> {
  const { key, shape } = issued;
  const der = signed(issued.tbs, issued.scheme, new Uint8Array(1));
  const own = ownOf(der);
  if (!own) return (await fullLint(issued)) ?? reparse;
  if (!equal(raw(own.parsed.spki), key.spki)) return notOfTemplate;
  const template = templates.get(shape);
  if (template && !sameOctets(template, templateOf(own.tbs))) return notOfTemplate;
  const platform = template && confirmed(der, own.parsed, key);
  if (platform) {
    const hasNames = await namesReader(own, platform);
    const certificate = { ...own.certificate, hasNames };
    return firstFinding(certificateRules, { ...issued, certificate, tbs: own.tbs });
  }
  const finding = await fullLint(issued);
  if (!finding && !template) templates.set(shape, templateOf(own.tbs));
  return finding;
}

/** pkijs is loaded with it: a module of its own. */
async function fullLint({ tbs, scheme, context: about }: Issued): Promise<Finding | undefined> {
  const { lintTbsCertificate } = await import('./certificate.ts');
  return lintTbsCertificate(tbs, scheme, about);
}

function ownOf(der: Bytes): OwnReading | undefined {
  try {
    return readOwn(der);
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

/** The platform's for names that it prints in full, or else pkijs's. */
async function namesReader(
  { certificate: { extensions } }: OwnReading,
  platform: PlatformReading,
): Promise<(names: Element) => boolean> {
  const names = extensions.get(extensionOids.subjectAltName)?.value;
  const alone = !extensions.has(extensionOids.securityIdentifier);
  if (alone && (!names || confirmsNames(platform, names))) return () => true;
  const { pkijsHasNames } = await import('./pkijs.ts');
  return pkijsHasNames;
}

/** TBSCertificate: serialNumber, validity, subject. */
const ofEach: readonly number[] = [1, 4, 5];
const KEY = 6;
/** Extensions whose value is of each certificate; that they stand there, and how, is of all. */
const valuesOfEach: readonly string[] = [
  extensionOids.subjectKeyIdentifier,
  extensionOids.subjectAltName,
  extensionOids.securityIdentifier,
  extensionOids.cRLDistributionPoints,
];

/** @param tbs that was read: with one list of extensions under its tag @throws {Malformed} */
const templateOf = (tbs: Element): Template =>
  tbs.children.flatMap((field, at) => {
    if (ofEach.includes(at)) return [];
    if (at === KEY)
      return field.children.slice(0, 1).flatMap(({ children: [type] }) => (type ? raw(type) : []));
    if (field.tag !== context(3)) return [raw(field)];
    return field.children.flatMap((list) => list.children.flatMap(extensionInTemplate));
  });

function extensionInTemplate(extension: Element): Bytes[] {
  const [type] = extension.children;
  if (!type || !valuesOfEach.includes(oid(type))) return [raw(extension)];
  return extension.children.slice(0, -1).map(raw);
}

const sameOctets = (a: Template, b: Template): boolean =>
  a.length === b.length && a.every((part, i) => equal(part, b[i] ?? part.subarray(0, 0)));
