// scepter token create, revoke: access to the admin API. They ask no server: they work on the store, with
// the credentials of whoever runs them.

import { Command } from 'commander';
import { fromUtf8 } from '../../base/bytes.ts';
import { type Role, roles } from '../../base/words.ts';
import { makeToken, ownNames, revokeToken } from '../../ca/record/tokens.ts';
import { CliError, type Io, jsonLine, readStdin } from '../io.ts';

const actor = { kind: 'admin', id: ownNames.operator } as const;

type CreateFlags = {
  readonly name: string;
  readonly role: readonly string[];
  readonly json?: true;
};

type RevokeFlags = { readonly name?: string; readonly json?: true };

export function tokenCommand(io: Io): Command {
  const token = new Command('token').description('tokens of the admin API');
  token
    .command('create')
    .description('make a token, which is shown this once')
    .requiredOption('--name <name>', 'the name of its holder, which events show')
    .requiredOption('--role <role...>', `what it is for: ${roles.join(', ')}`)
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
With the environment of the functions (SCEPTER_CONFIG, SCEPTER_TABLE, SCEPTER_SEALING_KEY,
SCEPTER_DEPLOYMENT) and your own AWS credentials, or on SCEPTER_DATA_DIR while no server runs.

Examples:
  scepter token create --name portal --role challenger
  scepter token create --name alice --role approver auditor --json`,
    )
    .action((options: CreateFlags) => create(io, options));
  token
    .command('revoke')
    .description('revoke a token, which is read from stdin')
    .option('--name <name>', 'the name of a token instead, if the token is lost')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  scepter token revoke < token.txt
  scepter token revoke --name portal`,
    )
    .action((options: RevokeFlags) => revoke(io, options));
  return token;
}

const isRole = (text: string): text is Role => roles.some((role) => role === text);

async function create(io: Io, { name, role, json }: CreateFlags): Promise<void> {
  if (!/^[\x21-\x7e]{1,64}$/.test(name)) {
    throw new CliError('usage', '--name must be 1 to 64 printable characters without spaces');
  }
  if (Object.values<string>(ownNames).includes(name)) {
    const why = `"${name}" is a name that Scepter itself acts by: take another`;
    throw new CliError('usage', `--name: ${why}`);
  }
  const unknown = role.find((one) => !isRole(one));
  if (unknown !== undefined) {
    throw new CliError('usage', `--role must be ${roles.join(', ')}, not "${unknown}"`);
  }
  const wanted = role.filter(isRole);
  const operator = await io.operator();
  try {
    const token = await makeToken(operator, { name, roles: wanted }, actor);
    if (token === undefined) {
      const why = `"${name}" is the name of another token`;
      throw new CliError(
        'failure',
        `--name: ${why}: take another name, or revoke that token first`,
      );
    }
    if (json) return io.out(jsonLine({ name, roles: wanted, token }));
    io.note(`the token "${name}" with the roles ${wanted.join(', ')}; it cannot be shown again:`);
    io.out(`${token}\n`);
  } finally {
    operator.close();
  }
}

async function revoke(io: Io, { name, json }: RevokeFlags): Promise<void> {
  const which = name === undefined ? { token: fromUtf8(await readStdin(io)).trim() } : { name };
  const operator = await io.operator();
  try {
    const done = await revokeToken(operator, which, actor);
    if (done === 'unknown') {
      const why = name === undefined ? 'this token is unknown, or revoked already' : noneOf(name);
      throw new CliError('notFound', why);
    }
    if (json) return io.out(jsonLine({ revoked: true }));
    io.note('the token is revoked');
  } finally {
    operator.close();
  }
}

const noneOf = (name: string): string => `no token has the name "${name}"`;
