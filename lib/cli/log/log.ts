// scepter log tail, export: all events, for people and for other systems.

import { Command, Option } from 'commander';
import { canonicalText } from '../../base/json.ts';
import { visible } from '../../base/text.ts';
import { timeOfUlid } from '../../base/ulid.ts';
import { type EventType, eventTypes } from '../../base/words.ts';
import { parseDuration } from '../../config/duration.ts';
import { callApi } from '../api.ts';
import { wholeSerial } from '../certificate/which.ts';
import { CliError, type Io, jsonLine } from '../io.ts';
import { limitOf, noteAltered, requireUnaltered } from '../pages.ts';
import { transactionId } from '../request/which.ts';
import { formatOf, outFile, outOption, outputOption, type ShowOptions } from '../show.ts';
import { counted, seconds } from '../text.ts';
import { csvHeadings, csvRow } from './csv.ts';
import { eventPages, formats, openFile, type Sink } from './export.ts';
import { type EventBody, stepRow } from './happened.ts';
import { addOperating } from './operate.ts';
import { addVerifying } from './verify.ts';

type Filters = {
  readonly type?: EventType;
  readonly transaction?: string;
  readonly serial?: string;
};

type ExportOptions = Filters & {
  readonly format: keyof typeof formats;
  readonly from?: string;
  readonly until?: string;
  readonly after?: string;
  readonly out?: string;
  readonly continue?: true;
  readonly json?: true;
};

const filters = (): Option[] => [
  new Option('--type <type>', 'only events of this type').choices(eventTypes),
  new Option('--transaction <id>', 'only what happened to this transaction'),
  new Option('--serial <hex>', 'only what happened to the certificate with this serial number'),
];

export function logCommand(io: Io): Command {
  const log = new Command('log');
  const tail = log
    .command('tail')
    .description('the last events, and with -f every further one')
    .option('-n, --lines <n>', 'how many to begin with', limitOf, 20)
    .option('-f, --follow', 'go on until stopped');
  for (const option of filters()) tail.addOption(option);
  tail
    .addOption(outputOption())
    .option('--json', 'one JSON object a line')
    .addHelpText(
      'after',
      `
Examples:
  scepter log tail
  scepter log tail -f --type request.refused
  scepter log tail -n 100 --json | jq -r .type | sort | uniq -c`,
    )
    .action((options: TailOptions) => tailLog(io, options));
  const exports = log
    .command('export')
    .description('every event, oldest first, as lines for programs, spreadsheets and SIEMs')
    .addOption(
      new Option(
        '--format <format>',
        'jsonl: as they were hashed; csv: for spreadsheets; ocsf (1.8.0), cef: for SIEMs',
      )
        .choices(Object.keys(formats))
        .default('jsonl'),
    )
    .option(
      '--from <time>',
      'from this time on: 2031-01-31, 2031-01-31T09:00:00Z, or 7d for a week ago',
    )
    .option('--until <time>', "before this time (default: now, by this machine's clock)")
    .option('--after <id>', 'only what is behind this event')
    .addOption(outOption('; it is there when it is complete'))
    .option('--continue', 'go on with the --out file of an export that was interrupted');
  for (const option of filters()) exports.addOption(option);
  exports
    .option('--json', 'with --out: print what was written as one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  scepter log export --out events.jsonl
  scepter log export --out events.jsonl --continue
  scepter log export --format csv --from 2031-01-01 --until 2031-02-01 --out january.csv
  scepter log export --format ocsf --from 24h | jq -c 'select(.class_uid == 3002)'
  scepter log export --format cef --out events.cef
  scepter log export --from 24h --type certificate.issued | jq -r .personal.subject`,
    )
    .action((options: ExportOptions) => exportLog(io, options));
  log
    .command('forget')
    .description('forgets whom and what the events of a transaction name')
    .argument('<id>', 'of a transaction, or the beginning of one')
    .option('--yes', 'do it; without this, only say what would be forgotten')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Its events stay, without names, addresses and notes: the log keeps the hash of what is gone, and an event
log.forgotten says who did it. The records of the request and of the certificate are not changed.

Examples:
  scepter log forget 01K4QD6W6ZJ5S5M0V1X7TB2C3D
  scepter log forget 01K4QD6W6ZJ5S5M0V1X7TB2C3D --yes`,
    )
    .action((id: string, options: ForgetOptions) => forget(io, id, options));
  addOperating(log, io);
  addVerifying(log, io);
  return log;
}

type TailOptions = Filters &
  ShowOptions & {
    readonly lines: number;
    readonly follow?: true;
  };

const lines = {
  table: (event) => `${lineOf(event)}\n`,
  json: (event) => `${visible(canonicalText(event))}\n`,
  csv: csvRow,
} as const satisfies Record<string, (event: EventBody) => string>;

/** Milliseconds between two looks at the log. */
const FOLLOW_MS = 2000;
/** How far back a look goes: events of several servers do not arrive in the order of their times. */
const OVERLAP_MS = 10_000;

async function tailLog(io: Io, options: TailOptions): Promise<void> {
  const { lines: limit, follow, output, json, ...filters } = options;
  const format = formatOf(options);
  const show = (event: EventBody) => io.out(lines[format](event));
  const query = await whole(io, filters);
  const newest = { ...query, order: 'newest', limit } as const;
  const { events, altered: told = [] } = await callApi(io, 'GET /events', { query: newest });
  const altered = new Set(told);
  if (format === 'csv') io.out(csvHeadings);
  for (const event of [...events].reverse()) show(event);
  if (events.length + altered.size === 0 && !follow) io.note('no such events');
  if (!follow) requireUnaltered(io, told);
  else noteAltered(io, told);
  let seen = new Set(events.map(({ id }) => id));
  let latest = events[0] ? timeOfUlid(events[0].id) : io.clock.now();
  while (follow) {
    await io.clock.sleep(FOLLOW_MS);
    // An event of the future, by a wrong clock, must not hide those that come until then.
    const from = Math.min(latest, io.clock.now()) - OVERLAP_MS;
    const since = new Date(from).toISOString();
    const known = new Set(altered);
    for await (const page of eventPages(io, { ...query, from: since }, altered)) {
      for (const event of page.filter(({ id }) => !seen.has(id))) {
        seen.add(event.id);
        latest = Math.max(latest, timeOfUlid(event.id));
        show(event);
      }
    }
    noteAltered(
      io,
      [...altered].filter((name) => !known.has(name)),
    );
    seen = new Set([...seen].filter((id) => timeOfUlid(id) >= from));
  }
}

/** An event on one line. */
function lineOf(event: EventBody): string {
  const [time = '', type = '', who = '', what = ''] = stepRow(event);
  const about = [event.endpoint ?? event.ca, event.personal?.subject, what];
  const said = about.filter(Boolean).join(', ');
  return visible(`${time}  ${type.padEnd(21)}  ${who.padEnd(6)}  ${said}`.trimEnd());
}

/** Events between two lines of progress where there is no terminal. */
const PROGRESS_EVENTS = 10_000;

async function exportLog(io: Io, options: ExportOptions): Promise<void> {
  const {
    format: name,
    out: given,
    continue: goOn,
    after,
    json,
    from,
    until,
    ...filters
  } = options;
  const out = outFile(given);
  if (out === undefined && (goOn || json)) {
    throw new CliError('usage', `${goOn ? '--continue' : '--json'} needs --out`);
  }
  if (after !== undefined && Number.isNaN(timeOfUlid(after))) {
    throw new CliError('usage', `--after: "${after}" is not the id of an event`);
  }
  const format = formats[name];
  const sink =
    out === undefined
      ? stdoutOf(io, format.head, after)
      : await openFile(out, format, goOn === true);
  const stopped = io.stopped();
  const now = io.clock.now();
  const altered = new Set<string>();
  const asked = {
    ...(await whole(io, filters)),
    from: timeFrom(from, now),
    until: timeFrom(until, now) ?? new Date(now).toISOString(),
  };
  let count = 0;
  let last: EventBody | undefined;
  try {
    for await (const page of eventPages(io, asked, altered, sink.after ?? after)) {
      await sink.write(page.map(format.line).join(''));
      const before = count;
      count += page.length;
      last = page.at(-1);
      const line = `${counted(count, 'event')}, up to ${seconds(last?.time ?? '')}`;
      if (io.progress) io.progress(line);
      else if (Math.floor(count / PROGRESS_EVENTS) > Math.floor(before / PROGRESS_EVENTS))
        io.note(line);
      stopped.throwIfAborted();
    }
    await sink.done();
  } catch (error) {
    io.progress?.('');
    const behind = last?.id ?? sink.after ?? after;
    const how = out === undefined ? behind && `--after ${behind}` : '--continue';
    if (how) io.note(`${counted(count, 'event')} written; to go on: the same command with ${how}`);
    if (stopped.aborted) throw new CliError('failure', 'interrupted');
    throw error;
  } finally {
    await sink.close();
  }
  io.progress?.('');
  const told = altered.size > 0 ? { altered: [...altered] } : {};
  const summary = { events: count, file: out, last: last?.id, ...told };
  if (json) io.out(jsonLine(summary));
  else io.note(`${counted(count, 'event')}${out === undefined ? '' : ` written to ${out}`}`);
  requireUnaltered(io, [...altered]);
}

type ForgetOptions = { readonly yes?: true; readonly json?: true };

async function forget(io: Io, given: string, { yes, json }: ForgetOptions): Promise<void> {
  const id = await transactionId(io, given);
  if (yes) {
    const { events } = await callApi(io, 'POST /transactions/{id}/forget', { params: { id } });
    return io.out(
      json ? jsonLine({ events }) : `forgotten: what ${counted(events, 'event')} named\n`,
    );
  }
  let events = 0;
  const altered = new Set<string>();
  for await (const page of eventPages(io, { transaction: id }, altered)) {
    events += page.filter(({ type, personal }) => personal && type !== 'log.forgotten').length;
  }
  requireUnaltered(io, [...altered]);
  if (json) io.out(jsonLine({ events }));
  throw new CliError(
    'failure',
    `nothing was done: with --yes, what ${counted(events, 'event')} of it name is forgotten, and cannot be had back`,
  );
}

/** With the whole id and serial number, of which the beginning is enough. */
async function whole(io: Io, { transaction, serial, ...filters }: Filters): Promise<Filters> {
  return {
    ...filters,
    ...(transaction === undefined ? {} : { transaction: await transactionId(io, transaction) }),
    ...(serial === undefined ? {} : { serial: await wholeSerial(io, serial) }),
  };
}

function stdoutOf(io: Io, head: string, after: string | undefined): Sink {
  if (head && after === undefined) io.out(head);
  return {
    after,
    write: async (text) => io.out(text),
    done: async () => {},
    close: async () => {},
  };
}

/** A time as the API takes it; `7d` is that long ago. */
function timeFrom(text: string | undefined, now: number): string | undefined {
  const ago = text === undefined ? undefined : parseDuration(text);
  return ago === undefined ? text : new Date(now - ago).toISOString();
}
