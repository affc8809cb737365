// scepter backup and restore: the data folder of a server as one file. `backup` takes it while the server
// serves; `restore` puts it back into an empty folder, and keeps CRLs from going back.

import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { type Bytes, concat, fromPem } from '../../base/bytes.ts';
import { errorText, Malformed } from '../../base/errors.ts';
import { callApi } from '../api.ts';
import { CliError, type Io, jsonLine, send } from '../io.ts';
import { counted, type Field, section } from '../text.ts';

const MIN_PASSPHRASE = 12;
const MAX_CRL_OCTETS = 256_000_000;

const sealing =
  'a file with the passphrase that seals it: without one, whoever has the file has the CA';

type BackupFlags = { readonly passphraseFile?: string; readonly json?: true };

export function backupCommand(io: Io): Command {
  return new Command('backup')
    .argument('<file>', 'a new file, or a folder for one that is named by its time')
    .option('--passphrase-file <file>', sealing)
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Run it on the server's machine as the server's user: the keys are read from SCEPTER_DATA_DIR, and the
running server copies its database into that folder for it. The file (mode 0600) holds the PRIVATE KEYS
of the CA, so seal it or keep it as you keep them. It is read back and verified before the command ends;
exit code 6: it was made, and some records in it were changed by another hand. It is a tar archive, or
one sealed by scrypt and AES-256-GCM. The configuration is not in it: keep that with your code.

Examples:
  scepter backup /var/backups/scepter
  scepter backup ca.backup --passphrase-file /etc/scepter/backup-passphrase`,
    )
    .action((target: string, flags: BackupFlags) => backup(io, target, flags));
}

async function backup(io: Io, target: string, flags: BackupFlags): Promise<void> {
  if (target === '-') {
    throw new CliError('usage', 'name a file: a backup is read back, which standard output is not');
  }
  const passphrase = await passphraseIn(flags.passphraseFile);
  const askServer = async (): Promise<string> => (await callApi(io, 'POST /snapshots')).file;
  const { sleep } = io.clock;
  const made = await (await io.backups()).make(target, { passphrase, askServer, sleep });
  const { path, size, records, altered, sealed } = made;
  if (flags.json) io.out(jsonLine(made));
  else {
    io.out(`${path}\n`);
    io.note(`${counted(records, 'record')}, ${counted(size, 'octet')}, read back and verified`);
    io.note(
      sealed
        ? 'it holds the private keys of the CA, sealed: without the passphrase it is worth nothing'
        : 'it holds the private keys of the CA, NOT sealed: keep it as you keep those, or give --passphrase-file',
    );
  }
  if (altered.length > 0) {
    throw new CliError(
      'verification',
      `the backup was made, but another hand has changed ${altered.slice(0, 5).join(', ')}${altered.length > 5 ? ` and ${altered.length - 5} more` : ''}: see "scepter status"`,
    );
  }
}

type RestoreFlags = {
  readonly crl?: readonly string[];
  readonly withoutCrl?: true;
  readonly passphraseFile?: string;
  readonly json?: true;
};

export function restoreCommand(io: Io): Command {
  return new Command('restore')
    .argument('<file>', 'what "scepter backup" has made')
    .option(
      '--crl <file|url...>',
      'the newest CRL that each CA had published: what it lists stays revoked',
    )
    .option('--without-crl', 'accept that revocations since the backup are lost')
    .option('--passphrase-file <file>', 'a file with the passphrase that opens it')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
No server may run on SCEPTER_DATA_DIR, and nothing may be in it. SCEPTER_CONFIG is the configuration
that the server had. The backup is verified whole (digests, every record's MAC, every key) before any of
it counts; a restore that is interrupted leaves nothing that a server would start with.

A restored CA knows nothing that happened after the backup. What is done about it:
  CRL number      the next CRL has one above all that can have been published, in every case
  revocations     taken over from --crl, with time and reason; a key is blocked again if its certificate
                  is in the backup and was revoked for keyCompromise
  challenges      those that were open are revoked: one may have been used since
What nobody can know from a backup and a CRL:
  certificates issued since      they are valid and not on record: they are revoked with
                                 "cert revoke --file", and their devices renew with a challenge
  holds that have ended since    they are held again: "cert revoke SERIAL --reason removeFromCRL"
  tokens revoked since           they are good again: revoke them again
  approvals and denials since    those requests wait again

Examples:
  scepter restore ca.backup --crl http://mirror.example.com/crl/default.crl
  scepter restore ca.backup --passphrase-file pass --crl default.crl --crl vpn.crl`,
    )
    .action((file: string, flags: RestoreFlags) => restore(io, file, flags));
}

async function restore(io: Io, file: string, flags: RestoreFlags): Promise<void> {
  const passphrase = await passphraseIn(flags.passphraseFile);
  const crls = [];
  for (const name of flags.crl ?? []) crls.push({ name, der: await crlAt(name) });
  const withoutCrl = flags.withoutCrl === true;
  const restored = await (await io.backups()).restore(file, { passphrase, crls, withoutCrl });
  if (flags.json) return io.out(jsonLine(restored));
  const { dataDir, madeAt, records, challenges } = restored;
  io.out(`${dataDir}: ${counted(records, 'record')}, as of ${madeAt}\n`);
  for (const { ca, before, number, revoked, held, known } of restored.cas) {
    const fields: Field[] = [
      ['CRL', before === undefined ? `${number}` : `${number}, in the backup ${before}`],
      ['revoked', known ? [...revoked] : 'UNKNOWN since the backup: revoke what you know of'],
      [
        'held',
        held.length > 0 ? held.map((one) => `${one}: its CRL no longer lists it`) : undefined,
      ],
    ];
    io.out(section(`CA ${ca}`, fields));
  }
  io.note(`${counted(challenges, 'open challenge')} revoked: make new ones`);
  io.note('tokens that were revoked since the backup are good again: revoke them again');
}

/** The first line of the file. */
async function passphraseIn(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  const text = await readFile(path, 'utf8').catch((error: Error) => {
    throw new CliError('notFound', `--passphrase-file: ${error.message}`);
  });
  const passphrase = text.split(/\r?\n/)[0] ?? '';
  if (passphrase.length < MIN_PASSPHRASE) {
    throw new CliError(
      'usage',
      `--passphrase-file: the first line of ${path} must have at least ${MIN_PASSPHRASE} characters`,
    );
  }
  return passphrase;
}

async function crlAt(place: string): Promise<Bytes> {
  const octets = /^https?:/i.test(place) ? await fetched(place) : await read(place);
  if (octets.length > MAX_CRL_OCTETS) throw new CliError('usage', `--crl: ${place} is too long`);
  const text = new TextDecoder().decode(octets.subarray(0, 100_000_000));
  if (!text.includes('-----BEGIN X509 CRL-----')) return octets;
  try {
    const [der] = fromPem('X509 CRL', text);
    if (der) return der;
  } catch (error) {
    if (!(error instanceof Malformed || error instanceof SyntaxError)) throw error;
  }
  throw new CliError('usage', `--crl: ${place} has no CRL in PEM`);
}

async function fetched(url: string): Promise<Bytes> {
  const { status, octets } = await send(url, {}, { maxOctets: MAX_CRL_OCTETS });
  if (status === 200) return octets;
  throw new CliError('remote', `--crl: ${url} answered with HTTP ${status}`);
}

async function read(path: string): Promise<Bytes> {
  try {
    return concat([await readFile(path)]);
  } catch (error) {
    throw new CliError('notFound', `--crl: ${errorText(error)}`);
  }
}
