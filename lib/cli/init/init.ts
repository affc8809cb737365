// scepter init: asks what a deployment has to know, and writes its configuration with what its tool takes as it
// stands. Each question is an option, so that scripts ask nothing; nothing that is there is written over.

import { randomBytes } from 'node:crypto';
import { lstat, mkdir, rm, writeFile } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import { Command, Option } from 'commander';
import { CliError, type Io, jsonLine } from '../io.ts';
import { pageText } from '../text.ts';
import type { Places, StubFile } from './configuration.ts';
import { answersOf, type Flags, questions } from './questions.ts';
import { stubOf } from './stub.ts';

type Options = Flags & { readonly yes?: true; readonly force?: true; readonly json?: true };

export function initCommand(io: Io): Command {
  const command = new Command('init').argument(
    '[folder]',
    'where to write, made if it is not there',
    '.',
  );
  for (const { flags, help, choices } of questions) {
    const option = new Option(flags, help);
    // For help and completion: what is none of them is refused in more words.
    if (choices) option.argChoices = [...choices];
    command.addOption(option);
  }
  return command
    .option('--yes', 'ask nothing: what no option says is the answer in brackets')
    .option('--force', 'write over what is there')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
It asks for what no option says, and then writes, into a folder that need not be there:
  node           scepter.jsonc, scepter.env           for "scepter serve", systemd, a container
  aws-cdk        scepter.jsonc, cdk.json              for "cdk deploy"
  aws-terraform  scepter.jsonc, main.tf               for "terraform apply"
  workers        scepter.jsonc, cdk.json              for "cdk deploy", then "npm run configure" and wrangler
What is there stays, unless --force says otherwise. At the end it prints the next commands.

Ways for devices to enrol (--mdm):
  none    a challenge for each device, by "scepter challenge create" or the admin API
  static  one secret that an MDM puts into all its profiles, as Jamf Pro and Workspace ONE do, for devices whose
          common names match --names
  proxy   a connector or agent enrols for the devices, with a key of its own and a challenge for each

Examples:
  scepter init
  scepter init ca --target node --domain scep.example.com --subject "CN=Device CA,O=Example" --yes
  scepter init ca --target aws-cdk --region eu-west-1 --mdm none --yes --json`,
    )
    .action((folder: string, options: Options) => init(io, folder, options));
}

async function init(io: Io, folder: string, { yes, force, json, ...flags }: Options) {
  const answers = await answersOf(io, flags, yes === true);
  const places = await placesOf(io, folder, answers);
  const { files, next, notes } = stubOf(answers, places, randomBytes(16).toString('hex'));
  await requireValid(files);
  await write(folder, files, force === true);
  const commands = [...(resolve(folder) === process.cwd() ? [] : [`cd ${folder}`]), ...next];
  if (json) {
    const names = files.map(({ name }) => name);
    return io.out(
      jsonLine({
        folder: resolve(folder),
        target: answers.target,
        files: names,
        next: commands,
        notes,
      }),
    );
  }
  const written = files.map(({ name, what }) => `wrote ${join(folder, name)}: ${what}`);
  const lines = [...written, '', 'Next:', ...commands.map((line) => `  ${line}`)];
  await io.page(pageText([[{ lines }]], io), false);
  for (const note of notes) io.note(note);
}

/** From the folder; the toolkits want paths that begin with a dot. */
const pathTo = (folder: string, place: string): string => {
  const path = relative(folder, resolve(place)).split(sep).join('/');
  return path.startsWith('.') ? path : `./${path}`;
};

/** @throws {CliError} where the repository is none */
async function placesOf(
  io: Io,
  folder: string,
  { target, repository }: Awaited<ReturnType<typeof answersOf>>,
): Promise<Places> {
  const schema = pathTo(folder, io.home.schema);
  if (target === 'node') return { schema, repository: '' };
  const infra = join(repository, 'infra', target === 'aws-terraform' ? 'terraform' : 'cdk');
  if (!(await isThere(infra))) {
    throw new CliError(
      'notFound',
      `--repository: ${infra} is not there: it is the folder of Scepter's repository, which has what ${target} deploys`,
    );
  }
  return { schema, repository: pathTo(folder, repository) };
}

/** Also a link to nowhere. */
const isThere = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

/** What was answered is checked part by part; this is what a server would say of the whole. */
async function requireValid([configuration]: readonly StubFile[]): Promise<void> {
  const [{ checkConfig }, { parseJsonc }] = await Promise.all([
    import('../../config/config.ts'),
    import('../../config/schema.ts'),
  ]);
  checkConfig(parseJsonc(configuration?.text ?? ''));
}

/** All, or none if one of them is there. @throws {CliError} */
async function write(folder: string, files: readonly StubFile[], force: boolean): Promise<void> {
  const paths = files.map(({ name }) => join(folder, name));
  const there = [];
  for (const path of paths) if (!force && (await isThere(path))) there.push(path);
  if (there.length > 0) {
    throw new CliError(
      'failure',
      `${there.join(', ')}: is there, and nothing was written: name another folder, or write over it with --force`,
    );
  }
  await mkdir(folder, { recursive: true });
  for (const { name, text, secret } of files) {
    // A file keeps the mode that it has, and a link leads elsewhere: what was there goes first.
    if (force) await rm(join(folder, name), { force: true });
    await writeFile(join(folder, name), text, { flag: 'wx', mode: secret ? 0o600 : 0o644 });
  }
}
