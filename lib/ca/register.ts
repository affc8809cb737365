// The register of revocations: what is to stand in a CRL. Lists of the store may lag, and a CRL that
// lacks a revocation which was acknowledged would be a lie, so the register is made of records that
// are read by key, spread over shards by the last digit of the serial number. A shard's record holds
// its latest entries; when it is full they move to a page that is written once. The latest entry of
// a serial counts, so that the end of a hold is an entry too.

import { fromHex } from '../bytes.ts';
import { MAX_REGISTER_ENTRIES } from '../limits.ts';
import type { CertificateRecord, RegisterShard, RevocationReason } from '../ports/records.ts';
import type { Key, Store } from '../ports/store.ts';
import type { RevokedCertificate } from '../x509/crl.ts';
import { certificateKey } from './keys.ts';
import { type Draft, View } from './view.ts';

const digits = [...'0123456789abcdef'];
const shardKey = (ca: string, digit: string): string => `${ca}/${digit}`;
const shardOf = (ca: string, serial: string): string => shardKey(ca, serial.at(-1) ?? '');
const pageKey = (shard: string, page: number): string => `${shard}/${page}`;
const empty: RegisterShard = { changes: 0, pages: 0, entries: {} };

/** What has to be read before `enter` changes it. */
export const registerKeys = (ca: string, serials: readonly string[]): Key[] =>
  serials.map((serial) => ({ kind: 'register', key: shardOf(ca, serial) }));

/** The certificate becomes revoked or held, or good again (removeFromCRL), and the register says so. */
export function enter(
  draft: Draft,
  { revokedAt: _at, revocationReason: _reason, ...certificate }: CertificateRecord,
  reason: RevocationReason | 'certificateHold' | 'removeFromCRL',
  now: number,
): void {
  const { ca, serial, notAfter } = certificate;
  const key = certificateKey(ca, serial);
  if (reason === 'removeFromCRL')
    draft.put('certificate', key, { ...certificate, state: 'issued' });
  else {
    const state = reason === 'certificateHold' ? 'held' : 'revoked';
    const revoked = { ...certificate, state, revokedAt: now, revocationReason: reason } as const;
    draft.put('certificate', key, revoked);
  }
  const shard = shardOf(ca, serial);
  const { changes, pages, entries } = draft.get('register', shard) ?? empty;
  const entry = { [serial]: { at: now, reason, notAfter } };
  const isFull = Object.keys(entries).length >= MAX_REGISTER_ENTRIES;
  if (isFull) draft.create('registerPage', pageKey(shard, pages), { entries });
  draft.put('register', shard, {
    changes: changes + 1,
    pages: isFull ? pages + 1 : pages,
    entries: isFull ? entry : { ...entries, ...entry },
  });
}

/** How often the register has changed. Whatever was acknowledged before the call is counted. */
export async function registerChanges(store: Pick<Store, 'read'>, ca: string): Promise<number> {
  const view = new View(store);
  await view.load(registerKeys(ca, digits));
  return digits.reduce((sum, digit) => sum + headOf(view, ca, digit).changes, 0);
}

const headOf = (view: View, ca: string, digit: string): RegisterShard =>
  view.get('register', shardKey(ca, digit)) ?? empty;

export type Register = {
  readonly changes: number;
  /** In the order of their serial numbers. */
  readonly revoked: readonly RevokedCertificate[];
};

/** @param since leaves out certificates that had expired by then */
export async function readRegister(
  store: Pick<Store, 'read'>,
  ca: string,
  since: number,
): Promise<Register> {
  const view = new View(store);
  await view.load(registerKeys(ca, digits));
  const latest = new Map<string, RegisterShard['entries'][string]>();
  let changes = 0;
  for (const digit of digits) {
    const head = headOf(view, ca, digit);
    changes += head.changes;
    const pages = Array.from({ length: head.pages }, (_, i) => pageKey(shardKey(ca, digit), i));
    await view.load(pages.map((key) => ({ kind: 'registerPage', key })));
    const parts = pages.map((key) => view.get('registerPage', key)?.entries ?? {});
    for (const entries of [...parts, head.entries]) {
      for (const [serial, entry] of Object.entries(entries)) latest.set(serial, entry);
    }
  }
  const revoked = [...latest]
    .filter(([, { reason, notAfter }]) => reason !== 'removeFromCRL' && notAfter >= since)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([serial, { at, reason }]) => ({
      serial: fromHex(serial),
      revokedAt: at,
      reason: reason === 'removeFromCRL' ? 'unspecified' : reason,
    }));
  return { changes, revoked };
}
