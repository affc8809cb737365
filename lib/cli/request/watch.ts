// scepter txn watch: waits for the end of a request, and says by the exit code which it was.

import { Command, Option } from 'commander';
import type { AnswerTo } from '../../api/api.ts';
import { visible } from '../../base/text.ts';
import type { TransactionState } from '../../base/words.ts';
import { callApi } from '../api.ts';
import { durationOf, wait } from '../busy.ts';
import { CliError, type Io, jsonLine } from '../io.ts';
import { spoken } from '../text.ts';
import { transactionId } from './which.ts';

type Story = AnswerTo<'GET /transactions/{id}'>;

/** What a state says while it is watched, or that it is the end. */
const meanings = {
  pending: 'an approver has to allow it',
  approved: 'its device has to ask again',
  intended: 'its certificate is being made',
  signed: 'its certificate waits for a validator to release it',
  issued: 'end',
  denied: 'end',
  expired: 'end',
  voided: 'end',
  revoked: 'end',
  refused: 'end',
} as const satisfies Record<TransactionState, string>;

type Options = {
  readonly pollInterval: number;
  readonly maxWait: number;
  readonly json?: true;
};

export function watchCommand(io: Io): Command {
  return new Command('watch')
    .argument('<id>', 'as "txn list" prints it, or the beginning of one')
    .description('wait until a request has its certificate, or is known to get none')
    .addOption(
      new Option('--poll-interval <duration>', 'between two looks')
        .argParser(durationOf)
        .default(5000, '5s'),
    )
    .addOption(
      new Option('--max-wait <duration>', 'how long to wait; 0: look once')
        .argParser((text) => (text === '0' ? 0 : durationOf(text)))
        .default(3_600_000, '1h'),
    )
    .option('--json', 'print one JSON object at the end, as "txn show" does')
    .addHelpText(
      'after',
      `
Exit code 0: its certificate was issued. 1: it was denied, refused, revoked or has expired, or still waits. Changes are
said on standard error, the end on standard output.

Examples:
  scepter txn watch 01K4QD6W6ZJ5S5M0V1X7TB2C3D
  scepter txn watch 01K4QD6W6ZJ5S5M0V1X7TB2C3D --max-wait 8h --json | jq -r .serial`,
    )
    .action(async (given: string, options: Options) =>
      watch(io, await transactionId(io, given), options),
    );
}

async function watch(io: Io, id: string, { pollInterval, maxWait, json }: Options): Promise<void> {
  const began = io.clock.now();
  let before: TransactionState | undefined;
  for (;;) {
    const story = await callApi(io, 'GET /transactions/{id}', { params: { id } });
    const { state } = story;
    if (meanings[state] === 'end') return ended(io, story, json === true);
    const waited = io.clock.now() - began;
    if (state !== before) io.note(`${story.id} ${state}: ${meanings[state]}`);
    before = state;
    if (waited >= maxWait) {
      throw new CliError('failure', `still ${state} after ${spoken(waited)}`);
    }
    const pause = Math.min(pollInterval, maxWait - waited);
    const so = `watched ${spoken(waited)} of ${spoken(maxWait)}`;
    if (io.progress) await wait(io, pause, (time) => `${state}: looking again in ${time} (${so})`);
    else await io.clock.sleep(pause);
  }
}

function ended(io: Io, story: Story, json: boolean): void {
  const { id, state, subject, serial } = story;
  const made = serial === undefined ? '' : `, serial ${serial}`;
  io.out(json ? jsonLine(story) : `${visible(`${id} ${state}: ${subject}${made}`)}\n`);
  if (state === 'issued') return;
  throw new CliError(
    'failure',
    `the request was not granted: it is ${state}`,
    `scepter txn show ${id}`,
  );
}
