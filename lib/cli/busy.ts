// A server that is busy says so (HTTP 503, 429) and when to come again (Retry-After, RFC 9110 §10.2.3). Then
// the same request goes out again, as long as all these waits together stay within a limit.

import { Option } from 'commander';
import { parseDuration } from '../config/duration.ts';
import { CliError, type Io, type Patient, type Said } from './io.ts';
import { spoken } from './text.ts';

/** Milliseconds for all waits of a command: several of RETRY_AFTER_S, and of a flood's window. */
const RETRY_FOR_MS = 5 * 60_000;

/** Milliseconds of the first wait at least, doubled with each, for a server that says 0. */
const LEAST_WAIT_MS = 1000;
const MAX_LEAST_WAIT_MS = 30_000;

export const retryOption = (): Option =>
  new Option(
    '--retry-for <duration>',
    'how long to wait in all for a server that is busy and says when to come again; 0: not at all',
  )
    .argParser((text) => (text === '0' ? 0 : durationOf(text)))
    .default(RETRY_FOR_MS, '5m');

/** @throws {CliError} usage */
export function durationOf(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) {
    throw new CliError('usage', `"${text}" is not a duration such as 30s, 15m, 1h or 7d`);
  }
  return ms;
}

export const isBusy = (status: number): boolean => status === 503 || status === 429;

/** The answer of a server that is busy, and says when to come again, or does not. */
export class Busy extends CliError {
  readonly said: Said;
  constructor(message: string, said: Said) {
    super('remote', message);
    this.said = said;
  }
}

type Waiter = Pick<Io, 'clock' | 'note' | 'progress'>;

/**
 * Waits, and says so: on a terminal the time that is left, in one line.
 * @param text with the time
 */
export async function wait(io: Waiter, ms: number, text: (time: string) => string): Promise<void> {
  const { clock, note, progress } = io;
  if (!progress) {
    note(text(spoken(ms)));
    return clock.sleep(ms);
  }
  for (let left = ms; left > 0; left -= SECOND_MS) {
    progress(text(spoken(left)));
    await clock.sleep(Math.min(left, SECOND_MS));
  }
  progress('');
}
const SECOND_MS = 1000;

/** The waits of one command. */
export class Patience implements Patient {
  readonly #io: Waiter;
  readonly #limitMs: number;
  #waitedMs = 0;
  #waits = 0;
  /** What several requests of the command wait for together. */
  #pause: Promise<void> | undefined;

  constructor(io: Waiter, limitMs: number) {
    this.#io = io;
    this.#limitMs = limitMs;
  }

  /** @throws {CliError} remote, when it is busy for longer than the limit */
  async until<T extends Said>(who: string, ask: () => Promise<T>): Promise<T> {
    for (;;) {
      await this.#pause;
      const said = await ask();
      const asked = isBusy(said.status) ? waitOf(said, this.#io.clock.now()) : undefined;
      if (asked === undefined || this.#limitMs === 0) return said;
      if (this.#pause) continue;
      const least = Math.min(LEAST_WAIT_MS * 2 ** this.#waits, MAX_LEAST_WAIT_MS);
      const pause = Math.max(asked, least);
      const about = `${who} is busy (HTTP ${said.status})`;
      if (this.#waitedMs + pause > this.#limitMs) {
        const more = this.#waitedMs === 0 ? '' : ` after ${spoken(this.#waitedMs)} of waiting`;
        throw new CliError(
          'remote',
          `${about}${more} and asks to come again in ${spoken(pause)}: --retry-for ${spoken(this.#limitMs)} ends before that; its log says why it is busy`,
        );
      }
      const waited = `waited ${spoken(this.#waitedMs)} of ${spoken(this.#limitMs)}`;
      const text = (time: string) => `${about}: asking again in ${time} (${waited})`;
      this.#waitedMs += pause;
      this.#waits++;
      this.#pause = wait(this.#io, pause, text);
      await this.#pause;
      this.#pause = undefined;
    }
  }
}

/** Milliseconds: longer than any limit, and still a number that people can be told. */
const LONGEST_MS = 3650 * 24 * 60 * 60 * 1000;

/** @returns milliseconds from now; undefined where Retry-After has neither of its two forms */
export function waitOf({ retryAfter = '', date = '' }: Said, now: number): number | undefined {
  const text = retryAfter.trim();
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1000, LONGEST_MS);
  const at = httpDate(text);
  if (at === undefined) return undefined;
  return Math.min(Math.max(0, at - (httpDate(date.trim()) ?? now)), LONGEST_MS);
}

/** The three forms of RFC 9110 §5.6.7; the last of them, asctime's, does not say that it is GMT. */
function httpDate(text: string): number | undefined {
  const form = /^\w{3,9}, \d\d[ -]\w{3}[ -]\d{2,4} \d\d:\d\d:\d\d GMT$/.test(text)
    ? text
    : /^\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}$/.test(text)
      ? `${text} GMT`
      : undefined;
  const at = form === undefined ? Number.NaN : Date.parse(form);
  return Number.isNaN(at) ? undefined : at;
}
