// scepter ca restore, ca mac-keys, ca crl-floor and crl rebuild: end an outage after the table was altered or put
// back.

import type { Command } from 'commander';
import { MAX_CRL_FLOOR } from '../../base/limits.ts';
import { readMacKeysBackup } from '../../ca/authority/mac-keys.ts';
import { callApi } from '../api.ts';
import { CliError, type Io, jsonLine } from '../io.ts';
import { operating, where } from '../operating.ts';
import { seconds, section } from '../text.ts';
import { partitionsText } from './ca.ts';
import { chainIn, chainLines, chainVerified, textOf } from './ca-keys.ts';

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
      operating(io, (asked) => restore(asked, name, flags)),
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
      operating(io, (asked) => macKeys(asked, file, json === true)),
    );
  ca.command('crl-floor')
    .argument('<number>', 'the highest CRL number that anybody has seen')
    .argument('[name]', 'name of the CA', 'default')
    .description('after a table was put back: publish CRLs with higher numbers than that')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Relying parties that have seen a CRL with a higher number may refuse the next one (RFC 5280 5.2.3). The
number stands in every CRL: scepter inspect FILE shows that of a copy, such as one from a cache. The
next CRLs count on from it, and it never goes back. "scepter restore" does this by itself.
${where}
Examples:
  scepter ca crl-floor 4711
  scepter ca crl-floor 4711 vpn --json`,
    )
    .action((number: string, name: string, { json }: { json?: true }) =>
      operating(io, (asked) => crlFloor(asked, numberIn(number), name, json === true)),
    );
  return ca;
}

export function addCrlRepair(crl: Command, io: Io): Command {
  crl
    .command('rebuild')
    .argument('[ca]', 'name of the CA', 'default')
    .description('rebuild the altered registers of revocations of a CA, and publish its CRLs')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
From the certificates' records and the last CRLs that the CA has signed.
${where}
Examples:
  scepter crl rebuild
  scepter crl rebuild vpn --json`,
    )
    .action((name: string, { json }: { json?: true }) =>
      operating(io, (asked) => rebuild(asked, name, json === true)),
    );
  crl
    .command('partition')
    .argument('[ca]', 'name of the CA', 'default')
    .description('spread new certificates over more CRLs, or over CRLs at another URL')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Over as many as the configuration has in "crlPartitions", at its filesUrl or publicUrl. Certificates that exist
keep the CRLs that they name, which go on: serve the old URL as long as any of them is valid.
A CA that was made without partitions stays without.
${where}
Examples:
  scepter crl partition
  scepter crl partition vpn --json`,
    )
    .action((name: string, { json }: { json?: true }) =>
      operating(io, (asked) => partition(asked, name, json === true)),
    );
  return crl;
}

async function partition(io: Io, name: string, json: boolean): Promise<void> {
  const done = await callApi(io, 'POST /crls/{ca}/partition', { params: { ca: name } });
  io.out(json ? jsonLine(done) : `new certificates name ${partitionsText(done)}\n`);
}

async function restore(
  io: Io,
  name: string,
  { chain: file, key, json }: RestoreFlags,
): Promise<void> {
  const chain = await chainIn(io, file);
  const body = { chain, key };
  const { isNew, ...restored } = await chainVerified(
    callApi(io, 'POST /cas/{ca}/restore', { params: { ca: name }, body }),
  );
  if (isNew) io.note('no RA key could be kept: a new one was made');
  if (json) return io.out(jsonLine(restored));
  io.out(
    section(`CA ${name}`, [
      ['chain', chainLines(restored.chain)],
      ['RA', restored.ra.map(({ id, state, sha256 }) => `${id} ${state}, SHA-256 ${sha256}`)],
    ]),
  );
}

async function macKeys(io: Io, file: string | undefined, json: boolean): Promise<void> {
  if (file === undefined) return io.out(jsonLine(await callApi(io, 'GET /mac-keys')));
  const text = await textOf(io, file);
  const backup = (() => {
    try {
      return readMacKeysBackup(text);
    } catch {
      throw new CliError('usage', `${file} is not what "scepter ca mac-keys" prints`);
    }
  })();
  const { restored } = await callApi(io, 'POST /mac-keys/restore', { body: backup });
  if (json) return io.out(jsonLine({ restored }));
  io.note(
    restored.length === 0
      ? 'they were on record already'
      : `restored the MAC keys for ${restored.join(', ')}`,
  );
}

function numberIn(text: string): number {
  if (!/^\d{1,16}$/.test(text) || Number(text) > MAX_CRL_FLOOR) {
    throw new CliError('usage', `<number> must be a whole number up to ${MAX_CRL_FLOOR}`);
  }
  return Number(text);
}

async function crlFloor(io: Io, above: number, name: string, json: boolean): Promise<void> {
  const asked = { params: { ca: name }, body: { above } };
  const done = await callApi(io, 'POST /crls/{ca}/floor', asked);
  io.out(json ? jsonLine(done) : crlLine(done));
}

type Numbered = { readonly number: number; readonly nextUpdate: string };
const crlLine = ({ number, nextUpdate }: Numbered): string =>
  `CRL ${number}, next by ${seconds(nextUpdate)}\n`;

async function rebuild(io: Io, name: string, json: boolean): Promise<void> {
  const done = await callApi(io, 'POST /crls/{ca}/rebuild', { params: { ca: name } });
  if (json) return io.out(jsonLine(done));
  const { rebuilt } = done;
  io.note(
    rebuilt.length === 0
      ? 'the register held: nothing was rebuilt'
      : `rebuilt the parts ${rebuilt.join(', ')} of the register`,
  );
  io.out(crlLine(done));
}
