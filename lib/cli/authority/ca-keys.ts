// scepter ca init, rotate-ra, import-chain: make a CA and rotate its keys.

import { readFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import type { AnswerTo } from '../../api/api.ts';
import { fromPem, fromUtf8 } from '../../base/bytes.ts';
import { errorText, Malformed } from '../../base/errors.ts';
import { type RotationStep, rotationSteps } from '../../base/words.ts';
import { readCertificate } from '../../x509/certificate.ts';
import { callApi } from '../api.ts';
import { CliError, type Io, jsonLine, readStdin } from '../io.ts';
import { operating, where } from '../operating.ts';
import { type Field, fromNow, seconds, section } from '../text.ts';

const nameText = 'name of the CA';
const stepTexts: Record<RotationStep, string> = {
  prepare: 'make a key that every instance loads and none announces',
  activate: 'announce the prepared one; the one before is still answered',
  retire: 'answer the previous ones no more, and forget their keys',
};

type InitFlags = { readonly key?: string; readonly csr?: true; readonly json?: true };
type RotateFlags = Partial<Record<RotationStep, true>> & {
  readonly force?: boolean;
  readonly json?: true;
};

export function addKeyCommands(ca: Command, io: Io): Command {
  ca.command('init')
    .argument('[name]', nameText, 'default')
    .description('make a CA: key, certificate, RA key, and the MAC keys if there are none')
    .option('--key <key>', 'an existing KMS key: its id, ARN or alias')
    .option('--csr', 'print a certificate request for an offline root instead of a self-signed CA')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `${where}
Examples:
  scepter ca init
  scepter ca init default --key alias/scepter/production/ca/default
  scepter ca init vpn --csr > vpn.csr`,
    )
    .action((name: string, options: InitFlags) =>
      operating(io, (asked) => init(asked, name, options)),
    );
  ca.command('import-chain')
    .argument('<file>', 'PEM: the CA\'s certificate and its issuers up to the root; "-" for stdin')
    .argument('[name]', nameText, 'default')
    .description('give a CA the certificate that its root has signed')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `${where}
Examples:
  scepter ca import-chain vpn-chain.pem vpn
  cat vpn.pem root.pem | scepter ca import-chain - vpn`,
    )
    .action((file: string, name: string, { json }: { json?: true }) =>
      operating(io, (asked) => importFrom(asked, { file, name, json: json === true })),
    );
  const rotating = ca
    .command('rotate-ra')
    .argument('[name]', nameText, 'default')
    .description('take the next step to a new RA key: prepare, activate, retire')
    .option('--force', 'do not wait, although clients and servers may still use the old key')
    .option('--json', 'print one JSON object');
  for (const step of rotationSteps) {
    const others = rotationSteps.filter((other) => other !== step);
    rotating.addOption(new Option(`--${step}`, stepTexts[step]).conflicts(others));
  }
  rotating
    .addHelpText(
      'after',
      `${where}
Examples:
  scepter ca rotate-ra
  scepter ca rotate-ra vpn --activate --json`,
    )
    .action((name: string, options: RotateFlags) =>
      operating(io, (asked) => rotate(asked, name, options)),
    );
  return ca;
}

/** The CA, with what the key service says is wrong with its key. */
export async function withKeyWarnings<
  T extends { readonly id: string; readonly warnings: readonly string[] },
>(io: Io, ca: T): Promise<T> {
  const found = await operating(io, (asked) =>
    callApi(asked, 'GET /cas/{ca}/key', { params: { ca: ca.id } }),
  );
  return { ...ca, warnings: [...new Set([...ca.warnings, ...found.warnings])] };
}

async function init(io: Io, name: string, { key, csr, json }: InitFlags): Promise<void> {
  const { macKeys, otherwise, ...made } = await callApi(io, 'POST /cas/{ca}/init', {
    params: { ca: name },
    body: { key, csr },
  });
  for (const purpose of macKeys) io.note(`made the MAC key for "${purpose}"`);
  for (const said of otherwise) io.note(said);
  if (json) return io.out(jsonLine(made));
  const fields: Field[] = [
    ['key', made.key],
    ['subject', made.subject],
    ['SHA-256', made.sha256],
    ['warning', made.warnings],
  ];
  const heading = made.made === 'exists' ? `CA ${name} was there already` : `CA ${name}`;
  // The request is alone on stdout, so that it can be redirected into a file.
  if (made.request === undefined) return io.out(section(heading, fields));
  io.note(section(heading, fields).trimEnd());
  io.out(made.request);
}

type Chain = AnswerTo<'POST /cas/{ca}/chain'>['chain'];

export const chainLines = (chain: Chain): string[] =>
  chain.map(({ subject, sha256 }) => `${subject}, SHA-256 ${sha256}`);

/** What is refused of a chain that can be read is that it does not verify. */
export async function chainVerified<T>(imported: Promise<T>): Promise<T> {
  try {
    return await imported;
  } catch (error) {
    if (!(error instanceof CliError && error.exit === 'usage')) throw error;
    throw new CliError('verification', error.message);
  }
}

async function importFrom(
  io: Io,
  { file, name, json }: { readonly file: string; readonly name: string; readonly json: boolean },
): Promise<void> {
  const chain = await chainIn(io, file);
  const imported = await chainVerified(
    callApi(io, 'POST /cas/{ca}/chain', { params: { ca: name }, body: { chain } }),
  );
  if (json) return io.out(jsonLine(imported));
  io.out(section(`CA ${name}`, [['chain', chainLines(imported.chain)]]));
}

export async function textOf(io: Io, file: string): Promise<string> {
  if (file === '-') return fromUtf8(await readStdin(io));
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new CliError('notFound', errorText(error));
  }
}

/** The text of a file with certificates in PEM. */
export async function chainIn(io: Io, file: string): Promise<string> {
  const text = await textOf(io, file);
  try {
    if (fromPem('CERTIFICATE', text).map((der) => readCertificate(der)).length > 0) return text;
  } catch (error) {
    if (!(error instanceof Malformed || error instanceof SyntaxError)) throw error;
    throw new CliError('usage', `${file} has a certificate that cannot be read: ${error.message}`);
  }
  throw new CliError('usage', `${file} has no certificate in PEM`);
}

async function rotate(io: Io, name: string, { force, json, ...flags }: RotateFlags): Promise<void> {
  const step = rotationSteps.find((one) => flags[one]);
  const rotated = await callApi(io, 'POST /cas/{ca}/rotate-ra', {
    params: { ca: name },
    body: { step, force },
  });
  if (json) return io.out(jsonLine(rotated));
  const { ra, next } = rotated;
  const lines = ra.map(({ id, state, notAfter, sha256 }) => {
    return `${id} ${state}, until ${seconds(notAfter)}, SHA-256 ${sha256}`;
  });
  const due =
    next && `--${next.step} from ${seconds(next.from)} (${fromNow(next.from, io.clock.now())})`;
  io.out(
    section(`CA ${name}`, [
      ['RA', lines],
      ['next', due],
    ]),
  );
}
