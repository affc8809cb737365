// Which server a token is of. A data folder remembers the addresses of its server, so that commands from that
// folder find it, and its token is sent nowhere else.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CliError, type Io } from './io.ts';

/** The file of a data folder with the addresses of its server, a line each: at which this machine finds it, and
 * as devices know it. */
export const addressFile = (dataDir: string): string => join(dataDir, 'address');

/** Where the server of a data folder was started last; empty where none has been. */
export async function addressesIn(dataDir: string): Promise<readonly string[]> {
  const text = await readFile(addressFile(dataDir), 'utf8').catch(() => '');
  return text.split('\n').filter((line) => /^https?:/i.test(line) && URL.canParse(line));
}

/** Scheme, host and port of an address; of a function all of its name. */
const originOf = (url: string): string => (/^https?:/i.test(url) ? new URL(url).origin : url);

export const isOf = (addresses: readonly string[] | undefined, url: string): boolean =>
  addresses === undefined || addresses.some((one) => originOf(one) === originOf(url));

export const otherServers = (
  { tokenFrom, tokenOf = [] }: Pick<Io, 'tokenFrom' | 'tokenOf'>,
  url: string,
): CliError =>
  new CliError(
    'notAllowed',
    `${tokenFrom} is of the server at ${[...new Set(tokenOf.map(originOf))].join(' or ')}, and is not sent to ${originOf(url)}: name the token for that one with --token-file`,
  );
