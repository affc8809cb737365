// Finds an event among the entries of its log, and proves that it is under the published checkpoint.

import { fromUtf8 } from '../../base/bytes.ts';
import { CLOCK_SKEW_MS } from '../../base/limits.ts';
import { timeOfUlid } from '../../base/ulid.ts';
import { SYSTEM_LOG } from '../../base/words.ts';
import { openCheckpoint, verifierKey } from '../../events/note.ts';
import { proofText } from '../../events/proof.ts';
import { hashesIn, nodesOf, type Tile, tilePath } from '../../events/tiles.ts';
import { inclusionPath } from '../../events/tree.ts';
import { View } from '../record/unit-of-work.ts';
import { indexOfEntry } from './find-entry.ts';
import { required } from './published.ts';
import { checkpointPath, type LogDeps } from './sequence.ts';

type Proven = {
  /** The event's canonical text: what is hashed. */
  readonly event: string;
  readonly log: string;
  readonly verifierKey: string;
  /** C2SP tlog-proof. */
  readonly proof: string;
};

/**
 * @returns undefined where there is no such event; `waits` for one that is under no published checkpoint yet
 * @throws {Outage} where files of the log are missing
 */
export async function prove(deps: LogDeps, id: string): Promise<Proven | 'waits' | undefined> {
  const view = new View(deps.store);
  await view.load([{ kind: 'event', key: id }]);
  const event = view.unaltered('event', id)?.body;
  if (event === undefined) return undefined;
  const { ca: log = SYSTEM_LOG } = JSON.parse(event) as { readonly ca?: string };
  await view.load([{ kind: 'logHead', key: log }]);
  const head = view.get('logHead', log);
  if (!head) return 'waits';
  for (const name of namesUntil(log, head.name)) {
    const proven = await proveIn(deps, name, { id, event });
    if (proven) return proven;
  }
  return 'waits';
}

/** `default.3`, `default.2`, `default`: a log that has ended stays where it was, and still proves what is in it. */
function namesUntil(log: string, newest: string): readonly string[] {
  const [, number = '1'] = /\.(\d+)$/.exec(newest) ?? [];
  const count = Number(number);
  return Array.from({ length: count }, (_, i) => (i + 1 < count ? `${log}.${count - i}` : log));
}

async function proveIn(
  { logs: { files, key } }: LogDeps,
  name: string,
  sought: { readonly id: string; readonly event: string },
): Promise<Proven | undefined> {
  const note = await files.read(checkpointPath(name));
  if (!note) return undefined;
  const checkpoint = fromUtf8(note);
  const verifier = { name: checkpoint.slice(0, checkpoint.indexOf('\n')), key: await key() };
  const { size, time } = await openCheckpoint(checkpoint, verifier);
  if (timeOfUlid(sought.id) > time + CLOCK_SKEW_MS) return undefined;
  const read = (tile: Tile) => required(files, `${name}/${tilePath(tile)}`);
  const index = await indexOfEntry({ files, name, size }, sought, { everywhere: true });
  if (index === undefined) return undefined;
  const nodeAt = nodesOf(async (tile) => hashesIn(await read(tile), tile.width), size);
  const path = await inclusionPath(nodeAt, index, size);
  return {
    ...{ event: sought.event, log: name, verifierKey: verifierKey(verifier) },
    proof: proofText({ index, path, checkpoint }),
  };
}
