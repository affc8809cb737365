// scepter status: the state of the service at a glance; scripts use the exit code.

import { Command } from 'commander';
import type { AnswerTo } from '../../api/api.ts';
import { CLOCK_SKEW_MS } from '../../base/limits.ts';
import { callApi } from '../api.ts';
import { filesFindings } from '../doctor/checks/files.ts';
import { filesFacts, QUESTION_MS } from '../doctor/gather.ts';
import { CliError, type Io } from '../io.ts';
import { outputOption, pagerOption, type ShowOptions, show } from '../show.ts';
import { counted, type Field, fromNow, type Sheet, seconds, spoken } from '../text.ts';

type Status = AnswerTo<'GET /status'>;

export function statusCommand(io: Io): Command {
  return new Command('status')
    .addOption(outputOption())
    .option('--json', 'print one JSON object')
    .addOption(pagerOption())
    .addHelpText(
      'after',
      `
Exit code 0: all is well. 1: the store, a CA, its RA, its CRL or a log needs attention, or the clocks differ.
Where certificates name CRLs at a "filesUrl", the certificate and the CRL of each CA are looked for there, too.
Weak algorithms that an endpoint is configured to accept are listed, and are not a failure.

Examples:
  scepter status
  scepter status --json | jq -r '.endpoints[] | select(.pending > 0).id'
  scepter status > /dev/null || mail -s "the CA needs attention" operator@example.com`,
    )
    .action((options: ShowOptions) => status(io, options));
}

async function status(io: Io, options: ShowOptions): Promise<void> {
  const found = await callApi(io, 'GET /status');
  const now = io.clock.now();
  const apart = Math.abs(Date.parse(found.time) - now);
  const here =
    apart > CLOCK_SKEW_MS ? [`its clock and the one here are ${spoken(apart)} apart`] : [];
  const files = await filesTroubles(io, found, now);
  const warnings = [...found.warnings, ...here, ...files];
  await show(io, options, {
    json: { ...found, warnings },
    page: () => page(found, { warnings, files }, io.url, now),
  });
  const wrong =
    here.length +
    files.length +
    [...found.cas, ...found.logs].reduce(
      (sum, { warnings: own }) => sum + own.length,
      isGood(found.store) ? 0 : 1,
    );
  if (wrong > 0) throw new CliError('failure', `${counted(wrong, 'problem')}: see the warnings`);
}

/** What whoever checks certificates would miss there. */
async function filesTroubles(io: Io, { filesUrl, cas }: Status, now: number): Promise<string[]> {
  if (filesUrl === undefined) return [];
  const named = cas.flatMap(({ id, notAfter }) => (notAfter === undefined ? [] : [id]));
  const limitMs = io.timeoutMs ?? QUESTION_MS;
  const facts = await filesFacts(filesUrl, named, {
    limitMs,
    progress: (what) => io.progress?.(`asking ${what}`),
  });
  const findings = await filesFindings(facts, now);
  return findings.flatMap(({ mark, says }) => (mark === 'fault' ? [says] : []));
}

const isGood = ({ reachable, writable }: Status['store']): boolean => reachable && writable;

const storeText = ({ reachable, writable }: Status['store']): string =>
  reachable ? (writable ? 'reachable, takes writes' : 'TAKES NO WRITES') : 'NOT REACHABLE';

const filesField = (url: string, isWell: boolean): Field => [
  'files',
  isWell ? `${url}: each CA's certificate and fresh CRL` : `${url}: SEE THE WARNINGS`,
  isWell ? 'good' : 'bad',
];

type Troubles = { readonly warnings: readonly string[]; readonly files: readonly string[] };

function page(found: Status, { warnings, files }: Troubles, url: string, now: number): Sheet {
  const { filesUrl, version, store, cas, logs, endpoints, morePending } = found;
  const until = (iso: string | undefined): string =>
    iso === undefined ? '-' : `${seconds(iso)} (${fromNow(iso, now)})`;
  const fields: Field[] = [
    ['server', `${url}, Scepter ${version}`],
    ['store', storeText(store), isGood(store) ? 'good' : 'bad'],
    ...(filesUrl === undefined ? [] : [filesField(filesUrl, files.length === 0)]),
  ];
  const caRows = cas.map(({ id, notAfter, raNotAfter, crl }) => [
    id,
    until(notAfter),
    until(raNotAfter),
    crl ? String(crl.number) : '-',
    until(crl?.nextUpdate),
  ]);
  const endpointRows = endpoints.map(
    ({ id, ca, profile, approval, approvers, legacy, pending }) => [
      id,
      ca,
      profile,
      approvers > 1 ? `${approval} by ${approvers}` : approval,
      legacy.join(',') || '-',
      `${pending}${morePending ? ' or more' : ''}`,
    ],
  );
  const caColumns = ['CA', 'UNTIL', 'RA UNTIL', 'CRL', 'NEXT CRL BY'];
  const logRows = logs.map(({ log, size, time }) => [
    log,
    size === undefined ? '-' : String(size),
    time === undefined ? '-' : `${seconds(time)} (${fromNow(time, now)})`,
  ]);
  const logColumns = ['LOG', 'EVENTS', 'NEWEST CHECKPOINT'];
  const endpointColumns = ['ENDPOINT', 'CA', 'PROFILE', 'APPROVAL', 'LEGACY', 'PENDING'];
  const validatorRows = endpoints.flatMap(({ id, validators }) =>
    validators.map((one) => [one.id, one.kind, one.at, id]),
  );
  const validatorColumns = ['VALIDATOR', 'KIND', 'ASKS', 'ENDPOINT'];
  const pageRows = endpoints.flatMap(({ id, pages }) => pages.map((path) => [path, id]));
  const warned: Field = ['warning', warnings];
  return [
    [{ fields }],
    [{ columns: caColumns, rows: caRows }],
    ...(logs.length > 0 ? [[{ columns: logColumns, rows: logRows }]] : []),
    [{ columns: endpointColumns, rows: endpointRows }],
    ...(validatorRows.length > 0 ? [[{ columns: validatorColumns, rows: validatorRows }]] : []),
    ...(pageRows.length > 0 ? [[{ columns: ['FOR MDMS', 'ENDPOINT'], rows: pageRows }]] : []),
    ...(warnings.length > 0 ? [[{ fields: [warned] }]] : []),
  ];
}
