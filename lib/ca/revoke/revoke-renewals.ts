// Revokes, holds or releases a certificate with all good certificates of its lineage: a device that is to be
// stopped may also have the certificate before and the renewal after the one that was found. Each one is a
// write of its own; a repeated call continues where the last one stopped.

import { Outage } from '../../base/errors.ts';
import { MAX_ISSUE_ROUNDS, MAX_LINEAGE_WALK } from '../../base/limits.ts';
import type { CertificateState } from '../../base/words.ts';
import { type CertificateRecord, isReleased } from '../../ports/records/certificate.ts';
import type { Deps } from '../deps.ts';
import { certificatesOf } from '../query/search.ts';
import { loadNew, type Remembered } from '../record/idempotency.ts';
import { Draft, View } from '../record/unit-of-work.ts';
import { isFor, type Revocation, revoke } from './revoke.ts';

export type RevokedTogether = {
  readonly certificate: CertificateRecord;
  /** Serial numbers of the others that this call has revoked, held or released. */
  readonly others: readonly string[];
  /** All of it was so already. */
  readonly unchanged: boolean;
};

/**
 * @returns `missing`, or the state of a certificate that has not been handed out yet
 * @throws {Outage} when our own side failed; asking again is safe
 * @throws {Repeated}
 */
export async function revokeWithRenewals(
  deps: Deps,
  asked: Revocation,
  remembered?: Remembered<RevokedTogether>,
): Promise<RevokedTogether | 'missing' | CertificateState> {
  const { ca, serial, reason } = asked;
  const others: string[] = [];
  let unchanged = true;
  for (let round = 0; round < MAX_ISSUE_ROUNDS; round++) {
    const now = deps.clock.now();
    const view = new View(deps.store);
    await loadNew(view, [], remembered, now);
    const [certificate] = await certificatesOf(view, [ca], [serial]);
    if (!certificate) return 'missing';
    if (!isReleased(certificate)) return certificate.state;
    // A revoked certificate stays so, but its reason may be raised, and that may block its key.
    if (certificate.state === 'revoked' && (await revoke(deps, asked)) === 'done') {
      unchanged = false;
      continue;
    }
    // Expired ones too, because by a clock that is ahead good ones look expired.
    const rest = (await lineageOf(view, certificate)).filter((one) => isFor(reason, one));
    for (const one of rest) {
      const said = await revoke(deps, { ...asked, serial: one.serial });
      unchanged &&= said !== 'done';
      if (said === 'done' && one !== certificate) others.push(one.serial);
    }
    if (rest.length > 0) continue;
    const done = { certificate, others, unchanged };
    if (!remembered || unchanged) return done;
    const draft = new Draft(view);
    remembered.once.remember(draft, now, remembered.answer(done));
    if ((await deps.store.write(draft.actions)) === 'done') return done;
  }
  throw new Outage(`the lineage of ${serial} kept changing while it was to be revoked`);
}

/** The certificate, then all that can be good of its lineage. */
async function lineageOf(
  view: View,
  certificate: CertificateRecord,
): Promise<readonly CertificateRecord[]> {
  const found = new Map([[certificate.serial, certificate]]);
  for (let last = [certificate]; last.length > 0; ) {
    const named = last.flatMap(({ lineage, successors }) => [
      ...Object.keys(successors),
      ...lineage.good.map((member) => member.serial),
    ]);
    const fresh = [...new Set(named)].filter((serial) => !found.has(serial));
    if (found.size + fresh.length > MAX_LINEAGE_WALK) {
      throw new Outage(`${certificate.serial} has too many renewals: name one of the latest`);
    }
    last = await certificatesOf(view, [certificate.ca], fresh);
    for (const one of last) found.set(one.serial, one);
  }
  return [...found.values()];
}
