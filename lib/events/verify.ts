// Verifies a log from its files with nothing but its public key, in memory that does not grow with it: every entry
// has the hash in its tile, every tile the hash in the tile above, and all of them the signed root. An older
// checkpoint must be of the same tree, so nothing before it was changed, dropped, moved or put in since.

import { type Bytes, equal } from '../base/bytes.ts';
import { Malformed } from '../base/errors.ts';
import type { Checkpoint } from './note.ts';
import { entriesIn, HASH_OCTETS, hashesIn, TILE_WIDTH, type Tile, tilePath } from './tiles.ts';
import { emptyEdge, grown, leafHash, rootOf } from './tree.ts';

/** A file of the log by its path in it; undefined where there is none. */
type ReadFile = (path: string) => Promise<Bytes | undefined>;

export type LogSource = {
  readonly read: ReadFile;
  /** Whether the entries are there, and not only their hashes. */
  readonly entries: boolean;
};

type VerifyOptions = {
  /** An older checkpoint, whose signature has been verified. */
  readonly since?: Checkpoint | undefined;
  /** Called with each entry in turn. */
  readonly each?: (entry: Bytes, index: number) => void;
  readonly progress?: (done: number) => void;
};

/** @param checkpoint whose signature has been verified @throws {Malformed} that names the first thing that is wrong */
export async function verifyTree(
  { read, entries }: LogSource,
  checkpoint: Checkpoint,
  { since, each, progress }: VerifyOptions = {},
): Promise<void> {
  const { size, root } = checkpoint;
  if (since && since.size > size) {
    throw new Malformed(
      `the older checkpoint has ${since.size} entries, and this log has ${size}: it was cut off`,
    );
  }
  const tile = async (one: Tile): Promise<Bytes> => {
    const path = tilePath(one);
    // A log may drop a partial tile once it is full.
    const full = { ...one, width: TILE_WIDTH };
    const found = (await read(path)) ?? (await read(tilePath(full)));
    if (!found) throw new Malformed(`${path} is missing`);
    return found;
  };
  const hashes = async (level: number, index: number, width: number): Promise<Bytes[]> => {
    const octets = await tile({ level, index, width });
    const path = tilePath({ level, index, width });
    const found = hashesIn(octets, octets.length / HASH_OCTETS);
    if (found.length < width)
      throw new Malformed(`${path} has ${found.length} hashes, and not ${width}`);
    return found.slice(0, width);
  };
  /** Of each level, the hashes that full tiles below have given and no tile has been compared with. */
  const above: Bytes[][] = [];
  const compare = async (
    level: number,
    index: number,
    expected: readonly Bytes[],
  ): Promise<void> => {
    const found = await hashes(level, index, expected.length);
    const wrong = expected.findIndex((one, i) => !equal(one, found[i] ?? one.slice(1)));
    if (wrong !== -1) {
      const path = tilePath({ level, index, width: expected.length });
      throw new Malformed(`${path} has another hash at ${wrong} than the tile below`);
    }
  };
  const full = async (level: number, index: number, part: readonly Bytes[]): Promise<void> => {
    const next = above[level + 1] ?? [];
    above[level + 1] = next;
    next.push(rootOf(grown(emptyEdge, part)));
    if (next.length < TILE_WIDTH) return;
    const at = Math.floor(index / TILE_WIDTH);
    await compare(level + 1, at, next);
    await full(level + 1, at, next.splice(0));
  };
  let edge = emptyEdge;
  const compareSince = (leaves: readonly Bytes[]): void => {
    if (!since || since.size < edge.size || since.size > edge.size + leaves.length) return;
    const then = grown(edge, leaves.slice(0, since.size - edge.size));
    if (!equal(rootOf(then), since.root)) {
      throw new Malformed(`the first ${since.size} entries are not those of the older checkpoint`);
    }
  };
  compareSince([]);
  for (let index = 0; index * TILE_WIDTH < size; index++) {
    const first = index * TILE_WIDTH;
    const width = Math.min(TILE_WIDTH, size - first);
    const leaves = await hashes(0, index, width);
    if (entries) {
      const path = tilePath({ level: 'entries', index, width });
      const found = entriesIn(await tile({ level: 'entries', index, width }));
      if (found.length < width)
        throw new Malformed(`${path} has ${found.length} entries, and not ${width}`);
      for (const [i, leaf] of leaves.entries()) {
        const entry = found[i];
        if (!entry || !equal(leafHash(entry), leaf)) {
          throw new Malformed(`entry ${first + i}, in ${path}, is not the one that was hashed`);
        }
        each?.(entry, first + i);
      }
    }
    compareSince(leaves);
    edge = grown(edge, leaves);
    if (width === TILE_WIDTH) await full(0, index, leaves);
    progress?.(edge.size);
  }
  for (const [level, rest] of above.entries()) {
    if (level === 0 || !rest || rest.length === 0) continue;
    await compare(level, Math.floor(Math.floor(size / TILE_WIDTH ** level) / TILE_WIDTH), rest);
  }
  if (!equal(rootOf(edge), root)) {
    throw new Malformed('the tiles do not have the root that the checkpoint signs');
  }
}
