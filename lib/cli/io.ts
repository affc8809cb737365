// What a command may touch, how it fails, and its exit codes. Data goes to stdout and nothing else
// does; with `--json` it is one JSON document.

import type { Bytes } from '../bytes.ts';
import type { Operator } from '../ca/lifecycle.ts';
import type { Clock } from '../ports/clock-and-random.ts';
import { visible } from '../visible.ts';

export type Io = {
  /** Base URL of the server whose admin API is used, or `lambda:` and its function's name; and the
   * bearer token for it. */
  readonly url: string;
  readonly token: () => Promise<string>;
  /** What an ingress before it wants to see, if it does. */
  readonly jwt: string | undefined;
  /** Asks a function of AWS by its name or ARN. @throws {CliError} */
  readonly invoke: (target: string, request: ApiRequest) => Promise<ApiAnswer>;
  readonly stdin: () => Promise<Bytes>;
  readonly out: (text: string) => void;
  /** Characters of a line of help; undefined where nobody knows. */
  readonly columns: number | undefined;
  /** Notes for people, each a line. */
  readonly note: (text: string) => void;
  /** On a terminal: a line that takes the place of the one before; an empty one ends it. */
  readonly progress: ((line: string) => void) | undefined;
  /** From now on whoever stops this command only asks it to end. */
  readonly stopped: () => AbortSignal;
  readonly clock: Clock;
  /** The configuration in a file, or the one that a server started here would take.
   * @throws {ConfigError} for what cannot be read or is no JSON */
  readonly config: (
    file?: string,
  ) => Promise<{ readonly name: string; readonly document: unknown }>;
  /** The store and the keys themselves, for commands that no server does for anybody. */
  readonly operator: () => Promise<Operator>;
};

export type ApiRequest = {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
};
export type ApiAnswer = { readonly status: number; readonly text: string };

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

/** One JSON document on one line, for programs. */
export const jsonLine = (value: object): string => `${visible(JSON.stringify(value))}\n`;

/** A call of the admin API. */
export async function callApi<T>(io: Io, method: string, path: string, body?: object): Promise<T> {
  const { status, text } = await ask(io, {
    method,
    path: `/api/v1${path}`,
    headers: {
      ...authorization(await io.token(), io.jwt),
      ...(body ? { 'content-type': 'application/json' } : {}),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  if (status >= 200 && status < 300) return answerOf<T>(text, io.url);
  throw new CliError(exitOf(status), `${io.url}: ${detailOf(text, status)}`);
}

/** An ingress that wants a JWT looks for it where the token would be. */
const authorization = (token: string, jwt: string | undefined): Record<string, string> =>
  jwt === undefined
    ? { authorization: `Bearer ${token}` }
    : { authorization: `Bearer ${jwt}`, 'x-scepter-token': token };

async function ask(io: Io, request: ApiRequest): Promise<ApiAnswer> {
  if (io.url.startsWith('lambda:')) return io.invoke(io.url.slice('lambda:'.length), request);
  const { path, ...init } = request;
  const response = await send(io.url + path, init);
  return { status: response.status, text: await response.text() };
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
