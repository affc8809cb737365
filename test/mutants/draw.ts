// Draws mutants by a seed: as many as a room is to have, from its files by how much code they have.

import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { API } from 'typescript/unstable/sync';
import { Chance } from '../support/seeded.ts';
import type { Mutant } from './list.ts';
import { type Kind, type Site, sitesOf } from './sites.ts';
import { roomOf, type Sources } from './sources.ts';
import { compact, oneLine } from './text.ts';

/** The core is what is worth most. */
const wanted = (room: string): number => (room === 'ca' ? 120 : 40);

/** Literals are many, and say less than conditions. */
const weights: Readonly<Record<Kind, number>> = {
  ...{ condition: 3, comparison: 2, logic: 2, statement: 3, literal: 1, result: 1 },
};

/** Characters, without white space, of a text that is to be found again. More of it changes sooner. */
const shortest = 24;
const longest = 600;

/** Whether Node can run it. */
function parses(source: string): boolean {
  try {
    stripTypeScriptTypes(source);
    return true;
  } catch {
    return false;
  }
}

/** The smallest code around a site that is there once. */
function asMutant(sources: Sources, path: string, site: Site): Mutant | undefined {
  const source = sources.textOf(path);
  for (const [from, to] of site.around) {
    const before = oneLine(source.slice(from, to));
    const { length } = compact(before).text;
    if (length > longest) return undefined;
    if (length < shortest || sources.find(before).length !== 1) continue;
    const after = oneLine(
      source.slice(from, site.from) + site.replacement + source.slice(site.to, to),
    );
    const mutated = source.slice(0, from) + after + source.slice(to);
    return parses(mutated) && before !== after
      ? { room: roomOf(path), kind: site.kind, before, after }
      : undefined;
  }
  return undefined;
}

/** From one file, one kind after another, until none is left. */
function* drawn(
  sources: Sources,
  path: string,
  sites: readonly Site[],
  chance: Chance,
): Generator<Mutant> {
  const left = [...sites];
  const taken = new Set<number>();
  while (left.length > 0) {
    const kinds = new Set(left.map(({ kind }) => kind));
    const table = Object.fromEntries([...kinds].map((kind) => [kind, weights[kind]]));
    const kind = chance.weighted(table);
    const site = chance.pick(left.filter((one) => one.kind === kind));
    if (!site) return;
    left.splice(left.indexOf(site), 1);
    if (taken.has(site.from)) continue;
    const mutant = asMutant(sources, path, site);
    if (!mutant) continue;
    taken.add(site.from);
    yield mutant;
  }
}

/** The file that is furthest behind what its code is worth goes next. */
function ofRoom(
  sources: Sources,
  files: readonly (readonly [path: string, sites: readonly Site[]])[],
  chance: Chance,
): Mutant[] {
  const room = roomOf(files[0]?.[0] ?? '');
  const open = files.map(([path, sites]) => ({
    weight: compact(sources.textOf(path)).text.length,
    from: drawn(sources, path, sites, chance.fork(path)),
    // Without this, each room would begin with its largest file and never come to its smallest.
    count: chance.below(1000) / 1000,
  }));
  const mutants: Mutant[] = [];
  while (open.length > 0 && mutants.length < wanted(room)) {
    open.sort((one, other) => one.count / one.weight - other.count / other.weight);
    const [next] = open;
    const { value } = next?.from.next() ?? {};
    if (!next || !value) {
      open.shift();
      continue;
    }
    next.count++;
    mutants.push(value);
  }
  return mutants;
}

/** The same seed and the same sources give the same list. */
export function draw(root: string, sources: Sources, seed: number): Mutant[] {
  const api = new API({ cwd: root });
  try {
    const config = join(root, 'tsconfig.json');
    const program = api.updateSnapshot({ openProject: config }).getProject(config)?.program;
    if (!program) throw new Error(`${config} could not be opened`);
    const files = [...sources.texts.keys()].map((path) => {
      const file = program.getSourceFile(join(root, path));
      if (!file) throw new Error(`${path} is not in tsconfig.json`);
      return [path, sitesOf(file)] as const;
    });
    const rooms = Map.groupBy(files, ([path]) => roomOf(path));
    const chance = new Chance(`mutants ${seed}`);
    return [...rooms].flatMap(([room, inIt]) => ofRoom(sources, inIt, chance.fork(room)));
  } finally {
    api.close();
  }
}
