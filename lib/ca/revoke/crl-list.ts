// The entries of a published CRL: for people, page by page, and for whatever goes on from it. The register may have
// changed since.

import type { Bytes } from '../../base/bytes.ts';
import { type RegisterReason, revocationReasons } from '../../base/words.ts';
import type { Crl } from '../../ports/crls.ts';
import { readCrlHead } from '../../x509/crl-head.ts';
import { crlEntries, describeCrlEntry, type RevokedEntry } from '../../x509/describe/describe.ts';
import type { Deps } from '../deps.ts';
import type { Turn } from '../query/browse.ts';

type CrlPage = {
  readonly crl: Crl;
  /** Where it says that it is; only those of a CA with partitions do. */
  readonly url: string | undefined;
  /** How many entries it has. */
  readonly count: number;
  /** In the order of their serial numbers. */
  readonly entries: readonly RevokedEntry[];
  readonly next?: string;
};

/** @param name of the CRL @param cursor the last serial number of the page before: the CRL may be another by now */
export async function readCrl(
  { crls }: Pick<Deps, 'crls'>,
  name: string,
  { limit, cursor }: Turn,
): Promise<CrlPage | undefined> {
  const crl = await crls.newest(name);
  if (!crl) return undefined;
  const all = crlEntries(crl.der);
  const start = cursor === undefined ? 0 : firstAfter(all, cursor);
  const entries = all.slice(start, start + limit).map(describeCrlEntry);
  const last = entries.at(-1);
  const more = start + limit < all.length && last !== undefined;
  const url = readCrlHead(crl.der)?.distributionPoint.at(-1);
  return { crl, url, count: all.length, entries, ...(more ? { next: last.serial } : {}) };
}

/** Entries stand in the order of their serial numbers: where those after this one begin. */
function firstAfter(entries: readonly Uint8Array<ArrayBuffer>[], serial: string): number {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const entry = entries[middle];
    if (entry && describeCrlEntry(entry).serial <= serial) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** By serial number, hexadecimal; `at` in milliseconds since 1970. */
export type Revoked = ReadonlyMap<string, { readonly reason: RegisterReason; readonly at: number }>;

/** What a CRL lists, as the register would say it. @param crl DER @throws {Malformed} */
export function revokedIn(crl: Bytes): Revoked {
  return new Map(
    crlEntries(crl)
      .map(describeCrlEntry)
      .map(({ serial, revokedAt, reason: said }) => {
        const reason =
          said === 'certificateHold'
            ? said
            : (revocationReasons.find((one) => one === said) ?? 'unspecified');
        return [serial, { reason, at: Date.parse(revokedAt) }];
      }),
  );
}
