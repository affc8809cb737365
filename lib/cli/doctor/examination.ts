// One examination: the questions, in their order, what is made of the answers, and the report.

import { fromUtf8 } from '../../base/bytes.ts';
import { parseName } from '../../x509/names/name.ts';
import { syntax } from '../device/scep.ts';
import { CliError, type Io, readStdin, webAddress } from '../io.ts';
import { type ShowOptions, show } from '../show.ts';
import { counted, type Sheet } from '../text.ts';
import { capsFindings, certFindings, clientFindings } from './checks/caps.ts';
import { certificateFindings } from './checks/certificates.ts';
import { enrolledFindings } from './checks/enrolled.ts';
import { exchangeFindings } from './checks/exchange.ts';
import { hostFindings, isReached } from './checks/host.ts';
import { revocationFindings } from './checks/revocation.ts';
import type { Asking, Probe } from './exchange.ts';
import { endpointFacts, hostFacts } from './gather.ts';
import { checks, type Mark, type Observation, type Section } from './observation.ts';

export type Options = ShowOptions & {
  readonly challenge?: string;
  readonly challengeStdin?: true;
  readonly subject: string;
};

/** Milliseconds for each question: a server that takes longer is none for a device either. */
const QUESTION_MS = 10_000;

export async function examine(io: Io, address: string, options: Options): Promise<void> {
  const enrolment = await enrolmentOf(io, options);
  const url = new URL(webAddress('<url>', address));
  const asking: Asking = {
    now: () => io.clock.now(),
    limitMs: io.timeoutMs ?? QUESTION_MS,
    plainPort: url.port === '' ? 80 : undefined,
    progress: (what) => io.progress?.(`asking ${what}`),
  };
  const sections: Section[] = [];
  const host = await hostFacts(url, asking);
  sections.push({ about: url.host, findings: hostFindings(host) });
  if (isReached(host)) {
    sections.push({ about: url.href, findings: await endpointFindings(url, asking, enrolment) });
  }
  io.progress?.('');
  await report(io, sections, options);
  if (!isReached(host)) throw new CliError('usage', `nothing could be asked at ${url.origin}`);
  const faults = counts(sections).fault;
  if (faults > 0) throw new CliError('failure', counted(faults, 'fault'));
}

async function enrolmentOf(io: Io, options: Options): Promise<Probe | undefined> {
  const { subject } = options;
  syntax(() => parseName(subject));
  const challenge = options.challengeStdin
    ? fromUtf8(await readStdin(io)).trim()
    : options.challenge;
  return challenge === undefined ? undefined : { challenge, subject };
}

async function endpointFindings(
  url: URL,
  asking: Asking,
  enrolment: Probe | undefined,
): Promise<Observation[]> {
  const facts = await endpointFacts(url, asking, enrolment);
  return [
    ...capsFindings(facts),
    ...certFindings(facts),
    ...clientFindings(facts),
    ...(await certificateFindings(facts)),
    ...(await exchangeFindings(facts)),
    ...(await enrolledFindings(facts)),
    ...(await revocationFindings(facts)),
  ];
}

const marks: Readonly<Record<Mark, string>> = { good: '✓', fault: '✗', warning: '!' };

const counts = (sections: readonly Section[]): Readonly<Record<Mark, number>> => {
  const all = sections.flatMap(({ findings }) => findings);
  const of = (mark: Mark) => all.filter((one) => one.mark === mark).length;
  return { good: of('good'), fault: of('fault'), warning: of('warning') };
};

async function report(io: Io, sections: readonly Section[], options: Options): Promise<void> {
  const { good, fault, warning } = counts(sections);
  const said = `${good} good, ${counted(fault, 'fault')}, ${counted(warning, 'warning')}`;
  await show(io, options, {
    json: { faults: fault, warnings: warning, good, sections },
    page: () => [...sections.map(pageOf), [{ lines: [said] }]],
    table: () => ({
      columns: ['ABOUT', 'CHECK', 'MARK', 'SAYS', 'MEANS', 'FIX'],
      rows: sections.flatMap(({ about, findings }) =>
        findings.map(({ check, mark, says, means = '', fix = '' }) => [
          ...[about, check, mark, says, means, fix],
        ]),
      ),
    }),
  });
}

/** As wide in every section. */
const width = Math.max(...Object.values(checks).map((name) => name.length));

const pageOf = ({ about, findings }: Section): Sheet[number] => [
  {
    heading: about,
    columns: ['MARK', 'CHECK', 'SAYS'],
    nameless: true,
    rows: findings.flatMap(({ check, mark, says, means, fix }) => [
      [marks[mark], checks[check].padEnd(width), says],
      ...(means === undefined ? [] : [['', '', `means: ${means}`]]),
      ...(fix === undefined ? [] : [['', '', `fix:   ${fix}`]]),
    ]),
  },
];
