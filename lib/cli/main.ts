// The table of commands, and how any of them ends.

import { Command, CommanderError } from 'commander';
import { visible } from '../visible.ts';
import { caCommand, crlCommand } from './ca.ts';
import { addKeyCommands, keyCommands } from './ca-keys.ts';
import { certCommand } from './cert.ts';
import { challengeCommand } from './challenge.ts';
import { completionCommand } from './completion.ts';
import { configCommand } from './config.ts';
import { enrolCommand } from './enrol.ts';
import { explainCommand } from './explain.ts';
import { inspectCommand } from './inspect.ts';
import { CliError, exitCodes, type Io } from './io.ts';
import { logCommand } from './log.ts';
import { policyCommand } from './policy.ts';
import { renewCommand } from './renew.ts';
import { askingServer } from './server.ts';
import { statusCommand } from './status.ts';
import { tokenCommand } from './token.ts';
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
Environment: SCEPTER_URL (https://... or lambda:FUNCTION), SCEPTER_TOKEN, SCEPTER_JWT (for an ingress
             that wants one), SCEPTER_DATA_DIR (where the token file of "npm start" is), SCEPTER_CONFIG`,
    );
  const server = askingServer(io);
  const commands = [
    challengeCommand(server.io),
    txnCommand(server.io),
    certCommand(server.io),
    crlCommand(server.io),
    addKeyCommands(caCommand(server.io), io),
    enrolCommand(io),
    renewCommand(io),
    inspectCommand(io),
    statusCommand(server.io),
    policyCommand(server.io),
    logCommand(server.io),
    explainCommand(io),
    tokenCommand(io),
    configCommand(server.io),
    completionCommand(io, () => program),
  ];
  const alone = [
    ...['enrol', 'renew', 'inspect', 'explain', 'token', 'validate', 'completion'],
    ...keyCommands,
  ];
  for (const command of commands) server.addOptions(command, alone);
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

const HELP_COLUMNS = 80;

/** Every command throws instead of exiting, writes through `io`, and shows help when it is lost. */
function strict(command: Command, io: Io): void {
  command
    .exitOverride()
    .configureOutput({
      writeOut: io.out,
      writeErr: (text) => io.note(text.trimEnd()),
      getOutHelpWidth: () => io.columns ?? HELP_COLUMNS,
      getErrHelpWidth: () => io.columns ?? HELP_COLUMNS,
    })
    .showSuggestionAfterError()
    .showHelpAfterError('(--help shows what there is)');
  for (const child of command.commands) strict(child, io);
}
