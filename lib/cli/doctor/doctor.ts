// scepter doctor: looks at a SCEP server from where devices see it, and says what is wrong with it for which
// client. The server may be anybody's: nothing that is sent can be granted, unless a challenge is given.

import { Command, Option } from 'commander';
import type { Io } from '../io.ts';
import { outputOption, pagerOption } from '../show.ts';
import type { Options } from './examination.ts';

export function doctorCommand(io: Io): Command {
  return new Command('doctor')
    .argument(
      '[scep-url]',
      'its SCEP URL; or "intune", "webhook" or "jamf" (default: all endpoints of your service, and the service itself)',
    )
    .option(
      '--endpoint <id>',
      'with "intune", "webhook" or "jamf": whose validators or hook (default: "default")',
    )
    .addOption(
      new Option('--challenge <secret>', 'enrol really, with this challengePassword').conflicts(
        'challengeStdin',
      ),
    )
    .option('--challenge-stdin', 'the same, with the one on standard input')
    .option('--subject <DN>', 'the subject to enrol for', 'CN=scepter doctor')
    .addOption(outputOption())
    .option('--json', 'print one JSON object')
    .addOption(pagerOption())
    .addHelpText(
      'after',
      `
Without a URL it looks at your service from inside, too: with the environment of the functions and your own
AWS credentials (identity, table, keys and their policies), otherwise by its admin API; then at all its endpoints.

✓ as every client needs it; ✗ a client cannot enrol, or something is not safe; ! it works, and some client
or some day will not. With each comes what it means for whom, and what to do.

With "intune" or "webhook" it asks the validators of that kind of an endpoint about a request that nobody has made, by
the configuration and the secrets of its own environment: run it where the server runs, or with the variables of the
function. With "jamf" it posts Jamf Pro's event to the hook of an endpoint, through its public URL: a probe, and one for
a device SCEPTER-DOCTOR, whose challenge ends by itself.

No message that it sends can be granted, so it may be run on a server in use, and on somebody else's. With a
challenge it also gets a certificate, which is real and to be revoked.

Exit code 0: no fault. 1: faults. 2: it could not be run, or nothing answers at that address.

Examples:
  scepter doctor
  scepter doctor https://scep.example.com/scep
  scepter challenge create --subject CN=probe |
    scepter doctor --challenge-stdin --subject CN=probe http://127.0.0.1:8080/scep
  scepter doctor intune --endpoint phones
  scepter doctor --json https://scep.example.com/scep | jq '.sections[].findings[] | select(.mark == "fault")'`,
    )
    .action(async (url: string | undefined, options: Options) => {
      // With TLS and all the rest, which no other command needs.
      const { examine } = await import('./examination.ts');
      await examine(io, url, options);
    });
}
