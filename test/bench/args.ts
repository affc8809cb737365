// What the benchmark takes.

import { parseArgs } from 'node:util';

const help = `What an enrolment costs, as ratios within one run, because machines differ.

npm run bench                                   everything but "timing"
npm run bench -- --smoke                        few iterations: does it still run, not how fast
npm run bench -- peers --rss 100000             only beside other servers, and memory over so many enrolments
npm run bench -- search --requests 50000        only searches, in a file of so many requests (1000000)
npm run bench -- log --seconds 600              only what a log takes and costs, a thousand events each second
npm run bench -- verify --events 10000000 --records 100000
                                                only what "log verify" takes, and with what is on record
npm run bench -- outside                        only what a silent validator outside costs other endpoints
npm run bench -- timing --count 20000 --endpoint default
                                                only whether time says what came out of an envelope: messages of each
                                                class; default takes 20 minutes, any (its answers wait for a timer) 12 hours

--json   one JSON object on stdout; everything else goes to stderr
--help`;

const parts = ['peers', 'search', 'log', 'verify', 'outside', 'timing'] as const;
type Part = (typeof parts)[number];
const counts = {
  rss: { smoke: 200, whole: 100_000 },
  requests: { smoke: 2000, whole: 1_000_000 },
  seconds: { smoke: 6, whole: 600 },
  events: { smoke: 20_000, whole: 10_000_000 },
  records: { smoke: 2000, whole: 100_000 },
  count: { smoke: 20, whole: 20_000 },
} as const;
type Count = keyof typeof counts;

export type Wanted = {
  readonly smoke: boolean;
  readonly json: boolean;
  /** Only this. */
  readonly part: Part | undefined;
  readonly endpoint: string | undefined;
  readonly of: (name: Count) => number;
};

/** @returns what to print instead: help, or what is wrong */
export function readWanted(args: readonly string[]): Wanted | { help: string; code: 0 | 2 } {
  const counted = Object.fromEntries(
    Object.keys(counts).map((name) => [name, { type: 'string' }] as const),
  );
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        ...counted,
        smoke: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
        endpoint: { type: 'string' },
      },
    });
    if (values.help) return { help, code: 0 };
    const [part, ...others] = positionals;
    const known = parts.find((name) => name === part);
    if (others.length > 0 || (part !== undefined && !known)) {
      throw new TypeError(`"${positionals.join(' ')}" is none of ${parts.join(', ')}`);
    }
    const given: Readonly<Record<string, unknown>> = values;
    for (const name of Object.keys(counts)) {
      if (given[name] !== undefined && !/^[1-9]\d{0,9}$/.test(String(given[name]))) {
        throw new TypeError(`--${name} must be a number, not "${given[name]}"`);
      }
    }
    const { smoke, json, endpoint } = values;
    const of = (name: Count) => Number(given[name] ?? counts[name][smoke ? 'smoke' : 'whole']);
    return { smoke, json, part: known, endpoint, of };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return { help: `${error.message}\n\n${help}`, code: 2 };
  }
}
