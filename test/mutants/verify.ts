// Whether the same mutants die: each is put where its text is now, and meets the test that killed it.

import type { Options } from './args.ts';
import { withCopies } from './copies.ts';
import { Clean, stillDies } from './kill.ts';
import { changeOf, type Killer, type Mutant, readList } from './list.ts';
import { lineOf, type Place, Sources, TestFiles } from './sources.ts';

type Verdict = {
  readonly mutant: Mutant;
  readonly verdict:
    | 'dies'
    | 'lives'
    | 'gone'
    | 'equivalent'
    | 'survives'
    | 'untried'
    | 'no test'
    | 'test fails';
  readonly place?: string;
};

type Work = {
  readonly mutant: Mutant;
  readonly killer: Killer;
  readonly place: Place;
  readonly file: string;
};

/** What can be said before any test is run, and what has to be run. */
function sorted(root: string, sources: Sources, mutants: readonly Mutant[]): [Verdict[], Work[]] {
  const files = new TestFiles(root);
  const verdicts: Verdict[] = [];
  const work: Work[] = [];
  for (const mutant of mutants) {
    const places = sources.find(mutant.before);
    const [place] = places;
    const { killedBy: killer } = mutant;
    if (!place || places.length > 1) verdicts.push({ mutant, verdict: 'gone' });
    else if (mutant.equivalent) verdicts.push({ mutant, verdict: 'equivalent' });
    else if (killer === undefined) verdicts.push({ mutant, verdict: 'untried' });
    else if (killer === null) verdicts.push({ mutant, verdict: 'survives' });
    else {
      const file = files.find(killer.file, killer.test);
      if (file === undefined) verdicts.push({ mutant, verdict: 'no test' });
      else work.push({ mutant, killer, place, file });
    }
  }
  return [verdicts, work];
}

const described = ({ mutant, place }: Verdict): string => {
  const { file = '', test = null } = mutant.killedBy ?? {};
  const by = [file, test === null ? '' : `"${test}"`].filter((part) => part !== '').join(' ');
  return [mutant.room, place ?? '', changeOf(mutant), by && `(${by})`].filter(Boolean).join(' ');
};

const summary = (verdicts: readonly Verdict[]): string => {
  const count = (verdict: Verdict['verdict']): number =>
    verdicts.filter((one) => one.verdict === verdict).length;
  const parts = [
    `${count('dies')} die`,
    `${count('gone')} gone`,
    `${count('equivalent')} are equivalent`,
    `${count('survives')} survive as before`,
  ];
  if (count('lives') > 0) parts.push(`${count('lives')} LIVE that died`);
  if (count('no test') > 0) parts.push(`${count('no test')} without their test`);
  if (count('test fails') > 0) parts.push(`${count('test fails')} whose test fails anyway`);
  if (count('untried') > 0) parts.push(`${count('untried')} not tried yet`);
  return `${verdicts.length} mutants: ${parts.join(', ')}`;
};

/** @returns whether all that died still die */
export async function verify(root: string, options: Options): Promise<boolean> {
  const { rooms, limit, workers, json } = options;
  const sources = new Sources(root);
  const asked = readList().mutants.filter(({ room }) => rooms.length === 0 || rooms.includes(room));
  const [verdicts, work] = sorted(root, sources, asked.slice(0, limit));
  const clean = new Clean();
  let done = 0;
  await withCopies(root, sources, workers, work, async (copy, { mutant, killer, place, file }) => {
    const dies = await stillDies(copy, clean, mutant, place, file, killer.test);
    const verdict = dies === undefined ? 'test fails' : dies ? 'dies' : 'lives';
    const at = `${place.path}:${lineOf(sources.textOf(place.path), place.from)}`;
    verdicts.push({ mutant, verdict, place: at });
    done++;
    console.error(`${done}/${work.length} ${verdict}: ${at} ${changeOf(mutant)}`);
  });
  const bad = ['gone', 'lives', 'no test', 'test fails'];
  const told = verdicts.filter(({ verdict }) => bad.includes(verdict));
  if (json) console.log(JSON.stringify({ summary: summary(verdicts), verdicts }, undefined, 2));
  else {
    for (const one of told) console.log(`${one.verdict}: ${described(one)}`);
    console.log(summary(verdicts));
  }
  return told.every(({ verdict }) => verdict === 'gone');
}
