// Certificates as people look for them: by time, by what they are about, by their key; and where one
// stands among its renewals. What nobody has been given yet is not in any list.

import { fromBase64, hex } from '../bytes.ts';
import { raw } from '../cms/der.ts';
import { hash } from '../cms/native.ts';
import { MAX_RENEWALS } from '../limits.ts';
import { deviceOf, dueBefore } from '../ports/places.ts';
import { type CertificateRecord, isReleased, type Transaction } from '../ports/records.ts';
import { readCertificate } from '../x509/certificate.ts';
import { browse, type Range, type Turn } from './browse.ts';
import type { Deps } from './deps.ts';
import { certificateKey } from './keys.ts';
import { loadTransaction } from './recall.ts';
import { namesOf } from './renew.ts';
import { beginningWith, begins, certificatesOf, type Search, searched } from './search.ts';
import { View } from './view.ts';

export const releasedStates = ['issued', 'held', 'revoked'] as const;

export type CertificateQuery = Turn &
  Search & {
    readonly ca?: string | undefined;
    readonly state?: (typeof releasedStates)[number] | undefined;
    readonly endpoint?: string | undefined;
    /** Hexadecimal SHA-256 of its SubjectPublicKeyInfo. */
    readonly key?: string | undefined;
    /** Good or held ones that end before this time and have not ended yet; milliseconds since 1970. */
    readonly expiringBefore?: number | undefined;
  };

export type CertificatePage = {
  readonly certificates: readonly CertificateRecord[];
  readonly next?: string;
};

type ListDeps = Pick<Deps, 'store' | 'config' | 'clock'>;

/** Newest first; expiring ones by their end; found ones in the order of what they are found by. */
export async function listCertificates(
  deps: ListDeps,
  { limit, cursor, ...query }: CertificateQuery,
): Promise<CertificatePage> {
  const { ca, state, endpoint, serial, key, expiringBefore } = query;
  const groups = ca === undefined ? [...deps.config.cas.keys()] : [ca];
  const turn = { limit, ...(cursor === undefined ? {} : { cursor }) };
  const now = deps.clock.now();
  const keep = (record: CertificateRecord): boolean =>
    (state === undefined || record.state === state) &&
    (endpoint === undefined || record.endpoint === endpoint) &&
    (serial === undefined || record.serial === serial) &&
    (expiringBefore === undefined || expires(record, now, expiringBefore)) &&
    begins(record.subject, query.subject) &&
    (query.device === undefined || begins(deviceIn(record), query.device)) &&
    (key === undefined || keyHashOf(record) === key);
  if (serial !== undefined) {
    const view = new View(deps.store);
    const found = await certificatesOf(view, groups, [serial]);
    return { certificates: found.filter(isReleased).filter(keep) };
  }
  const found = searched(query);
  const about =
    key === undefined ? found && { ...found, groups } : await ofOwner(deps, groups, key);
  if (about) {
    const range: Range<'transaction'> = { kind: 'transaction', ...about, keep: hasReleased };
    const { records, ...rest } = await browse(deps, range, turn);
    const view = new View(deps.store);
    await view.load(records.map((one) => ({ kind: 'certificate', key: keyOf(one) })));
    const all = records.flatMap((one) => view.get('certificate', keyOf(one)) ?? []);
    return { certificates: all.filter(isReleased).filter(keep), ...rest };
  }
  const filtered = state !== undefined || endpoint !== undefined;
  const common = { kind: 'certificate', groups, ...(filtered ? { keep } : {}) } as const;
  const range: Range<'certificate'> =
    expiringBefore === undefined
      ? { ...common, list: 'certificates', reverse: true }
      : {
          ...{ ...common, list: 'expiring' },
          from: dueBefore(now),
          until: dueBefore(expiringBefore),
        };
  const { records, ...rest } = await browse(deps, range, turn);
  return { certificates: records, ...rest };
}

const keyOf = ({ ca, serial = '' }: Transaction): string => certificateKey(ca, serial);
const hasReleased = ({ state, serial }: Transaction): boolean =>
  serial !== undefined && (state === 'issued' || state === 'revoked');

/** At one CA a key is certified for the same names only: all its certificates are where its owner's is. */
async function ofOwner({ store }: Pick<Deps, 'store'>, cas: readonly string[], key: string) {
  const view = new View(store);
  const owners = cas.map((ca) => ({ kind: 'keyOwner', key: `${ca}/${key}` }) as const);
  await view.load(owners);
  const serials = owners.flatMap((owner) => view.get('keyOwner', owner.key)?.serial ?? []);
  const certificates = await certificatesOf(view, cas, serials);
  const within = new Map(certificates.map(({ ca, subject }) => [ca, beginningWith(subject)]));
  return { list: 'subjects', groups: [...within.keys()], within } as const;
}

const expires = ({ state, notAfter }: CertificateRecord, from: number, until: number): boolean =>
  state !== 'revoked' && notAfter >= from && notAfter < until;

/** What its device is called, by the certificate itself. */
function deviceIn({ der, subject }: CertificateRecord): string {
  return deviceOf({ subject, names: der ? namesOf(readCertificate(fromBase64(der))) : [] });
}

function keyHashOf({ der }: CertificateRecord): string | undefined {
  return der && hex(hash('SHA-256', raw(readCertificate(fromBase64(der)).spki)));
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
export type Renewals = {
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
  for (let next: CertificateRecord | undefined = asked; next && !found.has(next.serial); ) {
    const { transaction } = await loadTransaction(view, next.transaction);
    const renews = transaction?.renews;
    found.set(next.serial, { ...next, ...(renews === undefined ? {} : { renews }) });
    more = found.size >= MAX_RENEWALS;
    next =
      renews === undefined || more ? undefined : (await certificatesOf(view, [ca], [renews]))[0];
  }
  let last: readonly CertificateRecord[] = [...found.values()];
  while (last.length > 0) {
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
  const certificates = [...found.values()].sort(
    (a, b) => a.notBefore - b.notBefore || (a.serial < b.serial ? -1 : 1),
  );
  return { certificates, more };
}
