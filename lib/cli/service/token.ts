// scepter token create, list, revoke: access to the admin API.

import { Command, Option } from 'commander';
import { fromUtf8 } from '../../base/bytes.ts';
import { type Role, roles } from '../../base/words.ts';
import { callApi } from '../api.ts';
import { durationOf } from '../busy.ts';
import { CliError, type Io, jsonLine, readStdin } from '../io.ts';
import { operating, where } from '../operating.ts';
import { type PageOptions, pageOptions, showList } from '../pages.ts';
import { seconds, spoken } from '../text.ts';

type CreateFlags = {
  readonly name?: string;
  readonly person?: string;
  readonly role: readonly string[];
  readonly ttl?: string;
  readonly expires?: string;
  readonly json?: true;
};

type RevokeFlags = { readonly name?: string; readonly json?: true };

export function tokenCommand(io: Io): Command {
  const token = new Command('token');
  token
    .command('create')
    .argument('[name]', 'its name, which events show')
    .description('make a token, which is shown this once')
    .addOption(roleOption())
    .option('--person <person>', 'the person who has it (default: its name); one may have several')
    .option('--ttl <duration>', 'how long it is good for (default: until it is revoked)')
    .option('--expires <time>', 'until when it is good: 2031-01-31 or 2031-01-31T09:00:00Z')
    .option('--name <name>', 'the name, as an option')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `${where}
Examples:
  scepter token create portal --role challenger --ttl 90d
  scepter token create alice --role approver auditor --json
  scepter token create alice-laptop --person alice --role approver`,
    )
    .action((name: string | undefined, options: CreateFlags) =>
      operating(io, (asked) => create(asked, name, options)),
    );
  const list = token
    .command('list')
    .description('the tokens by name: roles, when they were made, last used, and when they expire');
  for (const option of pageOptions()) list.addOption(option);
  list
    .addHelpText(
      'after',
      `
The last use is known to the hour.
${where}
Examples:
  scepter token list
  scepter token list --all --json | jq -r '.tokens[] | select(.usedAt == null).name'`,
    )
    .action((options: PageOptions) => operating(io, (asked) => showTokens(asked, options)));
  token
    .command('revoke')
    .argument('[name]', 'the name of the token (default: the token itself is read from stdin)')
    .description('revoke a token: from now on it is refused')
    .option('--name <name>', 'the name, as an option')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
The token of the server's own folder, "token-file", is replaced: its file has another one then.
${where}
Examples:
  scepter token revoke portal
  scepter token revoke < token.txt`,
    )
    .action((name: string | undefined, options: RevokeFlags) =>
      operating(io, (asked) => revoke(asked, name, options)),
    );
  return token;
}

function roleOption(): Option {
  const option = new Option('--role <role...>', 'what it is for').makeOptionMandatory();
  option.argChoices = [...roles];
  return option;
}

const isRole = (text: string): text is Role => roles.some((role) => role === text);

async function create(
  io: Io,
  given: string | undefined,
  { name = given, person, role, ttl, expires, json }: CreateFlags,
): Promise<void> {
  if (name === undefined || (given !== undefined && given !== name)) {
    throw new CliError('usage', 'name the token once: scepter token create NAME --role ROLE');
  }
  const wanted = role.filter(isRole);
  const unknown = role.find((one) => !isRole(one));
  if (unknown !== undefined) {
    throw new CliError('usage', `--role must be ${roles.join(', ')}, not "${unknown}"`);
  }
  if (ttl !== undefined) durationOf(ttl);
  const body = { name, person, roles: wanted, ttl, expiresAt: expires };
  const made = await callApi(io, 'POST /tokens', { body });
  if (json) return io.out(jsonLine(made));
  const until = made.expiresAt === undefined ? '' : ` until ${seconds(made.expiresAt)}`;
  io.note(
    `the token "${name}"${person === undefined ? '' : ` of ${person}`} with the roles ${role.join(', ')}${until}; it cannot be shown again:`,
  );
  io.out(`${made.token}\n`);
}

const showTokens = async (io: Io, options: PageOptions): Promise<void> => {
  await showList(
    io,
    {
      ...{ name: 'GET /tokens', noun: 'tokens', none: 'there are no tokens' },
      columns: ['NAME', 'PERSON', 'ROLES', 'CREATED', 'LAST USE', 'EXPIRES'],
      row: ({ name, person, roles: held, createdAt, usedAt, expiresAt, state }) => [
        name,
        person,
        held.join(','),
        createdAt === undefined ? '-' : seconds(createdAt),
        usedAt === undefined ? '-' : lastUse(io.clock.now() - Date.parse(usedAt)),
        expiresAt === undefined
          ? 'never'
          : `${seconds(expiresAt)}${state === 'expired' ? ' (expired)' : ''}`,
      ],
    },
    options,
  );
};

const HOUR_MS = 3_600_000;
/** As well as it is known. @param ms how long ago */
const lastUse = (ms: number): string =>
  ms < HOUR_MS ? 'in the last hour' : `${spoken(ms - (ms % HOUR_MS))} ago`;

async function revoke(
  io: Io,
  given: string | undefined,
  { name = given, json }: RevokeFlags,
): Promise<void> {
  if (given !== undefined && given !== name) {
    throw new CliError('usage', 'name the token once: scepter token revoke NAME');
  }
  const body = name === undefined ? { token: fromUtf8(await readStdin(io)).trim() } : { name };
  const { replaced } = await callApi(io, 'POST /tokens/revoke', { body });
  if (json) return io.out(jsonLine({ revoked: true }));
  io.note(replaced ? 'the token is revoked, and its file has another one' : 'the token is revoked');
}
