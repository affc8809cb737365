// An enrolment on a challenge: whether it is one, is free, and allows what is asked for. Nothing is
// written here.

import { utf8 } from '../../base/bytes.ts';
import { Outage } from '../../base/errors.ts';
import { CHALLENGE_AHEAD_MS, CLEAR_OPEN_USES_AT, MAX_OPEN_USES } from '../../base/limits.ts';
import { timeOfUlid } from '../../base/ulid.ts';
import type { Endpoint } from '../../config/endpoint/endpoint.ts';
import type { Profile } from '../../config/profile.ts';
import type { Challenge } from '../../ports/records/records.ts';
import type { Transaction } from '../../ports/records/transaction.ts';
import { isLocked } from '../../ports/store.ts';
import { Refusal } from '../../refusal/reasons.ts';
import { printGeneralName } from '../../x509/names/general-name.ts';
import { bindingHolds } from '../challenge/challenges.ts';
import type { Deps } from '../deps.ts';
import { isNewest, type Known, pointerTo } from '../enrol/lookup.ts';
import type { EnrolmentRequest } from '../enrol/request.ts';
import { lapsed, loadForEnd } from '../enrol/rollback.ts';
import { narrowed, narrowingOf, requireBound } from '../policy/bound.ts';
import {
  type CertifiedNames,
  certifiedNames,
  fitsRule,
  printRule,
  requireSubject,
} from '../policy/policy.ts';
import { View } from '../record/unit-of-work.ts';
import { type Listed, withRow } from './by-list.ts';
import { type Basis, type Denied, deny } from './grounds.ts';

/**
 * @param found the row of the device, where the endpoint has a device list
 * @throws {Outage} when another request is using the challenge
 */
export async function byChallenge(
  deps: Deps,
  request: EnrolmentRequest,
  known: Known,
  { now, found }: { readonly now: number; readonly found: Listed | Denied | undefined },
): Promise<Basis> {
  const { challenge, transaction: own } = known;
  const { kept } = request;
  if (!request.csr.challengePassword) return deny('challengeMissing');
  const { length } = utf8(request.csr.challengePassword);
  if (!challenge) {
    const why = known.unsigned === undefined ? {} : { detail: known.unsigned };
    return deny('challengeUnknown', { octets: length, ...why });
  }
  const { key, record, isNew } = challenge;
  const evidence = { challengeId: record.id };
  if (!bindingHolds(await deps.macKeys.live('challenge'), key, record)) {
    deps.log({ event: 'challenge.tampered', severity: 'error', ...evidence });
    return deny('challengeUnknown', evidence);
  }
  if (record.decoy) {
    deps.log({ event: 'challenge.decoyUsed', severity: 'error', ...evidence, ...kept.client });
    return deny('challengeUnknown', evidence);
  }
  // The use that this very request holds counts as free, and as taken in time.
  const holds = own?.state === 'intended' && own.undo.challenge === key;
  const held = holds && record.open[own.id] !== undefined;
  if (holds && !held) {
    // It was read before the attempt began; or another hand has changed it, and it holds nothing.
    await known.view.reload({ kind: 'challenge', key });
    if (known.view.get('challenge', key)?.open[own.id] !== undefined) return { kind: 'again' };
  }
  // Records of one read are of different moments: a challenge that names this request may be newer
  // than the pointer that did not know of it, and must not be what refuses it.
  if (!held && (await answeredSince(deps, request, known, record))) return { kind: 'again' };
  if (!held && record.revokedAt !== undefined) {
    return deny('challengeRevoked', {
      ...evidence,
      revokedAt: new Date(record.revokedAt).toISOString(),
    });
  }
  if (!held && isLocked(record)) {
    return deny('challengeLocked', { ...evidence, failures: record.failures });
  }
  // A challenge made in the future came from a clock that was ahead, and would last longer than it should.
  const madeAt = timeOfUlid(record.id);
  if (!held && (record.expiresAt <= now || madeAt > now + CHALLENGE_AHEAD_MS)) {
    return deny('challengeExpired', {
      ...evidence,
      ...(madeAt > now ? { madeAt: new Date(madeAt).toISOString() } : {}),
      expiresAt: new Date(record.expiresAt).toISOString(),
    });
  }
  const holders = held ? noHolders : await holdersOf(request, known, record.open, now);
  const free = record.usesLeft + holders.ends.length + (held ? 1 : 0);
  if (free < 1) {
    if (holders.busy)
      throw new Outage('the challenge is held by a request that is being worked on');
    if (holders.stale) return { kind: 'again' };
    return deny('challengeSpent', { uses: record.uses, ...evidence });
  }
  if (!held && Object.keys(record.open).length - holders.clear.length >= MAX_OPEN_USES) {
    throw new Outage('too many requests with one challenge are being worked on');
  }
  const narrowing = narrowingOf(record.binding);
  let profile: Profile;
  let names: CertifiedNames;
  try {
    requireBound(request, record.binding);
    profile = narrowed(request.endpoint.profile, narrowing);
    names = certifiedNames(profile, request.csr, withRow(record.binding, found, request.csr));
    if (record.signedBy !== undefined) requireSigned(request.endpoint, record.signedBy, names);
  } catch (error) {
    // The use is not taken: the right request may still come. Guessing names locks a one-time one.
    if (error instanceof Refusal) return deny(error.reason, { ...error.evidence, ...evidence });
    throw error;
  }
  const grounds = {
    ...{ names, profile, narrowing, device: record.binding.device },
    by: [`challenge ${record.id}`],
    ...(record.madeBy ? { challengeBy: record.madeBy } : {}),
    ...(held ? {} : { challenge: { key, clear: holders.clear, fresh: isNew && record } }),
    ends: record.usesLeft > 0 ? [] : holders.ends.slice(0, 1),
    repeatsForLife: record.uses === 1,
  };
  return { kind: 'basis', grounds };
}

/**
 * What the key that signed the challenge may give, by the configuration of now.
 * @throws {Refusal} signerNotAllowed, subjectNotAllowed
 */
function requireSigned({ id, enrol }: Endpoint, kid: string, certified: CertifiedNames): void {
  const path = `endpoints.${id}.enrol.signedChallenge.keys.${kid}`;
  const key = enrol.signedChallenge?.keys.get(kid);
  for (const name of certified.names) {
    const given = name.kind === 'other' ? undefined : key?.names.get(name.kind);
    if (given && fitsRule(given, name)) continue;
    throw new Refusal('signerNotAllowed', {
      rule: `${path}.names`,
      value: printGeneralName(name),
      allowed: given ? printRule(given) : 'none',
    });
  }
  requireSubject(`${path}.subject`, key?.subject ?? new Map(), certified.subject);
}

/** Whether the request has a newer Transaction than the lookup saw, by a holder that the challenge lists. */
async function answeredSince(
  { store }: Deps,
  request: EnrolmentRequest,
  known: Known,
  { open }: Challenge,
): Promise<boolean> {
  const { requestHash } = request;
  const { transaction: own } = known;
  const newer = Object.entries(open).some(([id, hash]) => hash === requestHash && id !== own?.id);
  if (!newer) return false;
  const view = new View(store);
  await view.load([{ kind: 'request', key: requestHash }]);
  return !isNewest(request, known, view.get('request', requestHash));
}

type Holders = {
  readonly ends: readonly Transaction<'intended'>[];
  readonly clear: string[];
  /** One is being worked on. */
  readonly busy: boolean;
  /** A record has changed since it was read. The caller must not refuse by it, but read again. */
  readonly stale: boolean;
};
const noHolders: Holders = { ends: [], clear: [], busy: false, stale: false };

/**
 * The Transactions that hold a use, looked at only where it matters: with a use left and few listed
 * it does not. Lapsed ones can be ended; ended ones need not be listed any longer, except the one of
 * a one-time challenge, by which its repeat is known.
 */
async function holdersOf(
  request: EnrolmentRequest,
  known: Known,
  open: Readonly<Record<string, string>>,
  now: number,
): Promise<Holders> {
  const { view, challenge } = known;
  const ids = Object.keys(open);
  const { usesLeft = 0, uses = 1 } = challenge?.record ?? {};
  if (usesLeft > 0 && ids.length < CLEAR_OPEN_USES_AT) return noHolders;
  const keys = ids.map((id) => ({ kind: 'transaction', key: id }) as const);
  await view.reload(pointerTo(request), keys);
  const holders = ids.map((id) => ({ id, holder: view.get('transaction', id) }));
  // An approved request keeps its use when its attempt ends.
  const attempts = holders.flatMap(({ holder }) =>
    holder?.state === 'intended' && !holder.approval && holder.undo.challenge === challenge?.key
      ? [holder]
      : [],
  );
  const ends = attempts.filter((holder) => lapsed(holder, now));
  const [first] = ends;
  if (first && usesLeft < 1) await loadForEnd(view, first);
  const inWork = new Set(attempts.map(({ id }) => id));
  const done = holders.filter(({ id }) => !inWork.has(id));
  return {
    ends,
    clear: uses > 1 ? done.map(({ id }) => id) : [],
    busy: attempts.length > ends.length,
    stale: !isNewest(request, known) || holders.some(({ holder }) => holder?.state === 'voided'),
  };
}
