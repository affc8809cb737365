// One call of Microsoft's services: it ends in time, goes nowhere else than asked, its answer is bounded and in JSON, and
// what went wrong is told without anything that was sent or answered.

import { allWithin, type Bytes, hex, type Random } from '../../base/bytes.ts';
import { Outage } from '../../base/errors.ts';
import { SingleFlight } from '../../base/single-flight.ts';
import { isText } from '../../base/text.ts';
import type { Clock } from '../../ports/clock.ts';

/** What the adapter has of the world. */
export type IntuneDeps = {
  readonly fetch: typeof globalThis.fetch;
  readonly clock: Pick<Clock, 'now'>;
  readonly random: Random;
};

/** Octets of an answer. */
const MAX_ANSWER_OCTETS = 64 * 1024;

export type IntuneCall = {
  /** Whose answer it is, for the beginning of a sentence. */
  readonly of: string;
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly maxOctets?: number;
};

export type IntuneAnswer = {
  readonly status: number;
  /** Members of the answer; none where it is no JSON object. */
  readonly said: Readonly<Record<string, unknown>>;
};

/** Aborts at that time. @param until milliseconds since 1970 @throws {Outage} when it is over already */
export function deadline({ clock }: Pick<IntuneDeps, 'clock'>, until: number): AbortSignal {
  const ms = until - clock.now();
  if (!(ms > 0)) throw new Outage('there is no time left to ask Microsoft Intune');
  return AbortSignal.timeout(ms);
}

/** @throws {Outage} where there is no answer, or one that is too long, or a 200 that is no JSON object */
export async function askMicrosoft(
  // Called as a function of nothing: Workers want their own so.
  { fetch }: Pick<IntuneDeps, 'fetch'>,
  call: IntuneCall,
  signal: AbortSignal,
): Promise<IntuneAnswer> {
  const { of, url, method, headers, body, maxOctets = MAX_ANSWER_OCTETS } = call;
  let status: number;
  let octets: Bytes | undefined;
  try {
    const init = { method, headers, ...(body === undefined ? {} : { body }), signal };
    // The token is for nobody else. Of all runtimes only `manual` is known to all.
    const response = await fetch(url, { ...init, redirect: 'manual' });
    status = response.status;
    octets = await allWithin(maxOctets, response.body);
  } catch (error) {
    throw new Outage(`${of} did not answer: ${signal.aborted ? 'it took too long' : cause(error)}`);
  }
  if (!octets) throw new Outage(`${of} answered with more than ${maxOctets} octets`);
  const said = objectIn(octets);
  if (status === 200 && !said) throw new Outage(`${of} answered with what is no JSON object`);
  return { status, said: said ?? {} };
}

function objectIn(octets: Bytes): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(octets));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The code of what failed, such as ECONNREFUSED: a message may quote a header. */
function cause(error: unknown): string {
  const inner = error instanceof Error && isObject(error.cause) ? error.cause : error;
  const { code } = Object(inner) as { code?: unknown };
  return isText(code) && /^[A-Z_]{1,40}$/.test(code) ? code : 'the connection failed';
}

/** A random UUID (RFC 9562 §5.4), by which Microsoft's support finds a call. */
export function uuid(random: Random): string {
  const octets = random(16);
  octets[6] = ((octets[6] ?? 0) & 0x0f) | 0x40;
  octets[8] = ((octets[8] ?? 0) & 0x3f) | 0x80;
  return hex(octets).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** Milliseconds for which a value may be used. */
type Lasting = { readonly lastsMs: number };

/** A value that is fetched once for all callers, and again when its time is over or it is dropped. */
export class Kept<T extends Lasting> {
  readonly #flights = new SingleFlight<T>();
  readonly #clock: IntuneDeps['clock'];
  #maxMs = Number.POSITIVE_INFINITY;
  #fetching = false;

  constructor(clock: IntuneDeps['clock']) {
    this.#clock = clock;
  }

  /** @param signal of the caller, who does not wait longer for what another one fetches */
  async get(fetched: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const remembered = async (): Promise<T> => {
      this.#fetching = true;
      try {
        const value = await fetched();
        this.#maxMs = value.lastsMs;
        return value;
      } finally {
        this.#fetching = false;
      }
    };
    const age = { now: this.#clock.now(), maxMs: this.#maxMs };
    let stop = () => {};
    const late = new Promise<never>((_, reject) => {
      stop = () => reject(new Outage('Microsoft did not answer: it took too long'));
      if (signal.aborted) stop();
      signal.addEventListener('abort', stop);
    });
    try {
      return await Promise.race([this.#flights.get('', remembered, age), late]);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  drop(): void {
    this.#flights.clear();
  }

  /** What is being fetched may never come: on Workers whoever began it may have gone, and its fetch with it. */
  dropUnfetched(): void {
    if (this.#fetching) this.drop();
  }
}
