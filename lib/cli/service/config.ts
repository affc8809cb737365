// scepter config validate, print: check and complete a configuration without starting anything.

import { Command, Option } from 'commander';
import { fromUtf8 } from '../../base/bytes.ts';
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

export function configCommand(io: Io): Command {
  const config = new Command('config');
  config
    .command('validate')
    .argument('[file]', fileText)
    .description('say of each field that is wrong what it may be; exit 2 if there is one')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  scepter config validate examples/vpn.json
  SCEPTER_CONFIG=/etc/scepter.json scepter config validate
  scepter config validate - --json < scepter.json`,
    )
    .action((file: string | undefined, { json }: { json?: true }) =>
      validate(io, file, json === true),
    );
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
        : (await schemas()).completed((await checked(await read(io, file))).document);
      io.out(json ? jsonLine(document) : indented(document));
    });
  return config;
}

type PrintOptions = { readonly server?: true; readonly json?: true };
type Source = Awaited<ReturnType<Io['config']>>;

async function read(io: Io, file: string | undefined): Promise<Source> {
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

async function validate(io: Io, file: string | undefined, json: boolean): Promise<void> {
  const { name, document, secrets } = await read(io, file);
  const { checkConfig } = await schemas();
  const { sampleCa, uncertifiable } = await import('../../ca/authorize/certifiable.ts');
  try {
    const config = checkConfig(document, secrets);
    const { cas, endpoints } = config;
    const samples = [...cas.values()].map((authority) =>
      uncertifiable(config, sampleCa(authority)),
    );
    const problems = (await Promise.all(samples)).flat();
    if (problems.length > 0) throw new ConfigError(problems);
    const said = `${counted(cas.size, 'CA')}, ${counted(endpoints.size, 'endpoint')}`;
    io.out(json ? jsonLine({ valid: true, problems: [] }) : `${name} is valid: ${said}\n`);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const { problems } = error;
    if (json) io.out(jsonLine({ valid: false, problems }));
    else for (const problem of problems) io.note(visible(problem));
    throw new CliError('usage', `${name} is not valid: ${counted(problems.length, 'problem')}`);
  }
}

/** JSON over several lines; characters that would act on a terminal become escapes. */
const indented = (document: object): string =>
  `${JSON.stringify(document, null, 2).split('\n').map(visible).join('\n')}\n`;
