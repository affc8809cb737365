// The register of revocations, from which CRLs are made. Lists of the store may lag, but a CRL must have
// every revocation that was acknowledged, so the register of a CRL consists of records that are read by key: one
// shard for a partition, and for a CA's own CRL one for each last digit of the serial numbers. A shard's record
// holds its latest entries; when it is full they move to a page that is written once. The latest entry of a
// serial counts, so that the end of a hold is an entry too.

import { fromHex } from '../../base/bytes.ts';
import { Outage } from '../../base/errors.ts';
import { MAX_PARTITION_ENTRIES, MAX_REGISTER_ENTRIES } from '../../base/limits.ts';
import type { CertificateRecord } from '../../ports/records/certificate.ts';
import type { RegisterPage, RegisterShard } from '../../ports/records/register.ts';
import type { Key, Store } from '../../ports/store.ts';
import type { RevokedCertificate } from '../../x509/crl.ts';
import type { RevokedEntry } from '../../x509/describe/describe.ts';
import { certificateKey } from '../record/keys.ts';
import { type Draft, View } from '../record/unit-of-work.ts';
import { caOfCrl, crlName } from './partitions.ts';

const digits = [...'0123456789abcdef'];
const isPartition = (crl: string): boolean => crl.includes('/');
/** @param crl its name */
export const shardsOf = (crl: string): readonly string[] =>
  isPartition(crl) ? [crl] : digits.map((digit) => `${crl}/${digit}`);
export const shardOf = (crl: string, serial: string): string =>
  isPartition(crl) ? crl : `${crl}/${serial.at(-1)}`;
export const pageKey = (shard: string, page: number): string => `${shard}/${page}`;
/** How many entries a record of this shard holds. Whoever publishes reads the heads of all partitions every
 * minute, so theirs are small. */
export const roomOf = (shard: string): number =>
  /\/\d+-\d+$/.test(shard) ? MAX_PARTITION_ENTRIES : MAX_REGISTER_ENTRIES;
const empty: RegisterShard = { changes: 0, pages: 0, entries: {} };

/** Where its revocation stands. */
type Listed = Pick<CertificateRecord, 'ca' | 'serial' | 'partition'>;
const placeOf = ({ ca, serial, partition }: Listed): string =>
  shardOf(crlName(ca, partition), serial);
const headsOf = (crl: string): Key[] =>
  shardsOf(crl).map((key) => ({ kind: 'register', key }) as const);

/** A revocation, a hold, or its end. */
type Revoking = {
  readonly reason: RegisterEntry['reason'];
  readonly at: number;
  /** Serial of the renewal whose intent supersedes it. */
  readonly supersededBy?: string;
  /** The certificate has not been handed out. */
  readonly unseen?: true;
};

/**
 * Reads what `enter` changes, in the same call as the others.
 * @throws {Outage} where another hand has put something in the way of the next page
 */
export async function loadRegister(
  view: View,
  certificates: readonly Listed[],
  others: readonly Key[] = [],
): Promise<void> {
  const heads = certificates.map(placeOf);
  await view.load([...heads.map((key) => ({ kind: 'register', key }) as const), ...others]);
  const next = heads.flatMap((key) => {
    const head = view.get('register', key);
    return head && isFull(key, head) ? [pageKey(key, head.pages)] : [];
  });
  await view.load(next.map((key) => ({ kind: 'registerPage', key })));
  const taken = next.find((key) => view.rev('registerPage', key) !== 0);
  if (taken !== undefined) throw spoiltRegister(taken);
}

const isFull = (shard: string, { entries }: RegisterShard): boolean =>
  Object.keys(entries).length >= roomOf(shard);

/** Sets the certificate revoked, held, or good again (removeFromCRL), and adds the entry to the register. */
export function enter(
  draft: Draft,
  certificate: CertificateRecord<'signed' | 'issued' | 'held' | 'revoked'>,
  { reason, at, ...how }: Revoking,
): void {
  const { revokedAt: _at, revocationReason: _reason, ...more } = certificate;
  const { supersededBy: _by, unseen: _unseen, ...rest } = more;
  const key = certificateKey(rest.ca, rest.serial);
  if (reason === 'removeFromCRL') draft.put('certificate', key, { ...rest, state: 'issued' });
  else if (reason === 'certificateHold') {
    const held = { state: 'held', revokedAt: at, revocationReason: reason } as const;
    draft.put('certificate', key, { ...rest, ...held });
  } else {
    const revoked = { state: 'revoked', revokedAt: at, revocationReason: reason, ...how } as const;
    draft.put('certificate', key, { ...rest, ...revoked });
  }
  list(draft, certificate, reason, at);
}

/** Adds an entry to the register, for a certificate that may have no record. */
export function list(
  draft: Draft,
  certificate: Listed & Pick<CertificateRecord, 'notAfter'>,
  reason: RegisterEntry['reason'],
  now: number,
): void {
  const { serial, notAfter } = certificate;
  const shard = placeOf(certificate);
  const head = draft.get('register', shard) ?? empty;
  const { changes, pages, entries } = head;
  const entry = { [serial]: { at: now, reason, notAfter } };
  const full = isFull(shard, head);
  if (full) draft.create('registerPage', pageKey(shard, pages), { entries });
  draft.put('register', shard, {
    changes: changes + 1,
    pages: full ? pages + 1 : pages,
    entries: full ? entry : { ...entries, ...entry },
  });
}

type RegisterEntry = RegisterPage['entries'][string];

/** The latest entry of a serial number; undefined if there is none. The view has read its records then. */
export async function listed(view: View, certificate: Listed): Promise<RegisterEntry | undefined> {
  const { serial } = certificate;
  await loadRegister(view, [certificate]);
  const parts = await partsOf(view, placeOf(certificate));
  return parts.findLast((part) => part[serial] !== undefined)?.[serial];
}

/**
 * All entries of a shard whose head has been read, the oldest first.
 * @throws {Outage} for a missing page that the head counts, because the CRL would lose revocations
 */
async function partsOf(view: View, shard: string): Promise<RegisterPage['entries'][]> {
  const { pages, entries } = view.get('register', shard) ?? empty;
  const keys = Array.from({ length: pages }, (_, page) => pageKey(shard, page));
  await view.load(keys.map((key) => ({ kind: 'registerPage', key })));
  const full = keys.map((key) => {
    const page = view.get('registerPage', key);
    if (!page) throw removedFrom(shard);
    return page.entries;
  });
  return [...full, entries];
}

/** A register only grows: one that lacks an earlier entry has been altered. @param at the name of a CRL, or more */
export const removedFrom = (at: string): Outage => spoiltRegister(at, 'a part of ', 'removed');
const spoiltRegister = (at: string, part = '', deed = 'changed'): Outage => {
  const ca = caOfCrl(at);
  return new Outage(
    `${part}the register of revocations of the CA "${ca}" was ${deed} by another hand: run "scepter crl rebuild ${ca}"`,
  );
};

/**
 * How often the register of each of these CRLs has changed. Whatever was acknowledged before the call is counted.
 * Asking about an altered one throws an {@link Outage}.
 */
export async function registerChanges(
  store: Pick<Store, 'read'>,
  crls: readonly string[],
): Promise<(crl: string) => number> {
  const view = new View(store);
  await view.load(crls.flatMap(headsOf));
  return (crl) => changesIn(view, crl);
}

const changesIn = (view: View, crl: string): number =>
  shardsOf(crl).reduce((sum, shard) => sum + headOf(view, shard).changes, 0);

const headOf = (view: View, shard: string): RegisterShard => view.get('register', shard) ?? empty;

export type Register = {
  readonly changes: number;
  /** In the order of their serial numbers. */
  readonly revoked: readonly RevokedCertificate[];
  /** The latest entry of each serial number, of what has expired, too. */
  readonly latest: ReadonlyMap<string, RegisterEntry>;
};

/** No later entry undoes it. */
export const isFinal = (reason: string | undefined): boolean =>
  reason !== 'certificateHold' && reason !== 'removeFromCRL';

/** Whether an entry of the last CRL is still told of. A register that was put back can have changed as
 * often since: how often alone does not tell. */
export function keeps(
  latest: ReadonlyMap<string, RegisterEntry>,
  { serial, reason }: Pick<RevokedEntry, 'serial' | 'reason'>,
): boolean {
  const entry = latest.get(serial);
  return entry !== undefined && (isFinal(entry.reason) || !isFinal(reason));
}

/** @param crl its name @param since leaves out certificates that had expired by then; milliseconds since 1970 */
export async function readRegister(
  store: Pick<Store, 'read'>,
  crl: string,
  since: number,
): Promise<Register> {
  const view = new View(store);
  await view.load(headsOf(crl));
  const latest = new Map<string, RegisterEntry>();
  for (const shard of shardsOf(crl)) {
    for (const entries of await partsOf(view, shard)) {
      for (const [serial, entry] of Object.entries(entries)) latest.set(serial, entry);
    }
  }
  const changes = changesIn(view, crl);
  const revoked = [...latest]
    .filter(([, { reason, notAfter }]) => reason !== 'removeFromCRL' && notAfter >= since)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([serial, { at, reason }]) => ({
      serial: fromHex(serial),
      revokedAt: at,
      reason: reason === 'removeFromCRL' ? 'unspecified' : reason,
    }));
  return { changes, revoked, latest };
}
