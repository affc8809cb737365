// The tiles of a tree of which the leaf hashes are there, as C2SP tlog-tiles defines them.

import type { Bytes } from '../../lib/base/bytes.ts';
import { type ReadTile, TILE_WIDTH } from '../../lib/events/tiles.ts';
import { emptyEdge, grown, rootOf } from '../../lib/events/tree.ts';

export function tilesOf(leaves: readonly Bytes[]): ReadTile {
  return async ({ level, index, width }) => {
    const span = TILE_WIDTH ** Number(level);
    return Array.from({ length: width }, (_, i) => {
      const at = (index * TILE_WIDTH + i) * span;
      return rootOf(grown(emptyEdge, leaves.slice(at, at + span)));
    });
  };
}
