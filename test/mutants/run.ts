// `npm run test:mutants`: whether the tests still notice what they noticed before the code was moved.
// `-- --help` says what else it does.

import { root } from '../support/installed.ts';
import { help, readOptions } from './args.ts';
import { draw } from './draw.ts';
import { find } from './find.ts';
import { idOf, type List, type Mutant, readList, writeList } from './list.ts';
import { Sources } from './sources.ts';
import { verify } from './verify.ts';

function known(): List {
  try {
    return readList();
  } catch {
    return { seed: 0, mutants: [] };
  }
}

/** A mutant that is drawn again keeps its test. */
function drawList(seed: number): void {
  const old = new Map(known().mutants.map((mutant) => [idOf(mutant), mutant]));
  const drawn = draw(root, new Sources(root), seed);
  const mutants = drawn.map((mutant): Mutant => old.get(idOf(mutant)) ?? mutant);
  writeList({ seed, mutants });
  for (const [room, inIt] of Map.groupBy(mutants, ({ room }) => room)) {
    const kinds = [...Map.groupBy(inIt, ({ kind }) => kind)];
    const counts = kinds.map(([kind, ofKind]) => `${ofKind.length} ${kind}`).join(', ');
    console.log(`${room}: ${inIt.length} (${counts})`);
  }
  console.log(`${mutants.length} mutants`);
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options.mode === 'help') console.log(help);
  else if (options.mode === 'draw') drawList(options.seed);
  else if (options.mode === 'find') await find(root, options);
  else if (!(await verify(root, options))) process.exitCode = 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
