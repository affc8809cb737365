// What a command may touch, how it fails, and its exit codes. Data goes to stdout and nothing else
// does; with `--json` it is one JSON document.

import { allWithin, type Bytes } from '../base/bytes.ts';
import { visible } from '../base/text.ts';
import type { Config } from '../config/config.ts';
import type { Secrets } from '../config/secret.ts';
import type { Clock } from '../ports/clock.ts';
import type { Validator } from '../ports/validator.ts';
import type { Backups } from './backups.ts';
import type { Tone } from './text.ts';

export type Io = {
  /** Base URL of the server whose admin API is used, or `lambda:` and its function's name; and the
   * bearer token for it. */
  readonly url: string;
  readonly token: () => Promise<string>;
  /** Where that token is from, for people. */
  readonly tokenFrom: string;
  /** The addresses of the server that this token, and that JWT, are of; undefined: of whichever is asked. */
  readonly tokenOf?: readonly string[] | undefined;
  readonly jwtOf?: readonly string[] | undefined;
  /** The JWT for an ingress in front of it, if that wants one. */
  readonly jwt: string | undefined;
  /** The command's patience with that server; absent: it has none. */
  readonly patience?: Patient | undefined;
  /** Asks a function of AWS by its name or ARN. @throws {CliError} */
  readonly invoke: (target: string, request: ApiRequest) => Promise<ApiAnswer>;
  /** Milliseconds to wait for an answer; TIMEOUT_MS if absent. */
  readonly timeoutMs?: number;
  readonly stdin: () => Promise<Bytes>;
  readonly out: (text: string) => void;
  /** To standard output as well, for people, with colours; through a pager if it is longer than the screen. */
  readonly page: (text: string, pager: boolean) => Promise<void>;
  /** The text in its colour, where there are colours. */
  readonly style: (tone: Tone, text: string) => string;
  /** Characters of a line; undefined if the width is unknown. */
  readonly columns: number | undefined;
  /** Notes for people, each a line. */
  readonly note: (text: string) => void;
  /** On a terminal: a line that takes the place of the one before; an empty one ends it. */
  readonly progress: ((line: string) => void) | undefined;
  /** On a terminal: asks whoever sits there, until it is closed. */
  readonly prompt: (() => Prompt) | undefined;
  /** Where this installation has what it comes with: the JSON Schema of the configuration, and its repository, if it
   * is one. */
  readonly home: { readonly schema: string; readonly repository: string | undefined };
  /** From now on Ctrl-C and SIGTERM abort the returned signal; only a second one ends the process. */
  readonly stopped: () => AbortSignal;
  readonly clock: Clock;
  /** The configuration in a file, or the one that a server started here would take, with where it
   * would look for secrets.
   * @throws {ConfigError} if it cannot be read or is not JSON */
  readonly config: (
    file?: string,
  ) => Promise<{ readonly name: string; readonly document: unknown; readonly secrets?: Secrets }>;
  /** The validators outside of the configuration that a server started here would take, with their secrets.
   * @throws {ConfigError} if it is not good */
  readonly outside: () => Promise<{
    readonly config: Config;
    readonly validators: ReadonlyMap<string, Validator>;
  }>;
  /** The same configuration, with the secrets of its pages and hooks for MDMs. @throws {ConfigError} if it is not good */
  readonly pages: () => Promise<{ readonly config: Config; readonly secrets: Secrets }>;
  /** Starts a server in this process, by the environment; resolves when it is ready, and has said so. */
  readonly serve: (json: boolean) => Promise<void>;
  /** For commands that do what only an operator may: the store and the keys themselves, or the server that has
   * them. */
  readonly operator: () => Promise<Operating | Elsewhere>;
  /** Where the records are a table: what AWS has of the deployment, by the operator's own credentials. */
  readonly deployment?: (() => Promise<Deployment | undefined>) | undefined;
  /** Makes backups of the data folder and restores them. */
  readonly backups: () => Promise<Backups>;
  /** What is asked in place of a server. */
  readonly own?: Operating;
};

export type Prompt = {
  /** @returns the next line of the terminal @throws {CliError} at its end, as with Ctrl-C */
  readonly ask: (question: string) => Promise<string>;
  readonly close: () => void;
};

export type Deployment = {
  /** Whose credentials these are. @throws {Error} with a sentence */
  readonly identity: () => Promise<{ readonly arn: string; readonly region: string }>;
  /** @throws {ConfigError} @throws {Error} with a sentence */
  readonly look: () => Promise<Deployed>;
};
type Warned = { readonly id: string; readonly warnings: readonly string[] };
/** How a service stands; sentences are warnings. */
export type Deployed = {
  /** Where its records are, for people. */
  readonly records: string;
  readonly publicUrl: string;
  readonly filesUrl: string;
  /** Of the table, where it is known. */
  readonly warnings: readonly string[];
  /** With the warnings of their keys. */
  readonly cas: readonly Warned[];
  readonly endpoints: readonly Warned[];
};

/** The admin API of this process, with the store and the keys of whoever runs it. */
export type Operating = {
  readonly ask: (request: ApiRequest) => Promise<ApiAnswer>;
  readonly close: () => void;
};

/** A server has the store and the keys, and is asked. */
export type Elsewhere = {
  readonly ask?: undefined;
  /** Said if it does not answer. */
  readonly hint?: string;
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
  /** The command that says more. */
  readonly next: string | undefined;
  constructor(exit: keyof typeof exitCodes, message: string, next?: string) {
    super(message);
    this.exit = exit;
    this.next = next;
  }
}

/** Milliseconds to wait for a server before giving up. */
const TIMEOUT_MS = 30_000;

/** Octets of an answer, inflated where it came compressed: a page of a list has some MB, a CRL of 100,000
 * certificates has 4. */
export const MAX_ANSWER_OCTETS = 32 * 1024 * 1024;

/** An answer that is there to its end. */
export type Answered = Said & { readonly octets: Bytes };

type Bounds = { readonly timeoutMs?: number | undefined; readonly maxOctets?: number };

/** What a runtime says of a wrong address, or of an answer that is none, in our words. */
const causes: readonly (readonly [RegExp, string])[] = [
  [
    /wrong version number|packet length too long/i,
    'it speaks no TLS: say http:// instead of https://',
  ],
  [
    /self-signed certificate|unable to (?:get|verify)/i,
    'no CA that is known here has issued its certificate: NODE_EXTRA_CA_CERTS names a file with that CA, or with the certificate itself',
  ],
  [/unexpected redirect/i, 'it sends elsewhere (a redirect): give the address that it sends to'],
  [/aborted due to timeout/i, 'it took too long'],
  [/other side closed|terminated|aborted|ECONNRESET/i, 'it broke the connection off'],
];

/** A request; trouble on the way, until the answer has ended, is a sentence with the URL in it. */
export async function send(
  url: string,
  init: RequestInit = {},
  { timeoutMs = TIMEOUT_MS, maxOctets = MAX_ANSWER_OCTETS }: Bounds = {},
): Promise<Answered> {
  try {
    const { status, headers, body } = await fetch(url, {
      ...init,
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    });
    const retryAfter = headers.get('retry-after') ?? undefined;
    const date = headers.get('date') ?? undefined;
    // What is compressed becomes a thousand times longer.
    const octets = await allWithin(maxOctets, body);
    if (!octets) throw new Error(`its answer is longer than ${maxOctets} octets`);
    return { status, retryAfter, date, octets };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const why = cause instanceof Error ? cause.message || cause.name : String(cause);
    const known = causes.find(([pattern]) => pattern.test(why))?.[1] ?? why;
    throw new CliError('remote', `${new URL(url).origin} did not answer: ${known}`);
  }
}

export const isGood = ({ status }: Pick<Said, 'status'>): boolean => status >= 200 && status < 300;
export const saidText = ({ octets }: Pick<Answered, 'octets'>): string =>
  new TextDecoder().decode(octets);

/**
 * The address as it was given.
 * @param name the option or variable that gave it
 * @throws {CliError} usage, with what is missing
 */
export function webAddress(name: string, text: string): string {
  if (URL.canParse(text) && /^https?:\/\//i.test(text)) return text;
  const host = /^[\w.[\]-]+(?::\d*)?(?:[/?]|$)(?!\/)/;
  const noScheme = host.test(text) && URL.canParse(`http://${text}`);
  const how = noScheme
    ? `it has no scheme: say http://${text}, or https://${text}`
    : 'one begins with http:// or https://';
  throw new CliError('usage', `${name}: "${text}" is not the address of a server: ${how}`);
}

/** All of standard input. @throws {CliError} usage where nothing comes, as after a command that failed */
export async function readStdin(io: Pick<Io, 'stdin'>): Promise<Bytes> {
  const octets = await io.stdin();
  if (octets.some((octet) => octet > 0x20)) return octets;
  throw new CliError(
    'usage',
    'standard input is empty: the command before the pipe has printed nothing, or failed',
  );
}

/** The reader of standard output has gone, and has had what it wanted: the command ends without an error. */
export class ReaderGone extends Error {
  override readonly name = 'ReaderGone';
}

/** One JSON document on one line, for programs. */
export const jsonLine = (value: object): string => `${visible(JSON.stringify(value))}\n`;
