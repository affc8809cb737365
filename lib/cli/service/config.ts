// scepter config validate, print: check and complete a configuration without starting anything.

import { Command, Option } from 'commander';
import { fromUtf8, hex, utf8 } from '../../base/bytes.ts';
import { canonicalText, type Json } from '../../base/json.ts';
import { visible } from '../../base/text.ts';
import type { Config } from '../../config/config.ts';
import { ConfigError } from '../../config/error.ts';
import { callApi } from '../api.ts';
import { CliError, type Io, jsonLine, readStdin } from '../io.ts';
import { counted } from '../text.ts';

// The schemas are most of what this command line would load, and few commands need them.
const schemas = () => import('../../config/config.ts');

const fileText =
  'a file of JSON, comments allowed, "-" for standard input (default: as a server started here would)';

export function configCommand(io: Io, version: string): Command {
  const config = new Command('config');
  config
    .command('validate')
    .argument('[file]', fileText)
    .description('say of each field that is wrong what it may be; exit 2 if there is one')
    .option('--json', 'print one JSON object')
    .option(
      '--stamp',
      'print the document for Terraform, which takes no other: with what it was found valid by',
    )
    .addHelpText(
      'after',
      `
Examples:
  scepter config validate examples/vpn.json
  scepter config validate my.json --stamp > stamped.json
  SCEPTER_CONFIG=/etc/scepter.json scepter config validate
  scepter config validate - --json < scepter.json`,
    )
    .action((file: string | undefined, { json, stamp }: ValidateOptions) => {
      if (json && stamp) throw new CliError('usage', 'give --json or --stamp, not both');
      const printed = stamp ? ({ stamp: version } as const) : json ? 'json' : 'sentence';
      return validate(io, file, printed);
    });
  config
    .command('print')
    .argument('[file]', fileText)
    .description('print the document with every default written out')
    .addOption(new Option('--server', 'the one that the running server has'))
    .option('--json', 'on one line')
    .addHelpText(
      'after',
      `
Examples:
  scepter config print examples/vpn.json
  scepter config print --server --json | jq .endpoints`,
    )
    .action(async (file: string | undefined, { server, json }: PrintOptions) => {
      if (server && file) throw new CliError('usage', 'give a file or --server, not both');
      const document = server
        ? await callApi(io, 'GET /config')
        : (await schemas()).completed((await checked(await readConfig(io, file))).document);
      io.out(json ? jsonLine(document) : indented(document));
    });
  return config;
}

type ValidateOptions = { readonly json?: true; readonly stamp?: true };
type PrintOptions = { readonly server?: true; readonly json?: true };
type Source = Awaited<ReturnType<Io['config']>>;

/** A file, standard input, or what a server started here would take. @throws {CliError} usage */
export async function readConfig(io: Io, file: string | undefined): Promise<Source> {
  try {
    if (file !== '-') return await io.config(file);
    const { parseJsonc } = await import('../../config/schema.ts');
    return { name: 'standard input', document: parseJsonc(fromUtf8(await readStdin(io))) };
  } catch (error) {
    if (error instanceof ConfigError) throw new CliError('usage', error.message);
    if (file !== '-' || !(error instanceof SyntaxError)) throw error;
    throw new CliError('usage', `standard input is not JSON: ${error.message}`);
  }
}

/** @throws {CliError} usage, with the first sentence and how many more there are */
async function checked({ name, document }: Source): Promise<Config> {
  const { checkConfig } = await schemas();
  try {
    return checkConfig(document);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const [first, ...more] = error.problems;
    const rest = more.length > 0 ? ` (and ${more.length} more: scepter config validate)` : '';
    throw new CliError('usage', `${name} is not valid: ${first}${rest}`);
  }
}

/** What is printed of a good document; the stamp has the release that says so. */
type Printed = 'sentence' | 'json' | { readonly stamp: string };

async function validate(io: Io, file: string | undefined, printed: Printed): Promise<void> {
  const { name, document, secrets } = await readConfig(io, file);
  const { checkConfig } = await schemas();
  const { sampleCa, uncertifiable } = await import('../../ca/policy/certifiable.ts');
  try {
    const config = checkConfig(document, secrets);
    const { cas, endpoints } = config;
    const samples = [...cas.values()].map((authority) =>
      uncertifiable(config, sampleCa(authority)),
    );
    const problems = (await Promise.all(samples)).flat();
    if (problems.length > 0) throw new ConfigError(problems);
    const said = `${counted(cas.size, 'CA')}, ${counted(endpoints.size, 'endpoint')}`;
    if (typeof printed === 'object') io.out(await stamped(document, printed.stamp));
    else if (printed === 'json') io.out(jsonLine({ valid: true, problems: [] }));
    else io.out(`${name} is valid: ${said}\n`);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const { problems } = error;
    if (printed === 'json') io.out(jsonLine({ valid: false, problems }));
    else for (const problem of problems) io.note(visible(problem));
    throw new CliError('usage', `${name} is not valid: ${counted(problems.length, 'problem')}`);
  }
}

/**
 * What the module of Terraform takes, which can compare and cannot validate: the SHA-256 is of what its function
 * jsonencode makes of the document, so that it knows an edited one from the one that was found valid.
 */
async function stamped(document: unknown, release: string): Promise<string> {
  const { hash } = await import('../../crypto/native.ts');
  const text = canonicalText(document as Json).replace(
    /[<>&\u2028\u2029]/g,
    (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  const sha256 = hex(hash('SHA-256', utf8(text)));
  return `${JSON.stringify({ scepter: release, sha256, document }, null, 2)}\n`;
}

/** JSON over several lines; characters that would act on a terminal become escapes. */
const indented = (document: object): string =>
  `${JSON.stringify(document, null, 2).split('\n').map(visible).join('\n')}\n`;
