// A log whose records and files are no longer of one moment goes on in one of two ways, and never forks. Where what is
// published is there, it is the log: the head on record becomes its newest checkpoint. Where it is lost, or records were
// restored from a backup, the log ends where it was, and the next one begins beside it under another origin.

import { fromUtf8, hex } from '../../base/bytes.ts';
import { Malformed, Outage } from '../../base/errors.ts';
import { MAX_PAGE } from '../../base/limits.ts';
import { SYSTEM_LOG } from '../../base/words.ts';
import type { NamedActor } from '../../events/event.ts';
import { keyId, openCheckpoint } from '../../events/note.ts';
import { verifyTree } from '../../events/verify.ts';
import type { Deps } from '../deps.ts';
import { Draft, View } from '../record/unit-of-work.ts';
import { checkpointPath, everyLog, type LogDeps, originOf } from './sequence.ts';

type RecoverDeps = Pick<Deps, 'config' | 'store' | 'clock' | 'random'>;

type Recovered = {
  /** Under which its files are: `default`, and `default.2` after it has ended once. */
  readonly name: string;
  /** Events in it. */
  readonly size: number;
  /** Ids of events that are in the log and no longer on record. */
  readonly lost: readonly string[];
  /** What became of the one before it, where that has ended. */
  readonly ended?: string;
};

type RecoverOptions = {
  /** It goes on under the key of the logs as it is now, because the one that signed it is lost. */
  readonly newKey?: boolean;
  /** Makes the key of the logs where it is a file that is missing; absent where it is in KMS. */
  readonly makeLogKey?: () => Promise<void>;
};

/** Ends every log that has begun, and begins the next one of each: after records were restored from a backup. */
export async function beginLogsAnew(deps: RecoverDeps, actor: NamedActor): Promise<void> {
  for (const log of await everyLog(deps)) {
    const view = await headOf(deps, log);
    const name = view.get('logHead', log)?.name;
    if (name === undefined) continue;
    await beginAnew(deps, { log, view, actor, name, ended: `"${name}" has ended` });
  }
}

/**
 * @returns undefined where there is no such log
 * @throws {Outage} where what is published is not whole, or is not signed with the key of the logs; for a new key,
 *   where it is
 */
export async function recoverLog(
  deps: RecoverDeps & LogDeps,
  log: string,
  actor: NamedActor,
  { newKey = false, makeLogKey }: RecoverOptions = {},
): Promise<Recovered | undefined> {
  const { files, key } = deps.logs;
  const view = await headOf(deps, log);
  const head = view.get('logHead', log);
  const name = head?.name ?? (await newestName(deps, log));
  const found = await files.read(checkpointPath(name));
  if (!found && !head) return undefined;
  if (newKey) {
    await makeLogKey?.();
    return underNewKey(deps, { log, view, actor, name }, found && fromUtf8(found));
  }
  if (!found) {
    const events = eventsUnder(head?.checkpoint);
    const ended = `the files of "${name}" are lost: what was in it (${events}) cannot be proven until they are back`;
    return beginAnew(deps, { log, view, actor, name, ended });
  }
  const checkpoint = fromUtf8(found);
  const origin = checkpoint.slice(0, checkpoint.indexOf('\n'));
  const ids: string[] = [];
  const read = (path: string) => files.read(`${name}/${path}`);
  try {
    const opened = await openCheckpoint(checkpoint, { name: origin, key: await key() });
    await verifyTree({ read, entries: true }, opened, {
      each: (entry) => void ids.push(JSON.parse(fromUtf8(entry)).id),
    });
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    throw new Outage(`what is published of the log "${name}" does not hold: ${error.message}`);
  }
  await forgetWaiting(deps, log, new Set(ids));
  const lost = await lacking(deps, ids);
  const draft = new Draft(view);
  draft.put('logHead', log, { name, origin, checkpoint, before: checkpoint, taken: [] });
  tell(deps, draft, {
    log,
    actor,
    number: lost.length,
    note: `${lost.length} of its ${ids.length} events are not on record`,
  });
  await written(deps, draft);
  return { name, size: ids.length, lost };
}

async function headOf({ store }: Pick<Deps, 'store'>, log: string): Promise<View> {
  const view = new View(store);
  await view.load([{ kind: 'logHead', key: log }]);
  return view;
}

/** By its files, where the record of its head is lost. */
async function newestName({ logs }: LogDeps, log: string): Promise<string> {
  let name = log;
  for (let number = 2; await logs.files.read(checkpointPath(`${log}.${number}`)); number++) {
    name = `${log}.${number}`;
  }
  return name;
}

type Ending = {
  readonly log: string;
  readonly view: View;
  readonly actor: NamedActor;
  /** Under which the files are of the one that ends. */
  readonly name: string;
};

/** Nothing more is ever signed of the one before. @param ended what is told of it */
async function beginAnew(
  deps: RecoverDeps,
  { log, view, actor, name: before, ended }: Ending & { readonly ended: string },
): Promise<Recovered> {
  const [, number = '1'] = /\.(\d+)$/.exec(before) ?? [];
  const name = `${log}.${Number(number) + 1}`;
  const draft = new Draft(view);
  // One backup may be restored twice: two histories of one origin must never be signed.
  const origin = `${originOf(deps, name)}-${hex(deps.random(4))}`;
  draft.put('logHead', log, { name, origin, checkpoint: '', before: '', taken: [] });
  tell(deps, draft, { log, actor, note: `it goes on from "${before}": ${ended}` });
  await written(deps, draft);
  return { name, size: 0, lost: [], ended };
}

/** @param published the newest checkpoint, where there is one */
async function underNewKey(
  deps: RecoverDeps & LogDeps,
  ending: Ending,
  published: string | undefined,
): Promise<Recovered> {
  const { log, view, name } = ending;
  const head = view.get('logHead', log);
  const key = await deps.logs.key();
  const [last = '', ...more] = [head?.checkpoint, published].filter(Boolean);
  if (last === '') return { name, size: 0, lost: [] };
  for (const note of [last, ...more]) {
    const signed = openCheckpoint(note ?? '', { name: note?.split('\n', 1)[0] ?? '', key });
    if (await signed.then(() => true, isMalformed)) {
      throw new Outage(
        `the log "${name}" is signed with the key of the logs as it is now: recover it without --new-key`,
      );
    }
  }
  // What is published is in the log that ends, and must not get into the next one, too.
  if (head && published === head.checkpoint) await deps.logs.waiting.forget(head.taken);
  const files = published === undefined ? ', once its files are back' : '';
  const ended = `"${name}" (${eventsUnder(last)}) was signed with another key than ${keyId(key)}, which signs from now on; it is verified with its own${files}`;
  return beginAnew(deps, { ...ending, ended });
}

/** @returns false @throws what is no such error */
function isMalformed(error: unknown): false {
  if (error instanceof Malformed) return false;
  throw error;
}

/** By the second line of a checkpoint. */
const eventsUnder = (checkpoint = ''): string => {
  const events = Number(checkpoint.split('\n')[1] ?? 0);
  return `${events} ${events === 1 ? 'event' : 'events'}`;
};

function tell(
  { clock, random }: RecoverDeps,
  draft: Draft,
  { log, ...about }: { log: string; actor: NamedActor; number?: number; note: string },
): void {
  const ca = log === SYSTEM_LOG ? {} : { ca: log };
  draft.event(clock.now(), random, { type: 'log.recovered', ...ca, ...about });
}

async function written({ store }: RecoverDeps, draft: Draft): Promise<void> {
  if ((await store.write(draft.actions)) === 'conflict') {
    throw new Outage('a sequencer is at work: try again');
  }
}

/** What waits and is in the log must not get into it once more. */
async function forgetWaiting(
  deps: LogDeps,
  log: string,
  sequenced: ReadonlySet<string>,
): Promise<void> {
  for (let from: string | undefined, more = true; more; ) {
    const place = { list: 'unlogged', group: log, limit: MAX_PAGE } as const;
    const page = await deps.store.list({ ...place, ...(from === undefined ? {} : { from }) });
    const view = new View(deps.store);
    await view.load(page.keys.map((key) => ({ kind: 'unlogged', key })));
    const known = page.keys.filter((key) =>
      view.unaltered('unlogged', key)?.events.some((id) => sequenced.has(id)),
    );
    await deps.logs.waiting.forget(known);
    [from, more] = [page.next, page.next !== undefined];
  }
}

async function lacking({ store }: RecoverDeps, ids: readonly string[]): Promise<string[]> {
  const lost: string[] = [];
  for (let at = 0; at < ids.length; at += MAX_PAGE) {
    const part = ids.slice(at, at + MAX_PAGE);
    const rows = await store.read(part.map((key) => ({ kind: 'event', key })));
    const there = new Set(rows.map(({ key }) => key));
    lost.push(...part.filter((id) => !there.has(id)));
  }
  return lost;
}
