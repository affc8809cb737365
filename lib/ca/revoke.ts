// Revocation (RFC 5280 §5.3.1), final from the write on: no renewal rests on the certificate any
// more, no poll or repeat gives it out again, and whoever holds it may ask nothing with it. Its
// challenge stays spent and its key stays with its names.

import { Outage } from '../errors.ts';
import { MAX_ISSUE_ROUNDS } from '../limits.ts';
import type { Actor } from '../log/event.ts';
import type { CertificateState, RevocationReason } from '../ports/records.ts';
import { moved } from './attempt.ts';
import type { Deps } from './deps.ts';
import { eventOf } from './issue.ts';
import { certificateKey } from './keys.ts';
import { loadTransaction } from './recall.ts';
import { Draft, View } from './view.ts';

/**
 * @param serial hexadecimal, as recorded
 * @returns `missing`, or the state it is in when that is not `issued`; `revoked`: it was already, and
 *   keeps its time and reason. What nobody has been given yet (intended, signed) is not revoked.
 * @throws {Outage} when our own side failed; asking again is safe
 */
export async function revoke(
  deps: Deps,
  ca: string,
  serial: string,
  reason: RevocationReason,
  actor: Actor,
): Promise<'done' | 'missing' | CertificateState> {
  const key = certificateKey(ca, serial);
  for (let round = 0; round < MAX_ISSUE_ROUNDS; round++) {
    const now = deps.clock.now();
    const view = new View(deps.store);
    await view.load([{ kind: 'certificate', key }]);
    const certificate = view.get('certificate', key);
    if (!certificate) return 'missing';
    if (certificate.state !== 'issued') return certificate.state;
    const { transaction } = await loadTransaction(view, certificate.transaction);
    // Two records of different moments: the one that is behind is read again.
    if (transaction?.state !== 'issued' || transaction.serial !== serial) continue;
    const { sealedPassword: _sealed, ...rest } = transaction;
    const next = { ...moved(rest, 'revoked', now, actor.id ?? actor.kind), reason };
    const draft = new Draft(view);
    draft.put('transaction', next.id, next);
    draft.put('certificate', key, {
      ...certificate,
      state: 'revoked',
      revokedAt: now,
      revocationReason: reason,
    });
    draft.event(now, deps.random, { ...eventOf(next), type: 'certificate.revoked', actor, reason });
    if ((await deps.store.write(draft.actions)) === 'done') return 'done';
  }
  throw new Outage(`${serial} kept changing while it was to be revoked`);
}
