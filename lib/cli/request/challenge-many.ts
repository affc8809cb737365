// scepter challenge create --from: a challenge for each row of a table. All rows are checked before the first challenge
// is made, and the same file again gets the same challenges: each row has an Idempotency-Key of its own.

import type { AnswerTo, Api } from '../../api/api.ts';
import type { SentTo } from '../../api/route.ts';
import { hex, utf8 } from '../../base/bytes.ts';
import { canonicalText } from '../../base/json.ts';
import { hash } from '../../crypto/native.ts';
import { askApi } from '../api.ts';
import { CliError, type Io, jsonLine } from '../io.ts';
import { type Fault, type FileRow, refuseFile, tableRows } from '../many/rows.ts';
import { AT_ONCE, inLanes } from '../many/run.ts';
import { type CsvValue, csvLine } from '../show.ts';
import { counted } from '../text.ts';
import { bindingOf } from './binding.ts';

/** The names of the options. */
const always = ['endpoint', 'subject', 'san', 'uses', 'ttl'] as const;
const seldom = ['eku', 'key', 'key-hash', 'device', 'source', 'profile', 'validity'] as const;
export const columns = [...always, ...seldom] as const;
type Column = (typeof columns)[number];
/** Those whose cells hold several. */
const lists: readonly Column[] = ['san', 'eku', 'source'];

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

type Body = SentTo<Api['POST /challenges']>['body'];
type Made = AnswerTo<'POST /challenges'>;

export async function createMany(io: Io, file: string, asked: Asked): Promise<void> {
  const rows = await tableRows(io, file, columns);
  const twice: Fault[] = rows.flatMap(({ line, cells }) =>
    columns
      .filter((column) => !lists.includes(column) && (cells[column]?.length ?? 0) > 1)
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
    const said = [...always, ...seldom.filter((column) => rows.some(({ cells }) => cells[column]))];
    io.out(csvLine([...said, 'id', 'challenge', 'expiresAt']));
    for (const [at, body] of bodies.entries()) {
      const cells = cellsOf(body);
      const { id, challenge, expiresAt } = made[at] ?? {};
      io.out(csvLine([...said.map((column) => cells[column]), id, challenge, expiresAt]));
    }
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

const cellsOf = ({ extKeyUsage, keyHash, sources, ...body }: Body): Record<Column, CsvValue> => ({
  ...{
    endpoint: body.endpoint,
    subject: body.subject,
    san: body.san,
    uses: body.uses,
    ttl: body.ttl,
  },
  ...{ eku: extKeyUsage, key: body.key, 'key-hash': keyHash, device: body.device, source: sources },
  ...{ profile: body.profile, validity: body.validity },
});

/** Several names in one cell stand apart by spaces: what begins with a type begins a name. */
export const namesIn = (cell: string): string[] =>
  cell.split(/\s+(?=(?:dns|email|uri|ip|upn|sid):)/i).map((name) => name.trim());

function bodyOf({ cells }: FileRow, asked: Asked): Body {
  const one = (column: Column): string | undefined => cells[column]?.[0];
  const words = (column: Column) => cells[column]?.flatMap((cell) => cell.split(/[\s,]+/));
  const bound = {
    ...{ subject: one('subject'), san: (cells.san ?? []).flatMap(namesIn), eku: words('eku') },
    ...{ key: one('key'), keyHash: one('key-hash'), device: one('device') },
    ...{ source: words('source'), profile: one('profile'), validity: one('validity') },
  };
  const ttl = one('ttl') ?? asked.ttl;
  return {
    endpoint: one('endpoint') ?? asked.endpoint,
    ...bindingOf(bound),
    uses: Number(one('uses') ?? asked.uses),
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

/** By the API's name, where that is another. */
const columnOf: Readonly<Record<string, Column>> = {
  ...{ extKeyUsage: 'eku', keyHash: 'key-hash', sources: 'source' },
};

/** The sentence, without the address, and the column that it names. */
function parted({ url }: Io, { message }: CliError): Omit<Fault, 'line'> {
  const said = message.startsWith(`${url}: `) ? message.slice(url.length + 2) : message;
  const [, column = '', rest = said] = /^(\w+)(?:\[\d+\])?: (.*)$/s.exec(said) ?? [];
  const known = columns.find((one) => one === (columnOf[column] ?? column));
  return known === undefined ? { said } : { column: known, said: rest };
}
