// A log as files (C2SP tlog-tiles): hashes of the tree in tiles of 256, at each level those of the full tiles
// below, and the entries in bundles of as many. What is full never changes.

import { type Bytes, concat } from '../base/bytes.ts';
import { Malformed } from '../base/errors.ts';
import { emptyEdge, grown, type NodeAt, rootOf } from './tree.ts';

export const TILE_WIDTH = 256;
const TILE_LEVELS = 8;
export const HASH_OCTETS = 32;

export type Tile = {
  readonly level: number | 'entries';
  readonly index: number;
  /** Hashes or entries in it, 1 to 256. */
  readonly width: number;
};

/** `tile/0/x001/x234/067.p/12`, of the log's URL. */
export function tilePath({ level, index, width }: Tile): string {
  const groups: string[] = [];
  for (let rest = index; groups.length === 0 || rest > 0; rest = Math.floor(rest / 1000)) {
    const digits = String(rest % 1000).padStart(3, '0');
    groups.unshift(groups.length === 0 ? digits : `x${digits}`);
  }
  const partial = width === TILE_WIDTH ? '' : `.p/${width}`;
  return `tile/${level}/${groups.join('/')}${partial}`;
}

/** The tile that has the hash, or the entry, at this place of its level, in a tree of `size`. */
export function tileAt(level: number | 'entries', place: number, size: number): Tile {
  const index = Math.floor(place / TILE_WIDTH);
  const there = Math.floor(size / TILE_WIDTH ** (level === 'entries' ? 0 : level));
  return { level, index, width: Math.min(TILE_WIDTH, there - index * TILE_WIDTH) };
}

/** @throws {Malformed} for a tile of another width */
export function hashesIn(octets: Bytes, width: number): Bytes[] {
  if (octets.length !== width * HASH_OCTETS) {
    throw new Malformed(`a tile of ${octets.length} octets, and ${width} hashes are expected`);
  }
  return Array.from({ length: width }, (_, i) =>
    octets.slice(i * HASH_OCTETS, (i + 1) * HASH_OCTETS),
  );
}

/** Entries one behind the other, each after its length in two octets. */
export const bundleOf = (entries: readonly Bytes[]): Bytes =>
  concat(
    entries.flatMap((entry) => [Uint8Array.of(entry.length >> 8, entry.length & 0xff), entry]),
  );

/** @throws {Malformed} for what is not whole */
export function entriesIn(octets: Bytes): Bytes[] {
  const entries: Bytes[] = [];
  for (let at = 0; at < octets.length; ) {
    const length = ((octets[at] ?? 0) << 8) | (octets[at + 1] ?? 0);
    const entry = octets.slice(at + 2, at + 2 + length);
    if (at + 2 > octets.length || entry.length < length)
      throw new Malformed('a bundle ends too early');
    entries.push(entry);
    at += 2 + length;
  }
  return entries;
}

/** What a log's tiles are read with. @throws where there is no such tile */
export type ReadTile = (tile: Tile) => Promise<readonly Bytes[]>;

/** Nodes of the tree of `size` from its tiles, each of which is read once. */
export function nodesOf(readTile: ReadTile, size: number): NodeAt {
  const read = new Map<string, Promise<readonly Bytes[]>>();
  return async (level, index) => {
    // A node between the levels of tiles is the root of so many hashes of one tile.
    const tileLevel = Math.floor(level / TILE_LEVELS);
    const count = 2 ** (level - tileLevel * TILE_LEVELS);
    const tile = tileAt(tileLevel, index * count, size);
    const path = tilePath(tile);
    const found = read.get(path) ?? readTile(tile);
    read.set(path, found);
    const from = (index * count) % TILE_WIDTH;
    const hashes = (await found).slice(from, from + count);
    if (hashes.length < count) throw new Malformed(`${path} is too short`);
    return rootOf(grown(emptyEdge, hashes));
  };
}
