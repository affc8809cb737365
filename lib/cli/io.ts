// What a command may touch, how it fails, and its exit codes. Data goes to stdout and nothing else
// does; with `--json` it is one JSON document.

import type { Bytes } from '../base/bytes.ts';
import { visible } from '../base/text.ts';
import type { Operator } from '../ca/authority/init-ca.ts';
import type { Clock } from '../ports/clock.ts';

export type Io = {
  /** Base URL of the server whose admin API is used, or `lambda:` and its function's name; and the
   * bearer token for it. */
  readonly url: string;
  readonly token: () => Promise<string>;
  /** The JWT for an ingress in front of it, if that wants one. */
  readonly jwt: string | undefined;
  /** The command's patience with that server; absent: it has none. */
  readonly patience?: Patient | undefined;
  /** Asks a function of AWS by its name or ARN. @throws {CliError} */
  readonly invoke: (target: string, request: ApiRequest) => Promise<ApiAnswer>;
  readonly stdin: () => Promise<Bytes>;
  readonly out: (text: string) => void;
  /** Characters of a line of help; undefined if the width is unknown. */
  readonly columns: number | undefined;
  /** Notes for people, each a line. */
  readonly note: (text: string) => void;
  /** On a terminal: a line that takes the place of the one before; an empty one ends it. */
  readonly progress: ((line: string) => void) | undefined;
  /** From now on Ctrl-C and SIGTERM abort the returned signal; only a second one ends the process. */
  readonly stopped: () => AbortSignal;
  readonly clock: Clock;
  /** The configuration in a file, or the one that a server started here would take.
   * @throws {ConfigError} if it cannot be read or is not JSON */
  readonly config: (
    file?: string,
  ) => Promise<{ readonly name: string; readonly document: unknown }>;
  /** The store and the keys themselves, for commands that work without a server. */
  readonly operator: () => Promise<Operator>;
};

/** The headers of an answer that are about time. */
export type Said = {
  readonly status: number;
  readonly retryAfter: string | undefined;
  /** The server's own clock, by which it means a date. */
  readonly date: string | undefined;
};

export type Patient = {
  /**
   * Asks until the server is not busy.
   * @param who is asked, for people
   * @param ask makes the same request each time: it must do no harm when it is made again
   * @returns the last answer, also a busy one that does not say when to come again
   */
  until<T extends Said>(who: string, ask: () => Promise<T>): Promise<T>;
};

export type ApiRequest = {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
};
export type ApiAnswer = {
  readonly status: number;
  readonly text: string;
  readonly retryAfter?: string | undefined;
  readonly date?: string | undefined;
};

export const exitCodes = {
  ok: 0,
  failure: 1,
  usage: 2,
  notFound: 3,
  notAllowed: 4,
  remote: 5,
  verification: 6,
} as const;

/** A command ends; the message is the sentence its user reads. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exit: keyof typeof exitCodes;
  constructor(exit: keyof typeof exitCodes, message: string) {
    super(message);
    this.exit = exit;
  }
}

/** Milliseconds to wait for a server before giving up. */
const TIMEOUT_MS = 30_000;

/** A request; trouble on the way is a sentence with the URL in it. */
export async function send(url: string, init: RequestInit = {}): Promise<Response> {
  try {
    return await fetch(url, {
      ...init,
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const why = cause instanceof Error ? cause.message || cause.name : String(cause);
    throw new CliError('remote', `${new URL(url).origin} did not answer: ${why}`);
  }
}

/** The answer's Retry-After, and the server's clock. */
export const timesOf = ({ headers }: Response) => ({
  retryAfter: headers.get('retry-after') ?? undefined,
  date: headers.get('date') ?? undefined,
});

/** One JSON document on one line, for programs. */
export const jsonLine = (value: object): string => `${visible(JSON.stringify(value))}\n`;

/**
 * A call of the admin API. A request that changes something has an Idempotency-Key, so that it is done once
 * however often it is repeated for a busy server.
 */
export async function callApi<T>(io: Io, method: string, path: string, body?: object): Promise<T> {
  const request = {
    method,
    path: `/api/v1${path}`,
    headers: {
      ...authorization(await io.token(), io.jwt),
      ...(body ? { 'content-type': 'application/json' } : {}),
      ...(method === 'POST' ? { 'idempotency-key': crypto.randomUUID() } : {}),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  };
  const asked = async () => ({
    retryAfter: undefined,
    date: undefined,
    ...(await ask(io, request)),
  });
  const { status, text } = await (io.patience ? io.patience.until(io.url, asked) : asked());
  if (status >= 200 && status < 300) return answerOf<T>(text, io.url);
  throw new CliError(exitOf(status), `${io.url}: ${detailOf(text, status)}`);
}

/** An ingress that wants a JWT expects it in `Authorization`; then the token goes into `X-Scepter-Token`. */
const authorization = (token: string, jwt: string | undefined): Record<string, string> =>
  jwt === undefined
    ? { authorization: `Bearer ${token}` }
    : { authorization: `Bearer ${jwt}`, 'x-scepter-token': token };

async function ask(io: Io, request: ApiRequest): Promise<ApiAnswer> {
  if (io.url.startsWith('lambda:')) return io.invoke(io.url.slice('lambda:'.length), request);
  const { path, ...init } = request;
  const response = await send(io.url + path, init);
  return { status: response.status, text: await response.text(), ...timesOf(response) };
}

function answerOf<T>(text: string, url: string): T {
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new CliError('remote', `${url} did not answer in JSON: is it the admin API's address?`);
  }
}

function exitOf(status: number): keyof typeof exitCodes {
  if (status === 401 || status === 403) return 'notAllowed';
  if (status === 404) return 'notFound';
  if (status === 409) return 'failure';
  return status === 400 || status === 422 ? 'usage' : 'remote';
}

function detailOf(text: string, status: number): string {
  try {
    const problem = JSON.parse(text) as { detail?: unknown; title?: unknown };
    return String(problem.detail ?? problem.title);
  } catch {
    return `the server answered with HTTP ${status}`;
  }
}
