// Finds events among the entries of their log.

import { fromLatin1, fromUtf8, utf8 } from '../../base/bytes.ts';
import { CLOCK_SKEW_MS } from '../../base/limits.ts';
import { timeOfUlid } from '../../base/ulid.ts';
import { entriesIn, hashesIn, TILE_WIDTH, tileAt, tilePath } from '../../events/tiles.ts';
import { leafHash } from '../../events/tree.ts';
import type { LogFiles } from '../../ports/log-files.ts';
import { required } from './published.ts';

type LogAt = {
  readonly files: Pick<LogFiles, 'read'>;
  readonly name: string;
  /** Of its tree. */
  readonly size: number;
};
/** An event's id and its canonical text. */
type Sought = { readonly id: string; readonly event: string };

const bundles = ({ size }: LogAt): number => Math.ceil(size / TILE_WIDTH);
const leafOf = ({ event }: Sought): string => fromLatin1(leafHash(utf8(event)));

/** The leaf hashes of the entries of a bundle. */
async function leavesOf({ files, name, size }: LogAt, index: number): Promise<string[]> {
  const tile = tileAt(0, index * TILE_WIDTH, size);
  const octets = await required(files, `${name}/${tilePath(tile)}`);
  return hashesIn(octets, tile.width).map((hash) => fromLatin1(hash));
}

/**
 * The first bundle in which something stands that happened at this time: it is behind all that were sequenced before,
 * by clocks that differ by no more than they may. It is looked for from the end on, where most of it is.
 */
async function firstBundle(log: LogAt, time: number): Promise<number> {
  const isBefore = async (index: number): Promise<boolean> => {
    const path = tilePath(tileAt('entries', index * TILE_WIDTH, log.size));
    const entries = entriesIn(await required(log.files, `${log.name}/${path}`));
    const times = entries.map((entry) => timeOfUlid(JSON.parse(fromUtf8(entry)).id));
    return Math.max(...times) < time - CLOCK_SKEW_MS;
  };
  const count = bundles(log);
  let [from, to] = [0, count];
  for (let back = 1; back <= count; back *= 2) {
    if (await isBefore(count - back)) {
      from = count - back + 1;
      break;
    }
    to = count - back;
  }
  while (from < to) {
    const middle = Math.floor((from + to) / 2);
    if (await isBefore(middle)) from = middle + 1;
    else to = middle;
  }
  return from;
}

/**
 * @param everywhere also where an event stands if a clock was put back since: all of the log may be read
 * @throws {Outage} where files of the log are missing
 */
export async function indexOfEntry(
  log: LogAt,
  event: Sought,
  { everywhere = false }: { readonly everywhere?: boolean } = {},
): Promise<number | undefined> {
  const leaf = leafOf(event);
  const first = await firstBundle(log, timeOfUlid(event.id));
  const behind = Array.from({ length: bundles(log) - first }, (_, i) => first + i);
  const before = Array.from({ length: everywhere ? first : 0 }, (_, i) => first - 1 - i);
  for (const index of [...behind, ...before]) {
    const place = (await leavesOf(log, index)).indexOf(leaf);
    if (place !== -1) return index * TILE_WIDTH + place;
  }
  return undefined;
}

/** Tiles that are read at once. */
const AT_ONCE = 16;

/** Whether events are in a log, asked many times while it grows: each of its tiles is read once. */
export class LoggedAlready {
  readonly #tiles = new Set<string>();
  readonly #leaves = new Set<string>();
  #since: { readonly name: string; readonly time: number; readonly bundle: number } | undefined;

  /** @returns the ids of those that are @throws {Outage} where files of the log are missing */
  async among(log: LogAt, events: readonly Sought[]): Promise<ReadonlySet<string>> {
    const [first] = events.map(({ id }) => id).sort();
    if (first === undefined || log.size === 0) return new Set();
    await this.#read(log, timeOfUlid(first));
    return new Set(events.filter((one) => this.#leaves.has(leafOf(one))).map(({ id }) => id));
  }

  async #read(log: LogAt, time: number): Promise<void> {
    const { name } = log;
    const known = this.#since;
    if (known?.name !== name || time < known.time) {
      this.#since = { name, time, bundle: await firstBundle(log, time) };
    }
    const unread: number[] = [];
    for (let index = this.#since?.bundle ?? 0; index < bundles(log); index++) {
      const tile = `${name}/${tilePath(tileAt(0, index * TILE_WIDTH, log.size))}`;
      if (!this.#tiles.has(tile)) unread.push(index);
      this.#tiles.add(tile);
    }
    for (let at = 0; at < unread.length; at += AT_ONCE) {
      const part = unread.slice(at, at + AT_ONCE).map((index) => leavesOf(log, index));
      for (const leaf of (await Promise.all(part)).flat()) this.#leaves.add(leaf);
    }
  }
}
