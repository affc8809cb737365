// Revocation (RFC 5280 §5.3.1) takes effect with the write: the certificate cannot be renewed, no poll or
// repeat returns it, and it cannot sign queries. Its challenge stays used. A hold does the same and can end.
// A compromised key is blocked in the same write, for ever; after any other reason the key may be certified
// again, also for other names.
//
// A revocation targets the device that uses the certificate. The device may have its renewal already, or
// get it soon, so that renewal cannot renew either. Two revocations are about the certificate alone: of one
// whose renewal has been seen in use, and one for the reason superseded, with which an MDM removes
// certificates that its device has renewed.

import { Outage } from '../../base/errors.ts';
import { MAX_ISSUE_ROUNDS } from '../../base/limits.ts';
import type { CertificateState, EventType, RegisterReason } from '../../base/words.ts';
import type { Actor, EventFields } from '../../events/event.ts';
import {
  type CertificateRecord,
  isReleased,
  isUnreleased,
} from '../../ports/records/certificate.ts';
import type { Transaction } from '../../ports/records/transaction.ts';
import type { Deps } from '../deps.ts';
import { loadTransaction } from '../enrol/lookup.ts';
import { certificatesOf } from '../query/search.ts';
import type { Remembered } from '../record/idempotency.ts';
import { certificateKey } from '../record/keys.ts';
import { eventOf } from '../record/transaction-event.ts';
import { authorOf, moved } from '../record/transition.ts';
import { Draft, View } from '../record/unit-of-work.ts';
import { enter, loadRegister } from './register.ts';
import { standing } from './standing.ts';

export type Revocation = {
  readonly ca: string;
  /** Hexadecimal, as recorded. */
  readonly serial: string;
  /** removeFromCRL ends a hold. */
  readonly reason: RegisterReason;
  readonly actor: Actor;
  /** When it was revoked, where a CRL tells of an earlier time. */
  readonly at?: number;
};

type RevokingDeps = Pick<Deps, 'store' | 'clock' | 'random'>;

/**
 * @returns `unchanged`: it was so already. A revoked certificate keeps its time, and its reason is raised and never
 *   lowered. `missing`, or its state, if that does not allow it: a revoked certificate is not held or released, and
 *   one that has not been handed out yet (intended, signed) is not revoked.
 * @throws {Outage} when our own side failed; asking again is safe
 * @throws {Repeated}
 */
export async function revoke(
  deps: RevokingDeps,
  asked: Revocation,
  remembered?: Remembered<CertificateRecord>,
): Promise<'done' | 'unchanged' | 'missing' | CertificateState> {
  const { ca, serial, reason } = asked;
  const key = certificateKey(ca, serial);
  for (let round = 0; round < MAX_ISSUE_ROUNDS; round++) {
    const now = deps.clock.now();
    const view = new View(deps.store);
    const record = remembered?.once.recordKey;
    await view.load([{ kind: 'certificate', key }, ...(record ? [record] : [])]);
    remembered?.once.requireNew(view, now);
    const certificate = view.get('certificate', key);
    if (!certificate) return 'missing';
    if (isUnreleased(certificate) || !isReleased(certificate)) return certificate.state;
    const mayBlock = reason === 'keyCompromise';
    const blocked = { kind: 'blockedKey', key: certificate.keyHash } as const;
    const about = { kind: 'transaction', key: certificate.transaction } as const;
    await loadRegister(view, [certificate], [about, ...(mayBlock ? [blocked] : [])]);
    const blocks = mayBlock && view.unaltered('blockedKey', blocked.key) === undefined;
    const how = standing(certificate.revocationReason, reason);
    if (how === 'excluded') return certificate.state;
    if (how === 'unchanged' && !blocks) return 'unchanged';
    const loaded = await loadTransaction(view, certificate.transaction);
    const transaction = ofCertificate(serial, loaded.transaction);
    const draft = new Draft(view);
    const event = eventFor(deps, draft, { asked, certificate, transaction, now });
    if (blocks) blockKey(draft, certificate, now);
    if (blocks) event('key.blocked', { keyHash: blocked.key });
    if (how !== 'unchanged') {
      const { revokedAt: since = now } = how === 'raised' ? certificate : {};
      draft.hold('transaction', certificate.transaction);
      // That of a certificate which a renewal has superseded says that it was issued, as before.
      if (how === 'new' || transaction?.state === 'revoked') {
        endTransaction(draft, transaction, asked, now);
      }
      enter(draft, certificate, { reason, at: Math.min(since, asked.at ?? now) });
      // What has ended them stands under its new name, too.
      if (how === 'new' || reason !== 'superseded') await endHeirs(draft, certificate, reason);
      event(how === 'raised' ? 'certificate.reasonRaised' : eventTypeOf(reason));
    }
    remembered?.once.remember(
      draft,
      now,
      remembered.answer(draft.get('certificate', key) ?? certificate),
    );
    if ((await deps.store.write(draft.actions)) === 'done') return 'done';
  }
  throw new Outage(`${serial} kept changing while it was to be revoked`);
}

function blockKey(draft: Draft, { ca, serial, keyHash }: CertificateRecord, at: number): void {
  draft.put('blockedKey', keyHash, { ca, serial, at });
}

/** Whether the certificate is in a state in which it can be revoked, held or released from a hold. */
export const isFor = (
  reason: RegisterReason,
  certificate: CertificateRecord,
): certificate is CertificateRecord<'issued' | 'held'> =>
  certificate.state === 'held'
    ? reason !== 'certificateHold'
    : certificate.state === 'issued' && reason !== 'removeFromCRL';

/** One of another moment, which the write finds out, or that another hand has put back, is none. */
const ofCertificate = (
  serial: string,
  transaction: Transaction | undefined,
): Transaction<'issued' | 'revoked'> | undefined =>
  (transaction?.state === 'issued' || transaction?.state === 'revoked') &&
  transaction.serial === serial
    ? transaction
    : undefined;

type Revoked = {
  readonly asked: Revocation;
  readonly certificate: CertificateRecord;
  readonly transaction: Transaction | undefined;
  readonly now: number;
};

/** Adds events about the certificate to the draft. */
function eventFor(
  { random }: RevokingDeps,
  draft: Draft,
  { asked: { ca, serial, reason, actor }, certificate, transaction, now }: Revoked,
) {
  const { endpoint, subject } = certificate;
  const about = transaction ? eventOf(transaction) : { ca, endpoint, serial, subject };
  return (type: EventType, more: Pick<EventFields, 'keyHash'> = {}): void =>
    draft.event(now, random, { ...about, type, actor, reason, ...more });
}

/** A missing or altered Transaction does not prevent the revocation of its certificate. */
function endTransaction(
  draft: Draft,
  transaction: Transaction<'issued' | 'revoked'> | undefined,
  { reason, actor }: Revocation,
  now: number,
): void {
  if (!transaction) return;
  if (reason === 'certificateHold' || reason === 'removeFromCRL') return;
  const { sealedPassword: _sealed, ...rest } = transaction;
  const ended =
    transaction.state === 'issued'
      ? { ...rest, ...moved(transaction, 'revoke', now, authorOf(actor)), reason }
      : { ...transaction, reason };
  draft.put('transaction', rest.id, ended);
}

/** Its renewals that have not been seen in use cannot renew while it is revoked or held; the end of a hold,
 * and the reason superseded, allow it again. */
async function endHeirs(
  draft: Draft,
  { ca, serial, successors }: CertificateRecord,
  reason: RegisterReason,
): Promise<void> {
  const by = reason === 'removeFromCRL' || reason === 'superseded' ? undefined : serial;
  for (const heir of await certificatesOf(draft.view, [ca], Object.keys(successors))) {
    const { lineage, confirmed, state, supersededBy } = heir;
    const { endedBy, ...rest } = lineage;
    if (confirmed || state === 'voided' || supersededBy !== undefined || endedBy === by) continue;
    const ended = by === undefined ? rest : { ...rest, endedBy: by };
    draft.put('certificate', certificateKey(ca, heir.serial), { ...heir, lineage: ended });
  }
}

function eventTypeOf(reason: RegisterReason): EventType {
  if (reason === 'certificateHold') return 'certificate.held';
  return reason === 'removeFromCRL' ? 'certificate.released' : 'certificate.revoked';
}
