// What is on record, compared with what a log has: an event that only one of them has, a certificate or a request that no
// event of the log knows, one that the log knows and that is gone, names that are missing and were never forgotten.

import { createHash } from 'node:crypto';
import type { AnswerTo } from '../../api/api.ts';
import { fromUtf8, utf8 } from '../../base/bytes.ts';
import { canonicalText } from '../../base/json.ts';
import { CLOCK_SKEW_MS, MAX_PAGE } from '../../base/limits.ts';
import { LOG_LATE_MS } from '../../base/log-limits.ts';
import { visible } from '../../base/text.ts';
import { SYSTEM_LOG } from '../../base/words.ts';
import { CliError, type Io } from '../io.ts';
import { type ListName, type ListOf, pagesOf } from '../pages.ts';
import { counted } from '../text.ts';
import { eventPages } from './export.ts';
import type { EventBody } from './happened.ts';

const sha256 = (text: string): string => createHash('sha256').update(utf8(text)).digest('hex');
const beginning = (text: string): string => sha256(text).slice(0, 16);

/** What a log says must be on record. */
export class Told {
  /** The beginning of the SHA-256 of each event that is not found yet, by its id: a log may have millions. */
  readonly #events = new Map<string, string>();
  readonly #forgotten = new Set<string>();
  /** When the record may be gone, by its id. */
  readonly #transactions = new Map<string, number>();
  readonly #challenges = new Map<string, number>();
  /** SHA-256 of the TBSCertificate by serial number, and the serial numbers of what was handed out and revoked. */
  readonly #intended = new Map<string, string>();
  readonly #issued = new Set<string>();
  readonly #revoked = new Set<string>();
  /** When the log began: what is older is in the log before. */
  #began: number | undefined;

  /** @param entry canonical text */
  add(entry: Uint8Array): void {
    const text = fromUtf8(entry);
    const event = JSON.parse(text) as EventBody;
    const { id, type, transaction, serial, challengeId, tbsHash, expires } = event;
    this.#began ??= Date.parse(event.time) - CLOCK_SKEW_MS;
    this.#events.set(id, beginning(text));
    const end = expires === undefined ? Number.POSITIVE_INFINITY : Date.parse(expires);
    if (transaction !== undefined) {
      const known = this.#transactions.get(transaction) ?? Number.POSITIVE_INFINITY;
      this.#transactions.set(transaction, Math.min(known, end));
    }
    if (type === 'challenge.created' && challengeId) this.#challenges.set(challengeId, end);
    if (type === 'log.forgotten' && transaction) this.#forgotten.add(transaction);
    if (serial === undefined) return;
    if (type === 'certificate.intended' && tbsHash) this.#intended.set(serial, tbsHash);
    if (type === 'certificate.issued') this.#issued.add(serial);
    if (ends.has(type)) this.#revoked.add(serial);
  }

  /**
   * An event that is on record.
   * @param signedAt of the checkpoint: what is younger by a minute waits
   * @returns what is wrong with it; `waits` where it is too young to be in the log
   */
  event({ personal, ...event }: EventBody, signedAt: number): string | 'waits' | undefined {
    const { id, personalHash, transaction } = event;
    const known = this.#events.get(id);
    this.#events.delete(id);
    if (known === undefined) {
      const at = Date.parse(event.time);
      if (at + LOG_LATE_MS > signedAt || at < (this.#began ?? 0)) return 'waits';
      return `event ${id} (${event.type}) is on record, and not in the log`;
    }
    if (known !== beginning(canonicalText(event))) {
      return `event ${id} is on record as another one than the log has`;
    }
    if (personalHash === undefined) return undefined;
    if (!personal) {
      return transaction !== undefined && this.#forgotten.has(transaction)
        ? undefined
        : `event ${id} has lost whom it names, and no event log.forgotten tells of it`;
    }
    return sha256(canonicalText(personal)) === personalHash
      ? undefined
      : `event ${id} names others on record than the log has the hash of`;
  }

  certificate({ serial, state, tbsHash, notBefore }: Certificate): string | undefined {
    if (Date.parse(notBefore) < (this.#began ?? 0)) return undefined;
    const issued = this.#issued.delete(serial);
    if (!issued || this.#intended.get(serial) !== tbsHash) {
      return `certificate ${serial} is on record, and no event of the log knows it`;
    }
    if ((state === 'revoked') !== this.#revoked.has(serial)) {
      return `certificate ${serial} is ${state} on record, and ${state === 'revoked' ? 'not revoked' : 'revoked'} by the log`;
    }
    return undefined;
  }

  transaction({ id, createdAt }: Pick<Transaction, 'id' | 'createdAt'>): string | undefined {
    if (this.#transactions.delete(id) || Date.parse(createdAt) < (this.#began ?? 0))
      return undefined;
    return `transaction ${id} is on record, and no event of the log knows it`;
  }

  challenge({ id, createdAt }: Challenge): string | undefined {
    if (this.#challenges.delete(id) || Date.parse(createdAt) < (this.#began ?? 0)) return undefined;
    return `challenge ${id} is on record, and no event of the log knows it`;
  }

  /**
   * What the log has and was not found on record.
   * @param now milliseconds since 1970 @param waiting what events tell of that are not in the log yet
   */
  *missing(now: number, waiting: ReadonlySet<string | undefined>): Generator<string, void> {
    const kept = [...this.#transactions, ...this.#challenges].filter(([, end]) => end > now);
    const ids = [...this.#events.keys(), ...this.#issued, ...kept.map(([id]) => id)];
    for (const id of ids) {
      if (!waiting.has(id))
        yield `${id} is in the log, and what it tells of is no longer on record`;
    }
  }
}

type Certificate = Pick<
  AnswerTo<'GET /certificates'>['certificates'][number],
  'serial' | 'state' | 'tbsHash' | 'notBefore'
>;
type Transaction = AnswerTo<'GET /transactions'>['transactions'][number];
type Challenge = Pick<AnswerTo<'GET /challenges'>['challenges'][number], 'id' | 'createdAt'>;

/** Events after which a certificate is revoked for good. */
const ends: ReadonlySet<string> = new Set(['certificate.revoked', 'certificate.superseded']);

type Compared = {
  readonly problems: readonly string[];
  /** Events on record that are not in the log yet, or in the one before it. */
  readonly others: number;
};

/** @param log its name @param signedAt of the newest checkpoint */
export async function compareRecords(
  io: Io,
  told: Told,
  { log, signedAt }: { readonly log: string; readonly signedAt: number },
): Promise<Compared> {
  const [ca = log] = log.split('.');
  const altered = new Set<string>();
  const all = { limit: MAX_PAGE, all: true } as const;
  const listed = async <Name extends ListName>(wanted: ListOf<Name>) => {
    const found = await pagesOf(io, wanted, all);
    for (const name of found.altered) altered.add(name);
    return found.items;
  };
  // Before the events: that of each of these is in the log by now, or among those that wait.
  const isSystem = ca === SYSTEM_LOG;
  const challenges = isSystem ? await listed({ name: 'GET /challenges', noun: 'challenges' }) : [];
  const certificates = isSystem
    ? []
    : await listed({ name: 'GET /certificates', noun: 'certificates', query: { ca } });
  const transactions = isSystem
    ? []
    : await listed({ name: 'GET /transactions', noun: 'transactions' });
  const problems: string[] = [];
  const add = (problem: string | undefined): void => void (problem && problems.push(problem));
  const waiting = new Set<string | undefined>();
  let others = 0;
  for await (const page of eventPages(io, {}, altered)) {
    for (const event of page) {
      if ((event.ca ?? SYSTEM_LOG) !== ca) continue;
      const said = told.event(event, signedAt);
      if (said !== 'waits') add(said);
      else {
        others += 1;
        for (const id of [event.serial, event.transaction, event.challengeId]) waiting.add(id);
      }
    }
  }
  const isSettled = (id: string): boolean => !waiting.has(id);
  for (const one of challenges) if (isSettled(one.id)) add(told.challenge(one));
  for (const one of certificates) if (isSettled(one.serial)) add(told.certificate(one));
  for (const one of transactions) {
    if (one.ca === ca && isSettled(one.id)) add(told.transaction(one));
  }
  for (const name of altered) problems.push(`${name} was changed by another hand`);
  for (const problem of told.missing(io.clock.now(), waiting)) problems.push(problem);
  return { problems, others };
}

/** Differences that are printed. */
const MAX_SHOWN = 20;

/** @throws {CliError} verification, with the first difference; the others are noted */
export function requireSame(io: Io, { problems: [first, ...more] }: Compared): void {
  if (first === undefined) return;
  for (const one of more.slice(0, MAX_SHOWN)) io.note(visible(one));
  const rest = more.length > 0 ? ` (and ${more.length} more)` : '';
  throw new CliError('verification', `${first}${rest}`);
}

export function sameText({ others }: Compared): string {
  const waiting =
    others > 0 ? `; ${counted(others, 'event')} not in this log yet, or in the one before` : '';
  return `what is on record is what the log has${waiting}\n`;
}
