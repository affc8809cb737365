// What a log has published, read back and written: nothing of it is believed that the signed root does not prove.

import { type Bytes, concat } from '../../base/bytes.ts';
import { Outage } from '../../base/errors.ts';
import {
  bundleOf,
  entriesIn,
  hashesIn,
  TILE_WIDTH,
  type Tile,
  tilePath,
} from '../../events/tiles.ts';
import { type Edge, emptyEdge, grown, leafHash, rootOf } from '../../events/tree.ts';
import type { LogFiles } from '../../ports/log-files.ts';

/** How many there are at this level in a tree of `size`. */
const placesAt = (level: Tile['level'], size: number): number =>
  Math.floor(size / TILE_WIDTH ** (level === 'entries' ? 0 : level));

/** @throws {Outage} where it is missing */
export async function required(files: Pick<LogFiles, 'read'>, path: string): Promise<Bytes> {
  const octets = await files.read(path);
  if (!octets) throw new Outage(`the log lacks ${path}: restore it from a backup`);
  return octets;
}

export class Published {
  readonly #files: Pick<LogFiles, 'read' | 'write'>;
  readonly #log: string;

  constructor(files: Pick<LogFiles, 'read' | 'write'>, log: string) {
    this.#files = files;
    this.#log = log;
  }

  /** The edge of the tree of `size`, by its partial tiles. @throws {Outage} where one is missing */
  async edge(size: number): Promise<Edge> {
    let hashes: readonly Bytes[] = [];
    for (let level = 0; size >= TILE_WIDTH ** level; level++) {
      hashes = [...grown(emptyEdge, await this.#lastHashes(level, size)).hashes, ...hashes];
    }
    return { size, hashes };
  }

  /**
   * Writes the bundles and tiles that the tree of `before` entries lacks.
   * @returns where the partial ones are of those that are full now: nobody needs them any more
   */
  async add(before: number, entries: readonly Bytes[]): Promise<readonly string[]> {
    const filled: string[] = [];
    const last = await this.#last('entries', before);
    const bundled = last ? entriesIn(last.octets) : [];
    const bundles = this.#tiles('entries', before, [...bundled, ...entries], bundleOf);
    const writes = [...bundles.writes];
    filled.push(...this.#filled('entries', before, bundles.full.length));
    let fresh = entries.map((entry) => leafHash(entry));
    for (let level = 0; fresh.length > 0; level++) {
      const hashes = [...(await this.#lastHashes(level, before)), ...fresh];
      const tiles = this.#tiles(level, before, hashes, concat);
      writes.push(...tiles.writes);
      filled.push(...this.#filled(level, before, tiles.full.length));
      fresh = tiles.full.map((tile) => rootOf(grown(emptyEdge, tile)));
    }
    // Nobody looks for any of them before the checkpoint is there: they need not wait for each other.
    const written = await Promise.allSettled(
      writes.map(([path, octets]) => this.#files.write(path, octets)),
    );
    for (const one of written) if (one.status === 'rejected') throw one.reason;
    return filled;
  }

  #filled(level: Tile['level'], before: number, full: number): string[] {
    const first = Math.floor(placesAt(level, before) / TILE_WIDTH);
    return Array.from({ length: full }, (_, i) => {
      const tile = { level, index: first + i, width: TILE_WIDTH };
      return `${this.#pathOf(tile)}.p/`;
    });
  }

  /** The partial tile at the right edge of a tree of `size`; undefined where there is none. */
  async #last(level: Tile['level'], size: number) {
    const there = placesAt(level, size);
    const width = there % TILE_WIDTH;
    if (width === 0) return undefined;
    const path = this.#pathOf({ level, index: (there - width) / TILE_WIDTH, width });
    return { octets: await required(this.#files, path), width };
  }

  async #lastHashes(level: number, size: number): Promise<readonly Bytes[]> {
    const last = await this.#last(level, size);
    return last ? hashesIn(last.octets, last.width) : [];
  }

  /**
   * @param all from the beginning of the tile that was partial in the tree of `before`
   * @returns what is to be written, and what is in the tiles that are full now
   */
  #tiles(
    level: Tile['level'],
    before: number,
    all: readonly Bytes[],
    contentOf: (part: readonly Bytes[]) => Bytes,
  ) {
    const first = Math.floor(placesAt(level, before) / TILE_WIDTH);
    const full: Bytes[][] = [];
    const writes: (readonly [path: string, octets: Bytes])[] = [];
    for (let at = 0; at < all.length; at += TILE_WIDTH) {
      const part = all.slice(at, at + TILE_WIDTH);
      const tile = { level, index: first + at / TILE_WIDTH, width: part.length };
      writes.push([this.#pathOf(tile), contentOf(part)]);
      if (part.length === TILE_WIDTH) full.push(part);
    }
    return { writes, full };
  }

  #pathOf(tile: Tile): string {
    return `${this.#log}/${tilePath(tile)}`;
  }
}
