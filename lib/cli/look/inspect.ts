// scepter inspect: describes the content of a file. It asks no server and decrypts nothing.

import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import type { Bytes } from '../../base/bytes.ts';
import { errorText, Malformed } from '../../base/errors.ts';
import type { DescribedEncoding } from '../../protocol/scep/wire/describe.ts';
import { CliError, type Io, readStdin } from '../io.ts';
import { outputOption, pagerOption, type ShowOptions, show } from '../show.ts';
import { pageOf } from './decoded.ts';

export function inspectCommand(io: Io): Command {
  return new Command('inspect')
    .argument('<file>', 'PEM, DER or base64; "-" for standard input')
    .addOption(outputOption())
    .option('--json', 'print one JSON object')
    .addOption(pagerOption())
    .addHelpText(
      'after',
      `
A private key is left alone: nothing of it is printed. Of a pkiMessage only what stands in clear can
be shown; the request inside is encrypted to the CA.

Examples:
  scepter inspect device-1/cert.pem
  scepter inspect request.csr --json | jq -r '.items[].subject'
  curl -s http://127.0.0.1:8080/crl/default.crl | scepter inspect -`,
    )
    .action((file: string, options: ShowOptions) => inspect(io, file, options));
}

async function inspect(io: Io, path: string, options: ShowOptions): Promise<void> {
  const file = path === '-' ? 'standard input' : path;
  const items = await describeFile(await fileOctets(io, path), file);
  const shown = items.filter((item) => item !== undefined);
  const secret = items.length - shown.length;
  if (shown.length === 0) {
    const advice = 'its public half says as much: openssl pkey -in FILE -pubout';
    throw new CliError('failure', `${file} holds a private key, which is not read: ${advice}`);
  }
  await show(io, options, {
    json: { items: shown },
    page: () => shown.flatMap((item) => pageOf(item, io.clock.now())),
  });
  if (secret > 0) io.note(`${file} also holds a private key, which was not read`);
}

/** What is in it, one after the other; undefined: a private key, which is not read. @throws {CliError} */
export async function describeFile(
  octets: Bytes,
  file: string,
): Promise<readonly (DescribedEncoding | undefined)[]> {
  const { describePart, partsOf } = await import('./encodings.ts');
  try {
    return await Promise.all(
      partsOf(octets).map(async (part) => part && (await describePart(part))),
    );
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new CliError('failure', `${file} is neither PEM, base64 nor DER: ${error.message}`);
    }
    if (error instanceof Malformed) {
      throw new CliError('failure', `${file} cannot be read: ${error.message}`);
    }
    throw error;
  }
}

/** Of a file, or of standard input for `-`. @throws {CliError} */
export async function fileOctets(io: Io, file: string): Promise<Bytes> {
  if (file === '-') return readStdin(io);
  try {
    return new Uint8Array(await readFile(file));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT') throw new CliError('notFound', `there is no file ${file}`);
    const why = errorText(error);
    throw new CliError('failure', `${file} cannot be read: ${why}`);
  }
}
