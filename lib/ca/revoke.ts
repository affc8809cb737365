// Revocation (RFC 5280 §5.3.1), effective from the write on: no renewal rests on the certificate any
// more, no poll or repeat gives it out again, and whoever holds it may ask nothing with it. Its
// challenge stays spent and its key stays with its names. A hold is the same and can end.

import { Outage } from '../errors.ts';
import { MAX_ISSUE_ROUNDS } from '../limits.ts';
import type { Actor, EventType } from '../log/event.ts';
import type { CertificateRecord, CertificateState, RevocationReason } from '../ports/records.ts';
import { moved } from './attempt.ts';
import type { Deps } from './deps.ts';
import type { Remembered } from './idempotency.ts';
import { eventOf } from './issue.ts';
import { certificateKey } from './keys.ts';
import { loadTransaction } from './recall.ts';
import { enter, registerKeys } from './register.ts';
import { Draft, View } from './view.ts';

export type Reason = RevocationReason | 'certificateHold' | 'removeFromCRL';

/**
 * @param serial hexadecimal, as recorded
 * @param reason removeFromCRL ends a hold
 * @returns `missing`, or the state it is in when that does not allow it; `revoked`: it was already,
 *   and keeps its time and reason. What nobody has been given yet (intended, signed) is not revoked.
 * @throws {Outage} when our own side failed; asking again is safe
 * @throws {Repeated}
 */
export async function revoke(
  deps: Deps,
  ca: string,
  serial: string,
  reason: Reason,
  actor: Actor,
  remembered?: Remembered<CertificateRecord>,
): Promise<'done' | 'missing' | CertificateState> {
  const key = certificateKey(ca, serial);
  for (let round = 0; round < MAX_ISSUE_ROUNDS; round++) {
    const now = deps.clock.now();
    const view = new View(deps.store);
    const record = remembered?.once.recordKey;
    const keys = [...registerKeys(ca, [serial]), ...(record ? [record] : [])];
    await view.load([{ kind: 'certificate', key }, ...keys]);
    remembered?.once.requireNew(view, now);
    const certificate = view.get('certificate', key);
    if (!certificate) return 'missing';
    const { state } = certificate;
    const isFor = reason === 'removeFromCRL' ? ['held'] : ['issued', 'held'];
    if (!isFor.includes(state) || (state === 'held' && reason === 'certificateHold')) return state;
    const { transaction } = await loadTransaction(view, certificate.transaction);
    // Two records of different moments: the one that is behind is read again.
    if (transaction?.state !== 'issued' || transaction.serial !== serial) continue;
    const draft = new Draft(view);
    const type = eventTypeOf(reason);
    if (type === 'certificate.revoked') {
      const { sealedPassword: _sealed, ...rest } = transaction;
      const next = { ...moved(rest, 'revoked', now, actor.id ?? actor.kind), reason };
      draft.put('transaction', next.id, next);
    } else draft.hold('transaction', transaction.id);
    enter(draft, certificate, reason, now);
    draft.event(now, deps.random, { ...eventOf(transaction), type, actor, reason });
    const entered = draft.get('certificate', key) ?? certificate;
    remembered?.once.remember(draft, now, remembered.answer(entered));
    if ((await deps.store.write(draft.actions)) === 'done') return 'done';
  }
  throw new Outage(`${serial} kept changing while it was to be revoked`);
}

function eventTypeOf(reason: Reason): EventType {
  if (reason === 'certificateHold') return 'certificate.held';
  return reason === 'removeFromCRL' ? 'certificate.released' : 'certificate.revoked';
}
