// Finds an event among the entries of its log, and proves that it is under the published checkpoint.

import { CLOCK_SKEW_MS } from '../../base/limits.ts';
import { timeOfUlid } from '../../base/ulid.ts';
import { SYSTEM_LOG } from '../../base/words.ts';
import { verifierKey } from '../../events/note.ts';
import { proofText } from '../../events/proof.ts';
import { hashesIn, nodesOf, type Tile, tilePath } from '../../events/tiles.ts';
import { inclusionPath } from '../../events/tree.ts';
import { View } from '../record/unit-of-work.ts';
import { indexOfEntry } from './find-entry.ts';
import { required } from './published.ts';
import type { LogDeps } from './sequence.ts';
import { lastOf, namesUntil } from './states.ts';

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

async function proveIn(
  deps: LogDeps,
  name: string,
  sought: { readonly id: string; readonly event: string },
): Promise<Proven | undefined> {
  const last = await lastOf(deps, name);
  if (!last) return undefined;
  const { files } = deps.logs;
  const { verifier, note: checkpoint } = last;
  const { size, time } = last.checkpoint;
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
