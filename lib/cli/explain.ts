// scepter explain: what a code means that a device was refused with. It asks nobody.

import { Command } from 'commander';
import { failInfo, type Reason, reasons } from '../errors.ts';
import { CliError, type Io, jsonLine } from './io.ts';
import { aligned, section } from './text.ts';

export function explainCommand(io: Io): Command {
  return new Command('explain')
    .argument(
      '[code]',
      'as failInfoText, the log or "txn show" has it: SCEP-311, 311, subjectNotBound',
    )
    .description('what a refusal means, and what to change')
    .option('--list', 'print all codes')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  scepter explain SCEP-311
  scepter explain --list
  scepter explain keyIsRoca --json | jq -r .text`,
    )
    .action((code: string | undefined, { list, json }: { list?: true; json?: true }) => {
      if ((code === undefined) !== (list === true)) {
        throw new CliError('usage', 'give a code, or --list for all of them');
      }
      if (code === undefined) {
        const all = (Object.keys(reasons) as Reason[]).map(explained);
        io.out(json ? jsonLine({ codes: all }) : table(all));
      } else {
        const found = explained(reasonOf(code));
        io.out(json ? jsonLine(found) : page(found));
      }
    });
}

const explained = (reason: Reason) => ({ ...reasons[reason], reason });
type Explained = ReturnType<typeof explained>;

/** @throws {CliError} notFound */
function reasonOf(text: string): Reason {
  const wanted = text.toLowerCase().replace(/^(scep-?)?(?=\d{3}$)/, 'scep-');
  const found = (Object.keys(reasons) as Reason[]).find(
    (reason) => reason.toLowerCase() === wanted || reasons[reason].code.toLowerCase() === wanted,
  );
  if (!found)
    throw new CliError('notFound', `there is no code "${text}": --list has all there are`);
  return found;
}

const page = ({ code, reason, failInfo: info, text }: Explained): string =>
  section(`${code} ${reason}`, [
    ['told', `failInfo ${info} (${failInfo[info]}), failInfoText "${code}: ${text}"`],
  ]);

const table = (all: readonly Explained[]): string =>
  aligned([
    ['CODE', 'REASON', 'FAILINFO', 'TEXT'],
    ...all.map(({ code, reason, failInfo: info, text }) => [code, reason, info, text]),
  ]);
