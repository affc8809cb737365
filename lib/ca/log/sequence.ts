// The sequencer of a log: it puts the events that wait into an RFC 6962 tree, signs a checkpoint of it and publishes
// both (C2SP tlog-tiles). In this order, so that it can be cut off anywhere and go on: stage the entries, sign, swap
// the head on record, publish tiles, publish the checkpoint, remove what waited.
//
// Two sequencers of one log, a table that was restored and one that another hand has changed never make two
// checkpoints that are inconsistent: nothing is signed unless what is published is the head on record or the one
// before it, and the head changes only on condition that it is the one that was read.

import { type Bytes, equal, fromUtf8, hex, utf8 } from '../../base/bytes.ts';
import { errorText, Malformed, Outage } from '../../base/errors.ts';
import { SWEEP_PAGES } from '../../base/limits.ts';
import {
  IDLE_CHECKPOINT_MS,
  SEQUENCE_PAGE,
  SEQUENCE_ROWS,
  SEQUENCE_STEPS,
} from '../../base/log-limits.ts';
import { timeOfUlid } from '../../base/ulid.ts';
import { SYSTEM_LOG } from '../../base/words.ts';
import {
  type Checkpoint,
  checkpointText,
  firstNameOf,
  openCheckpoint,
  signedNote,
  type Verifier,
  verifierKey,
} from '../../events/note.ts';
import { bundleOf, entriesIn } from '../../events/tiles.ts';
import { grown, leafHash, rootOf } from '../../events/tree.ts';
import type { Logs, Sequencing } from '../../ports/log-files.ts';
import type { Records } from '../../ports/records/records.ts';
import { everyCa } from '../authority/known.ts';
import type { Deps } from '../deps.ts';
import type { Measures } from '../record/lease.ts';
import { Draft, View } from '../record/unit-of-work.ts';
import { LoggedAlready } from './find-entry.ts';
import { Published } from './published.ts';

export type LogDeps = Pick<Deps, 'store' | 'config'> & { readonly logs: Logs };
export type SequenceDeps = Pick<Deps, 'clock' | 'log'> & LogDeps & { readonly logs: Sequencing };
type Head = Records['logHead'];

/**
 * Sequences all that waits for this log.
 * @throws {Outage} when the log cannot go on: what is published and what is on record are of different logs
 */
export async function sequenceLog(deps: SequenceDeps, log: string): Promise<Sequenced> {
  let [appended, refused, waitedMs] = [0, 0, 0];
  const already = new LoggedAlready();
  for (let steps = 0; steps < SEQUENCE_STEPS; steps++) {
    const step = await oneStep(deps, log, already);
    appended += step.appended;
    refused = step.refused;
    waitedMs = Math.max(waitedMs, step.waitedMs);
    if (!step.more) break;
  }
  return { appended, refused, waitedMs };
}

type Sequenced = {
  readonly appended: number;
  readonly refused: number;
  /** How long the one that waited longest had waited when it was published. */
  readonly waitedMs: number;
};

/** @returns with `more`: as many were taken as one checkpoint takes */
async function oneStep(
  deps: SequenceDeps,
  log: string,
  already: LoggedAlready,
): Promise<Sequenced & { readonly more: boolean }> {
  const { store, clock, logs } = deps;
  const view = new View(store);
  await view.load([{ kind: 'logHead', key: log }]);
  const none = { name: log, origin: originOf(deps, log), checkpoint: '', before: '', taken: [] };
  const head = view.get('logHead', log) ?? none;
  const { name, origin } = head;
  await settle(deps, head);
  const taken = new Set(head.taken);
  const verifier = { name: origin, key: await logs.key() };
  const last = await opened(head.checkpoint, verifier);
  const { files } = logs;
  const { rows, left, entries, first, refused } = await waiting(deps, log, {
    isTaken: (key) => taken.has(key),
    // Another hand may have put it back.
    logged: (events) => already.among({ files, name, size: last?.size ?? 0 }, events),
  });
  const now = clock.now();
  const isRecent = last !== undefined && now >= last.time && now - last.time < IDLE_CHECKPOINT_MS;
  const isQuiet = entries.length === 0 && (!last || isRecent);
  // What is taken already must not be there any more when the head says so no longer.
  if (!isQuiet || left) await remove(deps, taken);
  if (isQuiet) return { appended: 0, refused, waitedMs: 0, more: false };
  if (last) await logs.files.remove(stagedPath(name, last));
  const edge = await new Published(logs.files, name).edge(last?.size ?? 0);
  if (last && !equal(rootOf(edge), last.root)) throw notOfHead(name);
  const after = grown(
    edge,
    entries.map((entry) => leafHash(entry)),
  );
  const next = { origin, size: after.size, root: rootOf(after), time: now };
  if (entries.length > 0) await logs.files.write(stagedPath(name, next), bundleOf(entries));
  if (!last) await files.write(keyPath(name), utf8(`${verifierKey(verifier)}\n`));
  const checkpoint = await signed(next, verifier, logs);
  const draft = new Draft(view);
  const following = { name, origin, checkpoint, before: head.checkpoint, taken: rows };
  draft.put('logHead', log, following);
  // Another sequencer was faster: what waits now is for the next run.
  if ((await store.write(draft.actions)) === 'conflict') {
    return { appended: 0, refused, waitedMs: 0, more: false };
  }
  await settle(deps, following);
  await logs.waiting.forget(rows);
  const waitedMs = Math.max(0, clock.now() - (first ?? now));
  const more = rows.length >= SEQUENCE_ROWS;
  return { appended: entries.length, refused, waitedMs, more };
}

/**
 * What was signed last; undefined where there is nothing yet.
 * @throws {Outage} where it was with another key
 */
export async function opened(note: string, verifier: Verifier): Promise<Checkpoint | undefined> {
  if (note === '') return undefined;
  try {
    return await openCheckpoint(note, verifier);
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    const name = verifier.name.slice(verifier.name.lastIndexOf('/') + 1);
    throw new Outage(
      `the log "${name}" is not signed with the key of the logs as it is now, and nothing gets into it: put its key back (in a data folder keys/log.p8 and keys/log.spki, of keys in KMS SCEPTER_LOG_KEY); if that is lost, "scepter log recover ${firstNameOf(name)} --new-key" ends this log and begins the next one`,
    );
  }
}

/** `ca.example.com/log/default` (C2SP tlog-tiles: the URL without its scheme), as it is when the log begins. */
export const originOf = ({ config }: Pick<Deps, 'config'>, name: string): string =>
  `${config.publicUrl.replace(/^https?:\/\//, '').replace(/\/$/, '')}/log/${name}`;

export const checkpointPath = (name: string): string => `${name}/checkpoint`;
/** The verifier key with which it began: it proves what is in it when the key of the logs is another one. */
export const keyPath = (name: string): string => `${name}/verifier-key`;
const stagedPath = (name: string, { size, root }: Pick<Checkpoint, 'size' | 'root'>): string =>
  `${name}/staged/${size}-${hex(root)}`;

async function signed(next: Checkpoint, verifier: Verifier, { sign }: Sequencing): Promise<string> {
  const text = checkpointText(next);
  const note = signedNote(text, verifier, await sign(utf8(text)));
  await openCheckpoint(note, verifier).catch(() => {
    throw new Outage('the key of the logs signed what its public key does not verify');
  });
  return note;
}

const recovery = 'nothing is signed until "scepter log recover" has made them one log again';
export const notOfHead = (name: string): Outage =>
  new Outage(
    `what is published of the log "${name}" is not what the records say was signed last: records or files were restored or changed; ${recovery}`,
  );

/**
 * Publishes the head if it is not.
 * @throws {Outage} unless what is published is the head, or the one before it
 */
async function settle(deps: SequenceDeps, head: Head): Promise<void> {
  const found = await deps.logs.files.read(checkpointPath(head.name));
  const published = found === undefined ? '' : fromUtf8(found);
  if (published === head.checkpoint) return;
  if (published !== head.before) throw notOfHead(head.name);
  await publish(deps, head);
}

async function publish({ logs }: SequenceDeps, head: Head): Promise<void> {
  const { files } = logs;
  const { name, origin, checkpoint, before } = head;
  const verifier = { name: origin, key: await logs.key() };
  const next = await opened(checkpoint, verifier);
  if (!next) return;
  const size = (await opened(before, verifier))?.size ?? 0;
  const staged = stagedPath(name, next);
  const tree = new Published(files, name);
  let filled: readonly string[] = [];
  if (next.size > size) {
    const octets = await files.read(staged);
    const entries = octets ? entriesIn(octets) : [];
    const leaves = entries.map((entry) => leafHash(entry));
    if (!equal(rootOf(grown(await tree.edge(size), leaves)), next.root)) {
      // Another sequencer may just have done it all.
      const published = await files.read(checkpointPath(name));
      if (published && fromUtf8(published) === checkpoint) return;
      throw new Outage(`${staged} is not what was signed: ${recovery}`);
    }
    filled = await tree.add(size, entries);
  }
  const expected = before === '' ? undefined : utf8(before);
  if (!(await files.swap(checkpointPath(name), utf8(checkpoint), expected))) return;
  for (const path of [staged, ...filled]) await files.remove(path);
}

/** Those that are still there: to delete what is gone costs as much in a table as to delete it. */
async function remove({ store, logs }: SequenceDeps, all: ReadonlySet<string>): Promise<void> {
  const there = await store.read([...all].map((key) => ({ kind: 'unlogged', key })));
  await logs.waiting.forget(there.map(({ key }) => key));
}

type Waiting = {
  /** Keys of the records that are taken now. */
  readonly rows: readonly string[];
  /** Whether there are some that were taken before. */
  readonly left: boolean;
  /** The events, in the order of their ids. */
  readonly entries: readonly Bytes[];
  /** When the first of them happened. */
  readonly first: number | undefined;
  /** Records of waiting events that another hand has changed or made, or whose events it has. */
  readonly refused: number;
};

type Known = {
  readonly isTaken: (key: string) => boolean;
  /** The ids of those that are in the log. */
  readonly logged: (
    events: readonly { readonly id: string; readonly event: string }[],
  ) => Promise<ReadonlySet<string>>;
};

/** Names of what was refused that one run says. */
const MAX_SAID = 20;

/** What another hand puts into the list keeps nothing behind it waiting for ever: it is gone through page by page. */
async function waiting(
  { store, log: say }: SequenceDeps,
  log: string,
  { isTaken, logged }: Known,
): Promise<Waiting> {
  let left = false;
  const rows: string[] = [];
  const bodies = new Map<string, string>();
  const refused: string[] = [];
  let from: string | undefined;
  for (let pages = 0; pages < SWEEP_PAGES && rows.length < SEQUENCE_ROWS; pages++) {
    const place = { list: 'unlogged', group: log, limit: SEQUENCE_PAGE } as const;
    const { keys, next } = await store.list({ ...place, ...(from === undefined ? {} : { from }) });
    const view = new View(store);
    await view.load(keys.map((key) => ({ kind: 'unlogged', key })));
    const found = keys.flatMap((key) => {
      const record = view.unaltered('unlogged', key);
      if (record?.log !== log) {
        if (record) refused.push(`unlogged ${key}`);
        return [];
      }
      if (isTaken(key)) left = true;
      return isTaken(key) ? [] : [{ key, events: record.events }];
    });
    refused.push(...view.altered);
    await view.load(found.flatMap(({ events }) => events.map((key) => ({ kind: 'event', key }))));
    const read = found.map(({ key, events }) => ({
      key,
      events: events.map((id) => ({ id, event: view.unaltered('event', id)?.body ?? '' })),
    }));
    const known = await logged(read.flatMap(({ events }) => events));
    for (const { key, events } of read) {
      if (events.some(({ id, event }) => event === '' || known.has(id))) {
        refused.push(`unlogged ${key}`);
      } else {
        rows.push(key);
        for (const { id, event } of events) bodies.set(id, event);
      }
    }
    from = next;
    if (next === undefined) break;
  }
  for (const key of refused.slice(0, MAX_SAID)) {
    say({ event: 'log.refused', severity: 'error', log, key });
  }
  if (from !== undefined && rows.length === 0) {
    throw new Outage(
      `the list of what waits for the log "${log}" is full of ${refused.length} records that are none, so nothing gets into it: remove them`,
    );
  }
  const ids = [...bodies.keys()].sort();
  const entries = ids.map((id) => utf8(bodies.get(id) ?? ''));
  const first = ids[0] === undefined ? undefined : timeOfUlid(ids[0]);
  return { rows, left, entries, first, refused: refused.length };
}

/** Those of all CAs that there ever were, and that of what is of no CA. */
export const everyLog = async (
  deps: Pick<Deps, 'config' | 'store'>,
): Promise<readonly string[]> => [SYSTEM_LOG, ...(await everyCa(deps))];

/**
 * Sequences all logs. One that cannot go on does not delay the others.
 * @throws {Outage} with what is wrong with each
 */
export async function sequenceAll(deps: SequenceDeps): Promise<Measures> {
  const sum = { appended: 0, refused: 0, waitedSeconds: 0 };
  const troubles: string[] = [];
  for (const log of await everyLog(deps)) {
    try {
      const { appended, refused, waitedMs } = await sequenceLog(deps, log);
      sum.appended += appended;
      sum.refused += refused;
      sum.waitedSeconds = Math.max(sum.waitedSeconds, Math.ceil(waitedMs / 1000));
    } catch (error) {
      troubles.push(errorText(error));
    }
  }
  if (troubles.length > 0) throw new Outage(troubles.join('; '));
  return sum;
}
