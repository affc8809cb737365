// The first words of the command line, in the order of its help. The modules behind a word are loaded when it is
// given: help and a shell's question about one word do not pay for the others.

import { Command } from 'commander';
import type { Io } from './io.ts';
import type { RunWith } from './service/offers.ts';

/** What commands are made with. */
export type CommandParts = {
  readonly io: Io;
  /** The same, with the server that the command's options name. */
  readonly asking: Io;
  /** All commands. */
  readonly program: () => Promise<Command>;
  readonly run: RunWith;
  /** Of this release. */
  readonly version: string;
};

type Noun = {
  /** What it takes, as help has it. */
  readonly takes?: string;
  readonly about: string;
  readonly load: (parts: CommandParts) => Promise<Command>;
};

export const nouns: Readonly<Record<string, Noun>> = {
  challenge: {
    about: 'one-time secrets that let a device enrol',
    load: async ({ asking }) => (await import('./request/challenge.ts')).challengeCommand(asking),
  },
  devices: {
    about: 'device lists: which names a device may have',
    load: async ({ asking }) => (await import('./devices/devices.ts')).devicesCommand(asking),
  },
  txn: {
    about: 'transactions: requests and what became of them',
    load: async ({ asking }) => (await import('./request/txn.ts')).txnCommand(asking),
  },
  cert: {
    about: 'certificates that were issued',
    load: async ({ asking }) => (await import('./certificate/cert.ts')).certCommand(asking),
  },
  crl: {
    about: 'certificate revocation lists',
    load: async ({ asking }) => {
      const [{ crlCommand }, { addCrlRepair }] = await Promise.all([
        import('./authority/ca.ts'),
        import('./authority/ca-repair.ts'),
      ]);
      return addCrlRepair(crlCommand(asking), asking);
    },
  },
  ca: {
    about: 'certificate authorities',
    load: async ({ asking }) => {
      const [{ caCommand }, { addKeyCommands }, { addCaRepair }, { addRetire }] = await Promise.all(
        [
          import('./authority/ca.ts'),
          import('./authority/ca-keys.ts'),
          import('./authority/ca-repair.ts'),
          import('./authority/ca-retire.ts'),
        ],
      );
      return addRetire(addCaRepair(addKeyCommands(caCommand(asking), asking), asking), asking);
    },
  },
  enrol: {
    takes: '[options]',
    about: 'get a certificate from a SCEP server, this one or any other',
    load: async ({ io }) => (await import('./device/enrol.ts')).enrolCommand(io),
  },
  renew: {
    takes: '[options]',
    about: 'renew the certificate in a folder, signed with its key; no challenge is needed',
    load: async ({ io }) => (await import('./device/renew.ts')).renewCommand(io),
  },
  mdm: {
    about: 'what to enter into an MDM or a device, so that it enrols here',
    load: async ({ asking }) => (await import('./mdm/mdm.ts')).mdmCommand(asking),
  },
  inspect: {
    takes: '[options] <file>',
    about: 'say what is in a file: request, certificate, chain, CRL, pkiMessage, public key',
    load: async ({ io }) => (await import('./look/inspect.ts')).inspectCommand(io),
  },
  status: {
    takes: '[options]',
    about: 'how the service stands: store, CAs, CRLs, endpoints, requests that wait',
    load: async ({ asking }) => (await import('./service/status.ts')).statusCommand(asking),
  },
  backup: {
    takes: '[options] <file>',
    about: 'back up a server on SQLite: its database and its keys, while it serves',
    load: async ({ asking }) => (await import('./service/backup.ts')).backupCommand(asking),
  },
  restore: {
    takes: '[options] <file>',
    about: 'restore a backup into an empty data folder',
    load: async ({ io }) => (await import('./service/backup.ts')).restoreCommand(io),
  },
  policy: {
    about: 'what endpoints allow',
    load: async ({ asking }) => (await import('./request/policy.ts')).policyCommand(asking),
  },
  log: {
    about: 'events: everything that happened',
    load: async ({ asking }) => (await import('./log/log.ts')).logCommand(asking),
  },
  evidence: {
    takes: '[options] <certificate>',
    about: 'a folder that proves who got a certificate and who allowed it, for auditors',
    load: async ({ asking }) => (await import('./evidence/evidence.ts')).evidenceCommand(asking),
  },
  explain: {
    takes: '[options] [code]',
    about: 'what a refusal means, and what to change',
    load: async ({ io }) => (await import('./look/explain.ts')).explainCommand(io),
  },
  token: {
    about: 'tokens of the admin API',
    load: async ({ asking }) => (await import('./service/token.ts')).tokenCommand(asking),
  },
  config: {
    about: 'the configuration: one JSON document',
    load: async ({ asking, version }) =>
      (await import('./service/config.ts')).configCommand(asking, version),
  },
  init: {
    takes: '[options] [folder]',
    about: 'begin a deployment: write its configuration, and what its tool needs',
    load: async ({ io }) => (await import('./init/init.ts')).initCommand(io),
  },
  serve: {
    takes: '[options]',
    about: 'run the server: SCEP, CRLs and the admin API; SIGTERM ends it',
    load: async ({ io }) => (await import('./service/serve.ts')).serveCommand(io),
  },
  cost: {
    takes: '[options]',
    about: 'what a fleet costs a month at AWS and Cloudflare, part by part',
    load: async ({ io }) => (await import('./plan/cost.ts')).costCommand(io),
  },
  doctor: {
    takes: '[options] [scep-url]',
    about: 'look at a SCEP server as devices see it, ours or any other, and say what to mend',
    load: async ({ asking }) => (await import('./doctor/doctor.ts')).doctorCommand(asking),
  },
  completion: {
    takes: '[options] <shell>',
    about: 'print a script that lets a shell complete commands, options and values',
    load: async (parts) => (await import('./service/completion.ts')).completionCommand(parts),
  },
};

/** As help lists a word whose modules are not loaded. */
export function listedCommand(name: string, { takes, about }: Noun): Command {
  const command = new Command(name).description(about);
  for (const word of takes?.split(' ') ?? []) {
    if (word === '[options]') command.option('--json');
    else command.argument(word);
  }
  return command;
}
