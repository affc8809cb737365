// Finds certificates for people: by time, subject, device or key; and shows one among its renewals. A
// certificate that has not been handed out is in no list.

import { fromBase64 } from '../../base/bytes.ts';
import { MAX_PAGE, MAX_RENEWALS } from '../../base/limits.ts';
import type { ListedState, ShownState } from '../../base/words.ts';
import { type CertificateRecord, isReleased } from '../../ports/records/certificate.ts';
import { deviceOf, dueBefore } from '../../ports/records/places.ts';
import type { Transaction } from '../../ports/records/transaction.ts';
import { readCertificate } from '../../x509/certificate.ts';
import { everyCa } from '../authority/known.ts';
import { namesOf } from '../authorize/renew.ts';
import type { Deps } from '../deps.ts';
import { loadTransaction } from '../enrol/lookup.ts';
import { certificateKey } from '../record/keys.ts';
import { View } from '../record/unit-of-work.ts';
import { type Altered, browse, type Range, type Turn } from './browse.ts';
import { findByWords } from './find.ts';
import { begins, certificatesOf, type Search, searched } from './search.ts';
import { hasAll } from './words.ts';

type CertificateQuery = Turn &
  Search & {
    readonly ca?: string | undefined;
    readonly state?: ListedState | undefined;
    readonly endpoint?: string | undefined;
    /** How the serial number begins, hexadecimal. */
    readonly serialPrefix?: string | undefined;
    /** Hexadecimal SHA-256 of its SubjectPublicKeyInfo. */
    readonly key?: string | undefined;
    /** Good or held ones that end before this time and have not ended yet; milliseconds since 1970. */
    readonly expiringBefore?: number | undefined;
  };

type CertificatePage = Altered & {
  readonly certificates: readonly CertificateRecord[];
  readonly next?: string;
};

type ListDeps = Pick<Deps, 'store' | 'index' | 'config' | 'clock'>;

/** Newest first; expiring ones by their end, expired ones from the last end on; found ones in the order of
 * what they are found by. */
export async function listCertificates(
  deps: ListDeps,
  { limit, cursor, ...query }: CertificateQuery,
): Promise<CertificatePage> {
  const { ca, state, endpoint, serial, serialPrefix = '', key, expiringBefore } = query;
  const groups = ca === undefined ? await everyCa(deps) : [ca];
  const turn = { limit, ...(cursor === undefined ? {} : { cursor }) };
  const now = deps.clock.now();
  const keep = (record: CertificateRecord): boolean =>
    (state === undefined || stateAt(record, now) === state) &&
    (endpoint === undefined || record.endpoint === endpoint) &&
    (serial === undefined || record.serial === serial) &&
    record.serial.startsWith(serialPrefix) &&
    (expiringBefore === undefined || expires(record, now, expiringBefore)) &&
    begins(record.subject, query.subject) &&
    (query.device === undefined || begins(deviceOf(namedIn(record)), query.device)) &&
    (key === undefined || record.keyHash === key);
  const { words = [] } = query;
  const isNamed = (record: CertificateRecord): boolean =>
    words.length === 0 || hasAll(namedIn(record), words);
  if (serial !== undefined) {
    const view = new View(deps.store);
    const found = await certificatesOf(view, groups, [serial]);
    const { altered } = view;
    return { certificates: found.filter(isReleased).filter(keep).filter(isNamed), altered };
  }
  if (key !== undefined) {
    // By the key's hash on record, so that no name or order of names hides a certificate.
    const range: Range<'certificate'> = {
      ...{ kind: 'certificate', list: 'keys', groups: [key], reverse: true },
      keep: (record) =>
        isReleased(record) && groups.includes(record.ca) && keep(record) && isNamed(record),
    };
    const { records, ...rest } = await browse(deps, range, turn);
    return { certificates: records, ...rest };
  }
  const found = await fromNames(deps, query, groups, turn);
  if (found) {
    const { records, ...rest } = found;
    const view = new View(deps.store);
    await view.load(records.map((one) => ({ kind: 'certificate', key: keyOf(one) })));
    const all = records.flatMap((one) => view.get('certificate', keyOf(one)) ?? []);
    const altered = [...(rest.altered ?? []), ...view.altered];
    return { certificates: all.filter(isReleased).filter(keep), ...rest, altered };
  }
  const begun = groups.map((group) => certificateKey(group, serialPrefix));
  const kept = state !== undefined || endpoint !== undefined || serialPrefix !== '' ? { keep } : {};
  const isWanted = (name: string): boolean => begun.some((one) => name.startsWith(one));
  const few = serialPrefix === '' ? {} : { isWanted };
  const common = { kind: 'certificate', groups, ...kept, ...few } as const;
  const byEnd = { ...common, list: 'expiring' } as const;
  const ended = dueBefore(now);
  const range: Range<'certificate'> =
    expiringBefore !== undefined
      ? { ...byEnd, from: ended, until: dueBefore(expiringBefore) }
      : state === 'expired'
        ? { ...byEnd, from: ended, reverse: true }
        : { ...common, list: 'certificates', reverse: true };
  const { records, ...rest } = await browse(deps, range, turn);
  return { certificates: records, ...rest };
}

/** The Transactions of certificates that are found by names, if that is asked for. */
async function fromNames(
  deps: ListDeps,
  query: Search,
  groups: readonly string[],
  turn: Turn,
): Promise<(Altered & { records: readonly Transaction[]; next?: string }) | undefined> {
  if (query.words) {
    const keep = (one: Transaction) => hasReleased(one) && groups.includes(one.ca);
    return findByWords(deps, query.words, turn, keep);
  }
  const found = searched(query);
  const range = { kind: 'transaction', groups, keep: hasReleased } as const;
  return found && browse(deps, { ...range, ...found }, turn);
}

/** The state that people are told; the last second of a certificate is part of it (RFC 5280 §4.1.2.5). */
export const stateAt = (
  { state, notAfter }: Pick<CertificateRecord, 'state' | 'notAfter'>,
  now: number,
): ShownState => (state === 'issued' && notAfter < now ? 'expired' : state);

const keyOf = ({ ca, serial = '' }: Transaction): string => certificateKey(ca, serial);
const hasReleased = ({ state, serial }: Transaction): boolean =>
  serial !== undefined && (state === 'issued' || state === 'revoked');

const expires = ({ state, notAfter }: CertificateRecord, from: number, until: number): boolean =>
  state !== 'revoked' && notAfter >= from && notAfter < until;

/** Subject and names, from the certificate itself. */
const namedIn = ({ der, subject, device }: CertificateRecord) => ({
  ...{ subject, device },
  names: der ? namesOf(readCertificate(fromBase64(der))) : [],
});

/** Certificates of this key that are good or held, or are being made; newest first, of every CA. */
export async function goodOfKey(
  deps: Pick<Deps, 'store'>,
  key: string,
): Promise<readonly CertificateRecord[]> {
  const keep = ({ state }: CertificateRecord): boolean => state !== 'revoked' && state !== 'voided';
  const list = { kind: 'certificate', list: 'keys', groups: [key], reverse: true, keep } as const;
  const { records } = await browse(deps, list, { limit: MAX_PAGE });
  return records;
}

export async function findCertificate(
  { store }: Pick<Deps, 'store'>,
  ca: string,
  serial: string,
): Promise<CertificateRecord | undefined> {
  const [found] = await certificatesOf(new View(store), [ca], [serial]);
  return found;
}

/** A certificate among its renewals. */
type Renewals = Altered & {
  /** All that lead to one another by renewals, oldest first. */
  readonly certificates: readonly (CertificateRecord & { readonly renews?: string })[];
  /** There are more than these. */
  readonly more: boolean;
};

/** What it renews, what that renews, and so on; and all renewals of any of them. */
export async function renewalsOf(
  { store }: Pick<Deps, 'store'>,
  ca: string,
  serial: string,
): Promise<Renewals | undefined> {
  const view = new View(store);
  const [asked] = await certificatesOf(view, [ca], [serial]);
  if (!asked) return undefined;
  const found = new Map<string, CertificateRecord & { renews?: string }>();
  let more = false;
  const renewalsAfter = async (first: readonly CertificateRecord[]): Promise<void> => {
    for (let last = first; last.length > 0; ) {
      const links = last.flatMap((one) =>
        Object.keys(one.successors).map((successor) => [successor, one.serial] as const),
      );
      const fresh = new Map(links.filter(([successor]) => !found.has(successor)));
      const successors = await certificatesOf(view, [ca], [...fresh.keys()]);
      last = successors.slice(0, MAX_RENEWALS - found.size);
      more ||= last.length < successors.length;
      for (const one of last) {
        const renews = fresh.get(one.serial);
        found.set(one.serial, { ...one, ...(renews === undefined ? {} : { renews }) });
      }
    }
  };
  // Its renewals first, because the good certificates are among them.
  const before: CertificateRecord[] = [];
  for (let next: CertificateRecord | undefined = asked; next; ) {
    const { transaction } = await loadTransaction(view, next.transaction);
    const renews = transaction?.renews;
    found.set(next.serial, { ...next, ...(renews === undefined ? {} : { renews }) });
    if (next === asked) await renewalsAfter([asked]);
    else before.push(next);
    if (renews === undefined || found.has(renews)) break;
    more ||= found.size >= MAX_RENEWALS;
    next = more ? undefined : (await certificatesOf(view, [ca], [renews]))[0];
  }
  await renewalsAfter(before);
  const certificates = [...found.values()].sort(
    (a, b) => a.notBefore - b.notBefore || (a.serial < b.serial ? -1 : 1),
  );
  return { certificates, more, altered: view.altered };
}
