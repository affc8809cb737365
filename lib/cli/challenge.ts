// scepter challenge create

import { Command } from 'commander';
import { callApi, type Io, jsonLine } from './io.ts';

type Created = {
  readonly id: string;
  readonly challenge: string;
  readonly endpoint: string;
  readonly expiresAt: string;
};

export function challengeCommand(io: Io): Command {
  const challenge = new Command('challenge').description(
    'one-time secrets that let a device enrol',
  );
  challenge
    .command('create')
    .description('make a challenge; it is shown this once and stored only as a MAC')
    .option('--endpoint <name>', 'the endpoint it is for', 'default')
    .option('--subject <DN>', 'the only subject it may be used for (RFC 4514, any order)')
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
  scepter challenge create --endpoint legacy --ttl 15m --json`,
    )
    .action(async ({ endpoint, subject, san, uses, ttl, json }) => {
      const created = await callApi<Created>(io, 'POST', '/challenges', {
        endpoint,
        subject,
        san,
        uses: Number(uses),
        ttl,
      });
      io.out(json ? jsonLine(created) : `${created.challenge}\n`);
      if (!json) io.note(`for endpoint ${created.endpoint}, until ${created.expiresAt}`);
    });
  return challenge;
}
