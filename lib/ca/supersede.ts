// What becomes of a certificate that was renewed, where the endpoint says so (`Renewals.supersede`): it is revoked
// once the new one has signed something, because then its device has that; or some days after the renewal, while
// itself it has signed nothing since. A renewal that the new one signs revokes it in its own write (`renew.ts`);
// everything else the sweeper finds by the Transaction of the new one, which says when to look.

import type { Endpoint } from '../config/endpoint/endpoint.ts';
import type { Actor } from '../events/event.ts';
import type { CertificateRecord } from '../ports/records/certificate.ts';
import type { Transaction } from '../ports/records/transaction.ts';
import type { Deps } from './deps.ts';
import { loadTransaction } from './enrol/lookup.ts';
import type { Act } from './enrol/rollback.ts';
import { certificateKey } from './record/keys.ts';
import { Draft, type View } from './record/unit-of-work.ts';
import { enter, loadRegister } from './revoke/register.ts';

/**
 * Revokes a certificate whose place a renewal takes, with the event. The view has read its register.
 * @param by serial of the renewal
 */
export function supersede(
  draft: Draft,
  certificate: CertificateRecord<'issued' | 'held'>,
  by: string,
  { actor, now, random }: Act,
): void {
  const { ca, endpoint, transaction, serial } = certificate;
  enter(draft, certificate, { reason: 'superseded', at: now, supersededBy: by });
  const about = { ca, endpoint, transaction, serial };
  draft.event(now, random, { type: 'certificate.superseded', actor, ...about });
}

/** Milliseconds in which a further query that the old certificate signs is not noted. */
const NOTED_MS = 24 * 60 * 60 * 1000;
/** Milliseconds until a suspended certificate is looked at again. */
const HELD_MS = 24 * 60 * 60 * 1000;

/**
 * A certificate has signed a query (GetCert, GetCRL). Its device has it, if it is a renewal: what it renews is due
 * now. If it was renewed, its device does not go by the new one yet. Written at most once, and once a day.
 * @param record as it was read, issued and good
 */
export async function noteQuery(
  { store, clock }: Pick<Deps, 'store' | 'clock'>,
  { renew }: Endpoint,
  view: View,
  record: CertificateRecord,
): Promise<void> {
  if (!renew.supersede) return;
  const now = clock.now();
  const key = certificateKey(record.ca, record.serial);
  const draft = new Draft(view);
  const isRenewal = record.lineage.root !== record.serial;
  if (isRenewal && !record.confirmed) {
    const { transaction } = await loadTransaction(view, record.transaction);
    draft.put('certificate', key, { ...record, confirmed: true });
    if (transaction?.state === 'issued' && transaction.serial === record.serial) {
      draft.put('transaction', transaction.id, { ...transaction, supersedeAt: now });
    }
  } else if (
    Object.keys(record.successors).length > 0 &&
    (record.signedAt ?? 0) + NOTED_MS <= now
  ) {
    draft.put('certificate', key, { ...record, signedAt: now });
  } else return;
  // One that lost to another write is noted with the next query.
  await store.write(draft.actions);
}

/**
 * Looks at what a renewal supersedes, when it is due. One that loses to another write is looked at with the next run.
 * @param transaction of the renewal, as it was read into the view
 * @returns whether a certificate was revoked
 */
export async function supersedeDue(
  { store, config, random }: Deps,
  view: View,
  transaction: Transaction<'issued'>,
  { actor, now }: { readonly actor: Actor; readonly now: number },
): Promise<boolean> {
  const { ca, serial, renews = '' } = transaction;
  const keys = [serial, renews].map((one) => certificateKey(ca, one));
  await view.load(keys.map((key) => ({ kind: 'certificate', key })));
  const [renewal, old] = keys.map((key) => view.get('certificate', key));
  const rule = config.endpoints.get(transaction.endpoint)?.renew.supersede;
  const next = renewal && old && rule && nextLook({ renewal, old }, rule, now);
  const { supersedeAt: _due, ...rest } = transaction;
  const draft = new Draft(view);
  draft.put(
    'transaction',
    transaction.id,
    typeof next === 'number' ? { ...rest, supersedeAt: next } : rest,
  );
  const ends = next === 'now' && old?.state === 'issued' ? old : undefined;
  if (ends && renewal) {
    await loadRegister(view, [ends]);
    const { good, superseded } = renewal.lineage;
    const lineage = {
      ...renewal.lineage,
      good: good.filter((one) => one.serial !== ends.serial),
      superseded: [...superseded.filter((end) => end > now), ends.notAfter],
    };
    draft.put('certificate', certificateKey(ca, serial), { ...renewal, lineage });
    supersede(draft, ends, serial, { actor, now, random });
  }
  return (await store.write(draft.actions)) === 'done' && ends !== undefined;
}

type Pair = { readonly renewal: CertificateRecord; readonly old: CertificateRecord };

/** `now`: the old one is superseded; otherwise when to look again; undefined: never. */
function nextLook(
  { renewal, old }: Pair,
  { afterMs }: NonNullable<Endpoint['renew']['supersede']>,
  now: number,
): 'now' | number | undefined {
  const isLeft = old.state === 'issued' || old.state === 'held';
  if (renewal.state !== 'issued' || !isLeft || old.notAfter <= now) return undefined;
  // Whoever suspended it decides about it first.
  if (old.state === 'held') return now + HELD_MS;
  if (renewal.confirmed) return 'now';
  if (afterMs === undefined) return undefined;
  const since = Math.max(old.signedAt ?? 0, old.successors[renewal.serial]?.at ?? 0);
  return since + afterMs <= now ? 'now' : since + afterMs;
}
