// scepter challenge create, list, show, revoke

import { Command, Option } from 'commander';
import type { AnswerTo } from '../../api/api.ts';
import { visible } from '../../base/text.ts';
import { type ChallengeState, challengeStates } from '../../base/words.ts';
import { callApi } from '../api.ts';
import { CliError, type Io, jsonLine } from '../io.ts';
import { byText } from '../log/happened.ts';
import { type PageOptions, pageOptions, showList } from '../pages.ts';
import { outputOption, pagerOption, type ShowOptions, show } from '../show.ts';
import { counted, type Field, fromNow, type Sheet, seconds, spoken } from '../text.ts';
import { bindingNames, bindingOf, bindingOptions } from './binding.ts';
import { columns, createMany } from './challenge-many.ts';
import { challengeId } from './which.ts';

type ListOptions = PageOptions & {
  readonly endpoint?: string;
  readonly state?: ChallengeState;
};

export function challengeCommand(io: Io): Command {
  const challenge = new Command('challenge');
  const create = challenge
    .command('create')
    .description('make a challenge; it is shown this once and stored only as a MAC')
    .option('--endpoint <name>', 'the endpoint it is for', 'default');
  for (const option of bindingOptions()) create.addOption(option);
  create
    .option('--uses <n>', 'how many certificates it is good for', '1')
    .option('--ttl <duration>', "how long it lives, such as 30m, 1h, 7d (default: the endpoint's)")
    .option('--decoy', 'it lets nobody in, and whoever uses it raises an alarm')
    .addOption(
      new Option(
        '--from <file>',
        'one for each row of a CSV with these columns; "-": standard input',
      ).conflicts([...bindingNames, 'decoy']),
    )
    .option(
      '--batch <name>',
      'with --from: another name makes other challenges of the same rows',
      '',
    )
    .option('--dry-run', 'with --from: check every row, and make none')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  scepter challenge create
  scepter challenge create --subject "CN=host,O=Interop,C=US" --san dns:host.example.test
  scepter challenge create --subject "CN=Jane Doe,CN=Users,DC=corp,DC=local" --san upn:jane@corp.local
  scepter challenge create --endpoint legacy --ttl 15m --json
  scepter challenge create --subject-pattern "CN=printer-*" --key rsa --source 10.20.0.0/16 --validity 30d
  scepter challenge create --decoy --ttl 365d
  scepter challenge create --from devices.csv --ttl 7d > challenges.csv
What no certificate of the endpoint could have is refused here, with a sentence.

With --from: the columns are ${columns.slice(0, -1).join(', ')} and ${columns.at(-1)},
each of them optional; several names, purposes or ranges in a cell stand apart by spaces. All rows are checked
first, and what is wrong is said with line and column; then the same rows are printed with id, challenge and
expiresAt. The same file again, within seven days and with
the same token, gets the same challenges, so that a run that was interrupted is gone on with.`,
    )
    .action(async ({ endpoint, uses, ttl, json, from, batch, dryRun, decoy, ...bound }) => {
      if (from !== undefined) {
        const flags = { dryRun: dryRun === true, json: json === true };
        return createMany(io, from, { endpoint, uses, ttl, batch, ...flags });
      }
      if (dryRun || batch !== '') throw new CliError('usage', '--dry-run and --batch need --from');
      const created = await callApi(io, 'POST /challenges', {
        body: { endpoint, ...bindingOf(bound), uses: Number(uses), ttl, decoy: decoy === true },
      });
      io.out(json ? jsonLine(created) : `${created.challenge}\n`);
      if (!json) io.note(`for endpoint ${created.endpoint}, until ${created.expiresAt}`);
    });
  const list = challenge
    .command('list')
    .description('challenges, newest first; their secrets are not stored')
    .option('--endpoint <name>', 'only for this endpoint')
    .addOption(new Option('--state <state>', 'only those in this state').choices(challengeStates));
  for (const option of pageOptions()) list.addOption(option);
  list
    .addHelpText(
      'after',
      `
Examples:
  scepter challenge list --state open
  scepter challenge list --endpoint vpn --all --json | jq -r '.challenges[].id'`,
    )
    .action(async ({ endpoint, state, ...options }: ListOptions) => {
      const challenges = await showList(
        io,
        {
          name: 'GET /challenges',
          query: { endpoint, state },
          noun: 'challenges',
          columns: ['ID', 'STATE', 'USES LEFT', 'CREATED', 'EXPIRES', 'ENDPOINT', 'FOR'],
          row: (one) => [
            one.id,
            one.state,
            // Nothing that an invalid one says is proven.
            ...(one.state === 'invalid'
              ? ['-', '-', '-', '-', 'its record was changed, or its MAC key is gone']
              : [
                  `${one.usesLeft} of ${one.uses}`,
                  seconds(one.createdAt),
                  seconds(one.expiresAt),
                  one.endpoint,
                  boundTo(one),
                ]),
          ],
          none: `no ${state ? `${state} ` : ''}challenges`,
        },
        options,
      );
      requireProven(challenges);
    });
  challenge
    .command('show')
    .argument('<id>', 'as "challenge list" prints it, or the beginning of one')
    .description('one challenge: what it allows, until when, who made it; never the secret')
    .option('--endpoint <name>', 'look only at this endpoint')
    .addOption(outputOption())
    .option('--json', 'print one JSON object')
    .addOption(pagerOption())
    .addHelpText(
      'after',
      `
Examples:
  scepter challenge show 01K4QD6W6ZJ5S5M0V1X7TB2C3D
  scepter challenge show 01K4QD6W6ZJ5S5M0V1X7TB2C3D --json | jq -r .madeBy`,
    )
    .action(async (given: string, options: ShowOptions & { readonly endpoint?: string }) => {
      const { endpoint } = options;
      const id = await challengeId(io, given, endpoint);
      const query = { endpoint };
      const found = await callApi(io, 'GET /challenges/{id}', { params: { id }, query });
      await show(io, options, { json: found, page: () => page(found, io.clock.now()) });
      requireProven([found]);
    });
  challenge
    .command('revoke')
    .argument('<id>', 'as "challenge list" prints it, or the beginning of one')
    .description('revoke a challenge; a request that has used it already is not affected')
    .option('--endpoint <name>', 'look only at this endpoint')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  scepter challenge revoke 01K4QD6W6ZJ5S5M0V1X7TB2C3D
  scepter challenge revoke 01K4QD6W6ZJ5S5M0V1X7TB2C3D --endpoint vpn --json`,
    )
    .action(async (given: string, { endpoint, json }: { endpoint?: string; json?: true }) => {
      const id = await challengeId(io, given, endpoint);
      const done = await callApi(io, 'DELETE /challenges/{id}', {
        params: { id },
        query: { endpoint },
      });
      io.out(json ? jsonLine(done) : `${visible(`${done.id} ${done.state}`)}\n`);
    });
  return challenge;
}

type Challenge = AnswerTo<'GET /challenges/{id}'>;

const patternTexts = ({ subjectPattern = {} }: Challenge): string[] =>
  Object.entries(subjectPattern).flatMap(([type, patterns]) =>
    patterns.map((pattern) => `${type}=${pattern}`),
  );

const boundTo = (one: Challenge): string =>
  one.decoy
    ? 'nobody: a decoy'
    : [one.subject ?? patternTexts(one), one.san].flat().join(' ') || 'any name';

function page(one: Challenge, now: number): Sheet {
  const { id, state, madeBy, revokedAt, failures } = one;
  if (state === 'invalid') {
    const said = 'invalid: its record was changed by another hand, or its MAC key is gone';
    return [
      [
        {
          fields: [
            ['challenge', id],
            ['state', said],
          ],
        },
      ],
    ];
  }
  const fields: Field[] = [
    ['challenge', id],
    ['state', revokedAt === undefined ? state : `${state} since ${seconds(revokedAt)}`],
    ['endpoint', one.endpoint],
    ['decoy', one.decoy && 'it lets nobody in'],
    ['subject', one.subject ?? (one.subjectPattern ? patternTexts(one) : 'any')],
    ['names', one.san.length > 0 ? one.san : 'none but those of the profile'],
    ['purposes', one.extKeyUsage],
    ['key', one.key],
    ['key SHA-256', one.keyHash],
    ['device', one.device],
    ['from', one.sources],
    ['profile', one.profile],
    ['validity', one.validitySeconds && spoken(one.validitySeconds * 1000)],
    ['uses', `${one.usesLeft} of ${one.uses} left`],
    ['refused', failures === 0 ? undefined : counted(failures, 'attempt')],
    ['made', seconds(one.createdAt)],
    ['made by', madeBy && byText(madeBy)],
    ['expires', `${seconds(one.expiresAt)} (${fromNow(one.expiresAt, now)})`],
  ];
  return [[{ fields }]];
}

/** @throws {CliError} failure */
function requireProven(challenges: readonly Challenge[]): void {
  const count = challenges.filter(({ state }) => state === 'invalid').length;
  if (count === 0) return;
  throw new CliError(
    'failure',
    `${counted(count, 'challenge')} of which nothing is proven: another hand has changed the record, or its MAC key is gone; it lets nobody in`,
  );
}
