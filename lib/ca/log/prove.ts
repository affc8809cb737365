// Finds an event among the entries of its log, and proves that it is under the published checkpoint.

import { fromUtf8 } from '../../base/bytes.ts';
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
  const { files } = deps.logs;
  const name = head?.name ?? log;
  const note = await files.read(checkpointPath(name));
  if (!head || !note) return 'waits';
  const verifier = { name: head.origin, key: await deps.logs.key() };
  const checkpoint = fromUtf8(note);
  const { size } = await openCheckpoint(checkpoint, verifier);
  const read = (tile: Tile) => required(files, `${name}/${tilePath(tile)}`);
  const index = await indexOfEntry({ files, name, size }, { id, event }, { everywhere: true });
  if (index === undefined) return 'waits';
  const nodeAt = nodesOf(async (tile) => hashesIn(await read(tile), tile.width), size);
  const path = await inclusionPath(nodeAt, index, size);
  return {
    ...{ event, log: name, verifierKey: verifierKey(verifier) },
    proof: proofText({ index, path, checkpoint }),
  };
}
