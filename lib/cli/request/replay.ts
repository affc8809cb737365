// scepter policy replay: recorded requests under another configuration, page by page; whose outcome would differ is printed
// as it is found, so that a year of requests needs no more memory than a page of them.

import { Command } from 'commander';
import type { AnswerTo } from '../../api/api.ts';
import { visible } from '../../base/text.ts';
import type { NotReplayed } from '../../base/words.ts';
import { parseDuration } from '../../config/duration.ts';
import { callApi } from '../api.ts';
import { CliError, type Io, jsonLine } from '../io.ts';
import { requireUnaltered } from '../pages.ts';
import { readConfig } from '../service/config.ts';
import { counted, seconds } from '../text.ts';

type Page = AnswerTo<'POST /replay'>;
type Differing = Page['differing'][number];

/** Judging takes some milliseconds for each: a page is answered in time by a small function, too. */
const PAGE = 50;

const words = { grant: 'issued', pend: 'an approver asked', deny: 'refused' } as const;

const whyNot: Readonly<Record<NotReplayed, string>> = {
  requestGone: 'the request is kept no longer, or was too large to be kept',
  challengeGone: 'the challenge is not on record, or no longer',
  certificateGone: 'the certificate that signed is on record no longer',
  proofUnknown:
    'what it brought is not on record, or is not of the kind that the configuration asks for',
  validatorUnasked: 'a validator that the configuration names was not asked then',
  trouble: 'the service had trouble, or a CA that is younger than the request',
};

type Options = {
  readonly config: string;
  readonly since: string;
  readonly endpoint?: string;
  readonly json?: true;
};

export function replayCommand(io: Io): Command {
  return new Command('replay')
    .description(
      'recorded requests under another configuration: whose outcome would differ; nothing is written and nothing is signed',
    )
    .requiredOption(
      '--config <file>',
      'the other configuration: JSON, comments allowed; "-" for standard input',
    )
    .option('--since <time>', 'how far back: a duration such as 30d, or a time', '30d')
    .option('--endpoint <name>', 'only requests of this endpoint (default: of all)')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Exit code 0: no outcome would differ. 1: some would.
The server judges, by the rules that it answers devices by, at the time of each request. What nobody can know again is
as it was found then: whether its challenge was good, what validators outside said, that its certificate could renew.
Static challenges and those of other systems are not kept: one that was good counts as good. Device lists are those of
now. Compared is what would become of the request (issued, refused, an approver asked), not what its certificate would
say: "policy test" shows that. Requests that cannot be judged again are counted, with why, as not replayed.

Examples:
  scepter policy replay --config next.json
  scepter policy replay --config next.json --since 7d --endpoint vpn
  scepter policy replay --config next.json --since 2030-01-31 --json | jq '.differing[].subject'`,
    )
    .action((options: Options) => replay(io, options));
}

async function replay(io: Io, { config, since: from, endpoint, json }: Options): Promise<void> {
  const { document } = await readConfig(io, config);
  const since = timeOf(io, from);
  const body = { config: document as Record<string, unknown>, since, endpoint, limit: PAGE };
  const notReplayed = new Map<NotReplayed, number>();
  const altered = new Set<string>();
  let [compared, differing] = [0, 0];
  if (json) io.out('{"differing":[');
  for (let cursor: string | undefined, more = true; more; ) {
    const page = await callApi(io, 'POST /replay', { body: { ...body, cursor } });
    for (const one of page.differing) {
      if (json) io.out(`${differing > 0 ? ',' : ''}${jsonLine(one).trimEnd()}`);
      else io.out(textOf(one));
      differing++;
    }
    compared += page.compared;
    for (const [why, count] of Object.entries(page.notReplayed) as [NotReplayed, number][]) {
      notReplayed.set(why, (notReplayed.get(why) ?? 0) + count);
    }
    for (const name of page.altered ?? []) altered.add(name);
    [cursor, more] = [page.next ?? undefined, page.next !== null];
    io.progress?.(more ? `${compared} compared, ${differing} would differ` : '');
  }
  if (json) {
    const counts = { since, compared, notReplayed: Object.fromEntries(notReplayed) };
    io.out(`],${jsonLine(counts).slice(1)}`);
  }
  for (const [why, count] of notReplayed) {
    io.note(`not replayed: ${counted(count, 'request')}: ${whyNot[why]}`);
  }
  io.note(`${counted(compared, 'request')} compared${differing > 0 ? '' : ': none would differ'}`);
  requireUnaltered(io, [...altered]);
  if (differing > 0) {
    throw new CliError('failure', `${counted(differing, 'request')} would have another outcome`);
  }
}

/** ISO 8601. @throws {CliError} usage */
function timeOf({ clock }: Io, text: string): string {
  const ms = parseDuration(text);
  const at = ms === undefined ? Date.parse(text) : clock.now() - ms;
  if (!Number.isNaN(at)) return new Date(at).toISOString();
  throw new CliError(
    'usage',
    `--since: "${text}" is neither a duration such as 30d nor a time such as 2030-01-31`,
  );
}

function textOf({ id, endpoint, subject, createdAt, was, would }: Differing): string {
  const { rule, evidence: { value, allowed } = {} } = would;
  const asked = value === undefined ? '' : `; asked for: ${value}`;
  const may = allowed === undefined ? '' : `, allowed: ${allowed}`;
  const by = rule === undefined ? '' : ` (${rule}${asked}${may})`;
  return [
    `${seconds(createdAt)}  ${id}  ${endpoint}  ${subject || '(empty)'}`,
    `  was       ${outcome(was)}`,
    `  would be  ${outcome(would)}${by}`,
  ]
    .map((line) => `${visible(line)}\n`)
    .join('');
}

const outcome = ({ decision, code, text }: Differing['was']): string => {
  const why = [code, text].filter((said) => said !== undefined).join(': ');
  return why === '' ? words[decision] : `${words[decision]}: ${why}`;
};
