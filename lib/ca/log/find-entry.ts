// Finds an event among the entries of its log.

import { fromUtf8 } from '../../base/bytes.ts';
import { CLOCK_SKEW_MS } from '../../base/limits.ts';
import { timeOfUlid } from '../../base/ulid.ts';
import { entriesIn, TILE_WIDTH, tileAt, tilePath } from '../../events/tiles.ts';
import type { LogFiles } from '../../ports/log-files.ts';
import { required } from './published.ts';

/**
 * An event stands behind all that were sequenced before it happened: those are found by halving, and it is looked for
 * from there on.
 * @param name of the log @param size of its tree @param event its canonical text
 * @param everywhere also before it, where an event stands if a clock was put back since: all of the log may be read
 * @throws {Outage} where files of the log are missing
 */
export async function indexOfEntry(
  { files, name, size }: { files: Pick<LogFiles, 'read'>; name: string; size: number },
  { id, event }: { readonly id: string; readonly event: string },
  { everywhere = false }: { readonly everywhere?: boolean } = {},
): Promise<number | undefined> {
  const bundle = async (index: number): Promise<readonly string[]> => {
    const path = tilePath(tileAt('entries', index * TILE_WIDTH, size));
    return entriesIn(await required(files, `${name}/${path}`)).map((entry) => fromUtf8(entry));
  };
  const since = timeOfUlid(id) - CLOCK_SKEW_MS;
  const isBefore = async (index: number): Promise<boolean> => {
    const times = (await bundle(index)).map((one) => timeOfUlid(JSON.parse(one).id));
    return Math.max(...times) < since;
  };
  const count = Math.ceil(size / TILE_WIDTH);
  let [from, to] = [0, count];
  while (from < to) {
    const middle = Math.floor((from + to) / 2);
    if (await isBefore(middle)) from = middle + 1;
    else to = middle;
  }
  const placeIn = async (index: number): Promise<number | undefined> => {
    const place = (await bundle(index)).indexOf(event);
    return place === -1 ? undefined : index * TILE_WIDTH + place;
  };
  for (let index = from; index < count; index++) {
    const place = await placeIn(index);
    if (place !== undefined) return place;
  }
  for (let index = from - 1; index >= 0 && everywhere; index--) {
    const place = await placeIn(index);
    if (place !== undefined) return place;
  }
  return undefined;
}
