// Which transaction or challenge a command is about: the beginning of its id is enough, where no other one begins so.

import { callApi } from '../api.ts';
import { CliError, type Io } from '../io.ts';
import { pageText, type Table } from '../text.ts';

/** All of an id that no other one begins like. A text that is no beginning of one is left to the server. */
const isBeginning = (text: string): boolean => /^[0-9A-HJKMNP-TV-Z]{1,25}$/i.test(text);

/** How many are named where several begin so. */
export const CANDIDATES = 10;

export async function transactionId(io: Io, text: string): Promise<string> {
  if (!isBeginning(text)) return text;
  const query = { idPrefix: text.toUpperCase(), limit: CANDIDATES };
  const { transactions } = await callApi(io, 'GET /transactions', { query });
  return only(io, text, 'transaction', transactions);
}

export async function challengeId(io: Io, text: string, endpoint?: string): Promise<string> {
  if (!isBeginning(text)) return text;
  const query = { idPrefix: text.toUpperCase(), endpoint, limit: CANDIDATES };
  const { challenges } = await callApi(io, 'GET /challenges', { query });
  return only(io, text, 'challenge', challenges);
}

type Candidate = { readonly id: string; readonly state: string; readonly subject?: string };

function only(io: Io, text: string, noun: string, found: readonly Candidate[]): string {
  const [first, ...others] = found;
  if (!first) throw new CliError('notFound', `no ${noun} has an id that begins with ${text}`);
  if (others.length === 0) return first.id;
  return ambiguous(io, `${text} begins the id of several ${noun}s`, {
    columns: ['ID', 'STATE', 'SUBJECT'],
    rows: found.map(({ id, state, subject = '' }) => [id, state, subject]),
  });
}

/** @throws {CliError} usage, after the candidates */
export function ambiguous(io: Io, what: string, candidates: Table): never {
  for (const line of pageText([[candidates]])
    .trimEnd()
    .split('\n'))
    io.note(line);
  throw new CliError('usage', `${what}: give more of it`);
}
