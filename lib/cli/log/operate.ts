// scepter log key, recover: through a server, or by an operator's command on the records and the files themselves.

import type { Command } from 'commander';
import { visible } from '../../base/text.ts';
import { callApi } from '../api.ts';
import { CliError, type Io, jsonLine } from '../io.ts';
import { operating, where as operatorsWhere } from '../operating.ts';
import { counted } from '../text.ts';

export function addOperating(log: Command, io: Io): void {
  log
    .command('key')
    .description('what a log is verified with: its verifier key, for auditors to keep')
    .argument('[log]', 'the name of its CA, or system', 'default')
    .option('--json', 'print all logs as one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  scepter log key > default.vkey
  scepter log key system
  scepter log key --json | jq -r '.logs[] | [.log, .size, .time] | @tsv'`,
    )
    .action((name: string, options: { json?: true }) =>
      operating(io, (asked) => printKey(asked, name, options)),
    );
  log
    .command('recover')
    .description('lets a log go on after its records or its files were put back to another moment')
    .argument('<log>', 'the name of its CA, or system')
    .option(
      '--new-key',
      'the key that signed it is lost: end it, and begin the next one under the key of the logs as it is now, or a new one',
    )
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
What is published is the log, if it is there and whole: it goes on from its newest checkpoint. Where it is
lost, the log has ended, and goes on as the next one, NAME.2, with a verifier key of its own: what was in it
cannot be proven until its files are back. The same with --new-key, where it is still proven by its own key.
${operatorsWhere}
Examples:
  scepter log recover default
  scepter log recover system --json | jq .lost
  scepter log recover default --new-key`,
    )
    .action((name: string, options: RecoverOptions) =>
      operating(io, (asked) => recover(asked, name, options)),
    );
}

type RecoverOptions = { readonly newKey?: true; readonly json?: true };

async function recover(io: Io, log: string, { newKey, json }: RecoverOptions): Promise<void> {
  const body = newKey ? { newKey } : {};
  const found = await callApi(io, 'POST /logs/{log}/recover', { params: { log }, body });
  if (json) return io.out(jsonLine(found));
  if (found.ended !== undefined) io.out(`${visible(found.ended)}\n`);
  io.out(`the log goes on as "${found.log}", from ${counted(found.size, 'event')}\n`);
  for (const id of found.lost) io.out(`${id}  is in the log, and no longer on record\n`);
}

async function printKey(io: Io, name: string, { json }: { json?: true }): Promise<void> {
  const found = await callApi(io, 'GET /logs');
  if (json) return io.out(jsonLine(found));
  const one = found.logs.find(({ log }) => log === name);
  if (!one) {
    const known = found.logs.map(({ log }) => log).join(', ') || 'none has begun';
    throw new CliError('notFound', `there is no log "${name}" (${known})`);
  }
  if (one.ended)
    io.note(`"${name}" has ended: it proves what is in it, and goes on as the next one`);
  io.out(`${one.verifierKey}\n`);
}
