// The table of commands, and how a command ends.

import { Command, CommanderError } from 'commander';
import { errorText, fileFault } from '../base/errors.ts';
import { visible } from '../base/text.ts';
import { caCommand, crlCommand } from './authority/ca.ts';
import { addKeyCommands } from './authority/ca-keys.ts';
import { addCaRepair, addCrlRepair } from './authority/ca-repair.ts';
import { addRetire } from './authority/ca-retire.ts';
import { certCommand } from './certificate/cert.ts';
import { enrolCommand } from './device/enrol.ts';
import { renewCommand } from './device/renew.ts';
import { doctorCommand } from './doctor/doctor.ts';
import { initCommand } from './init/init.ts';
import { CliError, exitCodes, type Io, ReaderGone } from './io.ts';
import { logCommand } from './log/log.ts';
import { explainCommand } from './look/explain.ts';
import { inspectCommand } from './look/inspect.ts';
import { costCommand } from './plan/cost.ts';
import { challengeCommand } from './request/challenge.ts';
import { policyCommand } from './request/policy.ts';
import { txnCommand } from './request/txn.ts';
import { askingServer } from './server.ts';
import { backupCommand, restoreCommand } from './service/backup.ts';
import { completionCommand } from './service/completion.ts';
import { configCommand } from './service/config.ts';
import { serveCommand } from './service/serve.ts';
import { statusCommand } from './service/status.ts';
import { tokenCommand } from './service/token.ts';

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
    addCrlRepair(crlCommand(server.io), server.io),
    addRetire(addCaRepair(addKeyCommands(caCommand(server.io), server.io), server.io), server.io),
    enrolCommand(io),
    renewCommand(io),
    inspectCommand(io),
    statusCommand(server.io),
    backupCommand(server.io),
    restoreCommand(io),
    policyCommand(server.io),
    logCommand(server.io),
    explainCommand(io),
    tokenCommand(server.io),
    configCommand(server.io),
    initCommand(io),
    serveCommand(io),
    costCommand(io),
    doctorCommand(server.io),
    completionCommand(
      io,
      () => program,
      (args, quiet) => runCli(args, version, quiet),
    ),
  ];
  const alone = ['enrol', 'renew', 'inspect', 'explain', 'validate', 'completion', 'serve', 'cost'];
  // "ca init" asks a server, and "init" does not.
  const asking = commands.filter((command) => command.name() !== 'init');
  for (const command of asking) server.addOptions(command, alone);
  for (const command of commands) program.addCommand(command);
  strict(program, io);
  return program;
}

/** @returns the exit code */
export async function runCli(args: readonly string[], version: string, io: Io): Promise<number> {
  try {
    const program = makeProgram(version, io);
    await program.parseAsync(asksForHelp(program, args), { from: 'user' });
    return exitCodes.ok;
  } catch (error) {
    if (error instanceof ReaderGone) return exitCodes.ok;
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCodes.usage;
    io.note(`scepter: ${visible(fileFault(error) ?? errorText(error))}`);
    if (error instanceof CliError && error.next) io.note(`to know more: ${error.next}`);
    return exitCodes[error instanceof CliError ? error.exit : 'failure'];
  }
}

/** `help cert list` is `cert list --help`; a word that is no command is said to be none. */
function asksForHelp(program: Command, args: readonly string[]): readonly string[] {
  const [help, ...words] = args;
  if (help !== 'help') return args;
  let command = program;
  for (const [at, word] of words.entries()) {
    const next = command.commands.find((child) => child.name() === word);
    if (next) command = next;
    else if (command.commands.length > 0) return words;
    else return [...words.slice(0, at), '--help'];
  }
  return [...words, '--help'];
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
