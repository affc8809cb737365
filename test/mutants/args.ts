// What the command takes.

import { parseArgs } from 'node:util';

export const help = `Mutants: small changes to lib and functions, each with the test that it fails.

npm run test:mutants                             does each mutant of the list still die?
npm run test:mutants -- --room ca                only those that were drawn from lib/ca
npm run test:mutants -- --json > verdicts.json   one JSON object; progress is on stderr
npm run test:mutants -- --seed 13 --draw         draws a new list; mutants of the old one keep their tests
npm run test:mutants -- --find                   finds the test for each mutant that has none yet
npm run test:mutants -- --find --room asn1 --tests asn1 --limit 10

A mutant is found by its text, in whatever file that is. One whose text has changed is gone, and
counts neither way. --find can be stopped and goes on where it was. It looks among the files of
\`npm test\`. By hand stand in the list: the file of another suite, where only that notices a mutant,
and the reason why no test can notice one ("equivalent").

--seed N      for --draw
--room A,B    only mutants of these rooms
--tests A,B   for --find: only test files whose path has one of these in it
--limit N     only the first N mutants
--workers N   tests at a time, each in its own copy of the tree (2)
--json        the verdicts as JSON
--help

Exit code: 1 if a mutant lives that died, or if its test is no more or fails without it.`;

export type Options = {
  readonly mode: 'draw' | 'find' | 'verify' | 'help';
  readonly seed: number;
  readonly rooms: readonly string[];
  readonly tests: readonly string[];
  readonly limit: number;
  readonly workers: number;
  readonly json: boolean;
};

const words = (text: string | undefined): string[] => text?.split(',') ?? [];

/** @throws {Error} that says what is wrong */
export function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      draw: { type: 'boolean' },
      find: { type: 'boolean' },
      help: { type: 'boolean' },
      json: { type: 'boolean' },
      seed: { type: 'string' },
      room: { type: 'string' },
      tests: { type: 'string' },
      limit: { type: 'string' },
      workers: { type: 'string' },
    },
  });
  const { draw = false, find = false, help: asked = false, json = false } = values;
  const number = (name: 'seed' | 'limit' | 'workers', fallback: number): number => {
    const value = Number(values[name] ?? fallback);
    const isGood = name === 'seed' ? Number.isSafeInteger(value) : value >= 1;
    if (!isGood) throw new Error(`--${name} must be a number`);
    return value;
  };
  if (draw && find) throw new Error('--draw and --find are two commands');
  if (draw && values.seed === undefined) throw new Error('--draw needs a --seed');
  const mode = draw ? 'draw' : find ? 'find' : 'verify';
  return {
    mode: asked ? 'help' : mode,
    seed: number('seed', 0),
    rooms: words(values.room),
    tests: words(values.tests),
    limit: number('limit', Number.POSITIVE_INFINITY),
    workers: number('workers', 2),
    json,
  };
}
