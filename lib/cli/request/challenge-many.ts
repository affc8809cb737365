// scepter challenge create --from: a challenge for each row of a table. All rows are checked before the first challenge
// is made, and the same file again gets the same challenges: each row has an Idempotency-Key of its own.

import type { AnswerTo } from '../../api/api.ts';
import { hex, utf8 } from '../../base/bytes.ts';
import { canonicalText } from '../../base/json.ts';
import { hash } from '../../crypto/native.ts';
import { askApi } from '../api.ts';
import { CliError, type Io, jsonLine } from '../io.ts';
import { type Fault, type FileRow, refuseFile, tableRows } from '../many/rows.ts';
import { AT_ONCE, inLanes } from '../many/run.ts';
import { csvLine } from '../show.ts';
import { counted } from '../text.ts';

/** The names of the options. */
const columns = ['endpoint', 'subject', 'san', 'uses', 'ttl'] as const;

type Asked = {
  /** For rows that do not say it. */
  readonly endpoint: string;
  readonly uses: string;
  readonly ttl: string | undefined;
  /** Another batch makes other challenges of the same rows. */
  readonly batch: string;
  readonly dryRun: boolean;
  readonly json: boolean;
};

type Body = {
  readonly endpoint: string;
  readonly subject?: string;
  readonly san: readonly string[];
  readonly uses: number;
  readonly ttl?: string;
};
type Made = AnswerTo<'POST /challenges'>;

export async function createMany(io: Io, file: string, asked: Asked): Promise<void> {
  const rows = await tableRows(io, file, columns);
  const twice: Fault[] = rows.flatMap(({ line, cells }) =>
    columns
      .filter((column) => column !== 'san' && (cells[column]?.length ?? 0) > 1)
      .map((column) => ({ line, column, said: 'stands more than once' })),
  );
  if (twice.length > 0) refuseFile(io, file, twice);
  const bodies = rows.map((row) => bodyOf(row, asked));
  const faults: Fault[] = [];
  await inLanes(bodies, AT_ONCE, async (body, at) => {
    io.progress?.(`checked ${at} of ${rows.length}`);
    const said = await askApi(io, 'POST /challenges/check', { body }).catch(faultIn);
    if (said instanceof CliError) faults.push({ line: rows[at]?.line ?? 0, ...parted(io, said) });
  });
  io.progress?.('');
  if (faults.length > 0) refuseFile(io, file, faults);
  if (asked.dryRun) {
    io.note(`${counted(rows.length, 'row')}: a challenge could be made for each; none was`);
    return;
  }
  await make(io, rows, bodies, asked);
}

async function make(io: Io, rows: readonly FileRow[], bodies: readonly Body[], asked: Asked) {
  const keys = keysOf(bodies, asked.batch);
  const made: Made[] = [];
  const failed: Fault[] = [];
  let end: CliError | undefined;
  await inLanes(bodies, AT_ONCE, async (body, at) => {
    if (end) return;
    const sent = { body, once: keys[at] };
    const said = await askApi(io, 'POST /challenges', sent).catch((error: unknown) => {
      if (!(error instanceof CliError)) throw error;
      if (error.exit === 'remote' || error.exit === 'notAllowed') end = error;
      failed.push({ line: rows[at]?.line ?? 0, said: error.message });
    });
    if (said) made[at] = said as Made;
    io.progress?.(`made ${made.filter(Boolean).length} of ${rows.length}`);
  });
  io.progress?.('');
  if (asked.json) {
    const challenges = rows.map(({ line }, at) => ({ line, ...bodies[at], ...made[at] }));
    io.out(jsonLine({ challenges }));
  } else {
    io.out(csvLine([...columns, 'id', 'challenge', 'expiresAt']));
    for (const [at, body] of bodies.entries()) io.out(lineOf(body, made[at]));
  }
  for (const { line, said } of failed) io.note(`line ${line}: ${said}`);
  const count = made.filter(Boolean).length;
  io.note(`${counted(rows.length, 'row')}: ${counted(count, 'challenge')}`);
  if (count === rows.length) return;
  throw new CliError(
    end?.exit ?? 'failure',
    `${rows.length - count} of ${rows.length} not made; the same command tries them again, and gets the same challenges for the others`,
  );
}

const lineOf = ({ endpoint, subject, san, uses, ttl }: Body, made: Made | undefined): string =>
  csvLine([
    ...[endpoint, subject, san, uses, ttl],
    ...[made?.id, made?.challenge, made?.expiresAt],
  ]);

/** Several names in one cell stand apart by spaces: what begins with a type begins a name. */
const namesIn = (cell: string): string[] =>
  cell.split(/\s+(?=(?:dns|email|uri|ip|upn|sid):)/i).map((name) => name.trim());

function bodyOf({ cells }: FileRow, asked: Asked): Body {
  const [subject] = cells.subject ?? [];
  const [ttl = asked.ttl] = cells.ttl ?? [];
  return {
    endpoint: cells.endpoint?.[0] ?? asked.endpoint,
    ...(subject === undefined ? {} : { subject }),
    san: (cells.san ?? []).flatMap(namesIn),
    uses: Number(cells.uses?.[0] ?? asked.uses),
    ...(ttl === undefined ? {} : { ttl }),
  };
}

/** Of each row another key, also of rows that say the same; of the same row in the same batch always the same. */
function keysOf(bodies: readonly Body[], batch: string): string[] {
  const before = new Map<string, number>();
  return bodies.map((body) => {
    const text = canonicalText(JSON.parse(JSON.stringify(body)));
    const nth = before.get(text) ?? 0;
    before.set(text, nth + 1);
    return `file-${hex(hash('SHA-256', utf8(canonicalText([batch, text, nth]))))}`;
  });
}

/** What the server says against a row; anything else ends the command. */
function faultIn(error: unknown): CliError {
  if (error instanceof CliError && error.exit === 'usage') return error;
  throw error;
}

/** The sentence, without the address, and the column that it names. */
function parted({ url }: Io, { message }: CliError): Omit<Fault, 'line'> {
  const said = message.startsWith(`${url}: `) ? message.slice(url.length + 2) : message;
  const [, column, rest = said] =
    /^(endpoint|subject|san|uses|ttl)(?:\[\d+\])?: (.*)$/s.exec(said) ?? [];
  return column === undefined ? { said } : { column, said: rest };
}
