// scepter challenge create, list, revoke

import { Command, Option } from 'commander';
import { visible } from '../../base/text.ts';
import { type ChallengeState, challengeStates } from '../../base/words.ts';
import { callApi } from '../api.ts';
import { type Io, jsonLine } from '../io.ts';
import { type PageOptions, pageOptions, showList } from '../pages.ts';
import { seconds } from '../text.ts';

type ListOptions = PageOptions & {
  readonly endpoint: string;
  readonly state?: ChallengeState;
};

export function challengeCommand(io: Io): Command {
  const challenge = new Command('challenge').description(
    'one-time secrets that let a device enrol',
  );
  challenge
    .command('create')
    .description('make a challenge; it is shown this once and stored only as a MAC')
    .option('--endpoint <name>', 'the endpoint it is for', 'default')
    .option('--subject <DN>', 'the only subject it may be used for (RFC 4514, types in any order)')
    .option(
      '--san <TYPE:VALUE>',
      'a subjectAltName for the certificate: dns, email, uri, ip, upn or sid; repeatable',
      (value: string, all: string[]) => [...all, value],
      [] as string[],
    )
    .option('--uses <n>', 'how many certificates it is good for', '1')
    .option('--ttl <duration>', "how long it lives, such as 30m, 1h, 7d (default: the endpoint's)")
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  scepter challenge create
  scepter challenge create --subject "CN=host,O=Interop,C=US" --san dns:host.example.test
  scepter challenge create --subject "CN=Jane Doe,CN=Users,DC=corp,DC=local" --san upn:jane@corp.local
  scepter challenge create --endpoint legacy --ttl 15m --json
What no certificate of the endpoint could have is refused here, with a sentence.`,
    )
    .action(async ({ endpoint, subject, san, uses, ttl, json }) => {
      const created = await callApi(io, 'POST /challenges', {
        body: { endpoint, subject, san, uses: Number(uses), ttl },
      });
      io.out(json ? jsonLine(created) : `${created.challenge}\n`);
      if (!json) io.note(`for endpoint ${created.endpoint}, until ${created.expiresAt}`);
    });
  const list = challenge
    .command('list')
    .description('challenges of an endpoint, newest first; their secrets are not stored')
    .option('--endpoint <name>', 'the endpoint that they are for', 'default')
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
    .action(({ endpoint, state, ...options }: ListOptions) =>
      showList(
        io,
        {
          name: 'GET /challenges',
          query: { endpoint, state },
          noun: 'challenges',
          columns: ['ID', 'STATE', 'USES LEFT', 'CREATED', 'EXPIRES', 'FOR'],
          row: (one) => [
            one.id,
            one.state,
            `${one.usesLeft} of ${one.uses}`,
            seconds(one.createdAt),
            seconds(one.expiresAt),
            [one.subject ?? [], one.san].flat().join(' ') || 'any name',
          ],
          none: `no ${state ? `${state} ` : ''}challenges at endpoint ${endpoint}`,
        },
        options,
      ),
    );
  challenge
    .command('revoke')
    .argument('<id>', 'as "challenge list" prints it')
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
    .action(async (id: string, { endpoint, json }: { endpoint?: string; json?: true }) => {
      const done = await callApi(io, 'DELETE /challenges/{id}', {
        params: { id },
        query: { endpoint },
      });
      io.out(json ? jsonLine(done) : `${visible(`${done.id} ${done.state}`)}\n`);
    });
  return challenge;
}
