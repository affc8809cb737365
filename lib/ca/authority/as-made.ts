// Where the configuration disagrees with the CAs that exist. A CA goes on as it was made, whatever is written
// about it afterwards; so what is written otherwise is said, at start and in `status`, and not carried out.

import { fromBase64 } from '../../base/bytes.ts';
import { BACKDATE_MS } from '../../base/limits.ts';
import type { Authority, Config } from '../../config/config.ts';
import { printDuration } from '../../config/duration.ts';
import type { Log } from '../../ports/log.ts';
import type { AuthorityRecord } from '../../ports/records/registry.ts';
import type { Store } from '../../ports/store.ts';
import { type Certificate, publicKeyOf, readCertificate } from '../../x509/certificate.ts';
import { nameOf, printName, sameAttributes } from '../../x509/names/name.ts';
import { sameName } from '../../x509/names/same-name.ts';
import type { KeyKind } from '../../x509/public-key.ts';
import { View } from '../record/unit-of-work.ts';
import { loadCas, unnamedIn } from './known.ts';

type Ports = {
  readonly config: Pick<Config, 'cas' | 'filesUrl'>;
  readonly store: Pick<Store, 'read'>;
};

type Disagreement = {
  readonly ca: string;
  readonly said: string;
  /** Undefined where there is no such CA, or none any more: it is not made without being asked for. */
  readonly goesOn?: true;
};

/** What the configuration says otherwise of any CA than it is. @throws {Outage} */
export async function disagreements({ config, store }: Ports): Promise<Disagreement[]> {
  const view = new View(store);
  const ids = await loadCas({ config, store }, view);
  const unnamed = unnamedIn(config, view, ids);
  const named = [...config.cas.values()].flatMap((authority) => {
    const record = view.unaltered('authority', authority.id);
    // An altered record is said elsewhere.
    if (!record && view.rev('authority', authority.id) !== 0) return [];
    const isThere = record !== undefined && record.retiredAt === undefined;
    const about = { ca: authority.id, ...(isThere ? { goesOn: true as const } : {}) };
    const said = record ? otherwise(config, authority, record) : notMade(authority.id, unnamed);
    return said.map((one) => ({ ...about, said: one }));
  });
  return [...named, ...unnamed.map((ca) => ({ ca, said: notNamed(ca), goesOn: true as const }))];
}

/** Says them in the log of a process that starts. What cannot be read now, a CA's own requests tell. */
export async function warnOfDisagreements(
  ports: Ports & { readonly log: Log },
): Promise<readonly Disagreement[]> {
  const found = await disagreements(ports).catch(() => []);
  for (const { ca, said: detail } of found) {
    ports.log({ event: 'ca.warning', severity: 'warning', ca, detail });
  }
  return found;
}

/** Of a CA without a record, where that is no wonder: another one may have been it. */
export const notMade = (id: string, unnamed: readonly string[]): string[] =>
  unnamed.length === 0
    ? []
    : [
        `it has not been made, because ${unnamed.map((one) => `"${one}"`).join(', ')} exists and the configuration does not name it: if that was renamed, give it its name back; if this is a new CA, run "scepter ca init ${id}"`,
      ];

export const notNamed = (id: string): string =>
  `the configuration does not name it: it issues nothing and its CRL goes on; put it back into "cas" as it was, or end it with "scepter ca retire ${id}"`;

export const retiredOn = (at: number): string => `was retired on ${day(at)}`;

const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/** Sentences about one that is configured otherwise than it was made. */
export function otherwise(
  config: Pick<Config, 'filesUrl'>,
  authority: Authority,
  record: AuthorityRecord,
): string[] {
  const { subject, key, validityMs } = authority;
  const { chain, retiredAt } = record;
  if (retiredAt !== undefined) {
    return [`it ${retiredOn(retiredAt)}: take it out of "cas"; a new CA needs a new name`];
  }
  const [own] = chain.map((text) => readCertificate(fromBase64(text)));
  // It waits for its certificate.
  if (!own) return [];
  const kind = publicKeyOf(own)?.kind;
  return [
    ...(isOfName(own, subject)
      ? []
      : differs('subject', printName(subject), printName(own.subject))),
    ...differs('key', keyText(key), kind && keyText(kind)),
    ...(isFor(own, validityMs)
      ? []
      : differs('validity', printDuration(validityMs), printDuration(lifetimeOf(own)))),
    ...partitionsOtherwise(config, authority, record),
  ];
}

const differs = (field: string, said: string, is: string | undefined): string[] =>
  said === is
    ? []
    : [
        `the configuration has the ${field} "${said}", and it was made with "${is}": it goes on as it was made; write that again, or give a new CA a new name`,
      ];

/** A CA with partitions gets more of them, and never fewer; one without never has any. */
function partitionsOtherwise(
  { filesUrl }: Pick<Config, 'filesUrl'>,
  { id, crlPartitions: said }: Authority,
  { partitions }: AuthorityRecord,
): string[] {
  const last = partitions?.at(-1);
  if (last === undefined || said === undefined || said < last.count) {
    return differs('crlPartitions', String(said ?? 'none'), String(last?.count ?? 'none'));
  }
  const command = `run "scepter crl partition ${id}"`;
  return [
    ...(said > last.count
      ? [`the configuration has ${said} crlPartitions, and it has ${last.count}: ${command}`]
      : []),
    ...(filesUrl === last.base
      ? []
      : [
          `its certificates name CRLs at ${last.base}, and the configuration has ${filesUrl}: ${command}, so that new ones name that; serve ${last.base} as long as others name it`,
        ]),
  ];
}

/** As the configuration has it: `rsa:3072`. */
const keyText = (kind: KeyKind): string =>
  kind.type === 'RSA' ? `rsa:${kind.bits}` : `ec:${kind.type === 'EC' ? kind.curve : kind.type}`;

const isSelfIssued = ({ subject, issuer }: Certificate): boolean => sameName(subject, issuer);

/** A root may have encoded the name that it was asked to certify in its own way. */
const isOfName = (own: Certificate, subject: Certificate['subject']): boolean =>
  printName(own.subject) === printName(subject) ||
  (!isSelfIssued(own) && sameAttributes(nameOf(own.subject), nameOf(subject)));

/** From the time it was made; its notBefore is earlier. */
const lifetimeOf = ({ notBefore, notAfter }: Certificate): number =>
  notAfter - notBefore - BACKDATE_MS;

/** The validity of a CA below a root is that root's decision. One brought from elsewhere is not dated back. */
const isFor = (own: Certificate, validityMs: number): boolean =>
  !isSelfIssued(own) ||
  [lifetimeOf(own), own.notAfter - own.notBefore].some((ms) => Math.abs(ms - validityMs) <= 1000);
