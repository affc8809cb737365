// scepter mdm: what an administrator pastes into an MDM or onto a device, so that it enrols at an endpoint.

import { Command, Option } from 'commander';
import type { Console } from '../../mdm/consoles.ts';
import type { DeviceRequest, MdmFacts } from '../../mdm/facts.ts';
import { certmongerNotes, certmongerScript, strongswanScript } from '../../mdm/linux.ts';
import { ciscoCommands, ciscoNotes, routerosCommands, routerosNotes } from '../../mdm/network.ts';
import { cspNodes, syncml } from '../../mdm/windows-csp.ts';
import { syntax } from '../device/scep.ts';
import { type Io, jsonLine } from '../io.ts';
import { outputOption, pagerOption, type ShowOptions, show } from '../show.ts';
import { addAppleProfile } from './apple.ts';
import {
  aboutEndpoint,
  addEndpointOptions,
  addRequestOptions,
  deviceRequest,
  type MdmOptions,
  mdmFacts,
} from './asking.ts';

export function mdmCommand(io: Io): Command {
  const mdm = new Command('mdm');
  addAppleProfile(mdm, io);
  for (const [name, { about, load }] of Object.entries(consoles)) {
    addEndpointOptions(mdm.command(name).description(about))
      .addOption(outputOption())
      .option('--json', 'print one JSON object')
      .addOption(pagerOption())
      .addHelpText(
        'after',
        `
Examples:
  scepter mdm ${name}
  scepter mdm ${name} --endpoint office --json`,
      )
      .action(async (options: MdmOptions & ShowOptions) => showConsole(io, await load(), options));
  }
  addWindows(mdm, io);
  for (const [name, { about, make, notes, example }] of Object.entries(scripts)) {
    addRequestOptions(mdm.command(name).description(about), 'the subject to ask for (RFC 4514)')
      .option('--json', 'print one JSON object with the same text')
      .addHelpText(
        'after',
        `
Examples:
  scepter mdm ${name} --subject "CN=host-1,O=Example"
  scepter challenge create --subject "CN=host-1,O=Example" |
    scepter mdm ${name} --subject "CN=host-1,O=Example" --challenge-stdin${example}`,
      )
      .action((options: MdmOptions) => printScript(io, make, notes, options));
  }
  return mdm;
}

type Make = (facts: MdmFacts) => Console;
type ConsoleKind = {
  readonly about: string;
  /** With the schemas of the configuration, which help does without. */
  readonly load: () => Promise<Make>;
};
const all = () => import('../../mdm/consoles.ts');
const consoles: Readonly<Record<string, ConsoleKind>> = {
  intune: {
    about: 'what to enter at Microsoft Entra and Intune, field by field',
    load: async () => (await all()).intuneConsole,
  },
  jamf: {
    about: 'what to enter at Jamf Pro, field by field',
    load: async () => (await all()).jamfConsole,
  },
  fleet: {
    about: 'what to enter at Fleet, field by field',
    load: async () => (await all()).fleetConsole,
  },
};

async function showConsole(io: Io, make: Make, options: MdmOptions & ShowOptions): Promise<void> {
  const facts = await mdmFacts(io, options);
  const { places, notes } = syntax(() => make(facts));
  const json = {
    ...aboutEndpoint(facts),
    places: places.map(({ heading, fields }) => ({
      place: heading,
      fields: fields.map(([label, value]) => ({ label, value })),
    })),
  };
  await show(io, options, { json, page: () => places.map((place) => [place]) });
  for (const note of notes) io.note(note);
}

type ScriptKind = {
  readonly about: string;
  readonly make: (facts: MdmFacts, request: DeviceRequest) => string;
  readonly notes?: (facts: MdmFacts, request: DeviceRequest) => readonly string[];
  /** What follows the last example. */
  readonly example: string;
};
const scripts: Readonly<Record<string, ScriptKind>> = {
  cisco: {
    about: 'the commands of a trustpoint for Cisco IOS and IOS XE',
    make: ciscoCommands,
    notes: ciscoNotes,
    example: ' --scep-url http://scep.example.com/scep/vpn',
  },
  routeros: {
    about: "the commands of a certificate for MikroTik's RouterOS",
    make: routerosCommands,
    notes: routerosNotes,
    example: '',
  },
  strongswan: {
    about: "a shell script that enrols with strongSwan's pki",
    make: strongswanScript,
    example: ' > enrol.sh',
  },
  certmonger: {
    about: 'a shell script that has certmonger enrol and renew',
    make: certmongerScript,
    notes: certmongerNotes,
    example: ' > enrol.sh',
  },
};

async function printScript(
  io: Io,
  make: ScriptKind['make'],
  notes: ScriptKind['notes'],
  options: MdmOptions,
): Promise<void> {
  const request = await deviceRequest(io, options);
  const facts = await mdmFacts(io, options);
  const text = syntax(() => make(facts, request));
  io.out(options.json ? jsonLine({ ...aboutEndpoint(facts), text }) : text);
  for (const note of notes?.(facts, request) ?? []) io.note(note);
}

type WindowsOptions = MdmOptions & { readonly user?: true; readonly id?: string };

function addWindows(mdm: Command, io: Io): void {
  const command = mdm
    .command('windows-csp')
    .description('the SyncML by which any MDM has Windows enrol (ClientCertificateInstall)');
  addRequestOptions(command, 'the subject to ask for (RFC 4514), also with variables of an MDM')
    .option('--user', "into the store of the user instead of the machine's")
    .addOption(
      new Option('--id <id>', 'what the MDM calls this certificate (default: scepter-ENDPOINT)'),
    )
    .option('--json', 'print one JSON object, with the list of OMA-URIs')
    .addHelpText(
      'after',
      `
Windows puts the certificate of the CA into the machine's store, enrols as soon as the block has come whole, and
asks again for ten minutes where an approver decides.

Examples:
  scepter challenge create --subject CN=pc-1 | scepter mdm windows-csp --subject CN=pc-1 --challenge-stdin
  scepter mdm windows-csp --endpoint office --subject CN=pc-1 --san dns:pc-1.example.com --json |
    jq -r '.nodes[] | [.uri, .format, .value] | @tsv'`,
    )
    .action(async (options: WindowsOptions) => {
      const request = await deviceRequest(io, options);
      const facts = await mdmFacts(io, options);
      const { user, id = `scepter-${facts.endpoint.id}` } = options;
      const nodes = syntax(() => cspNodes(facts, request, { store: user ? 'User' : 'Device', id }));
      const text = syntax(() => syncml(nodes));
      const list = [...nodes.trust, ...nodes.enrol];
      io.out(
        options.json ? jsonLine({ ...aboutEndpoint(facts), nodes: list, syncml: text }) : text,
      );
      if (request.challenge === undefined) {
        io.note('it has no challenge: the MDM has to add the node Challenge before Enroll');
      }
    });
}
