// Streams the log page by page from the API into a file or to stdout, with one page in memory at most.
// Lines go to FILE.part, which is renamed to FILE at the end; an interrupted export continues behind the
// last complete line.

import { type FileHandle, open, rename } from 'node:fs/promises';
import type { Api } from '../../api/api.ts';
import type { SentTo } from '../../api/route.ts';
import { type Bytes, fromLatin1 } from '../../base/bytes.ts';
import { errorText } from '../../base/errors.ts';
import { canonicalText } from '../../base/json.ts';
import { MAX_PAGE } from '../../base/limits.ts';
import { timeOfUlid } from '../../base/ulid.ts';
import { callApi } from '../api.ts';
import { CliError, type Io } from '../io.ts';
import { cefLine, idOfCef } from './cef.ts';
import { csvHeadings, csvRow, idOfRow } from './csv.ts';
import type { EventBody } from './happened.ts';
import { idOfOcsf, ocsfLine } from './ocsf.ts';

type Format = {
  readonly head: string;
  readonly line: (event: EventBody) => string;
  /** The id of the event in a line that `line` made. */
  readonly idOf: (line: string) => string | undefined;
};

export const formats = {
  /** As they were hashed, octet for octet, one a line. */
  jsonl: {
    head: '',
    line: (event) => `${canonicalText(event)}\n`,
    idOf: (line) => (JSON.parse(line) as EventBody).id,
  },
  csv: { head: csvHeadings, line: csvRow, idOf: idOfRow },
  ocsf: { head: '', line: ocsfLine, idOf: idOfOcsf },
  cef: { head: '', line: cefLine, idOf: idOfCef },
} as const satisfies Record<string, Format>;

/** Milliseconds before each further attempt at a page that failed; a first page is not repeated. */
const RETRY_MS: readonly number[] = [500, 1000, 2000, 4000, 8000];

async function patiently<T>(io: Io, attempt: () => Promise<T>): Promise<T> {
  for (const pause of RETRY_MS) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof CliError) || error.exit !== 'remote') throw error;
      io.note(`${error.message}; asking again`);
      await io.clock.sleep(pause);
    }
  }
  return attempt();
}

type EventQuery = NonNullable<SentTo<Api['GET /events']>['query']>;

/**
 * Pages of events, oldest first, each with at least one.
 * @param altered gets the names of events that another hand has changed, and that are left out
 * @param after an event's id: only those behind it
 */
export async function* eventPages(
  io: Io,
  query: EventQuery,
  altered: Set<string>,
  after?: string,
): AsyncGenerator<readonly EventBody[], void> {
  const from = after === undefined ? query.from : new Date(timeOfUlid(after)).toISOString();
  for (let cursor: string | undefined; ; ) {
    const asked = { ...query, from, limit: MAX_PAGE, cursor };
    const ask = () => callApi(io, 'GET /events', { query: asked });
    const page = await (cursor === undefined ? ask() : patiently(io, ask));
    for (const name of page.altered ?? []) altered.add(name);
    const events = page.events.filter(({ id }) => after === undefined || id > after);
    if (events.length > 0) yield events;
    if (page.next === null) return;
    cursor = page.next;
  }
}

/** The destination of the lines. */
export type Sink = {
  /** The last event that it has already. */
  readonly after: string | undefined;
  write(text: string): Promise<void>;
  /** Call it when everything is written. */
  done(): Promise<void>;
  /** Call it when the export ends early. */
  close(): Promise<void>;
};

/**
 * @param goOn whether to continue FILE.part, if it exists
 * @throws {CliError} if it exists and `goOn` is false
 */
export async function openFile(path: string, format: Format, goOn: boolean): Promise<Sink> {
  const part = `${path}.part`;
  const file = await opened(part, goOn);
  const { after, size } = goOn ? await lastOf(file, format) : { after: undefined, size: 0 };
  await file.truncate(size);
  if (size === 0) await file.appendFile(format.head);
  return {
    after,
    write: (text) => file.appendFile(text),
    done: async () => {
      await file.sync();
      await rename(part, path);
    },
    close: () => file.close(),
  };
}

async function opened(part: string, goOn: boolean): Promise<FileHandle> {
  try {
    return await open(part, goOn ? 'a+' : 'ax', 0o600);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') {
      const advice = 'add --continue to go on behind it, or remove it';
      throw new CliError('failure', `${part} is from an export that was interrupted: ${advice}`);
    }
    const why = errorText(error);
    throw new CliError('failure', `${part} cannot be written: ${why}`);
  }
}

/** More than the longest line. */
const TAIL_OCTETS = 4 * 1024 * 1024;

/** The last event in a file, and where its line ends. */
async function lastOf(
  file: FileHandle,
  format: Format,
): Promise<{ readonly after: string | undefined; readonly size: number }> {
  const { size } = await file.stat();
  const from = Math.max(0, size - TAIL_OCTETS);
  const tail: Bytes = new Uint8Array(size - from);
  await file.read(tail, 0, tail.length, from);
  const text = fromLatin1(tail);
  const end = text.lastIndexOf('\n') + 1;
  const line = text.slice(text.lastIndexOf('\n', end - 2) + 1, end);
  const whole = from + end;
  if (whole <= format.head.length) return { after: undefined, size: 0 };
  const after = idIn(line, format);
  if (after === undefined || Number.isNaN(timeOfUlid(after))) {
    throw new CliError(
      'failure',
      '--continue: the file is not an export in this format: give the --format it was begun with',
    );
  }
  return { after, size: whole };
}

function idIn(line: string, format: Format): string | undefined {
  try {
    return format.idOf(line);
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  }
}
