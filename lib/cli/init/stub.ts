// What `scepter init` writes for its answers: the configuration, and what the tool of the target takes as it
// stands. Pure: nothing is written here.

import { withCdk, withTerraform } from './aws.ts';
import {
  type Answers,
  addressOf,
  configurationFile,
  needsSecret,
  type Places,
  SECRET,
  type Stub,
} from './configuration.ts';
import { onWorkers } from './workers.ts';

/** @param random 32 hexadecimal digits that nobody else knows */
export function stubOf(answers: Answers, places: Places, random: string): Stub {
  return {
    node: onNode,
    'aws-cdk': withCdk,
    'aws-terraform': withTerraform,
    workers: onWorkers,
  }[answers.target](answers, places, random);
}

function onNode(answers: Answers, places: Places, random: string): Stub {
  const url = `${addressOf(answers)}/scep`;
  // The unit and the image say where the configuration is, and the image listens for other machines: what is set
  // here would overrule them.
  const variables = `# Variables of "scepter serve": for a shell, for systemd (as /etc/scepter/environment), for a container (--env-file).
# The unit and the image take the configuration from /etc/scepter/config.json.
# HOST=127.0.0.1
# PORT=8080
${needsSecret(answers) ? `# What the MDM puts into its profiles as their challenge.\n${SECRET}=${random}\n` : ''}`;
  return {
    files: [
      configurationFile(answers, places),
      {
        name: 'scepter.env',
        what: 'the environment of "scepter serve"',
        text: variables,
        secret: true,
      },
    ],
    next: [
      'scepter config validate scepter.jsonc',
      'set -a; . ./scepter.env; set +a; SCEPTER_CONFIG=scepter.jsonc scepter serve',
      `scepter doctor ${url}`,
    ],
    notes: answers.domain
      ? [
          `a proxy, or SCEPTER_TLS_CERT and SCEPTER_HTTP_PORT, make it reachable at ${answers.domain}: docs/production.md`,
        ]
      : [],
  };
}
