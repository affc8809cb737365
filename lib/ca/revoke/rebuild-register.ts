// `scepter crl rebuild`: repairs the altered registers of revocations of a CA; nothing else ends that outage. It builds
// a shard anew from what can be believed: its parts with a good MAC, the certificates' records, and the last
// CRL that the CA signed. It also rebuilds a shard that lacks a revocation found in those, and all shards if
// they have changed less often than that CRL says. An entry too many is better than one too few: only a
// hold that has ended, by a good record, is left out.

import type { Bytes } from '../../base/bytes.ts';
import { Outage } from '../../base/errors.ts';
import { MAX_PAGE } from '../../base/limits.ts';
import type { Actor } from '../../events/event.ts';
import type { Crls } from '../../ports/crls.ts';
import type { CertificateRecord } from '../../ports/records/certificate.ts';
import type { RegisterPage } from '../../ports/records/register.ts';
import type { Action, Store } from '../../ports/store.ts';
import type { Issuer } from '../authority/ca-certificates.ts';
import type { LifecycleDeps } from '../deps.ts';
import { certificateKey } from '../record/keys.ts';
import { Draft, View } from '../record/unit-of-work.ts';
import { revokedIn } from './crl-list.ts';
import { crlName, crlNames } from './partitions.ts';
import { isFinal, pageKey, roomOf, shardOf, shardsOf } from './register.ts';

/** Of one write, which takes 100 records and 4 MB. */
const MAX_PAGES_OF_WRITE = 90;

type Entries = RegisterPage['entries'];
type Entry = Entries[string];
type RebuildDeps = Pick<LifecycleDeps, 'store' | 'clock' | 'random'> & { readonly crls: Crls };

/**
 * Rebuilds the altered shards.
 * @returns the rebuilt ones: the last digit of their serial numbers, or `GENERATION-NUMBER` of a partition
 * @throws {Outage} when a record has changed meanwhile: run it again
 */
export async function rebuildRegisters(
  deps: RebuildDeps,
  ca: Issuer,
  actor: Actor,
): Promise<readonly string[]> {
  const records = Map.groupBy(await recordsOf(deps.store, ca), ({ partition }) =>
    crlName(ca.id, partition),
  );
  const rebuilt: string[] = [];
  for (const name of crlNames(ca)) {
    const known = { name, records: records.get(name) ?? [] };
    rebuilt.push(...(await rebuildRegister(deps, ca, known, actor)));
  }
  return rebuilt;
}

/** One CRL, and the records of the certificates that it tells of. */
type OfCrl = { readonly name: string; readonly records: readonly CertificateRecord[] };

async function rebuildRegister(
  { store, crls, clock, random }: RebuildDeps,
  ca: Issuer,
  { name, records }: OfCrl,
  actor: Actor,
): Promise<readonly string[]> {
  const last = await crls.newest(name);
  const found = await Promise.all(shardsOf(name).map((shard) => look(store, shard)));
  const known = last ? listed(ca, last.der) : new Map<string, Entry>();
  const owed = new Map(known);
  for (const record of records) told(owed, record);
  const lacking = [...owed.keys()].filter((serial) => {
    const shard = found.find(({ key }) => key === shardOf(name, serial));
    const entry = shard?.parts.findLast((part) => part[serial] !== undefined)?.[serial];
    return !entry || (isOver(known.get(serial)) && !isFinal(entry.reason));
  });
  const lost = new Set(lacking.map((serial) => shardOf(name, serial)));
  const wrong = found.filter(({ key, isSpoilt }) => isSpoilt || lost.has(key));
  const changes = found.reduce((sum, shard) => sum + shard.changes, 0);
  // An entry may be lost that no other source has, such as a hold that is over.
  const isBehind = wrong.length === 0 && changes < (last?.changes ?? 0);
  const spoilt = isBehind ? found : wrong;
  if (spoilt.length === 0) return [];
  for (const part of spoilt.flatMap(({ parts }) => parts)) {
    for (const [serial, entry] of Object.entries(part)) {
      if (!isOver(known.get(serial))) known.set(serial, entry);
    }
  }
  for (const record of records) told(known, record);
  // One change more than in the last CRL, so that a new one is made.
  const intact = found.filter((shard) => !spoilt.includes(shard));
  const counted = intact.reduce((sum, { changes }) => sum + changes, 0);
  let missing = Math.max(0, (last?.changes ?? 0) + 1 - counted);
  for (const { key: shard, view, pages } of spoilt) {
    const entries = [...known].filter(([serial]) => shardOf(name, serial) === shard);
    const chunks = chunked(entries, roomOf(shard));
    const [paged, draft] = [new Draft(view), new Draft(view)];
    for (const [page, chunk] of chunks.slice(0, -1).entries()) {
      paged.put('registerPage', pageKey(shard, page), { entries: chunk });
    }
    for (let page = chunks.length - 1; page < pages; page++) {
      paged.remove('registerPage', pageKey(shard, page));
    }
    draft.put('register', shard, {
      changes: missing + entries.length,
      pages: chunks.length - 1,
      entries: chunks.at(-1) ?? {},
    });
    missing = 0;
    const note = `rebuilt the register of revocations ${shard}`;
    draft.event(clock.now(), random, { type: 'admin.acted', actor, ca: ca.id, note });
    // More pages than one write takes come before it: until their head is there, no CRL comes of them.
    const pagesLeft = [...paged.actions];
    const writes: Action[][] = [];
    while (pagesLeft.length > MAX_PAGES_OF_WRITE) {
      writes.push(pagesLeft.splice(0, MAX_PAGES_OF_WRITE));
    }
    for (const actions of [...writes, [...pagesLeft, ...draft.actions]]) {
      if ((await store.write(actions)) === 'conflict') {
        throw new Outage(`the register of ${ca.id} has changed meanwhile: run this again`);
      }
    }
  }
  return spoilt.map(({ key }) => key.slice(ca.id.length + 1));
}

type Shard = {
  readonly key: string;
  readonly view: View;
  readonly isSpoilt: boolean;
  /** How often its head has changed, if that has a good MAC. */
  readonly changes: number;
  /** The number of existing pages, whatever the head says. */
  readonly pages: number;
  /** Entries of the parts with a good MAC, oldest first. */
  readonly parts: readonly Entries[];
};

/** A shard with as many pages as there are, so that none is left where a full head would put its own. */
async function look(store: Pick<Store, 'read'>, shard: string): Promise<Shard> {
  const view = new View(store);
  await view.load([{ kind: 'register', key: shard }]);
  const head = view.unaltered('register', shard);
  let isSpoilt = head === undefined && view.rev('register', shard) !== 0;
  const parts: Entries[] = [];
  let pages = 0;
  for (; ; pages++) {
    const key = pageKey(shard, pages);
    await view.load([{ kind: 'registerPage', key }]);
    if (view.rev('registerPage', key) === 0) break;
    const page = view.unaltered('registerPage', key);
    if (page) parts.push(page.entries);
    else isSpoilt = true;
  }
  isSpoilt ||= pages !== (head?.pages ?? 0);
  return {
    key: shard,
    view,
    isSpoilt,
    changes: head?.changes ?? 0,
    pages,
    parts: [...parts, ...(head ? [head.entries] : [])],
  };
}

/** What a CRL lists, by serial number. */
function listed({ certificate: { notAfter } }: Issuer, crl: Bytes): Map<string, Entry> {
  // A certificate ends with its CA at the latest.
  return new Map([...revokedIn(crl)].map(([serial, entry]) => [serial, { ...entry, notAfter }]));
}

/** The certificates' records with a good MAC. */
async function recordsOf(store: Store, ca: Issuer): Promise<CertificateRecord[]> {
  const records: CertificateRecord[] = [];
  for (let from: string | undefined; ; ) {
    const place = { list: 'certificates', group: ca.id, limit: MAX_PAGE } as const;
    const page = await store.list({ ...place, ...(from === undefined ? {} : { from }) });
    const view = new View(store);
    await view.load(page.keys.map((key) => ({ kind: 'certificate', key })));
    for (const key of page.keys) {
      const record = view.unaltered('certificate', key);
      if (record && key === certificateKey(ca.id, record.serial)) records.push(record);
    }
    if (page.next === undefined) return records;
    from = page.next;
  }
}

/** The entry that a certificate's record adds. */
function told(known: Map<string, Entry>, record: CertificateRecord): void {
  const { serial, state, revokedAt: at, revocationReason: reason, notAfter } = record;
  const entry = known.get(serial);
  if (at !== undefined && reason !== undefined) known.set(serial, { at, reason, notAfter });
  else if (state === 'issued' && entry?.reason === 'certificateHold') {
    known.set(serial, { ...entry, reason: 'removeFromCRL', notAfter });
  } else if (entry) known.set(serial, { ...entry, notAfter });
}

const isOver = (entry: Entry | undefined): boolean => entry !== undefined && isFinal(entry.reason);

/** At least one chunk, which may be empty. */
function chunked(entries: readonly (readonly [string, Entry])[], room: number): Entries[] {
  const chunks = Math.max(1, Math.ceil(entries.length / room));
  return Array.from({ length: chunks }, (_, i) =>
    Object.fromEntries(entries.slice(i * room, (i + 1) * room)),
  );
}
