// An authorized request becomes one certificate: prepare, intend, sign, verify, commit. Nothing is
// signed that was not recorded before, and only the process that built a TBSCertificate signs it.

import { type Bytes, base64, hex } from '../bytes.ts';
import { hash } from '../cms/native.ts';
import type { Endpoint } from '../config.ts';
import { Outage, ScepFailure } from '../errors.ts';
import { LEASE_MS, SERIAL_OCTETS } from '../limits.ts';
import type { Actor, EventFields } from '../log/event.ts';
import type { KeyOwner, Transaction } from '../ports/records.ts';
import type { ProvenRequest } from '../scep/request.ts';
import { signed } from '../x509/certificate.ts';
import { printGeneralName } from '../x509/general-name.ts';
import { lintTbsCertificate } from '../x509/lint.ts';
import type { Finding } from '../x509/lint-rule.ts';
import { verifySignature } from '../x509/public-key.ts';
import { endAttempt, loadForEnd, moved, voidTransaction } from './attempt.ts';
import type { Authorization } from './authorize.ts';
import type { Ca } from './ca-certificates.ts';
import type { Deps } from './deps.ts';
import { ownership } from './key-owner.ts';
import { certificateKey, keyOwnerKey, namesHash } from './keys.ts';
import { noteSubject } from './known-subject.ts';
import { buildTbsCertificate } from './policy.ts';
import { loadTransaction } from './recall.ts';
import { enter, registerKeys } from './register.ts';
import { withSuccessor } from './renew.ts';
import { Draft, View } from './view.ts';

/** What a certificate is issued for: a Transaction to be, or one that is approved or lapsed. */
export type Order = {
  readonly ca: Ca;
  readonly endpoint: Endpoint;
  readonly csr: ProvenRequest;
  /** The Transaction as it stands (approved, or intended and lapsed), or as it will begin. */
  readonly transaction: Transaction;
  readonly isNew: boolean;
  readonly view: View;
};

export type Made = {
  /** issued, or signed where a release gate is left to pass. */
  readonly transaction: Transaction;
  /** The certificate, DER. */
  readonly der: Bytes;
  readonly view: View;
};

/**
 * @returns `again` when something changed since recall: recall and authorize again
 * @throws {ScepFailure} requestLint, keyOwned
 * @throws {Outage} when our own side failed; the request may simply be sent again
 */
export async function issue(
  deps: Deps,
  order: Order,
  authorization: Authorization,
  now: number,
): Promise<Made | 'again'> {
  const prepared = prepare(deps, order, authorization, now);
  // The validators took their time: leases and expiries count from this write.
  const intended = await intend(deps, order, authorization, prepared, deps.clock.now());
  if (intended === 'again') return 'again';
  const { ca } = order;
  const der = signed(prepared.tbs, ca.scheme, await sign(deps, ca, prepared.tbs));
  return commit(deps, intended, authorization, der);
}

/**
 * For a request that is to wait: what the lint would refuse is refused now, and no approver is asked.
 * @throws {ScepFailure} requestLint @throws {Outage} when our own side would fail
 */
export function requireIssuable(
  deps: Deps,
  order: Pick<Order, 'ca' | 'endpoint' | 'csr'>,
  authorization: Authorization,
  now: number,
): void {
  prepare(deps, order, authorization, now);
}

type Prepared = {
  readonly serial: string;
  readonly tbs: Bytes;
  readonly notBefore: number;
  readonly notAfter: number;
};

/** The TBSCertificate, linted. Nothing is written. */
function prepare(
  deps: Deps,
  { ca, endpoint, csr }: Pick<Order, 'ca' | 'endpoint' | 'csr'>,
  { grounds }: Authorization,
  now: number,
): Prepared {
  const serial = drawSerial(deps.random(SERIAL_OCTETS));
  if (now >= ca.certificate.notAfter) throw new Outage(`the CA "${ca.id}" has expired`);
  const { config } = deps;
  const built = buildTbsCertificate(config, ca, endpoint.profile, grounds.names, csr, serial, now);
  const finding = lintTbsCertificate(built.tbs, ca.scheme, {
    role: 'endEntity',
    issuer: ca.certificate.subject,
    issuerKeyIdentifier: ca.keyIdentifier,
    issuerNotBefore: ca.certificate.notBefore,
    issuerNotAfter: ca.certificate.notAfter,
  });
  if (finding?.blame === 'request')
    throw new ScepFailure('requestLint', { lint: finding.id, citation: finding.citation });
  requireClean('certificate', finding);
  return { ...built, serial: hex(serial) };
}

/** Positive and of full length: the top bit clear, the next one set. */
export function drawSerial(random: Bytes): Bytes {
  random[0] = ((random[0] ?? 0) & 0x7f) | 0x40;
  return random;
}

/** One write: who ends, what is taken, and what is about to be signed. */
async function intend(
  deps: Deps,
  { ca, endpoint, csr, transaction, isNew, view }: Order,
  { grounds }: Authorization,
  { serial, tbs, notBefore, notAfter }: Prepared,
  now: number,
): Promise<{ transaction: Transaction; view: View } | 'again'> {
  const { random } = deps;
  const actor: Actor = { kind: 'device', id: transaction.signer };
  const names = grounds.names.names.map(printGeneralName);
  const ownerKey = keyOwnerKey(ca.id, csr.publicKey.spki);
  const ours = {
    key: ownerKey,
    names: namesHash(grounds.names.subject, names),
    requestHash: transaction.requestHash,
    notAfter,
  };
  const replaced = transaction.state === 'intended' && !isNew ? [transaction] : [];
  for (const ending of replaced) await loadForEnd(view, ending);
  const owned = await ownership(view, ca.id, ours, [...grounds.ends, ...replaced], now);
  if (owned.kind === 'again') return 'again';
  if (owned.kind === 'busy') throw new Outage('the key is held by a request being worked on');
  if (owned.kind === 'owned') throw new ScepFailure('keyOwned', owned.evidence);

  const superseded = (grounds.supersedes ?? []).map((successor) => successor.serial);
  await view.load(registerKeys(ca.id, superseded));
  const draft = new Draft(view);
  const ends = new Map(
    [...grounds.ends, ...('ends' in owned && owned.ends ? [owned.ends] : [])].map((end) => [
      end.id,
      end,
    ]),
  );
  for (const ending of ends.values()) voidTransaction(draft, ending, now, random, actor);
  for (const ending of replaced) endAttempt(draft, ending, now, random, actor);

  const { challenge, renews, supersedes = [] } = grounds;
  if (challenge) {
    const take = { transaction: transaction.id, requestHash: transaction.requestHash, now };
    draft.use(challenge.key, { take, clear: challenge.clear });
  }
  const previous = draft.get('keyOwner', ownerKey) ?? null;
  if (owned.kind === 'later') draft.hold('keyOwner', ownerKey);
  else {
    const owner: KeyOwner = {
      names: ours.names,
      expiresAt: notAfter,
      serial,
      requestHash: ours.requestHash,
    };
    draft.put('keyOwner', ownerKey, owner);
  }
  if (renews) {
    const key = certificateKey(ca.id, renews.serial);
    const signer = draft.get('certificate', key) ?? renews;
    const successors = withSuccessor(signer, serial, now);
    draft.put('certificate', key, { ...signer, confirmed: true, successors });
  }
  for (const successor of supersedes) {
    enter(draft, successor, 'superseded', now);
    draft.event(now, random, {
      type: 'certificate.superseded',
      actor,
      ca: ca.id,
      endpoint: successor.endpoint,
      transaction: successor.transaction,
      serial: successor.serial,
    });
  }
  const heldChallenge = challenge?.key ?? transaction.undo.challenge;
  const { renews: _before, ...attempt } = moved(transaction, 'intended', now);
  const next: Transaction = {
    ...attempt,
    ...(renews ? { renews: renews.serial } : {}),
    serial,
    leaseUntil: now + LEASE_MS,
    names,
    authorizedBy: grounds.by,
    gates: grounds.gates,
    repeatUntil: grounds.repeatsForLife ? notAfter : now + endpoint.repeatMs,
    undo: {
      ...(heldChallenge === undefined ? {} : { challenge: heldChallenge }),
      ...(owned.kind === 'later' ? {} : { keyOwner: { key: ownerKey, previous } }),
      ...(renews ? { signer: renews.serial } : {}),
    },
  };
  const tbsHash = hex(hash('SHA-256', tbs));
  draft.create('certificate', certificateKey(ca.id, serial), {
    ca: ca.id,
    serial,
    state: 'intended',
    endpoint: endpoint.id,
    transaction: next.id,
    subject: next.subject,
    tbsHash,
    notBefore,
    notAfter,
    confirmed: false,
    successors: {},
  });
  if (isNew) {
    draft.create('transaction', next.id, next);
    draft.put('request', next.requestHash, { transaction: next.id });
  } else draft.put('transaction', next.id, next);
  draft.event(now, random, {
    ...eventOf(next),
    type: 'certificate.intended',
    actor,
    tbsHash,
  });
  if ((await deps.store.write(draft.actions)) === 'conflict') return 'again';
  return { transaction: next, view: draft.applied() };
}

/** The certificate gets its octets, unless another attempt has taken this one's place. */
async function commit(
  deps: Deps,
  { transaction: attempt, view: afterIntent }: { transaction: Transaction; view: View },
  { grounds }: Authorization,
  der: Bytes,
): Promise<Made | 'again'> {
  const state = grounds.gates.length > 0 ? 'signed' : 'issued';
  let view = afterIntent;
  for (;;) {
    const now = deps.clock.now();
    const { transaction, certificate } = await loadTransaction(view, attempt.id);
    const ours = transaction?.state === 'intended' && transaction.serial === attempt.serial;
    if (!ours || certificate?.state !== 'intended') return 'again';
    const draft = new Draft(view);
    const next = moved(transaction, state, now);
    draft.put('transaction', next.id, next);
    draft.put('certificate', certificateKey(next.ca, certificate.serial), {
      ...certificate,
      state,
      der: base64(der),
    });
    draft.event(now, deps.random, {
      ...eventOf(next),
      type: state === 'issued' ? 'certificate.issued' : 'certificate.signed',
      actor: { kind: 'device', id: next.signer },
      certificateHash: hex(hash('SHA-256', der)),
    });
    if (state === 'issued') await noteSubject(deps, view, draft, next, grounds.names.subject);
    if ((await deps.store.write(draft.actions)) === 'done') {
      return { transaction: next, der, view: draft.applied() };
    }
    view = new View(deps.store);
  }
}

/** What every event about a Transaction says. */
export function eventOf(transaction: Transaction): Omit<EventFields, 'type' | 'actor'> {
  const { id, ca, endpoint, messageType, profile, serial, subject, names, csrHash } = transaction;
  return {
    ca,
    endpoint,
    transaction: id,
    transactionID: transaction.transactionIDs[0] ?? '',
    messageType,
    profile,
    subject,
    names,
    csrHash,
    authorizedBy: transaction.authorizedBy,
    ...(serial === undefined ? {} : { serial }),
  };
}

/** Nothing of ours is signed in which the lint finds anything. @throws {Outage} */
export function requireClean(what: string, finding: Finding | undefined): void {
  if (finding) throw new Outage(`lint ${finding.id} (${finding.citation}) of our own ${what}`);
}

/** A signature of the CA over `tbs`, verified: a faulty one would be worse than none. */
export async function sign(deps: Pick<Deps, 'signer'>, ca: CaKey, tbs: Bytes): Promise<Bytes> {
  const signature = await deps.signer.sign(ca.keyReference, ca.algorithm, tbs);
  if (!(await verifySignature(ca.key, ca.scheme, tbs, signature))) {
    throw new Outage('the CA key gave a signature that does not verify');
  }
  return signature;
}
export type CaKey = Pick<Ca, 'keyReference' | 'algorithm' | 'key' | 'scheme'>;
