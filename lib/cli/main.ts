// The table of commands, and how any of them ends.

import { Command, CommanderError } from 'commander';
import { visible } from '../visible.ts';
import { caCommand, crlCommand } from './ca.ts';
import { certCommand } from './cert.ts';
import { challengeCommand } from './challenge.ts';
import { completionCommand } from './completion.ts';
import { configCommand } from './config.ts';
import { enrolCommand } from './enrol.ts';
import { explainCommand } from './explain.ts';
import { inspectCommand } from './inspect.ts';
import { CliError, exitCodes, type Io } from './io.ts';
import { logCommand } from './log.ts';
import { renewCommand } from './renew.ts';
import { statusCommand } from './status.ts';
import { txnCommand } from './txn.ts';

/** Every command, none of them run. */
export function makeProgram(version: string, io: Io): Command {
  const program = new Command('scepter')
    .description('SCEP certificate enrolment: run it, use it, explain it')
    .version(version)
    .addHelpText(
      'after',
      `
Exit codes: 0 ok, 1 failure, 2 usage, 3 not found, 4 not allowed, 5 remote, 6 verification failed
Environment: SCEPTER_URL, SCEPTER_TOKEN, SCEPTER_DATA_DIR (where the token file of "npm start" is),
             SCEPTER_CONFIG`,
    );
  const commands = [
    challengeCommand(io),
    txnCommand(io),
    certCommand(io),
    crlCommand(io),
    caCommand(io),
    enrolCommand(io),
    renewCommand(io),
    inspectCommand(io),
    statusCommand(io),
    logCommand(io),
    explainCommand(io),
    configCommand(io),
    completionCommand(io, () => program),
  ];
  for (const command of commands) program.addCommand(command);
  strict(program, io);
  return program;
}

/** @returns the exit code */
export async function runCli(args: readonly string[], version: string, io: Io): Promise<number> {
  try {
    await makeProgram(version, io).parseAsync(args, { from: 'user' });
    return exitCodes.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCodes.usage;
    io.note(`scepter: ${visible(error instanceof Error ? error.message : String(error))}`);
    return exitCodes[error instanceof CliError ? error.exit : 'failure'];
  }
}

/** Every command throws instead of exiting, writes through `io`, and shows help when it is lost. */
function strict(command: Command, io: Io): void {
  command
    .exitOverride()
    .configureOutput({ writeOut: io.out, writeErr: (text) => io.note(text.trimEnd()) })
    .showSuggestionAfterError()
    .showHelpAfterError('(--help shows what there is)');
  for (const child of command.commands) strict(child, io);
}
