// The table of commands, and how a command ends.

import { Command, CommanderError } from 'commander';
import { errorText, fileFault } from '../base/errors.ts';
import { visible } from '../base/text.ts';
import { CliError, exitCodes, type Io, ReaderGone } from './io.ts';
import { type CommandParts, listedCommand, nouns } from './nouns.ts';
import { askingServer } from './server.ts';

/** Commands that ask no server. */
const alone = ['enrol', 'renew', 'inspect', 'explain', 'validate', 'completion', 'serve', 'cost'];

/**
 * Every command, none of them run.
 * @param loaded first words: the commands of any other are only listed
 */
export async function makeProgram(
  version: string,
  io: Io,
  loaded: readonly string[] = Object.keys(nouns),
): Promise<Command> {
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
  const parts: CommandParts = {
    io,
    asking: server.io,
    program: () => makeProgram(version, io),
    run: (args, quiet) => runCli(args, version, quiet),
    version,
  };
  for (const [name, noun] of Object.entries(nouns)) {
    if (!loaded.includes(name)) {
      program.addCommand(listedCommand(name, noun));
      continue;
    }
    const command = (await noun.load(parts)).description(noun.about);
    // "ca init" and "ca restore" ask a server, and "init" and "restore" do not.
    if (name !== 'init' && name !== 'restore') server.addOptions(command, alone);
    program.addCommand(command);
  }
  strict(program, io);
  return program;
}

/** @returns the exit code */
export async function runCli(args: readonly string[], version: string, io: Io): Promise<number> {
  try {
    const [noun = ''] = args.filter((word) => word !== 'help' && !word.startsWith('-'));
    const program = await makeProgram(version, io, [noun]);
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
