// Finds a test that kills each mutant that has none yet.

import type { Options } from './args.ts';
import { type Copy, withCopies } from './copies.ts';
import { type Coverage, coverage } from './coverage.ts';
import { Clean, killer } from './kill.ts';
import { changeOf, type List, type Mutant, readList, writeList } from './list.ts';
import { lineOf, type Place, Sources } from './sources.ts';

/** A mutant that so many tests let live is taken for a survivor. */
const mostTests = 8;

type Search = {
  readonly list: List;
  readonly sources: Sources;
  readonly covered: Coverage;
  readonly clean: Clean;
  readonly among: (file: string) => boolean;
  /** Whether a mutant that lives may be put down as a survivor. */
  readonly isWhole: boolean;
};

/** @returns what became of it, in words */
async function search(
  { covered, clean, among, isWhole }: Search,
  copy: Copy,
  mutant: Mutant,
  place: Place,
): Promise<string> {
  const tests = covered.testsOf(place, mutant, among);
  for (const test of tests.slice(0, mostTests)) {
    const found = await killer(copy, clean, mutant, place, test);
    if (!found) continue;
    mutant.killedBy = found;
    return `dies by ${found.file}${found.test === null ? '' : ` "${found.test}"`}`;
  }
  // Tests that were left out may kill it.
  if (!isWhole) return `lives through ${tests.length} tests`;
  mutant.killedBy = null;
  return tests.length === 0
    ? 'SURVIVES: no test runs it'
    : `SURVIVES ${Math.min(tests.length, mostTests)} of ${tests.length} tests`;
}

export async function find(root: string, options: Options): Promise<void> {
  const say = (line: string): void => console.error(line);
  const { rooms, tests, limit, workers } = options;
  const list = readList();
  const sources = new Sources(root);
  const isWhole = tests.length === 0;
  const among = (file: string): boolean => isWhole || tests.some((part) => file.includes(part));
  const open = list.mutants
    .filter(
      ({ room, killedBy, equivalent }) =>
        killedBy === undefined && !equivalent && (rooms.length === 0 || rooms.includes(room)),
    )
    .slice(0, limit);
  if (open.length === 0) return say('every mutant has been tried');
  const covered = await coverage(root, sources, workers, among, say);
  const all: Search = { list, sources, covered, clean: new Clean(), among, isWhole };
  const began = performance.now();
  let done = 0;
  await withCopies(root, sources, workers, open, async (copy, mutant) => {
    const [place, other] = sources.find(mutant.before);
    const isThere = place !== undefined && other === undefined;
    const verdict = isThere ? await search(all, copy, mutant, place) : 'gone';
    writeList(list);
    done++;
    const at = place ? `${place.path}:${lineOf(sources.textOf(place.path), place.from)}` : '';
    const perMutant = (performance.now() - began) / done;
    const minutes = Math.ceil((perMutant * (open.length - done)) / 60_000);
    say(`${done}/${open.length} ${at} ${changeOf(mutant)}: ${verdict} (${minutes} min left)`);
  });
  const survivors = open.filter(({ killedBy }) => killedBy === null);
  for (const mutant of survivors) console.log(`survives: ${mutant.room} ${changeOf(mutant)}`);
  const killed = open.filter(({ killedBy }) => killedBy).length;
  console.log(`${open.length} mutants: ${killed} die, ${survivors.length} survive`);
}
