// What must not go back when a store is restored from a backup (RFC 5280 §5.2.3, §5.3): the number of each CRL
// and what it lists. The newest that the CA had published tells both, and its signature proves it. Without
// it, revocations since the backup are unknown; the number can still be kept above every one that was used.
//
// Challenges that were open are revoked: one of them may have been used since.

import type { Bytes } from '../../base/bytes.ts';
import { MAX_PAGE } from '../../base/limits.ts';
import type { NamedActor } from '../../events/event.ts';
import type { Crl } from '../../ports/crls.ts';
import { readCrlHead } from '../../x509/crl-head.ts';
import { verifySignature } from '../../x509/public-key.ts';
import type { Issuer } from '../authority/ca-certificates.ts';
import { listChallenges, revokeChallenge } from '../challenge/challenge-list.ts';
import type { Deps, Operator } from '../deps.ts';
import { Draft, View } from '../record/unit-of-work.ts';
import { type Revoked, revokedIn } from './crl-list.ts';
import { crlNames, filledIn, isOfName, placedAt, type Seen } from './partitions.ts';
import { publishCrl } from './publish-crl.ts';
import { rebuildRegisters } from './rebuild-register.ts';
import { registerChanges } from './register.ts';
import { revoke } from './revoke.ts';

type Told = {
  readonly ca: string;
  /** Of the CA's own CRL in the backup; undefined if it has none. */
  readonly before: number | undefined;
  /** Of the one that has been published now. */
  readonly number: number;
  /** Serial numbers that the given CRLs list and the backup did not. */
  readonly revoked: readonly string[];
  /** Serial numbers of holds of the backup that the given CRLs do not list: they may have ended. */
  readonly held: readonly string[];
};

/** A CRL that this CA has signed, and its name. */
export type PublishedCrl = Omit<Crl, 'changes'> & { readonly name: string };

/** @returns undefined unless this CA has signed it, and has a CRL of its name */
export async function readPublished(ca: Issuer, der: Bytes): Promise<PublishedCrl | undefined> {
  const head = readCrlHead(der);
  const name = head && crlNames(ca).find((one) => isOfName(one, head.distributionPoint));
  if (!head || name === undefined) return undefined;
  if (!(await verifySignature(ca.key, head.scheme, head.tbs, head.signature))) return undefined;
  const { number, thisUpdate, nextUpdate } = head;
  return { name, number, thisUpdate, nextUpdate, der };
}

/**
 * A CA with the generations of partitions that CRLs of it tell of, and its record in the backup does not: they came
 * since, and made again they would begin with CRLs that list nothing.
 * @param ders of CRLs, those of other CAs too
 */
export async function withPartitionsSince(
  { store, config }: Pick<Operator, 'store' | 'config'>,
  ca: Issuer,
  ders: readonly Bytes[],
): Promise<Issuer> {
  const seen: Seen[] = [];
  const { length: known } = ca.partitions;
  for (const der of ders) {
    const head = readCrlHead(der);
    const place = head && placedAt(ca.id, head.distributionPoint);
    if (!place || known === 0 || place.generation <= known) continue;
    if (!(await verifySignature(ca.key, head.scheme, head.tbs, head.signature))) continue;
    const at = place.generation - known - 1;
    seen[at] = { count: Math.max(seen[at]?.count ?? 0, place.number + 1), base: place.base };
  }
  if (seen.length === 0) return ca;
  const view = new View(store);
  await view.load([{ kind: 'authority', key: ca.id }]);
  const record = view.get('authority', ca.id);
  if (!record) return ca;
  const counts = ca.partitions.map(({ count }) => count);
  const count = Math.max(config.cas.get(ca.id)?.crlPartitions ?? 0, ...counts);
  const since = filledIn(seen, { count, base: config.filesUrl }, known + 1);
  const partitions = [...ca.partitions, ...since];
  const draft = new Draft(view);
  draft.put('authority', ca.id, { ...record, partitions });
  await store.write(draft.actions);
  return { ...ca, partitions };
}

/**
 * Takes over what the newest published CRLs list, and publishes each with a number above.
 * @param published those that are not lost, by name
 */
export async function goOnFrom(
  operator: Operator,
  ca: Issuer,
  published: ReadonlyMap<string, PublishedCrl>,
  actor: NamedActor,
): Promise<Told> {
  const { store, crls, clock } = operator;
  const looked = await Promise.all(
    crlNames(ca).map(async (name) => compared(await crls.newest(name), name, published.get(name))),
  );
  const revoked = looked.flatMap((one) => one.revoked);
  for (const [serial, { reason, at }] of revoked) {
    // One without a record of it enters the register alone, below.
    await revoke(operator, { ca: ca.id, serial, reason, actor, at });
  }
  const changes = await registerChanges(store, [...published.keys()]);
  for (const [name, crl] of published) {
    await crls.publish(name, { ...crl, changes: changes(name) });
  }
  if (published.size > 0) await rebuildRegisters(operator, ca, actor);
  const numbers: number[] = [];
  for (const { name, newest } of looked) {
    // A signature and a commit take longer than a millisecond: no CA has published more than one in each.
    const since = newest ? Math.max(0, clock.now() - newest.thisUpdate) : 0;
    const above = (newest?.number ?? 0) + since;
    numbers.push((await publishCrl(operator, ca, { name, actor, above })).number);
  }
  return {
    ca: ca.id,
    before: looked[0]?.last?.number,
    number: numbers[0] ?? 0,
    revoked: revoked.map(([serial]) => serial),
    held: looked.flatMap((one) => one.held),
  };
}

/** What the published CRL of a name says beyond the last one of the backup. */
function compared(last: Crl | undefined, name: string, published: PublishedCrl | undefined) {
  const listed: Revoked = last ? revokedIn(last.der) : new Map();
  const told = published ? revokedIn(published.der) : listed;
  const revoked = [...told].filter(([serial, { reason }]) => reason !== listed.get(serial)?.reason);
  const held = [...listed].filter(
    ([serial, { reason }]) => reason === 'certificateHold' && !told.has(serial),
  );
  const newest = published ?? last;
  return { name, last, newest, revoked, held: held.map(([serial]) => serial) };
}

type ChallengeDeps = Pick<Deps, 'config' | 'store' | 'macKeys' | 'clock' | 'random' | 'log'>;

/** @returns how many were open */
export async function revokeOpenChallenges(
  deps: ChallengeDeps,
  actor: NamedActor,
): Promise<number> {
  let revoked = 0;
  for (const endpoint of deps.config.endpoints.keys()) {
    for (let cursor: string | undefined, more = true; more; ) {
      const turn = { limit: MAX_PAGE, ...(cursor === undefined ? {} : { cursor }) };
      const { challenges, next } = await listChallenges(deps, { endpoint, state: 'open', ...turn });
      for (const { id } of challenges) {
        await revokeChallenge(deps, id, endpoint, actor);
        revoked++;
      }
      [cursor, more] = [next, next !== undefined];
    }
  }
  return revoked;
}

type TellingDeps = Pick<Deps, 'store' | 'clock' | 'random'>;

/** @param actor whoever has the database copied, before it is: the copy has all that somebody else may do with it */
export const tellOfBackup = (deps: TellingDeps, actor: NamedActor): Promise<void> =>
  tell(deps, actor, 'copied the database for a backup');

/** The event without which the log would not show that it went back. */
export const tellOfRestore = (
  deps: TellingDeps,
  madeAt: string,
  actor: NamedActor,
): Promise<void> =>
  tell(
    deps,
    actor,
    `restored the backup of ${madeAt}: what happened between it and now is not in this log`,
  );

async function tell(
  { store, clock, random }: TellingDeps,
  actor: NamedActor,
  note: string,
): Promise<void> {
  const draft = new Draft(new View(store));
  draft.event(clock.now(), random, { type: 'admin.acted', actor, note });
  await store.write(draft.actions);
}
