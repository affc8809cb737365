// Which server a command asks, and with which token: options override the environment.

import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { Patience, retryOption } from './busy.ts';
import { CliError, type Io } from './io.ts';

/** The `io` for commands that ask a server, and the function that gives them the options. */
type Asking = {
  readonly io: Io;
  /** @param alone names of commands that ask no server */
  readonly addOptions: (command: Command, alone: readonly string[]) => void;
};

type Given = { readonly url?: string; readonly tokenFile?: string; readonly retryFor: number };

export function askingServer(io: Io): Asking {
  let { url, token } = io;
  let patience: Patience | undefined;
  /** Commands without commands below them; they are the ones that do something. */
  const addOptions: Asking['addOptions'] = (command, alone) => {
    if (alone.includes(command.name())) return;
    for (const child of command.commands) addOptions(child, alone);
    if (command.commands.length > 0) return;
    command
      .option(
        '--url <url>',
        'the server, or lambda: and the admin function (default: SCEPTER_URL, or the one on this machine)',
      )
      .option('--token-file <file>', 'the token for it (default: SCEPTER_TOKEN, or its own file)')
      .addOption(retryOption());
    command.hook('preAction', () => {
      const { url: given, tokenFile, retryFor } = command.opts<Given>();
      patience = new Patience(io, retryFor);
      url = given === undefined ? addressOf('SCEPTER_URL', url) : addressOf('--url', given);
      if (tokenFile !== undefined) token = () => tokenIn(tokenFile);
      // These options are not sent as filters of a list.
      for (const name of ['url', 'tokenFile', 'retryFor']) command.setOptionValue(name, undefined);
    });
  };
  return {
    addOptions,
    io: {
      ...io,
      get url() {
        return url;
      },
      get patience() {
        return patience;
      },
      token: () => token(),
    },
  };
}

/** A name, or an ARN whole or from the account on; either with a version or an alias. */
const functionName =
  /^((arn:aws[a-z-]*:lambda:[a-z0-9-]+:)?\d{12}:function:)?[\w-]{1,64}(:(\$LATEST|[\w-]+))?$/;

/** @param name the option or variable that named the target */
function addressOf(name: string, text: string): string {
  const [, target] = /^lambda:(.*)$/s.exec(text) ?? [];
  if (target !== undefined) {
    if (functionName.test(target)) return text;
    throw new CliError(
      'usage',
      `${name}: "${target}" is neither the name nor the ARN of a Lambda function`,
    );
  }
  if (!URL.canParse(text) || !/^https?:/i.test(text)) {
    throw new CliError('usage', `${name}: "${text}" is not the address of a server`);
  }
  return text.replace(/\/+$/, '');
}

async function tokenIn(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CliError('notAllowed', `--token-file: ${path} cannot be read: ${why}`);
  }
}
