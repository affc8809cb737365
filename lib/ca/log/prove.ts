// Finds an event among the entries of its log, and proves that it is under the published checkpoint.

import { fromUtf8 } from '../../base/bytes.ts';
import { CLOCK_SKEW_MS } from '../../base/limits.ts';
import { timeOfUlid } from '../../base/ulid.ts';
import { SYSTEM_LOG } from '../../base/words.ts';
import { openCheckpoint, verifierKey } from '../../events/note.ts';
import { proofText } from '../../events/proof.ts';
import {
  entriesIn,
  hashesIn,
  nodesOf,
  TILE_WIDTH,
  type Tile,
  tileAt,
  tilePath,
} from '../../events/tiles.ts';
import { inclusionPath } from '../../events/tree.ts';
import { View } from '../record/unit-of-work.ts';
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
  const { files } = deps.logs;
  const name = head?.name ?? log;
  const note = await files.read(checkpointPath(name));
  if (!head || !note) return 'waits';
  const verifier = { name: head.origin, key: await deps.logs.key() };
  const checkpoint = fromUtf8(note);
  const { size } = await openCheckpoint(checkpoint, verifier);
  const read = (tile: Tile) => required(files, `${name}/${tilePath(tile)}`);
  const bundle = async (index: number) => {
    const tile = tileAt('entries', index * TILE_WIDTH, size);
    return entriesIn(await read(tile)).map((entry) => fromUtf8(entry));
  };
  const index = await indexOf(bundle, Math.ceil(size / TILE_WIDTH), { id, event });
  if (index === undefined) return 'waits';
  const nodeAt = nodesOf(async (tile) => hashesIn(await read(tile), tile.width), size);
  const path = await inclusionPath(nodeAt, index, size);
  return {
    ...{ event, log: name, verifierKey: verifierKey(verifier) },
    proof: proofText({ index, path, checkpoint }),
  };
}

/**
 * An event stands behind all that were sequenced before it happened: those are found by halving, and it is looked for
 * from there on.
 */
async function indexOf(
  bundle: (index: number) => Promise<readonly string[]>,
  count: number,
  { id, event }: { readonly id: string; readonly event: string },
): Promise<number | undefined> {
  const since = timeOfUlid(id) - CLOCK_SKEW_MS;
  const isBefore = async (index: number): Promise<boolean> => {
    const times = (await bundle(index)).map((one) => timeOfUlid(JSON.parse(one).id));
    return Math.max(...times) < since;
  };
  let [from, to] = [0, count];
  while (from < to) {
    const middle = Math.floor((from + to) / 2);
    if (await isBefore(middle)) from = middle + 1;
    else to = middle;
  }
  for (let index = from; index < count; index++) {
    const place = (await bundle(index)).indexOf(event);
    if (place !== -1) return index * TILE_WIDTH + place;
  }
  return undefined;
}
