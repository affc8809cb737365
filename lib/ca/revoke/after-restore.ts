// What must not go back when a store is restored from a backup (RFC 5280 §5.2.3, §5.3): the number of the CRL
// and what it lists. The newest CRL that the CA had published tells both, and its signature proves it. Without
// it, revocations since the backup are unknown; the number can still be kept above every one that was used.
//
// Challenges that were open are revoked: one of them may have been used since.

import type { Bytes } from '../../base/bytes.ts';
import { MAX_PAGE } from '../../base/limits.ts';
import { type RegisterReason, revocationReasons } from '../../base/words.ts';
import type { NamedActor } from '../../events/event.ts';
import type { Crl } from '../../ports/crls.ts';
import { readCrlHead } from '../../x509/crl-head.ts';
import { crlEntries, describeCrlEntry } from '../../x509/describe/describe.ts';
import { verifySignature } from '../../x509/public-key.ts';
import type { Issuer } from '../authority/ca-certificates.ts';
import { listChallenges, revokeChallenge } from '../challenge/challenge-list.ts';
import type { Deps, Operator } from '../deps.ts';
import { Draft, View } from '../record/unit-of-work.ts';
import { publishCrl } from './publish-crl.ts';
import { rebuildRegister } from './rebuild-register.ts';
import { registerChanges } from './register.ts';
import { revoke } from './revoke.ts';

type Told = {
  readonly ca: string;
  /** Of the CRL in the backup; undefined if it has none. */
  readonly before: number | undefined;
  /** Of the CRL that has been published now. */
  readonly number: number;
  /** Serial numbers that the given CRL lists and the backup did not. */
  readonly revoked: readonly string[];
  /** Serial numbers of holds of the backup that the given CRL does not list: they may have ended. */
  readonly held: readonly string[];
};

/** A CRL that this CA has signed. */
export type PublishedCrl = Omit<Crl, 'changes'>;

/** @returns undefined unless this CA has signed it */
export async function readPublished(ca: Issuer, der: Bytes): Promise<PublishedCrl | undefined> {
  const head = readCrlHead(der);
  if (!head || !(await verifySignature(ca.key, head.scheme, head.tbs, head.signature))) {
    return undefined;
  }
  const { number, thisUpdate, nextUpdate } = head;
  return { number, thisUpdate, nextUpdate, der };
}

/**
 * Takes over what the newest published CRL lists, and publishes one with a number above it.
 * @param published undefined: it is lost
 */
export async function goOnFrom(
  operator: Operator,
  ca: Issuer,
  published: PublishedCrl | undefined,
  actor: NamedActor,
): Promise<Told> {
  const { store, crls, clock } = operator;
  const last = await crls.newest(ca.id);
  const listed = last ? serialsOf(last) : new Map<string, Entry>();
  const told = published ? serialsOf(published) : listed;
  const revoked = [...told].filter(([serial, { reason }]) => reason !== listed.get(serial)?.reason);
  for (const [serial, { reason, at }] of revoked) {
    // One without a record of it enters the register alone, below.
    await revoke(operator, { ca: ca.id, serial, reason, actor, at });
  }
  if (published) {
    const changes = await registerChanges(store, ca.id);
    await crls.publish(ca.id, { ...published, changes });
    await rebuildRegister(operator, ca, actor);
  }
  // A signature and a commit take longer than a millisecond: no CA has published more than one in each.
  const newest = published ?? last;
  const since = newest ? Math.max(0, clock.now() - newest.thisUpdate) : 0;
  const above = (newest?.number ?? 0) + since;
  const { number } = await publishCrl(operator, ca, { actor, above });
  const held = [...listed].filter(
    ([serial, { reason }]) => reason === 'certificateHold' && !told.has(serial),
  );
  return {
    ca: ca.id,
    before: last?.number,
    number,
    revoked: revoked.map(([serial]) => serial),
    held: held.map(([serial]) => serial),
  };
}

type Entry = { readonly reason: RegisterReason; readonly at: number };

function serialsOf({ der }: Pick<Crl, 'der'>): Map<string, Entry> {
  return new Map(
    crlEntries(der)
      .map(describeCrlEntry)
      .map(({ serial, revokedAt, reason: said }) => {
        const reason =
          said === 'certificateHold'
            ? said
            : (revocationReasons.find((one) => one === said) ?? 'unspecified');
        return [serial, { reason, at: Date.parse(revokedAt) }] as const;
      }),
  );
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
