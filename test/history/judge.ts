// Whether a history was one that the design allows: everything that must be true of the records
// alone (`checkCa` and what follows here), and that nobody was told anything else than they say.

import assert from 'node:assert/strict';
import { equal } from '../../lib/base/bytes.ts';
import { certificateKey } from '../../lib/ca/record/keys.ts';
import type { CertificateRecord } from '../../lib/ports/records/certificate.ts';
import type { Challenge, Kind, Records } from '../../lib/ports/records/records.ts';
import type { Transaction } from '../../lib/ports/records/transaction.ts';
import type { Row } from '../../lib/ports/store.ts';
import { publicKeyOf, readCertificate } from '../../lib/x509/certificate.ts';
import { parseName, printName } from '../../lib/x509/names/name.ts';
import { checkCa } from '../support/check-ca.ts';
import { eventIn } from '../support/event-in.ts';
import type { Acknowledged, Answer, Clients, Conversation, IssuedChallenge } from './clients.ts';
import { SKEW_MS } from './world.ts';

export function judge(rows: readonly Row[], clients: Clients): void {
  const delivered = clients.conversations.flatMap(({ answers }) =>
    answers.flatMap(({ der }) => (der ? [der] : [])),
  );
  checkCa(rows, delivered, SKEW_MS);
  const table = new Table(rows);
  const requests = Map.groupBy(clients.conversations, ({ requestHashes: [first] }) => first);
  for (const same of requests.values()) checkRequest(table, same, clients);
  for (const acknowledged of clients.acknowledged) checkAcknowledged(table, acknowledged);
  for (const challenge of clients.challenges) checkChallenge(table, challenge);
}

class Table {
  readonly transactions: ReadonlyMap<string, Transaction>;
  readonly certificates: ReadonlyMap<string, CertificateRecord>;
  readonly challenges: readonly Challenge[];
  /** By the hash of the key. */
  readonly blockedKeys: ReadonlySet<string>;
  /** Serial numbers of certificates that their renewal superseded, whatever became of them since. */
  readonly superseded: ReadonlySet<string>;
  readonly #requests: ReadonlyMap<string, readonly Transaction[]>;

  constructor(rows: readonly Row[]) {
    const of = <K extends Kind>(kind: K): [string, Records[K]][] =>
      rows.filter((row) => row.kind === kind).map((row) => [row.key, row.record as Records[K]]);
    this.transactions = new Map(of('transaction'));
    this.certificates = new Map(of('certificate'));
    this.#requests = Map.groupBy(this.transactions.values(), ({ requestHash }) => requestHash);
    this.challenges = of('challenge').map(([, challenge]) => challenge);
    this.blockedKeys = new Set(of('blockedKey').map(([key]) => key));
    const events = of('event').map(([, record]) => eventIn(record));
    this.superseded = new Set(
      events.flatMap(({ type, serial }) => (type === 'certificate.superseded' ? [serial] : [])),
    );
  }

  ofRequest({ requestHashes }: Conversation): readonly Transaction[] {
    return requestHashes.flatMap((hash) => this.#requests.get(hash) ?? []);
  }

  certificate(serial: string): CertificateRecord {
    const found = this.certificates.get(certificateKey('default', serial));
    assert.ok(found, `${serial} is on record`);
    return found;
  }

  transactionOf(serial: string): Transaction {
    const found = this.transactions.get(this.certificate(serial).transaction);
    assert.ok(found, `the Transaction of ${serial} is on record`);
    return found;
  }
}

const told = ({ number }: Conversation, { begin, end, polled }: Answer): string =>
  `conversation ${number}, ${polled ? 'poll' : 'request'} of [${begin}, ${end}]`;

/** What one device was told about one request, in however many conversations. */
function checkRequest(
  table: Table,
  conversations: readonly Conversation[],
  clients: Clients,
): void {
  const { acknowledged } = clients;
  checkRefusals(table, conversations, acknowledged);
  const begun = Math.min(...conversations.map((conversation) => conversation.begun));
  for (const conversation of conversations) {
    const { device, subject, key, signer } = conversation;
    for (const answer of conversation.answers) {
      const { serial, der, begin } = answer;
      if (serial === undefined || der === undefined) continue;
      const who = told(conversation, answer);
      const certificate = readCertificate(der);
      const spki = publicKeyOf(certificate)?.spki;
      const transaction = table.transactionOf(serial);
      const itsOwn = conversation.requestHashes.includes(transaction.requestHash);
      // A poll is answered for the newest request of its key under its transactionID.
      assert.ok(itsOwn || answer.polled, `${who}: the certificate is of its own request`);
      const keys = itsOwn ? [key] : device.keys;
      assert.ok(
        keys.some((one) => spki && equal(spki, one.spki)),
        `${who}: the certificate is of its own key`,
      );
      if (itsOwn) assert.equal(printName(certificate.subject), printName(parseName(subject)), who);
      const renews = transaction.authorizedBy.includes(`renewal of ${signer?.serial}`);
      for (const revoked of acknowledged) {
        if (revoked.act !== 'revoked') continue;
        assert.ok(
          revoked.serial !== serial || begin < revoked.end,
          `${who} was given ${serial}, whose revocation had been acknowledged at ${revoked.end}`,
        );
        assert.ok(
          !renews || revoked.serial !== signer?.serial || begun < revoked.end,
          `${who} was a renewal of ${revoked.serial}, revoked at ${revoked.end}`,
        );
        assert.ok(
          answer.polled || !compromises(table, revoked, serial) || begin < revoked.end,
          `${who} was given ${serial}, whose key the revocation of ${revoked.serial} had blocked at ${revoked.end}`,
        );
        const ended = transaction.renews !== undefined && endsFor(table, clients, revoked, serial);
        assert.ok(
          !ended || begun < revoked.end,
          `${who} was given ${serial}, whose lineage the revocation of ${revoked.serial} had ended at ${revoked.end}`,
        );
      }
      if (!itsOwn) continue;
      for (const other of conversations) checkLater(table, other, answer, serial);
    }
  }
}

const compromises = (
  table: Table,
  { serial: revoked, reason }: Acknowledged & { readonly act: 'revoked' },
  serial: string,
): boolean =>
  reason === 'keyCompromise' &&
  table.certificate(revoked).keyHash === table.certificate(serial).keyHash;

/** A certificate of the same lineage was revoked by a person, and nobody had seen its renewal in use. */
function endsFor(
  table: Table,
  { conversations }: Clients,
  { serial: revoked, reason, end }: Acknowledged & { readonly act: 'revoked' },
  serial: string,
): boolean {
  const rootOf = (one: string) => table.certificate(one).lineage.root;
  if (reason === undefined || reason === 'superseded') return false;
  // What has been superseded has a sibling, which goes on; the one that both renew does not.
  if (table.superseded.has(revoked)) {
    return table.transactionOf(serial).renews === table.transactionOf(revoked).renews;
  }
  if (rootOf(revoked) !== rootOf(serial)) return false;
  return !conversations.some(
    ({ signer, begun }) =>
      signer && begun < end && table.transactionOf(signer.serial).renews === revoked,
  );
}

/** Refused for good: unknown, spent, locked, not bound, revoked, renewed, owned. When a challenge has
 * expired is a matter of whose clock it is. */
const final = /^SCEP-(302|304|305|311|323|327|341|421)$/;

/** Nobody is refused for good, before or after, what he has a good certificate for. */
function checkRefusals(
  table: Table,
  conversations: readonly Conversation[],
  acknowledged: readonly Acknowledged[],
): void {
  const [first] = conversations;
  if (!first) return;
  const own = table
    .ofRequest(first)
    .find(
      ({ state, serial, requestHash }) =>
        state === 'issued' &&
        table.certificate(serial).state === 'issued' &&
        isDue(first, { serial, requestHash }),
    );
  if (!own) return;
  for (const conversation of conversations) {
    for (const answer of conversation.answers) {
      if (answer.polled || answer.at + SKEW_MS >= own.repeatUntil) continue;
      if (answer.code === 'SCEP-341' && wasOwned(table, own, answer, acknowledged)) continue;
      assert.ok(
        !final.test(answer.code ?? ''),
        `${told(conversation, answer)} was told ${answer.code} and has ${own.serial}`,
      );
    }
  }
}

/** What answered the same CSR as an enrolment is no answer to a renewal by that very certificate, nor due
 * to whoever signs with another key than the requested one. */
function isDue(
  { requestHashes: [first], signer, key }: Conversation,
  { serial, requestHash }: Pick<Transaction<'issued'>, 'serial' | 'requestHash'>,
): boolean {
  if (requestHash === first || !signer) return true;
  return serial !== signer.serial && equal(signer.key.spki, key.spki);
}

/** The key belonged to a certificate for other names, which a person has revoked since. */
function wasOwned(
  table: Table,
  { serial: own = '' }: Transaction,
  answer: Answer,
  acknowledged: readonly Acknowledged[],
): boolean {
  const { keyHash, subject } = table.certificate(own);
  const freed = [...table.certificates.values()].filter(
    (other) =>
      other.keyHash === keyHash &&
      other.subject !== subject &&
      other.state === 'revoked' &&
      other.supersededBy === undefined &&
      other.unseen === undefined &&
      other.revocationReason !== 'keyCompromise',
  );
  return freed.some(({ serial }) =>
    acknowledged.every(
      (one) => one.act !== 'revoked' || one.serial !== serial || answer.begin < one.end,
    ),
  );
}

/** Once it has been told of a certificate it is told of that one, while that is good and neither its key
 * nor the one that signed is blocked by what became of another certificate. */
function checkLater(table: Table, other: Conversation, { end }: Answer, serial: string): void {
  const { state, keyHash } = table.certificate(serial);
  if (state === 'revoked') return;
  const { repeatUntil } = table.transactionOf(serial);
  const keys = [keyHash, ...(other.signer ? [table.certificate(other.signer.serial).keyHash] : [])];
  for (const later of other.answers) {
    if (later.begin < end || later.polled || later.at + SKEW_MS >= repeatUntil) continue;
    if (later.code === 'SCEP-343' && keys.some((key) => table.blockedKeys.has(key))) continue;
    assert.equal(
      later.serial,
      serial,
      `${told(other, later)} was told ${later.pkiStatus} ${later.code} after ${serial}`,
    );
  }
}

/** Only a reason that says more takes the place of another. */
const severities = [
  ['unspecified'],
  ['affiliationChanged', 'superseded', 'cessationOfOperation', 'privilegeWithdrawn'],
  ['aACompromise', 'cACompromise'],
  ['keyCompromise'],
];
const severity = (reason = '') => severities.findIndex((reasons) => reasons.includes(reason));

function checkAcknowledged(table: Table, acknowledged: Acknowledged): void {
  if (acknowledged.act === 'revoked') {
    const { serial, reason, end } = acknowledged;
    const { state, revocationReason, keyHash } = table.certificate(serial);
    assert.equal(state, 'revoked', `${serial} was revoked at ${end}`);
    // A key is blocked later, too: the reason for which its certificate was revoked stays.
    if (reason === 'keyCompromise') assert.ok(table.blockedKeys.has(keyHash), `blocked at ${end}`);
    else if (reason && revocationReason !== reason) {
      const raised = severity(revocationReason) > severity(reason);
      assert.ok(raised, `${serial} was revoked as ${reason} at ${end} and is ${revocationReason}`);
    }
    return;
  }
  const { act, transaction: id } = acknowledged;
  const transaction = table.transactions.get(id);
  assert.ok(transaction, `${id} was ${act} and is on record`);
  const decisions = transaction.timeline.filter(({ by }) => by === 'approver');
  assert.deepEqual(
    decisions.map(({ state }) => state),
    [act],
    `${id} was ${act} at ${acknowledged.end}`,
  );
  if (act === 'denied') assert.equal(transaction.state, 'denied');
}

/** No more certificates than uses, and nobody was refused a use that was left. */
function checkChallenge(table: Table, challenge: IssuedChallenge): void {
  const { id, uses, short, foreign, contenders } = challenge;
  const serials = new Set(
    contenders
      .filter(({ signer }) => signer === undefined)
      .flatMap(({ answers, requestHashes }) =>
        answers
          .flatMap(({ serial }) => serial ?? [])
          .filter((serial) => requestHashes.includes(table.transactionOf(serial).requestHash)),
      ),
  );
  assert.ok(serials.size <= uses, `challenge ${id} of ${uses} uses gave ${serials.size}`);
  const granted = [...table.transactions.values()].filter(
    ({ authorizedBy, timeline }) =>
      authorizedBy.includes(`challenge ${id}`) &&
      timeline.some(({ state }) => state === 'issued' || state === 'signed'),
  );
  assert.ok(granted.length <= uses, `challenge ${id}: ${granted.length} certificates`);
  const record = table.challenges.find((candidate) => candidate.id === id);
  assert.ok(record, `challenge ${id} is on record`);
  const codes = contenders.flatMap(({ answers }) => answers.map(({ code }) => code));
  if (codes.includes('SCEP-304')) {
    assert.equal(record.usesLeft, 0, `challenge ${id} was called spent and has uses left`);
  }
  if (codes.includes('SCEP-303')) assert.ok(short, `challenge ${id} was called expired`);
  if (codes.includes('SCEP-311')) assert.ok(foreign, `challenge ${id} was called another's`);
  assert.ok(!codes.includes('SCEP-302'), `challenge ${id} was called unknown`);
  if (foreign) assert.equal(granted.length, 0);
}

/** Every conversation has ended in an answer that its request deserves. */
export function judgeEnd(clients: Clients): void {
  for (const conversation of clients.conversations) {
    const last = conversation.answers.at(-1);
    assert.ok(last, `conversation ${conversation.number} never had an answer`);
  }
}
