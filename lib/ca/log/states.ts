// The logs that there are, each with what it is verified with: also those that have ended, which prove what is in them.

import { fromUtf8 } from '../../base/bytes.ts';
import { Malformed } from '../../base/errors.ts';
import {
  type Checkpoint,
  openCheckpoint,
  readVerifierKey,
  type Verifier,
  verifierKey,
} from '../../events/note.ts';
import { View } from '../record/unit-of-work.ts';
import { checkpointPath, everyLog, keyPath, type LogDeps, opened } from './sequence.ts';

export type LogState = {
  /** Under which its files are. */
  readonly log: string;
  /** As verifiers are configured with it (C2SP signed-note). */
  readonly verifierKey: string;
  readonly checkpoint: Checkpoint;
};

/** The logs that go on, each with what was signed last. */
export async function logStates(deps: LogDeps): Promise<readonly LogState[]> {
  const { states } = await heads(deps);
  return states;
}

/** Those before them that are still there, each with its last checkpoint. */
export async function endedLogs(deps: LogDeps): Promise<readonly LogState[]> {
  const { names } = await heads(deps);
  const states: LogState[] = [];
  for (const { log, newest } of names) {
    for (const name of namesUntil(log, newest).slice(1)) {
      const found = await lastOf(deps, name);
      if (!found) continue;
      const { verifier, checkpoint } = found;
      states.push({ log: name, verifierKey: verifierKey(verifier), checkpoint });
    }
  }
  return states;
}

async function heads(deps: LogDeps) {
  const all = await everyLog(deps);
  const view = new View(deps.store);
  await view.load(all.map((key) => ({ kind: 'logHead', key })));
  const names: { readonly log: string; readonly newest: string }[] = [];
  const states: LogState[] = [];
  for (const log of all) {
    const head = view.get('logHead', log);
    if (!head) continue;
    names.push({ log, newest: head.name });
    const key = (await keptKey(deps, head.name)) ?? (await deps.logs.key());
    const verifier = { name: head.origin, key };
    const checkpoint = await opened(head.checkpoint, verifier);
    if (checkpoint) {
      states.push({ log: head.name, verifierKey: verifierKey(verifier), checkpoint });
    }
  }
  return { names, states };
}

/** `default.3`, `default.2`, `default`: a log that has ended stays where it was, and still proves what is in it. */
export function namesUntil(log: string, newest: string): readonly string[] {
  const [, number = '1'] = /\.(\d+)$/.exec(newest) ?? [];
  const count = Number(number);
  return Array.from({ length: count }, (_, i) => (i + 1 < count ? `${log}.${count - i}` : log));
}

type Last = {
  readonly verifier: Verifier;
  readonly checkpoint: Checkpoint;
  /** The checkpoint as it was signed. */
  readonly note: string;
};

/** What is published of a log. @returns undefined where it is not there, or not signed with its key */
export async function lastOf(deps: LogDeps, name: string): Promise<Last | undefined> {
  const found = await deps.logs.files.read(checkpointPath(name));
  if (!found) return undefined;
  const note = fromUtf8(found);
  const key = (await keptKey(deps, name)) ?? (await deps.logs.key());
  const verifier = { name: note.slice(0, note.indexOf('\n')), key };
  return unlessMalformed(async () => ({
    ...{ verifier, note, checkpoint: await openCheckpoint(note, verifier) },
  }));
}

/** The one with which it began, as its files have it. */
async function keptKey({ logs }: LogDeps, name: string): Promise<Verifier['key'] | undefined> {
  const kept = await logs.files.read(keyPath(name));
  return kept && unlessMalformed(async () => readVerifierKey(fromUtf8(kept)).key);
}

async function unlessMalformed<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}
