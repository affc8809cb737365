// Everything that must be true of a CA, whatever happened to it, told from its records alone.

import assert from 'node:assert/strict';
import { type Bytes, equal, fromBase64, hex } from '../../lib/bytes.ts';
import { keyOwnerKey } from '../../lib/ca/keys.ts';
import { hash } from '../../lib/cms/native.ts';
import type {
  CertificateRecord,
  Challenge,
  Kind,
  Records,
  Transaction,
  TransactionState,
} from '../../lib/ports/records.ts';
import type { Row } from '../../lib/ports/store.ts';
import { publicKeyOf, readCertificate } from '../../lib/x509/certificate.ts';

/** The arrows of the shared design: state to states that may follow. */
const arrows: Record<TransactionState | 'begin', readonly TransactionState[]> = {
  begin: ['pending', 'intended'],
  pending: ['approved', 'denied', 'expired'],
  approved: ['intended', 'denied', 'expired'],
  denied: [],
  expired: [],
  intended: ['intended', 'issued', 'signed', 'voided', 'approved'],
  signed: ['issued', 'revoked'],
  issued: ['revoked'],
  voided: [],
  revoked: [],
};

/** @param delivered certificates that devices were given, DER */
export function checkCa(rows: readonly Row[], delivered: readonly Bytes[] = []): void {
  const of = <K extends Kind>(kind: K): Map<string, Records[K]> =>
    new Map(
      rows.filter((row) => row.kind === kind).map((row) => [row.key, row.record as Records[K]]),
    );
  const transactions = of('transaction');
  const certificates = of('certificate');
  const challenges = of('challenge');
  const events = [...of('event').values()].map(
    ({ body }) => JSON.parse(body) as Record<string, string>,
  );
  const outbox = new Set([...of('outbox').values()].map(({ event }) => event));

  for (const [key, transaction] of transactions) checkTransaction(key, transaction, certificates);
  for (const [key, certificate] of certificates) {
    checkCertificate(key, certificate, transactions, certificates);
    checkEvents(certificate, transactions.get(certificate.transaction), events);
  }
  for (const [key, challenge] of challenges) checkChallenge(key, challenge, transactions);
  for (const [key, owner] of of('keyOwner')) {
    const [ca = ''] = key.split('/');
    const certificate = certificates.get(`${ca}/${owner.serial}`);
    assert.ok(
      certificate && certificate.state !== 'voided',
      `key owner ${key} names ${certificate?.state}`,
    );
    if (!certificate.der) continue;
    const spki = publicKeyOf(readCertificate(fromBase64(certificate.der)))?.spki;
    assert.ok(spki && keyOwnerKey(ca, spki) === key, 'a key owner is of its key');
  }
  for (const [key, { transaction }] of of('request')) {
    if (transaction === undefined) continue;
    assert.equal(
      transactions.get(transaction)?.requestHash,
      key,
      'a request names a Transaction of it',
    );
  }
  for (const { transaction } of of('poll').values()) assert.ok(transactions.has(transaction));
  for (const { id } of events)
    assert.ok(outbox.has(id ?? ''), `event ${id} is on its way to a log`);
  assert.equal(outbox.size, events.length);
  for (const der of delivered) {
    const serial = hex(readCertificate(der).serial);
    const record = [...certificates.values()].find((certificate) => certificate.serial === serial);
    assert.ok(record?.der, `${serial} was given to a device and is not on record`);
    assert.ok(equal(fromBase64(record.der), der), `${serial} is on record as another certificate`);
    assert.ok(
      ['issued', 'revoked'].includes(record.state),
      `${serial} was given away ${record.state}`,
    );
  }
}

function checkTransaction(
  key: string,
  { id, state, timeline, serial, ca }: Transaction,
  certificates: ReadonlyMap<string, CertificateRecord>,
): void {
  assert.equal(id, key);
  let before: TransactionState | 'begin' = 'begin';
  for (const step of timeline) {
    assert.ok(arrows[before].includes(step.state), `${id}: ${before} -> ${step.state}`);
    before = step.state;
  }
  assert.equal(before, state, `${id}: the timeline ends where it is`);
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
    ['signed', 'issued', 'revoked'].includes(state),
    `${serial} is ${state}`,
  );
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

function checkEvents(
  { serial, state }: CertificateRecord,
  transaction: Transaction | undefined,
  events: readonly Record<string, string>[],
): void {
  const count = (type: string) =>
    events.filter((event) => event.serial === serial && event.type === `certificate.${type}`)
      .length;
  assert.equal(count('intended'), 1, `${serial}: one intent`);
  assert.equal(count('voided'), state === 'voided' ? 1 : 0, `${serial}: voided`);
  // One that its release gate refused was revoked unseen.
  const seen = transaction?.timeline.some((step) => step.state === 'issued') ?? false;
  const released = state === 'issued' || (state === 'revoked' && seen);
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
