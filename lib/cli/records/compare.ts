// What is on record, compared with what a log has: an event that only one of them has, a certificate or a request that no
// event of the log knows, one that the log knows and that is gone, names that are missing and were never forgotten.

import { createHash } from 'node:crypto';
import type { AnswerTo } from '../../api/api.ts';
import { fromUtf8, utf8 } from '../../base/bytes.ts';
import { Malformed } from '../../base/errors.ts';
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

type Entry = { readonly digest: string; readonly at: number };
type Standing = {
  readonly state: 'issued' | 'held' | 'revoked';
  readonly reason?: string | undefined;
};

/** What a log says must be on record. */
export class Told {
  /** The beginning of the SHA-256 of each event that is not found yet, and its place, by its id: there may be millions. */
  readonly #events = new Map<string, Entry>();
  /** Of a Transaction: the place of the event that told last that it was forgotten. */
  readonly #forgotten = new Map<string, number>();
  /** When the record may be gone, by its id. */
  readonly #transactions = new Map<string, number>();
  readonly #challenges = new Map<string, number>();
  /** SHA-256 of the TBSCertificate by serial number; and of what was handed out, what became of it last. */
  readonly #intended = new Map<string, string>();
  readonly #standing = new Map<string, Standing>();
  /** Serial numbers of what was handed out and is not found yet. */
  readonly #issued = new Set<string>();
  /** When the log began: what is older is in the log before. */
  #began: number | undefined;
  #count = 0;

  /** @param entry canonical text @throws {Malformed} for what is no event, or stands in the log twice */
  add(entry: Uint8Array): void {
    const text = fromUtf8(entry);
    const event = eventOf(text, this.#count);
    const { id, type, transaction, serial, challengeId, tbsHash, expires } = event;
    this.#began ??= Date.parse(event.time) - CLOCK_SKEW_MS;
    if (this.#events.has(id)) throw new Malformed(`event ${id} stands in the log twice`);
    this.#events.set(id, { digest: beginning(text), at: this.#count });
    const end = expires === undefined ? Number.POSITIVE_INFINITY : Date.parse(expires);
    if (transaction !== undefined) {
      const known = this.#transactions.get(transaction) ?? Number.POSITIVE_INFINITY;
      this.#transactions.set(transaction, Math.min(known, end));
    }
    if (type === 'challenge.created' && challengeId) this.#challenges.set(challengeId, end);
    if (type === 'log.forgotten' && transaction) this.#forgotten.set(transaction, this.#count);
    this.#count += 1;
    if (serial === undefined) return;
    if (type === 'certificate.intended' && tbsHash) this.#intended.set(serial, tbsHash);
    if (type === 'certificate.issued') this.#issued.add(serial);
    const state = stateAfter[type];
    if (state) this.#standing.set(serial, { state, reason: reasonOf(event) });
  }

  /**
   * An event that is on record.
   * @param asOf when the checkpoint was read: what is younger than a minute before waits
   * @returns what is wrong with it; `waits` where it need not be in this log
   */
  event({ personal, ...event }: EventBody, asOf: number): string | 'waits' | undefined {
    const { id, personalHash, transaction = '', type } = event;
    const known = this.#events.get(id);
    this.#events.delete(id);
    if (known === undefined) {
      const at = Date.parse(event.time);
      if (at + LOG_LATE_MS > asOf || at < (this.#began ?? 0)) return 'waits';
      return `event ${id} (${type}) is on record, and not in the log`;
    }
    if (known.digest !== beginning(canonicalText(event))) {
      return `event ${id} is on record as another one than the log has`;
    }
    if (personalHash === undefined) return undefined;
    if (!personal) {
      const isForgotten = known.at < (this.#forgotten.get(transaction) ?? -1);
      return isForgotten && type !== 'log.forgotten'
        ? undefined
        : `event ${id} has lost whom it names, and no event log.forgotten tells of it`;
    }
    return sha256(canonicalText(personal)) === personalHash
      ? undefined
      : `event ${id} names others on record than the log has the hash of`;
  }

  certificate(one: Certificate): string | undefined {
    const { serial, state, tbsHash, notBefore, revocationReason } = one;
    const issued = this.#issued.delete(serial);
    const last = this.#standing.get(serial);
    const now = state === 'expired' ? 'issued' : state;
    if (last && (last.state !== now || (now === 'revoked' && last.reason !== revocationReason))) {
      const says = [last.state, last.reason].filter(Boolean).join(', ');
      return `certificate ${serial} is ${state} on record, and by the log: ${says}`;
    }
    if (Date.parse(notBefore) < (this.#began ?? 0)) return undefined;
    return issued && this.#intended.get(serial) === tbsHash
      ? undefined
      : `certificate ${serial} is on record, and no event of the log knows it`;
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
  'serial' | 'state' | 'tbsHash' | 'notBefore' | 'revocationReason'
>;
type Transaction = AnswerTo<'GET /transactions'>['transactions'][number];
type Challenge = Pick<AnswerTo<'GET /challenges'>['challenges'][number], 'id' | 'createdAt'>;

/** What a certificate is after each event. */
const stateAfter: Readonly<Partial<Record<EventBody['type'], Standing['state']>>> = {
  'certificate.issued': 'issued',
  'certificate.held': 'held',
  'certificate.released': 'issued',
  'certificate.revoked': 'revoked',
  'certificate.superseded': 'revoked',
  'certificate.reasonRaised': 'revoked',
};

const reasonOf = ({ type, reason }: EventBody): string | undefined =>
  reason ?? (type === 'certificate.superseded' ? 'superseded' : undefined);

/** @throws {Malformed} */
function eventOf(text: string, at: number): EventBody {
  try {
    return JSON.parse(text) as EventBody;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new Malformed(`entry ${at} is no event`);
  }
}

type Compared = {
  readonly problems: readonly string[];
  /** Events on record that are not in the log yet, or in the one before it. */
  readonly others: number;
};

/** @param log its name @param asOf when its checkpoint was read */
export async function compareRecords(
  io: Io,
  told: Told,
  { log, asOf }: { readonly log: string; readonly asOf: number },
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
      const said = told.event(event, asOf);
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
