// scepter ca restore, ca mac-keys and crl rebuild: end an outage after the table was altered. They ask no
// server: they work on the store and the keys, with the credentials of whoever runs them.

import type { Command } from 'commander';
import { IssuingCas } from '../../ca/authority/ca-certificates.ts';
import type { Operator } from '../../ca/authority/init-ca.ts';
import { backUpMacKeys, readMacKeysBackup, restoreMacKeys } from '../../ca/authority/mac-keys.ts';
import { restoreCa } from '../../ca/authority/restore.ts';
import { ownNames } from '../../ca/record/tokens.ts';
import { publishCrl } from '../../ca/revoke/publish-crl.ts';
import { rebuildRegister } from '../../ca/revoke/rebuild-register.ts';
import { fingerprint } from '../../x509/certificate.ts';
import { printName } from '../../x509/names/name.ts';
import { CliError, type Io, jsonLine } from '../io.ts';
import { seconds, section } from '../text.ts';
import { certificatesIn, knownCa, operating, shownGeneration, textOf } from './ca-keys.ts';

const actor = { kind: 'admin', id: ownNames.operator } as const;
const where = `
With the environment of the functions (SCEPTER_CONFIG, SCEPTER_TABLE, SCEPTER_SEALING_KEY,
SCEPTER_DEPLOYMENT) and your own AWS credentials, or on SCEPTER_DATA_DIR while no server runs.
`;

/** Their names. */
export const repairCommands = ['restore', 'mac-keys', 'rebuild'] as const;

type RestoreFlags = { readonly chain: string; readonly key?: string; readonly json?: true };

export function addCaRepair(ca: Command, io: Io): Command {
  ca.command('restore')
    .argument('[name]', 'name of the CA', 'default')
    .description('repair the altered or removed record of a CA')
    .requiredOption(
      '--chain <file>',
      'PEM: its certificate and its issuers up to the root; "-" for stdin',
    )
    .option(
      '--key <key>',
      "its key: ARN, or the name of its file without .p8 (default: the record's own)",
    )
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
The key must fit the certificate. RA keys are kept if that key has signed their certificates and they
open; if none is kept, a new one is made.
${where}
Examples:
  scepter ca restore --chain ca.pem
  scepter ca restore vpn --chain vpn-chain.pem --key arn:aws:kms:eu-central-1:111122223333:key/...`,
    )
    .action((name: string, flags: RestoreFlags) =>
      operating(io, (operator) => restore(io, operator, name, flags)),
    );
  ca.command('mac-keys')
    .description('print the sealed MAC keys, to be kept with backups; or put them back')
    .option('--restore <file>', 'what this command has printed; "-" for stdin')
    .option('--json', 'print one JSON object, as it does without --restore anyway')
    .addHelpText(
      'after',
      `
They open only with the sealing key. Without them no record of the table is believed: keep them where
the table is not.
${where}
Examples:
  scepter ca mac-keys > mac-keys.json
  scepter ca mac-keys --restore mac-keys.json`,
    )
    .action(({ restore: file, json }: { restore?: string; json?: true }) =>
      operating(io, (operator) => macKeys(io, operator, file, json === true)),
    );
  return ca;
}

export function addCrlRepair(crl: Command, io: Io): Command {
  crl
    .command('rebuild')
    .argument('[ca]', 'name of the CA', 'default')
    .description('rebuild an altered register of revocations, and publish a CRL')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
From the certificates' records and the last CRL that the CA has signed.
${where}
Examples:
  scepter crl rebuild
  scepter crl rebuild vpn --json`,
    )
    .action((name: string, { json }: { json?: true }) =>
      operating(io, (operator) => rebuild(io, operator, name, json === true)),
    );
  return crl;
}

async function restore(
  io: Io,
  operator: Operator,
  name: string,
  { chain: file, key, json }: RestoreFlags,
): Promise<void> {
  const authority = await knownCa(operator, name);
  const found = certificatesIn(file, await textOf(io, file));
  const restored = await restoreCa(operator, authority, found, { key, actor });
  if (restored.kind === 'refused') {
    throw new CliError('verification', `the CA "${name}" is not restored: ${restored.why}`);
  }
  const chain = restored.chain.map(({ subject, der }) => ({
    subject: printName(subject),
    sha256: fingerprint(der),
  }));
  const ra = restored.generations.map(shownGeneration);
  if (restored.isNew) io.note('no RA key could be kept: a new one was made');
  if (json) return io.out(jsonLine({ id: name, chain, ra }));
  io.out(
    section(`CA ${name}`, [
      ['chain', chain.map(({ subject, sha256 }) => `${subject}, SHA-256 ${sha256}`)],
      ['RA', ra.map(({ id, state, sha256 }) => `${id} ${state}, SHA-256 ${sha256}`)],
    ]),
  );
}

async function macKeys(
  io: Io,
  operator: Operator,
  file: string | undefined,
  json: boolean,
): Promise<void> {
  if (!operator.makeMacKey) {
    throw new CliError(
      'usage',
      'the MAC keys are a file here, keys/mac-keys.json: keep a copy of that',
    );
  }
  if (file === undefined) return io.out(jsonLine(await backUpMacKeys(operator.store)));
  const text = await textOf(io, file);
  const backup = (() => {
    try {
      return readMacKeysBackup(text);
    } catch {
      throw new CliError('usage', `${file} is not what "scepter ca mac-keys" prints`);
    }
  })();
  const changed = await restoreMacKeys(operator, backup, actor);
  if (json) return io.out(jsonLine({ restored: changed }));
  io.note(
    changed.length === 0
      ? 'they were on record already'
      : `restored the MAC keys for ${changed.join(', ')}`,
  );
}

async function rebuild(io: Io, operator: Operator, name: string, json: boolean): Promise<void> {
  await knownCa(operator, name);
  const issuer = await new IssuingCas(operator).issuer(name);
  const rebuilt = await rebuildRegister(operator, issuer, actor);
  const { number, nextUpdate } = await publishCrl(operator, issuer, actor);
  const until = new Date(nextUpdate).toISOString();
  if (json) return io.out(jsonLine({ ca: name, rebuilt, number, nextUpdate: until }));
  io.note(
    rebuilt.length === 0
      ? 'the register held: nothing was rebuilt'
      : `rebuilt the register for serial numbers that end with ${rebuilt.join(', ')}`,
  );
  io.out(`CRL ${number}, next by ${seconds(until)}\n`);
}
