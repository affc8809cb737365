// Which CRL tells of which certificates. A CA has one CRL for all, or is made with partitions, so that no CRL
// grows with the fleet: a certificate's partition is drawn by its serial number and stands in its
// cRLDistributionPoints, and each partition's CRL says by an issuingDistributionPoint that it tells of no others
// (RFC 5280 §4.2.1.13, §5.2.5). Certificates of the RA are in none: the CA's own CRL tells of them.
//
// A CRL is published under its name, which is the path of its URL: `CA`, or `CA/GENERATION-NUMBER`.

import { extensionOids } from '../../asn1/oids.ts';
import { type Bytes, fromLatin1, hex } from '../../base/bytes.ts';
import { Outage } from '../../base/errors.ts';
import { hash } from '../../crypto/native.ts';
import type { AuthorityRecord, CrlPartitions } from '../../ports/records/registry.ts';
import type { Certificate } from '../../x509/certificate.ts';

type Partitioned = {
  readonly id: string;
  readonly partitions: readonly CrlPartitions[];
};

/** The name of a CRL. @param partition as in a certificate's record */
export const crlName = (ca: string, partition?: string): string =>
  partition === undefined ? ca : `${ca}/${partition}`;

/** The CA whose CRL has this name. */
export const caOfCrl = (name: string): string => name.replace(/\/.*/, '');

/** What events and log lines about the CRL of a partition say beside its CA. */
export function aboutPartition(name: string): { readonly partition?: string } {
  const [, partition] = name.split('/');
  return partition === undefined ? {} : { partition };
}

/** The names of all CRLs of a CA, its own first. */
export const crlNames = ({ id, partitions }: Partitioned): string[] => [
  id,
  ...partitions.flatMap(({ generation, count }) =>
    Array.from({ length: count }, (_, number) => crlName(id, `${generation}-${number}`)),
  ),
];

/** The same, by the record of the CA. */
export const crlNamesOf = ({ ca: id, partitions = [] }: AuthorityRecord): string[] =>
  crlNames({ id, partitions });

/**
 * The partition of a certificate that is to be issued now; undefined where the CA has none.
 * @param serial as many octets as its INTEGER has
 */
export function partitionFor(
  { partitions }: Pick<Partitioned, 'partitions'>,
  serial: Bytes,
): string | undefined {
  const last = partitions.at(-1);
  if (!last) return undefined;
  const drawn = BigInt(`0x${hex(hash('SHA-256', serial))}`) % BigInt(last.count);
  return `${last.generation}-${drawn}`;
}

/**
 * The partition that a certificate of this CA names.
 * @throws {Outage} for one whose CRL the CA does not publish: nobody would see the revocation
 */
export function partitionOf(ca: Partitioned, { extensions }: Certificate): string | undefined {
  const point = extensions.get(extensionOids.cRLDistributionPoints)?.value ?? new Uint8Array(0);
  const [, name = ''] = /\/crl\/([a-z0-9-]+\/\d+-\d+)\.crl$/.exec(fromLatin1(point)) ?? [];
  if (caOfCrl(name) !== ca.id) return undefined;
  if (crlNames(ca).includes(name)) return aboutPartition(name).partition;
  throw new Outage(
    `the certificate names the CRL ${name}, which the CA "${ca.id}" does not publish: raise its "crlPartitions" and run "scepter crl partition ${ca.id}", until it does`,
  );
}

/** What is known of a generation; nothing where all of it is lost. */
export type Seen = Partial<Omit<CrlPartitions, 'generation'>>;

/**
 * Generations of which only a part is known, with as many partitions as they may have had: the CRL of one too many is
 * empty, and of one too few nobody would make it. None has more than the next.
 * @param last what the configuration says of the last @param first its number
 */
export function filledIn(
  seen: readonly (Seen | undefined)[],
  last: Omit<CrlPartitions, 'generation'>,
  first = 1,
): CrlPartitions[] {
  let { count, base } = last;
  const found = seen.toReversed().map((one, at) => {
    count = Math.max(count, one?.count ?? 0);
    base = one?.base ?? base;
    return { generation: first + seen.length - 1 - at, count, base };
  });
  return found.reverse();
}

const urlAt = (base: string, name: string): string => `${base}/crl/${name}.crl`;

/**
 * The distributionPoint of a CRL: every URL under which certificates name it, the latest last. None for the one CRL
 * of a CA without partitions, which tells of all.
 */
export function distributionPointOf({ id, partitions }: Partitioned, name: string): string[] {
  const own = partitions.filter(({ generation }) => name.startsWith(`${id}/${generation}-`));
  const bases = (name === id ? partitions : own).map(({ base }) => base);
  return bases.filter((base, at) => !bases.includes(base, at + 1)).map((base) => urlAt(base, name));
}

/**
 * Where a CRL is, as the certificates say that name it now.
 * @param filesUrl of this service; a CA with partitions has a base of its own, which does not change with it
 */
export const crlUrl = (ca: Partitioned, filesUrl: string, name: string): string =>
  distributionPointOf(ca, name).at(-1) ?? urlAt(filesUrl, name);

/** The partition of a CA that a CRL with these URLs in its distributionPoint tells of; undefined if it is of none. */
export function placedAt(id: string, [url = '']: readonly string[]) {
  const [, base, ca, generation, number] =
    /^(.+)\/crl\/([a-z0-9-]+)\/(\d{1,6})-(\d{1,4})\.crl$/.exec(url) ?? [];
  if (base === undefined || ca !== id) return undefined;
  return { base, generation: Number(generation), number: Number(number) };
}

/** Whether a CRL with these URLs in its distributionPoint is one of this name. */
export const isOfName = (name: string, distributionPoint: readonly string[]): boolean =>
  distributionPoint.length === 0
    ? !name.includes('/')
    : distributionPoint.every((url) => url.endsWith(`/crl/${name}.crl`));
