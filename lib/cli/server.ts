// Which server a command asks, and with which token: options override the environment. A token is sent to the
// server that it is of, and to no other: an address on the command line does not lead it elsewhere.

import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { isToken } from '../api/route.ts';
import { errorText } from '../base/errors.ts';
import { isOf, otherServers } from './address.ts';
import { Patience, retryOption } from './busy.ts';
import { CliError, type Io, webAddress } from './io.ts';

/** The `io` for commands that ask a server, and the function that gives them the options. */
type Asking = {
  readonly io: Io;
  /** @param alone names of commands that ask no server */
  readonly addOptions: (command: Command, alone: readonly string[]) => void;
};

type Given = { readonly url?: string; readonly tokenFile?: string; readonly retryFor: number };

export function askingServer(io: Io): Asking {
  let { url, token, tokenFrom, jwt } = io;
  let patience: Patience | undefined;
  let named = false;
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
      named = given !== undefined;
      url = given === undefined ? addressOf('SCEPTER_URL', url) : addressOf('--url', given);
      if (tokenFile !== undefined) {
        token = () => tokenIn('--token-file', tokenFile);
        tokenFrom = `the token in ${tokenFile}`;
      } else if (!isOf(io.tokenOf, url)) {
        token = () => Promise.reject(otherServers(io, url));
      }
      if (!isOf(io.jwtOf, url)) jwt = undefined;
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
      get tokenFrom() {
        return tokenFrom;
      },
      get jwt() {
        return jwt;
      },
      token: () => token(),
      // A server that was named is asked.
      get deployment() {
        return named ? undefined : io.deployment;
      },
      operator: async () => (named ? {} : io.operator()),
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
  return webAddress(name, text).replace(/\/+$/, '');
}

/**
 * The token in a file.
 * @param missing what to say where there is no file
 * @throws {CliError}
 */
export async function tokenIn(name: string, path: string, missing?: string): Promise<string> {
  let text: string;
  try {
    text = (await readFile(path, 'utf8')).trim();
  } catch (error) {
    const gone = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (gone && missing) throw new CliError('notAllowed', missing);
    const why = errorText(error);
    throw new CliError('notAllowed', `${name}: ${path} cannot be read: ${why}`);
  }
  return checkedToken(`${name}: ${path}`, text);
}

/** What no server could take, and no header can carry, is said here instead of by a server. */
export function checkedToken(name: string, token: string): string {
  if (token === '') throw new CliError('notAllowed', `${name}: is empty, and holds no token`);
  if (!isToken(token)) {
    const may = 'one has 16 to 256 letters, digits and signs, without spaces';
    throw new CliError('notAllowed', `${name}: is not a token: ${may}`);
  }
  return token;
}
