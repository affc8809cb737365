// scepter explain: what the code of a refusal means. It asks no server.

import { Command } from 'commander';
import { failInfo, failInfoOf } from '../../protocol/scep/wire/fail-info.ts';
import { explained } from '../../refusal/explanations.ts';
import { type Reason, reasons } from '../../refusal/reasons.ts';
import { CliError, type Io } from '../io.ts';
import { reasonOf } from '../request/refusal.ts';
import { outputOption, pagerOption, type ShowOptions, show } from '../show.ts';
import type { Sheet } from '../text.ts';

export function explainCommand(io: Io): Command {
  return new Command('explain')
    .argument(
      '[code]',
      'as failInfoText, the log or "txn show" has it: SCEP-311, 311, subjectNotBound',
    )
    .option('--list', 'print all codes')
    .addOption(outputOption())
    .option('--json', 'print one JSON object')
    .addOption(pagerOption())
    .addHelpText(
      'after',
      `
Examples:
  scepter explain SCEP-311
  scepter explain --list
  scepter explain keyIsRoca --json | jq -r .text`,
    )
    .action((code: string | undefined, { list, ...options }: ShowOptions & { list?: true }) => {
      if ((code === undefined) !== (list === true)) {
        throw new CliError('usage', 'give a code, or --list for all of them');
      }
      if (code === undefined) {
        const all = (Object.keys(reasons) as Reason[]).map(described);
        return show(io, options, { json: { codes: all }, page: () => table(all) });
      }
      const reason = reasonOf(code);
      if (!reason) {
        throw new CliError('notFound', `there is no code "${code}"; --list prints all codes`);
      }
      const found = described(reason);
      return show(io, options, { json: found, page: () => page(found) });
    });
}

const described = (reason: Reason) => {
  const { code, text, rule, means, change } = explained(reason);
  return { reason, failInfo: failInfoOf[reason], code, text, rule, means, change };
};
type Explained = ReturnType<typeof described>;

const page = ({ code, reason, failInfo: info, text, means, rule, change }: Explained): Sheet => [
  [
    {
      heading: `${code} ${reason}`,
      fields: [
        ['told', `failInfo ${info} (${failInfo[info]}), failInfoText "${code}: ${text}"`],
        ['means', means],
        ['rule', rule],
        ['change', change],
      ],
    },
  ],
];

const table = (all: readonly Explained[]): Sheet => [
  [
    {
      columns: ['CODE', 'REASON', 'FAILINFO', 'TEXT'],
      rows: all.map(({ code, reason, failInfo: info, text }) => [code, reason, info, text]),
    },
  ],
];
