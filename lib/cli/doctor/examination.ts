// One examination: the questions, in their order, what is made of the answers, and the report.

import { fromUtf8 } from '../../base/bytes.ts';
import { errorText } from '../../base/errors.ts';
import { scepUrl } from '../../mdm/facts.ts';
import { parseName } from '../../x509/names/name.ts';
import { syntax } from '../device/scep.ts';
import { CliError, type Io, readStdin, webAddress } from '../io.ts';
import { type ShowOptions, show } from '../show.ts';
import { counted, type Sheet } from '../text.ts';
import { capsFindings, certFindings, clientFindings } from './checks/caps.ts';
import { certificateFindings } from './checks/certificates.ts';
import { enrolledFindings } from './checks/enrolled.ts';
import { exchangeFindings } from './checks/exchange.ts';
import { filesFindings } from './checks/files.ts';
import { hostFindings, isReached } from './checks/host.ts';
import { jamfSections } from './checks/jamf.ts';
import { revocationFindings } from './checks/revocation.ts';
import { serviceFindings } from './checks/service.ts';
import type { Asking, Probe } from './exchange.ts';
import { endpointFacts, filesFacts, hostFacts, QUESTION_MS } from './gather.ts';
import { checks, type Mark, type Observation, type Section } from './observation.ts';
import { isOutsideKind, outsideSections } from './outside.ts';
import { serviceFacts } from './service.ts';

export type Options = ShowOptions & {
  readonly endpoint?: string;
  readonly challenge?: string;
  readonly challengeStdin?: true;
  readonly subject: string;
};

/** @param address of SCEP; undefined: of all endpoints of the service that this environment is about */
export async function examine(
  io: Io,
  address: string | undefined,
  options: Options,
): Promise<void> {
  const endpoint = options.endpoint ?? 'default';
  if (isOutsideKind(address)) {
    return concluded(io, await outsideSections(io, address, endpoint), options);
  }
  if (address === 'jamf') return concluded(io, await jamfSections(io, endpoint), options);
  if (options.endpoint !== undefined) {
    throw new CliError('usage', '--endpoint is for "scepter doctor intune", "webhook" and "jamf"');
  }
  const probe = await probeOf(io, options);
  if (address === undefined && probe) {
    throw new CliError('usage', 'a challenge is of one endpoint: give its SCEP URL, too');
  }
  const begun: Begun =
    address === undefined
      ? await ours(io)
      : { sections: [], urls: [new URL(webAddress('<url>', address))] };
  const { sections, urls } = begun;
  const hosts = new Set<string>();
  const unreached = new Set<string>();
  for (const url of urls) {
    const asking: Asking = {
      now: () => io.clock.now(),
      limitMs: io.timeoutMs ?? QUESTION_MS,
      plainPort: url.port === '' ? 80 : undefined,
      progress: (what) => io.progress?.(`asking ${what}`),
    };
    if (!hosts.has(url.origin)) {
      hosts.add(url.origin);
      const host = await hostFacts(url, asking);
      if (!isReached(host)) unreached.add(url.origin);
      sections.push({ about: url.host, findings: hostFindings(host) });
    }
    if (unreached.has(url.origin)) continue;
    sections.push({ about: url.href, findings: await endpointFindings(url, asking, probe) });
  }
  io.progress?.('');
  await report(io, sections, options);
  const [nowhere] = unreached;
  if (address !== undefined && nowhere !== undefined) {
    throw new CliError('usage', `nothing could be asked at ${nowhere}`);
  }
  if (begun.why !== undefined) throw new CliError('usage', begun.why);
  failOnFaults(sections);
}

async function concluded(io: Io, sections: Section[], options: Options): Promise<void> {
  io.progress?.('');
  await report(io, sections, options);
  failOnFaults(sections);
}

function failOnFaults(sections: readonly Section[]): void {
  const faults = counts(sections).fault;
  if (faults > 0) throw new CliError('failure', counted(faults, 'fault'));
}

type Begun = {
  readonly sections: Section[];
  readonly urls: readonly URL[];
  /** Why the service could not be looked at. */
  readonly why?: string;
};

/** The service from inside, and where its endpoints are. */
async function ours(io: Io): Promise<Begun> {
  io.progress?.('asking the service');
  const facts = await serviceFacts(io).catch((error: unknown) => {
    throw new CliError('usage', errorText(error));
  });
  const { identity, service } = facts;
  const sections: Section[] = [
    { about: 'service', findings: serviceFindings(facts, io.clock.now()) },
  ];
  if (identity && 'why' in identity) {
    return { sections, urls: [], why: 'the deployment could not be looked at' };
  }
  if ('why' in service) return { sections, urls: [] };
  const base = service.publicUrl.replace(/\/+$/, '');
  if (service.filesUrl !== service.publicUrl) {
    const named = service.cas.map(({ id }) => id);
    const facts = await filesFacts(service.filesUrl, named, {
      limitMs: io.timeoutMs ?? QUESTION_MS,
      progress: (what) => io.progress?.(`asking ${what}`),
    });
    const findings = await filesFindings(facts, io.clock.now());
    sections.push({ about: service.filesUrl, findings });
  }
  const urls = service.endpoints.map(({ id }) => new URL(scepUrl(base, id)));
  return { sections, urls };
}

async function probeOf(io: Io, options: Options): Promise<Probe | undefined> {
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
