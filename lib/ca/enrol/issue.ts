// An authorized request becomes one certificate: prepare, intend, sign, verify, commit. Nothing is
// signed that was not recorded before, and only the process that built a TBSCertificate signs it.

import { base64, hex } from '../../base/bytes.ts';
import { Outage } from '../../base/errors.ts';
import { LEASE_MS, SERIAL_OCTETS } from '../../base/limits.ts';
import type { Endpoint } from '../../config/endpoint/endpoint.ts';
import { hash } from '../../crypto/native.ts';
import type { CertificateRecord } from '../../ports/records/certificate.ts';
import { type Lineage, newLineage } from '../../ports/records/lineage.ts';
import type { Transaction, Undo } from '../../ports/records/transaction.ts';
import { Refusal } from '../../refusal/reasons.ts';
import { type ProvenRequest, redact } from '../../x509/csr.ts';
import { printGeneralName } from '../../x509/names/general-name.ts';
import type { Ca } from '../authority/ca-certificates.ts';
import {
  drawSerial,
  type Linted,
  lintedIssued,
  requireClean,
  type Signed,
  sign,
} from '../authority/sign.ts';
import type { Authorization } from '../authorize/authorize.ts';
import { asAllowed, type Grounds, keptOf } from '../authorize/grounds.ts';
import { joined, withSuccessor } from '../authorize/lineage.ts';
import { useChallenge } from '../challenge/use.ts';
import type { Deps, EnrolDeps } from '../deps.ts';
import { buildTbsCertificate, issuedOf } from '../policy/build-certificate.ts';
import { certificateKey, keyHash, keyOwnerKey, namesHash } from '../record/keys.ts';
import { eventOf, requesterOf, saidOutside } from '../record/transaction-event.ts';
import { type Begun, moved } from '../record/transition.ts';
import { Draft, View } from '../record/unit-of-work.ts';
import { loadRegister } from '../revoke/register.ts';
import { supersede } from '../supersede.ts';
import { noteSubject } from './issued-subjects.ts';
import { claimKey, type Free, type OwnKey } from './key-owner.ts';
import { loadTransaction } from './lookup.ts';
import { type Act, endAttempt, loadForEnd, voidTransaction } from './rollback.ts';

/** What a certificate is issued for: a Transaction to be, or one that is approved or lapsed. */
type Order = {
  readonly ca: Ca;
  readonly endpoint: Endpoint;
  readonly csr: ProvenRequest;
  /** As it begins, or as it stands: approved, or intended and lapsed. */
  readonly transaction: Begun | Transaction<'approved' | 'intended'>;
  readonly view: View;
};

export type Made = {
  /** signed, where a release gate is left to pass. */
  readonly transaction: Transaction<'issued'> | Transaction<'signed'>;
  readonly certificate: CertificateRecord<'issued'> | CertificateRecord<'signed'>;
};

/**
 * @returns `again` when something changed since the lookup: look up and authorize again
 * @throws {Refusal} requestLint, keyOwned
 * @throws {Outage} when our own side failed; the request may simply be sent again
 */
export async function issue(
  deps: EnrolDeps,
  order: Order,
  authorization: Authorization,
  now: number,
): Promise<Made | 'again'> {
  const prepared = await prepare(deps, order, authorization.grounds, now);
  const intended = await intend(deps, order, authorization, prepared);
  if (intended === 'again') return 'again';
  const { ca } = order;
  const made = await sign(deps, ca, prepared.linted);
  return commit(deps, intended, authorization, made);
}

/**
 * For a request that is to wait: what the lint would refuse is refused now, and no approver is asked.
 * @throws {Refusal} requestLint @throws {Outage} when our own side would fail
 */
export async function requireIssuable(
  deps: Deps,
  order: Pick<Order, 'ca' | 'csr'>,
  grounds: Grounds,
  now: number,
): Promise<void> {
  await prepare(deps, order, grounds, now);
}

type Prepared = {
  readonly serial: string;
  readonly linted: Linted;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly partition: string | undefined;
};

/** The TBSCertificate, linted. Nothing is written. */
async function prepare(
  deps: Deps,
  { ca, csr }: Pick<Order, 'ca' | 'csr'>,
  { names, profile }: Grounds,
  now: number,
): Promise<Prepared> {
  const serial = drawSerial(deps.random(SERIAL_OCTETS));
  if (now >= ca.certificate.notAfter) throw new Outage(`the CA "${ca.id}" has expired`);
  const contents = { config: deps.config, ca, profile, names, csr };
  const built = buildTbsCertificate(contents, serial, now);
  const result = await lintedIssued(issuedOf(contents, built), ca.templates);
  if ('blame' in result && result.blame === 'request') {
    throw new Refusal('requestLint', { lint: result.id, citation: result.citation });
  }
  const { notBefore, notAfter, partition } = built;
  const linted = requireClean('certificate', result);
  return { serial: hex(serial), linted, notBefore, notAfter, partition };
}

type Intended = { readonly transaction: Transaction<'intended'>; readonly view: View };

/** What the intent writes, and when. */
type Plan = {
  readonly order: Order;
  readonly grounds: Grounds;
  readonly prepared: Prepared;
  readonly owns: OwnKey;
  readonly owned: Free;
  readonly lineage: Lineage;
  readonly act: Act;
  readonly configHash: string;
};

/** One write: which attempts end, what is taken, and what is about to be signed. */
async function intend(
  deps: Deps,
  order: Order,
  { grounds }: Authorization,
  prepared: Prepared,
): Promise<Intended | 'again'> {
  const { transaction, view } = order;
  const { serial, notAfter } = prepared;
  // The validators took their time: leases and expiries count from this write.
  const now = deps.clock.now();
  const actor = requesterOf(transaction);
  const act = { now, random: deps.random, actor };
  if (transaction.state === 'intended') await loadForEnd(view, transaction);
  const owns = ownKeyOf(order, grounds, notAfter);
  const owned = await claimKey(order, owns, now);
  if (owned === 'again') return 'again';
  await loadRegister(view, grounds.supersedes ?? []);

  const member = { serial, notAfter };
  const lineage = grounds.lineage ? joined(grounds.lineage, member) : newLineage(member);
  const configHash = deps.config.digest;
  const plan: Plan = { order, grounds, prepared, owns, owned, lineage, act, configHash };
  const draft = new Draft(view);
  endOthers(draft, plan);
  const undo = takeWhatItHolds(draft, plan);
  for (const one of grounds.supersedes ?? []) supersede(draft, one, serial, act);
  const next = putAttempt(draft, plan, undo);
  if ((await deps.store.write(draft.actions)) === 'conflict') return 'again';
  return { transaction: next, view: draft.applied() };
}

function ownKeyOf(
  { ca, csr, transaction }: Order,
  { names, ends }: Grounds,
  notAfter: number,
): OwnKey {
  return {
    ca: ca.id,
    key: keyOwnerKey(ca.id, csr.publicKey.spki),
    names: namesHash(names.subject, names.names.map(printGeneralName)),
    requestHash: transaction.requestHash,
    notAfter,
    ends: [...ends, ...(transaction.state === 'intended' ? [transaction] : [])],
  };
}

/** Lapsed attempts of others end in this write, and the one of its own that this one replaces. */
function endOthers(draft: Draft, { order: { transaction }, grounds, owned, act }: Plan): void {
  const holder = 'ends' in owned && owned.ends ? [owned.ends] : [];
  const ends = new Map([...grounds.ends, ...holder].map((end) => [end.id, end]));
  for (const ending of ends.values()) voidTransaction(draft, ending, act);
  if (transaction.state === 'intended') endAttempt(draft, transaction, act);
}

/** The use of its challenge, its key, and its place among the renewals of the certificate that signed.
 * @returns what gives them back */
function takeWhatItHolds(
  draft: Draft,
  {
    order,
    grounds,
    prepared: { serial, notAfter },
    owns,
    owned,
    lineage,
    act: { now, random },
  }: Plan,
): Undo {
  const { ca, transaction } = order;
  const { challenge, renews } = grounds;
  if (challenge) {
    const take = { transaction: transaction.id, requestHash: transaction.requestHash, now };
    useChallenge(draft, challenge, { take, clear: challenge.clear }, { now, random });
  }
  const previous = draft.get('keyOwner', owns.key) ?? null;
  if (owned.kind === 'later') draft.hold('keyOwner', owns.key);
  if (owned.kind === 'free') {
    const { names, requestHash } = owns;
    draft.put('keyOwner', owns.key, { names, expiresAt: notAfter, serial, requestHash });
  }
  const signerKey = renews && certificateKey(ca.id, renews.serial);
  const signer = signerKey && (draft.get('certificate', signerKey) ?? renews);
  if (signer) {
    const successors = withSuccessor(signer, serial, now);
    draft.put('certificate', signerKey, { ...signer, confirmed: true, successors, lineage });
  }
  const held = challenge?.key ?? transaction.undo.challenge;
  return {
    ...(held === undefined ? {} : { challenge: held }),
    ...(owned.kind === 'free' ? { keyOwner: { key: owns.key, previous } } : {}),
    ...(signer ? { signer: signer.serial, recent: signer.lineage.recent } : {}),
  };
}

/** The Transaction and the certificate to be, with their event. */
function putAttempt(
  draft: Draft,
  { order, grounds, prepared, lineage, act: { now, random, actor }, configHash }: Plan,
  undo: Undo,
): Transaction<'intended'> {
  const { ca, endpoint, csr, transaction } = order;
  const { serial, linted, notBefore, notAfter, partition } = prepared;
  const { renews: _a, challengeBy: _b, narrowing: _c, device: _d, ...rest } = transaction;
  const { supersedeAt: _e, ...attempt } = rest;
  const next: Transaction<'intended'> = {
    ...attempt,
    ...moved(transaction, 'intend', now),
    configHash,
    ...(grounds.renews ? { renews: grounds.renews.serial } : {}),
    serial,
    leaseUntil: now + LEASE_MS,
    names: grounds.names.names.map(printGeneralName),
    ...asAllowed(grounds),
    ...keptOf(grounds),
    gates: grounds.gates,
    repeatUntil: grounds.repeatsForLife ? notAfter : now + endpoint.repeatMs,
    ...(grounds.renews ? supersedeFrom(endpoint, now) : {}),
    undo,
  };
  const tbsHash = hex(hash('SHA-256', linted.tbs));
  draft.create('certificate', certificateKey(ca.id, serial), {
    ca: ca.id,
    serial,
    state: 'intended',
    endpoint: endpoint.id,
    transaction: next.id,
    subject: next.subject,
    tbsHash,
    keyHash: keyHash(csr.publicKey.spki),
    notBefore,
    notAfter,
    confirmed: false,
    successors: {},
    lineage,
    ...(partition === undefined ? {} : { partition }),
    ...keptOf(grounds),
  });
  if (transaction.state === 'begin') {
    draft.create('transaction', next.id, next);
    draft.put('request', next.requestHash, { transaction: next.id, csr: base64(redact(csr)) });
  } else draft.put('transaction', next.id, next);
  const type = 'certificate.intended';
  const said = { ...eventOf(next), ...saidOutside(next) };
  draft.event(now, random, { ...said, type, actor, tbsHash, configHash });
  return next;
}

/** When what it renews is superseded, where the endpoint has a time for that. */
function supersedeFrom({ renew: { supersede } }: Endpoint, now: number) {
  return supersede?.afterMs === undefined ? {} : { supersedeAt: now + supersede.afterMs };
}

/** The certificate gets its octets, unless another attempt has taken this one's place. */
async function commit(
  deps: Deps,
  { transaction: attempt, view: afterIntent }: Intended,
  { grounds }: Authorization,
  { der, requests }: Signed,
): Promise<Made | 'again'> {
  let view = afterIntent;
  for (;;) {
    const now = deps.clock.now();
    const { transaction, certificate } = await loadTransaction(view, attempt.id);
    const ours = transaction?.state === 'intended' && transaction.serial === attempt.serial;
    if (!ours || certificate?.state !== 'intended') return 'again';
    // Its signer has been revoked meanwhile, so the renewal must not be given out.
    if (certificate.lineage.endedBy !== undefined) return 'again';
    const blocked = { kind: 'blockedKey', key: certificate.keyHash } as const;
    await view.load([blocked]);
    if (view.get(blocked.kind, blocked.key)) return 'again';
    const draft = new Draft(view);
    // Whoever revokes for keyCompromise at this moment comes first, or finds this certificate.
    draft.hold(blocked.kind, blocked.key);
    const { gateChallenge: _told, ...rest } = transaction;
    const made: Made =
      grounds.gates.length > 0
        ? {
            transaction: { ...transaction, ...moved(transaction, 'sign', now) },
            certificate: { ...certificate, state: 'signed', der: base64(der) },
          }
        : {
            transaction: { ...rest, ...moved(transaction, 'issue', now) },
            certificate: { ...certificate, state: 'issued', der: base64(der) },
          };
    const { transaction: next } = made;
    draft.put('transaction', next.id, next);
    draft.put('certificate', certificateKey(next.ca, certificate.serial), made.certificate);
    draft.event(now, deps.random, {
      ...eventOf(next),
      type: next.state === 'issued' ? 'certificate.issued' : 'certificate.signed',
      actor: requesterOf(next),
      certificateHash: hex(hash('SHA-256', der)),
      ...requests,
    });
    if (next.state === 'issued') await noteSubject(deps, draft, next, grounds.names.subject);
    if ((await deps.store.write(draft.actions)) === 'done') return made;
    view = new View(deps.store);
  }
}
