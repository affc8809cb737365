// What a log tells, on disk: every event once, and what must be on record of requests, challenges, certificates, CRLs and
// the CA itself.

import { createHash } from 'node:crypto';
import { fromUtf8, utf8 } from '../../base/bytes.ts';
import { Malformed } from '../../base/errors.ts';
import { canonicalText } from '../../base/json.ts';
import { CLOCK_SKEW_MS } from '../../base/limits.ts';
import { LOG_LATE_MS } from '../../base/log-limits.ts';
import { timeOfUlid } from '../../base/ulid.ts';
import type { EventBody } from '../log/happened.ts';
import type { Disk, DiskMap } from './disk.ts';

const sha256 = (text: string): string => createHash('sha256').update(utf8(text)).digest('hex');
const beginning = (text: string): string => sha256(text).slice(0, 16);

/** The events of a log by their ids: none stands in it twice. */
export class Entries {
  readonly #places: DiskMap<number>;
  #count = 0;

  constructor(disk: Disk) {
    this.#places = disk.map();
  }

  /** @param entry canonical text @throws {Malformed} for what is no event, or stands in the log twice */
  add(entry: Uint8Array): {
    readonly event: EventBody;
    readonly text: string;
    readonly at: number;
  } {
    const at = this.#count++;
    const text = fromUtf8(entry);
    const event = eventOf(text, at);
    if (!this.#places.add(event.id, at)) {
      const before = this.#places.get(event.id);
      throw new Malformed(`event ${event.id} stands in the log twice: entries ${before} and ${at}`);
    }
    return { event, text, at };
  }
}

/** @throws {Malformed} */
function eventOf(text: string, at: number): EventBody {
  try {
    const event = Object(JSON.parse(text)) as EventBody;
    if (Number.isFinite(timeOfUlid(String(event.id)))) return event;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new Malformed(`entry ${at} is no event`);
}

type Standing = {
  readonly state: 'issued' | 'held' | 'revoked';
  readonly reason?: string | undefined;
};
type Generation = { readonly hash?: string | undefined; readonly state: string };

export class Told {
  /** The beginning of the SHA-256 of each event that is not found yet, and its place, by its id. */
  readonly #events: DiskMap<readonly [digest: string, at: number]>;
  /** Of a Transaction: the place of the event that told last that it was forgotten. */
  readonly #forgotten: DiskMap<number>;
  /** When the record may be gone, by its id (null: never), and the place of the event that told of it first. */
  readonly #transactions: DiskMap<readonly [end: number | null, at: number]>;
  readonly #challenges: DiskMap<readonly [end: number | null, at: number]>;
  readonly #revokedChallenges: DiskMap<true>;
  /** SHA-256 of the TBSCertificate by serial number; and of what was handed out, what became of it last. */
  readonly #intended: DiskMap<string>;
  readonly #standing: DiskMap<Standing>;
  /** Serial numbers of what was handed out and is not found yet, and the place of the event that tells of it. */
  readonly #issued: DiskMap<readonly [end: null, at: number]>;
  /** The last CRLs by partition; '' is the CA's own. */
  readonly #crls = new Map<string, CrlOnRecord>();
  #isRetired = false;
  /** SHA-256 of the CA's certificate, and its RA generations by number. */
  #ca: string | undefined;
  readonly #generations = new Map<number, Generation>();
  /** Whether the log knows all generations there are. */
  #isWhole = false;
  /** When its first event happened. */
  #first: number | undefined;
  /** What `log.recovered` said last: its place, and how many events before it the records had lost. */
  #recovered = { at: 0, lost: 0 };
  /** It goes on from another log, in which all is that is older than its first event. */
  #isNext = false;

  constructor(disk: Disk) {
    this.#events = disk.map();
    this.#forgotten = disk.map();
    this.#transactions = disk.map();
    this.#challenges = disk.map();
    this.#revokedChallenges = disk.map();
    this.#intended = disk.map();
    this.#standing = disk.map();
    this.#issued = disk.map();
  }

  add({ event, text, at }: ReturnType<Entries['add']>): void {
    const { id, type, transaction, serial, challengeId, tbsHash, expires } = event;
    this.#first ??= Date.parse(event.time);
    this.#events.add(id, [beginning(text), at]);
    const end = expires === undefined ? null : Date.parse(expires);
    if (transaction !== undefined) {
      const [known, first] = this.#transactions.get(transaction) ?? [null, at];
      if (!this.#transactions.add(transaction, [end, at]) && end !== null) {
        const sooner = known === null ? end : Math.min(known, end);
        this.#transactions.set(transaction, [sooner, first]);
      }
    }
    if (challengeId !== undefined) {
      if (type === 'challenge.created') this.#challenges.set(challengeId, [end, at]);
      if (type === 'challenge.revoked') this.#revokedChallenges.set(challengeId, true);
    }
    if (type === 'log.forgotten' && transaction) this.#forgotten.set(transaction, at);
    if (type === 'log.recovered') {
      this.#recovered = { at, lost: event.number ?? 0 };
      this.#isNext ||= event.number === undefined;
    }
    this.#addCa(event);
    if (serial === undefined) return;
    if (type === 'certificate.intended' && tbsHash) this.#intended.set(serial, tbsHash);
    if (type === 'certificate.issued') this.#issued.set(serial, [null, at]);
    const state = stateAfter[type];
    if (state) {
      const reason = reasonOf(event);
      this.#standing.set(serial, { state, ...(reason === undefined ? {} : { reason }) });
    }
  }

  #addCa({ type, ca, key, number = 0, crlHash, partition = '', ...event }: EventBody): void {
    const { certificateHash: hash } = event;
    // The restoring of a CA tells of it, and not of each generation that it found.
    const isRestored = type === 'admin.acted' && ca !== undefined && key !== undefined && !!hash;
    if (type === 'ca.created' || type === 'ca.chainImported' || isRestored) this.#ca = hash;
    if (type === 'ca.created') this.#isWhole = true;
    if (isRestored) {
      this.#isWhole = false;
      this.#generations.clear();
    }
    if (type === 'crl.published') this.#crls.set(partition, { number, hash: crlHash });
    if (type === 'ca.retired') this.#isRetired = true;
    if (type === 'ca.ra.prepared') this.#generations.set(number, { hash, state: 'prepared' });
    if (type === 'ca.ra.retired') this.#generations.set(number, { hash, state: 'retired' });
    if (type !== 'ca.ra.current') return;
    for (const [id, one] of this.#generations) {
      if (one.state === 'current') this.#generations.set(id, { ...one, state: 'previous' });
    }
    this.#generations.set(number, { hash, state: 'current' });
  }

  /**
   * An event that is on record.
   * @param asOf when the checkpoint was read: what is younger than a minute before waits
   * @returns what is wrong with it; `waits` where it need not be in this log
   */
  event({ personal, ...event }: EventBody, asOf: number): string | 'waits' | undefined {
    const { id, personalHash, transaction = '', type } = event;
    const [digest, at] = this.#events.get(id) ?? [];
    if (digest === undefined || at === undefined) {
      const time = Date.parse(event.time);
      if (time + LOG_LATE_MS > asOf || time < this.#began) return 'waits';
      return `event ${id} (${type}) is on record, and not in the log`;
    }
    this.#events.delete(id);
    if (digest !== beginning(canonicalText(event))) {
      return `event ${id} is on record as another one than the log has`;
    }
    if (personalHash === undefined) return undefined;
    if (!personal) {
      const isForgotten = at < (this.#forgotten.get(transaction) ?? -1);
      return isForgotten && type !== 'log.forgotten'
        ? undefined
        : `event ${id} has lost whom it names, and no event log.forgotten tells of it`;
    }
    return sha256(canonicalText(personal)) === personalHash
      ? undefined
      : `event ${id} names others on record than the log has the hash of`;
  }

  certificate(serial: string, one: CertificateOnRecord): string | undefined {
    const { state, tbsHash, notBefore, reason } = one;
    const issued = this.#issued.delete(serial);
    const last = this.#standing.get(serial);
    const now = state === 'expired' ? 'issued' : state;
    if (last && (last.state !== now || (now === 'revoked' && last.reason !== reason))) {
      const says = [last.state, last.reason].filter(Boolean).join(', ');
      return `certificate ${serial} is ${state} on record, and by the log: ${says}`;
    }
    if (this.#isBefore(notBefore)) return undefined;
    return issued && this.#intended.get(serial) === tbsHash
      ? undefined
      : `certificate ${serial} is on record, and no event of the log knows it`;
  }

  transaction(id: string, createdAt: string): string | undefined {
    if (this.#transactions.delete(id) || this.#isBefore(createdAt)) return undefined;
    return `transaction ${id} is on record, and no event of the log knows it`;
  }

  challenge(id: string, { createdAt, state }: ChallengeOnRecord): string | undefined {
    const known = this.#challenges.delete(id);
    if (!known && !this.#isBefore(createdAt)) {
      return `challenge ${id} is on record, and no event of the log knows it`;
    }
    const isRevoked = this.#revokedChallenges.has(id);
    // One that is invalid lets nobody in.
    if (state === 'invalid' || !known || isRevoked === (state === 'revoked')) return undefined;
    return `challenge ${id} is ${state} on record, and ${isRevoked ? '' : 'not '}revoked by the log`;
  }

  /** The partitions whose CRLs the log knows; '' is the CA's own. */
  get partitions(): readonly string[] {
    return [...this.#crls.keys()];
  }

  /** @param found the newest CRL on record */
  crl(ca: string, partition: string, found: CrlOnRecord | null): string | undefined {
    const last = this.#crls.get(partition);
    if (last === undefined) return undefined;
    const name = partition === '' ? ca : `${ca}/${partition}`;
    if (!found) return `CRL ${last.number} of ${name} is in the log, and none is on record`;
    if (found.number !== last.number) {
      return `CRL ${found.number} of ${name} is on record, and the last in the log is ${last.number}`;
    }
    // Earlier releases told of a number only.
    return last.hash === undefined || last.hash === found.hash
      ? undefined
      : `CRL ${found.number} of ${name} is on record as another one than the log has`;
  }

  /** A CA that is retired is shown no more. */
  get isRetired(): boolean {
    return this.#isRetired;
  }

  /** The CA's certificate and its RA certificates, by SHA-256. */
  *authority(ca: string, record: AuthorityOnRecord | undefined): Generator<string, void> {
    const { own, generations = [] } = record ?? {};
    if (this.#ca !== undefined && this.#ca !== own) {
      yield `the CA ${ca} has another certificate on record than the log`;
    }
    const found = new Set<number>();
    for (const { id, state, hash } of generations) {
      found.add(id);
      const known = this.#generations.get(id);
      if (known ? known.hash !== hash : this.#isWhole) {
        yield `RA generation ${id} of ${ca} is on record, and no event of the log knows its certificate`;
      } else if (known && known.state !== state) {
        yield `RA generation ${id} of ${ca} is ${state} on record, and by the log: ${known.state}`;
      }
    }
    for (const [id, { state }] of this.#generations) {
      if (!found.has(id))
        yield `RA generation ${id} of ${ca} is ${state} by the log, and not on record`;
    }
  }

  /** Places of the events that the records had lost before the log was recovered, once all have been looked for: none
   * where more are missing than `log.recovered` says. */
  lost(): ReadonlySet<number> {
    const lost = new Set<number>();
    for (const [, [, at]] of this.#events) {
      if (at < this.#recovered.at) lost.add(at);
      if (lost.size > this.#recovered.lost) return new Set();
    }
    return lost;
  }

  /**
   * What the log has and was not found on record.
   * @param now milliseconds since 1970 @param isWaiting whether events tell of it that are not in the log yet
   */
  *missing(now: number, isWaiting: (id: string) => boolean): Generator<string, void> {
    const kinds = [this.#events, this.#issued, this.#transactions, this.#challenges];
    const lost = this.lost();
    for (const kind of kinds) {
      for (const [id, [value, at]] of kind) {
        // Of a record that may be gone it is the time.
        if ((typeof value === 'number' && value <= now) || isWaiting(id) || lost.has(at)) continue;
        yield `${id} is in the log, and what it tells of is no longer on record`;
      }
    }
  }

  #isBefore(time: string): boolean {
    return Date.parse(time) < this.#began;
  }

  /** What is older need not be in this log: in the first one there may be more, by a clock that was behind. */
  get #began(): number {
    return (this.#first ?? 0) - (this.#isNext ? 0 : CLOCK_SKEW_MS);
  }
}

export type CrlOnRecord = { readonly number: number; readonly hash?: string | undefined };
export type CertificateOnRecord = {
  readonly state: string;
  readonly tbsHash: string;
  readonly notBefore: string;
  readonly reason?: string | undefined;
};
export type ChallengeOnRecord = { readonly createdAt: string; readonly state: string };
export type AuthorityOnRecord = {
  readonly own: string | undefined;
  readonly generations: readonly {
    readonly id: number;
    readonly state: string;
    readonly hash: string;
  }[];
};

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
