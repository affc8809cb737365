// scepter token create, revoke: who may use the admin API. They ask no server: they work on the store,
// with the credentials of whoever runs them.

import { Command } from 'commander';
import { fromUtf8 } from '../bytes.ts';
import { makeToken, revokeToken } from '../ca/tokens.ts';
import { type Role, roles } from '../ports/records.ts';
import { CliError, type Io, jsonLine } from './io.ts';

const actor = { kind: 'admin', id: 'operator' } as const;

type CreateFlags = {
  readonly name: string;
  readonly role: readonly string[];
  readonly json?: true;
};

export function tokenCommand(io: Io): Command {
  const token = new Command('token').description('tokens of the admin API');
  token
    .command('create')
    .description('make a token, which is shown this once')
    .requiredOption('--name <name>', 'who has it, for the events of what is done with it')
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
    .description('let nobody in by a token any more; it is read from stdin')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  scepter token revoke < token.txt`,
    )
    .action(({ json }: { json?: true }) => revoke(io, json === true));
  return token;
}

const isRole = (text: string): text is Role => roles.some((role) => role === text);

async function create(io: Io, { name, role, json }: CreateFlags): Promise<void> {
  if (!/^[\x21-\x7e]{1,64}$/.test(name)) {
    throw new CliError('usage', '--name must be 1 to 64 printable characters without spaces');
  }
  const unknown = role.find((one) => !isRole(one));
  if (unknown !== undefined) {
    throw new CliError('usage', `--role must be ${roles.join(', ')}, not "${unknown}"`);
  }
  const wanted = role.filter(isRole);
  const operator = await io.operator();
  try {
    const token = await makeToken(operator, { name, roles: wanted }, actor);
    if (json) return io.out(jsonLine({ name, roles: wanted, token }));
    io.note(`the token "${name}" with the roles ${wanted.join(', ')}; it cannot be shown again:`);
    io.out(`${token}\n`);
  } finally {
    operator.close();
  }
}

async function revoke(io: Io, json: boolean): Promise<void> {
  const text = fromUtf8(await io.stdin()).trim();
  const operator = await io.operator();
  try {
    const done = await revokeToken(operator, text, actor);
    if (done === 'unknown') throw new CliError('notFound', 'nobody is let in by this token');
    if (json) return io.out(jsonLine({ revoked: true }));
    io.note('the token is revoked');
  } finally {
    operator.close();
  }
}
