// Everything that must be true of a CA, whatever happened to it, told from its records alone.

import assert from 'node:assert/strict';
import { type Bytes, equal, fromBase64, hex } from '../../lib/base/bytes.ts';
import {
  BACKDATE_MS,
  MAX_GOOD_OF_LINEAGE,
  MAX_RECENT_RENEWALS,
  MAX_SUPERSEDED_OF_LINEAGE,
  MAX_TIMELINE,
} from '../../lib/base/limits.ts';
import type { TransactionState } from '../../lib/base/words.ts';
import { windowOf } from '../../lib/ca/authorize/lineage.ts';
import { keyOwnerKey, namesHash, subjectKey } from '../../lib/ca/record/keys.ts';
import { transitions } from '../../lib/ca/record/transition.ts';
import { hash } from '../../lib/crypto/native.ts';
import type { CertificateRecord, KeyOwner } from '../../lib/ports/records/certificate.ts';
import type { Challenge, Kind, Records, RequestPointer } from '../../lib/ports/records/records.ts';
import type { Transaction } from '../../lib/ports/records/transaction.ts';
import type { Row } from '../../lib/ports/store.ts';
import { publicKeyOf, readCertificate } from '../../lib/x509/certificate.ts';
import { eventIn } from './event-in.ts';

type EventsOf = (value: string) => readonly Readonly<Record<string, string>>[];

/**
 * @param delivered certificates that devices were given, DER
 * @param skewMs by which the clocks of those who wrote the rows may have differed
 */
export function checkCa(rows: readonly Row[], delivered: readonly Bytes[] = [], skewMs = 0): void {
  const of = <K extends Kind>(kind: K): Map<string, Records[K]> =>
    new Map(
      rows.filter((row) => row.kind === kind).map((row) => [row.key, row.record as Records[K]]),
    );
  const transactions = of('transaction');
  const certificates = of('certificate');
  const challenges = of('challenge');
  const events = [...of('event').values()].map(eventIn);
  const eventsOf = (field: 'transaction' | 'serial' | 'challengeId'): EventsOf => {
    const grouped = Map.groupBy(events, (event) => event[field] ?? '');
    return (value) => grouped.get(value) ?? [];
  };

  const ofTransaction = eventsOf('transaction');
  for (const row of rows) {
    if (row.kind === 'transaction') checkWrites(row as Row<'transaction'>, ofTransaction);
  }
  for (const [key, transaction] of transactions) checkTransaction(key, transaction, certificates);
  const ofSerial = eventsOf('serial');
  for (const [key, certificate] of certificates) {
    checkCertificate(key, certificate, transactions, certificates);
    checkEvents(certificate, transactions.get(certificate.transaction), ofSerial);
  }
  checkLineages(certificates, transactions, skewMs);
  const ofChallenge = eventsOf('challengeId');
  for (const [key, challenge] of challenges) {
    checkChallenge(key, challenge, transactions);
    const counted = ofChallenge(challenge.id).filter(({ type }) =>
      ['challenge.refused', 'challenge.reused', 'challenge.decoyUsed'].includes(String(type)),
    );
    assert.equal(counted.length, challenge.failures, `${key}: every refusal is counted`);
  }
  for (const [key, { serial }] of of('subject')) {
    const [ca = '', endpoint = ''] = key.split('/');
    const record = certificates.get(`${ca}/${serial}`);
    assert.ok(record, `${key} names ${serial}`);
    assert.ok(record.state !== 'intended' && record.state !== 'signed', `${key}: ${record.state}`);
    assert.ok(record.der && !record.unseen, `${key} names ${serial}, which nobody was given`);
    const names = transactions.get(record.transaction)?.names ?? [];
    const { subject } = readCertificate(fromBase64(record.der));
    assert.equal(subjectKey(ca, record.endpoint, subject, names), key, `${serial}: its subject`);
    assert.equal(record.endpoint, endpoint);
  }
  checkRequests(of('request'), transactions, certificates, skewMs);
  checkKeys(certificates, transactions, of('keyOwner'), skewMs);
  for (const { transaction } of of('poll').values()) assert.ok(transactions.has(transaction));
  for (const der of delivered) {
    const serial = hex(readCertificate(der).serial);
    const record = [...certificates.values()].find((certificate) => certificate.serial === serial);
    assert.ok(record?.der, `${serial} was given to a device and is not on record`);
    assert.ok(equal(fromBase64(record.der), der), `${serial} is on record as another certificate`);
    assert.ok(
      ['issued', 'held', 'revoked'].includes(record.state),
      `${serial} was given away ${record.state}`,
    );
  }
}

/** Every write of a Transaction is in its timeline, with the event that it was written with. */
function checkWrites({ rev, record }: Row<'transaction'>, ofTransaction: EventsOf): void {
  const { id, timeline, transactionIDs, state } = record;
  if (timeline.length >= MAX_TIMELINE) return;
  // Another write has added each transactionID but the first, and each has raised the reason of its end.
  const raised = ofTransaction(id).filter(({ type }) => type === 'certificate.reasonRaised');
  const told = ofTransaction(id).some(({ type }) => type === 'log.forgotten');
  const forgotten = told && record.client === undefined ? 1 : 0;
  const more = transactionIDs.length - 1 + (state === 'revoked' ? raised.length : 0) + forgotten;
  // That of a renewal says when to look at what it supersedes, too.
  const silent = record.renews === undefined ? 0 : Math.max(0, rev - timeline.length - more);
  assert.equal(rev, timeline.length + more + silent, `${id} (${state}): its writes`);
  const seen = new Map<string, number>();
  for (const step of timeline) {
    // An attempt of an approved one that ends without a certificate makes it approved again.
    const again = step.state === 'approved' && ['system', 'device'].includes(step.by ?? '');
    const voted = step.state === 'pending' && step !== timeline[0];
    const type = again ? 'certificate.voided' : voted ? 'request.voted' : eventOfStep[step.state];
    seen.set(type, (seen.get(type) ?? 0) + 1);
  }
  // A replacement voids what it replaces, and stays `intended`.
  const steps = timeline.map((step) => step.state);
  const replaced = steps.filter((step, i) => step === 'intended' && steps[i - 1] === step).length;
  seen.set('certificate.voided', (seen.get('certificate.voided') ?? 0) + replaced);
  for (const [type, count] of seen) {
    const told = ofTransaction(id).filter((event) => event.type === type);
    assert.equal(told.length, count, `${id}: ${type} is told of`);
  }
}

const eventOfStep: Record<TransactionState, string> = {
  pending: 'request.pending',
  approved: 'request.approved',
  denied: 'request.denied',
  expired: 'request.expired',
  intended: 'certificate.intended',
  signed: 'certificate.signed',
  issued: 'certificate.issued',
  voided: 'certificate.voided',
  revoked: 'certificate.revoked',
  refused: 'request.refused',
};

/** A request has one Transaction at a time: the next begins when the outcome before has ended. */
function checkRequests(
  pointers: ReadonlyMap<string, RequestPointer>,
  transactions: ReadonlyMap<string, Transaction>,
  certificates: ReadonlyMap<string, CertificateRecord>,
  skewMs: number,
): void {
  const standing = [...transactions.values()].filter(({ state }) => state !== 'refused');
  const requests = Map.groupBy(standing, ({ requestHash }) => requestHash);
  for (const [requestHash, same] of requests) {
    const newest = transactions.get(pointers.get(requestHash)?.transaction ?? '');
    assert.equal(newest?.requestHash, requestHash, `a request names a Transaction of it`);
    assert.ok(pointers.get(requestHash)?.csr, `${requestHash}: its CSR`);
    for (const { id, state, ca, serial, repeatUntil, createdAt } of same) {
      if (id === newest.id) continue;
      assert.ok(createdAt <= newest.createdAt + skewMs, `${id} is newer than ${newest.id}`);
      const over = ['denied', 'expired', 'issued', 'voided', 'revoked'].includes(state);
      assert.ok(over, `${id} is ${state}, and ${newest.id} is of the same request`);
      const good = state !== 'issued' || certificates.get(`${ca}/${serial}`)?.state === 'issued';
      const next = Math.min(
        ...same.filter((other) => other.createdAt > createdAt).map((other) => other.createdAt),
      );
      const stands = good && state !== 'voided' && state !== 'revoked';
      assert.ok(!stands || next + skewMs >= repeatUntil, `${id} (${state}) still answered`);
    }
  }
  // One that was only refused has none.
  const known = [...pointers.values()].filter(({ transaction }) => transaction !== undefined);
  assert.equal(requests.size, known.length, 'every request has a Transaction');
}

/** Revoked by a person: its key is free for other names. */
const frees = ({ state, supersededBy, unseen, revocationReason }: CertificateRecord): boolean =>
  state === 'revoked' && !supersededBy && !unseen && revocationReason !== 'keyCompromise';

/** A key is certified for one set of names at a time, and its owner's record says for which. */
function checkKeys(
  certificates: ReadonlyMap<string, CertificateRecord>,
  transactions: ReadonlyMap<string, Transaction>,
  owners: ReadonlyMap<string, KeyOwner>,
  skewMs: number,
): void {
  const released = [...certificates.values()].flatMap((record) => {
    if (record.der === undefined) return [];
    const read = readCertificate(fromBase64(record.der));
    const spki = publicKeyOf(read)?.spki;
    assert.ok(spki);
    const names = transactions.get(record.transaction)?.names ?? [];
    const key = keyOwnerKey(record.ca, spki);
    return [{ record, key, names: namesHash(read.subject, names) }];
  });
  for (const [key, same] of Map.groupBy(released, (certificate) => certificate.key)) {
    const owner = owners.get(key);
    assert.ok(owner, `the key of ${same[0]?.record.serial} has an owner`);
    // Whoever revoked one freed the key, also where another one for its names is still good.
    const freed = new Set(same.filter(({ record }) => frees(record)).map(({ names }) => names));
    for (const { record, names } of same) {
      const other = same.find(
        (candidate) =>
          candidate.names !== names &&
          !freed.has(names) &&
          !freed.has(candidate.names) &&
          candidate.record.notBefore + BACKDATE_MS + skewMs < record.notAfter &&
          record.notBefore + BACKDATE_MS + skewMs < candidate.record.notAfter,
      );
      assert.ok(!other, `${record.serial} and ${other?.record.serial}: one key, other names`);
      const owns = owner.names === names || owner.expiresAt >= record.notAfter;
      assert.ok(owns || frees(record), `${key}: its names`);
    }
  }
  for (const [key, owner] of owners) {
    const [ca = ''] = key.split('/');
    const certificate = certificates.get(`${ca}/${owner.serial}`);
    assert.ok(
      certificate && certificate.state !== 'voided',
      `key owner ${key} names ${certificate?.state} ${owner.serial}`,
    );
    const known = released.find(({ record }) => record === certificate);
    assert.ok(!known || (known.key === key && known.names === owner.names), `${key}: its key`);
  }
}

function checkTransaction(
  key: string,
  { id, state, timeline, serial, ca, gateChallenge }: Transaction,
  certificates: ReadonlyMap<string, CertificateRecord>,
): void {
  assert.equal(id, key);
  let before: TransactionState | 'begin' = 'begin';
  for (const step of timeline) {
    const after: readonly TransactionState[] = Object.values(transitions[before]);
    assert.ok(after.includes(step.state), `${id}: ${before} -> ${step.state}`);
    before = step.state;
  }
  assert.equal(before, state, `${id}: the timeline ends where it is`);
  const isOpen = ['pending', 'approved', 'intended', 'signed'].includes(state);
  assert.ok(
    isOpen || gateChallenge === undefined,
    `${id} (${state}): nobody is to be told any more`,
  );
  const certificate = serial === undefined ? undefined : certificates.get(`${ca}/${serial}`);
  const expected: Partial<Record<TransactionState, readonly string[]>> = {
    intended: ['intended'],
    signed: ['signed'],
    issued: ['issued', 'held', 'revoked'],
    revoked: ['revoked'],
    voided: ['voided'],
  };
  const allowed = expected[state];
  if (allowed) {
    assert.ok(
      certificate && allowed.includes(certificate.state),
      `${id} is ${state}, ${serial} ${certificate?.state}`,
    );
  }
}

function checkCertificate(
  key: string,
  certificate: CertificateRecord,
  transactions: ReadonlyMap<string, Transaction>,
  certificates: ReadonlyMap<string, CertificateRecord>,
): void {
  const { ca, serial, state, der, tbsHash, successors } = certificate;
  assert.equal(`${ca}/${serial}`, key);
  const transaction = transactions.get(certificate.transaction);
  assert.ok(transaction, `${serial} has a Transaction`);
  if (state !== 'voided')
    assert.equal(transaction.serial, serial, `${serial} (${state}) is its Transaction's`);
  assert.equal(
    der !== undefined,
    ['signed', 'issued', 'held', 'revoked'].includes(state),
    `${serial} is ${state}`,
  );
  const signer = transaction.undo.signer;
  if (signer !== undefined && transaction.serial === serial) {
    const renewed = certificates.get(`${ca}/${signer}`);
    assert.ok(renewed?.confirmed, `${signer} has been renewed`);
    // Those that issuance has revoked make room.
    const over = certificate.supersededBy !== undefined || certificate.unseen;
    assert.ok(serial in renewed.successors || over, `${signer} lists its renewal ${serial}`);
  }
  if (der !== undefined) {
    const read = readCertificate(fromBase64(der));
    assert.equal(hex(read.serial), serial);
    assert.equal(
      hex(hash('SHA-256', read.tbs)),
      tbsHash,
      `${serial} is what was meant to be signed`,
    );
    assert.equal(read.notAfter, certificate.notAfter);
  }
  const live = Object.keys(successors).filter((successor) => {
    const record = certificates.get(`${ca}/${successor}`);
    assert.ok(
      record && record.state !== 'voided',
      `${serial} lists the successor ${successor}, ${record?.state}`,
    );
    return record.state === 'issued';
  });
  assert.ok(live.length <= 1, `${serial} has ${live.length} good successors`);
}

/** However often and by whichever of its certificates a device renews, it stays within bounds. */
function checkLineages(
  certificates: ReadonlyMap<string, CertificateRecord>,
  transactions: ReadonlyMap<string, Transaction>,
  skewMs: number,
): void {
  const standing = [...certificates.values()].filter(({ state }) => state !== 'voided');
  const lineages = Map.groupBy(standing, ({ ca, lineage }) => `${ca}/${lineage.root}`);
  for (const [name, members] of lineages) {
    const latest = Math.max(...members.map(({ notBefore }) => notBefore + BACKDATE_MS));
    const good = members.filter(
      ({ state, notAfter }) => state !== 'revoked' && notAfter > latest + skewMs,
    );
    assert.ok(good.length <= MAX_GOOD_OF_LINEAGE, `${name} has ${good.length} good certificates`);
    const renewals = members.flatMap((member) => {
      const { serial, lineage, ca } = member;
      const transaction = transactions.get(member.transaction);
      const signer = transaction?.undo.signer;
      const before = signer === undefined ? undefined : certificates.get(`${ca}/${signer}`);
      assert.equal(lineage.root, before?.lineage.root ?? serial, `${serial}: its lineage`);
      const { recent, superseded } = lineage;
      assert.ok(lineage.good.length <= MAX_GOOD_OF_LINEAGE, `${serial}: its good ones`);
      assert.ok(recent.length <= MAX_RECENT_RENEWALS, `${serial}: its recent renewals`);
      assert.ok(superseded.length <= MAX_SUPERSEDED_OF_LINEAGE, `${serial}: its superseded ones`);
      return before ? [{ at: transaction?.timeline ?? [], before }] : [];
    });
    const times = renewals.map(({ at, before }) => ({
      at: at.findLast((step) => step.state === 'intended')?.at ?? Number.NaN,
      windowMs: windowOf(before.notBefore, before.notAfter) - skewMs,
    }));
    for (const { at, windowMs } of times) {
      const within = times.filter((other) => other.at > at - windowMs && other.at <= at);
      assert.ok(within.length <= MAX_RECENT_RENEWALS, `${name}: ${within.length} renewals`);
    }
  }
  for (const { ca, serial, state, supersededBy } of certificates.values()) {
    if (supersededBy === undefined) continue;
    const by = certificates.get(`${ca}/${supersededBy}`);
    assert.ok(by && state === 'revoked', `${serial} (${state}) was superseded by ${supersededBy}`);
  }
}

function checkEvents(
  { serial, state }: CertificateRecord,
  transaction: Transaction | undefined,
  ofSerial: EventsOf,
): void {
  const count = (type: string) =>
    ofSerial(serial).filter((event) => event.type === `certificate.${type}`).length;
  assert.equal(count('intended'), 1, `${serial}: one intent`);
  assert.equal(count('voided'), state === 'voided' ? 1 : 0, `${serial}: voided`);
  // One that its release gate refused was revoked unseen.
  const seen = transaction?.timeline.some((step) => step.state === 'issued') ?? false;
  const released = state === 'issued' || state === 'held' || (state === 'revoked' && seen);
  assert.equal(count('issued'), released ? 1 : 0, `${serial} is ${state}: issued once`);
  assert.equal(
    count('revoked') + count('superseded'),
    state === 'revoked' ? 1 : 0,
    `${serial}: revoked`,
  );
}

function checkChallenge(
  key: string,
  { uses, usesLeft, open }: Challenge,
  transactions: ReadonlyMap<string, Transaction>,
): void {
  const holders = [...transactions.values()].filter(({ undo }) => undo.challenge === key);
  assert.equal(usesLeft + holders.length, uses, `${key}: every use is left or held`);
  for (const [id, requestHash] of Object.entries(open)) {
    const holder = transactions.get(id);
    assert.ok(holder && holder.state !== 'voided', `${key} names ${id}, ${holder?.state}`);
    assert.equal(holder.requestHash, requestHash);
    assert.equal(holder.undo.challenge, key);
  }
  for (const { id, state } of holders) {
    assert.ok(uses > 1 || open[id] !== undefined, `${id} (${state}) is listed`);
  }
}
