// Values that a shell offers on TAB and only the server knows: names and identifiers of what is there. They are
// asked for as a person would ask, by a list command, with the address and the token of the line that is typed;
// whatever goes wrong is silence, for a person is in the middle of a line.

import { visible } from '../../base/text.ts';
import type { Io } from '../io.ts';

/** Runs a command with what it prints going elsewhere. */
export type RunWith = (args: readonly string[], io: Io) => Promise<unknown>;

type Offer = { readonly word: string; readonly text: string };
type Found = Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>;

const text = (value: unknown): string => (typeof value === 'string' ? visible(value) : '');
const each =
  (list: string, word: string, about = '') =>
  (found: Found): Offer[] =>
    (found[list] ?? []).map((one) => ({ word: text(one[word]), text: text(one[about]) }));

type Kind = {
  readonly ask: readonly string[];
  /** Options of the line that say which of them. */
  readonly with: readonly string[];
  readonly read: (found: Found) => Offer[];
};

const newest = ['--limit', '100'];

export const kinds = {
  endpoint: { ask: ['status'], with: [], read: each('endpoints', 'id', 'profile') },
  ca: { ask: ['status'], with: [], read: each('cas', 'id') },
  serial: {
    ask: ['cert', 'list', ...newest],
    with: ['--ca'],
    read: each('certificates', 'serial', 'subject'),
  },
  transaction: {
    ask: ['txn', 'list', ...newest],
    with: ['--endpoint'],
    read: each('transactions', 'id', 'subject'),
  },
  pending: {
    ask: ['txn', 'list', '--state', 'pending', ...newest],
    with: [],
    read: each('transactions', 'id', 'subject'),
  },
  challenge: {
    ask: ['challenge', 'list', '--state', 'open', ...newest],
    with: ['--endpoint'],
    read: each('challenges', 'id', 'subject'),
  },
} as const satisfies Record<string, Kind>;
export type OfferKind = keyof typeof kinds;

/** Milliseconds that a person waits for TAB. */
const TIMEOUT_MS = 1000;

/** What no shell does anything with. */
const plain = /^\w[\w.-]*$/;

/** @param line the words so far, the last of them as far as it is typed */
export async function offersOf(
  { io, run }: { readonly io: Io; readonly run: RunWith },
  kind: OfferKind,
  line: readonly string[],
): Promise<Offer[]> {
  const { ask, with: narrowing, read } = kinds[kind];
  const given = ['--url', '--token-file', ...narrowing].flatMap((option) => {
    const at = line.lastIndexOf(option);
    const value = at < 0 ? undefined : line[at + 1];
    // The last word is the one that is being typed.
    return value === undefined || at + 1 >= line.length - 1 ? [] : [option, value];
  });
  const begin = line.at(-1) ?? '';
  // Of serial numbers the server finds more than the newest by their beginning.
  if (kind === 'serial' && /^[0-9a-f]{2,}$/i.test(begin)) given.push('--serial', begin);
  const until = io.clock.now() + TIMEOUT_MS;
  let out = '';
  const quiet: Io = {
    ...io,
    out: (printed) => {
      out += printed;
    },
    note: () => {},
    // A list that nothing is found in goes on from page to page.
    progress: () => {
      if (io.clock.now() >= until) throw new Error('takes too long');
    },
    timeoutMs: TIMEOUT_MS,
    // A function that sleeps takes longer to wake than a person waits.
    invoke: () => Promise.reject(new Error('is not asked')),
  };
  await run([...ask, '--json', '--retry-for', '0', ...given], quiet);
  return out === ''
    ? []
    : read(JSON.parse(out)).filter(({ word }) => plain.test(word) && word.startsWith(begin));
}
