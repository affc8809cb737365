// scepter renew: a new certificate on the strength of the one in the folder (RFC 8894 §2.5), which
// signs the request. No challenge is needed, and no person, unless the endpoint asks for an approver.

import { Command, InvalidArgumentError, Option } from 'commander';
import { extensionOids } from '../../asn1/oids.ts';
import { scan } from '../../asn1/reader.ts';
import { type Bytes, concat, hex, pem, utf8 } from '../../base/bytes.ts';
import { errorText } from '../../base/errors.ts';
import { parseDuration } from '../../config/duration.ts';
import { hash } from '../../crypto/native.ts';
import {
  buildRequest,
  type ClientKey,
  type ClientKeySpec,
} from '../../protocol/scep/client/client.ts';
import { type Certificate, fingerprint, publicKeyOf } from '../../x509/certificate.ts';
import { type GeneralName, readGeneralNames } from '../../x509/names/general-name.ts';
import { Patience } from '../busy.ts';
import { CliError, type Io, jsonLine } from '../io.ts';
import {
  chainPem,
  type Folder,
  keyIn,
  keySpecs,
  openFolder,
  readCertificates,
  readKey,
  replaceFile,
  replacePair,
  report,
} from './folder.ts';
import { oweHook, runOwedHook } from './hook.ts';
import {
  type Ask,
  certifies,
  discover,
  obtain,
  plainFingerprint,
  verified,
  type Waiting,
  waitOptions,
} from './scep.ts';

type Options = Waiting & {
  readonly url: string;
  readonly out: string;
  readonly key?: string;
  readonly sameKey?: true;
  readonly fingerprint?: string;
  readonly ifDue?: Window;
  readonly hook?: string;
  readonly json?: true;
};

/** The end of a certificate's life: a part of it, or milliseconds. */
type Window = { readonly part: number } | { readonly ms: number };

export function renewCommand(io: Io): Command {
  const command = new Command('renew')
    .requiredOption('--url <url>', 'the SCEP URL that it was enrolled at')
    .requiredOption('--out <folder>', 'where key.pem, cert.pem and ca.pem are')
    .addOption(
      new Option('--key <type>', 'key to make (default: as the one it replaces)')
        .choices(Object.keys(keySpecs))
        .conflicts('sameKey'),
    )
    .option('--same-key', 'keep the key')
    .option(
      '--fingerprint <sha256>',
      'of the CA certificate, when it is no longer the one in ca.pem',
    )
    .addOption(
      new Option(
        '--if-due [window]',
        'only in the last third of its life, or within this of its end, such as 1/2 or 30d; otherwise do nothing',
      )
        .preset('1/3')
        .argParser(windowOf),
    )
    .option('--hook <command>', 'run in the folder, by the shell, when there is a new certificate');
  for (const option of waitOptions()) command.addOption(option);
  return command
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
key.pem and cert.pem are replaced together, after the new certificate is there; until then, and when
the renewal fails, they stay as they are. Subject and names of the certificate stay the same.

With --if-due the command is for a timer: before the certificate is due it prints nothing and is exit 0. A hook that
fails, or was kept from running, is run by the next command with --hook, whether or not it renews; it may run twice.
docs/renew.md has a timer of systemd.

Examples:
  scepter renew --url http://127.0.0.1:8080/scep --out device-1
  scepter renew --url http://127.0.0.1:8080/scep --out device-1 --same-key --json
  scepter renew --url http://127.0.0.1:8080/scep --out device-1 --if-due --hook "systemctl reload nginx"`,
    )
    .action((options: Options) => renew(io, options));
}

function windowOf(text: string): Window {
  const [, over, under] = /^([1-9]\d{0,2})\/([1-9]\d{0,2})$/.exec(text) ?? [];
  const part = Number(over) / Number(under);
  if (part <= 1) return { part };
  const ms = parseDuration(text);
  if (ms !== undefined) return { ms };
  throw new InvalidArgumentError(
    'It must be a part of its life such as 1/3, or a duration such as 30d.',
  );
}

/** When the window begins. */
function dueAt({ notBefore, notAfter }: Certificate, window: Window): number {
  return notAfter - ('ms' in window ? window.ms : window.part * (notAfter - notBefore));
}

/** A hook is run also where the renewal fails, if one before it is owed; what failed first is what is said last. */
async function renew(io: Io, options: Options): Promise<void> {
  const { out, hook } = options;
  const folder = await openFolder(out);
  const renewed = await renewDue(io, folder, options).catch((error: unknown) => ({ error }));
  if (hook !== undefined) {
    await runOwedHook(io, hook, out).catch((error: unknown) => {
      if (!renewed) throw error;
      io.note(errorText(error));
    });
  }
  if (renewed) throw renewed.error;
}

async function renewDue(io: Io, folder: Folder, options: Options): Promise<void> {
  const { url, out, sameKey = false, ifDue, hook } = options;
  const signer = await pairIn(folder);
  const due = ifDue && dueAt(signer.certificate, ifDue);
  if (due !== undefined && io.clock.now() < due) {
    if (options.json) io.out(jsonLine({ renewed: false, dueAt: new Date(due).toISOString() }));
    return;
  }
  const patience = new Patience(io, options.retryFor);
  const trusted = await trustedIn(folder, options.fingerprint);
  const server = await discover(patience, url, trusted);
  if (!server.renewal) {
    throw new CliError('remote', `${url} does not offer Renewal: enrol again with a challenge`);
  }
  const spec = keySpecs[options.key ?? ''] ?? specOf(signer.certificate);
  const key = sameKey ? signer.key : await keyIn(io, folder.nextKey, spec);
  const certificate = await obtain({ io, patience }, server, await askFor(key, signer), options);
  if (hook !== undefined) await oweHook(out);
  if (sameKey) await replaceFile(folder.certificate, pem('CERTIFICATE', certificate.der));
  else await replacePair(folder, certificate);
  if (options.fingerprint !== undefined) await replaceFile(folder.ca, chainPem(server.chain));
  report(io, folder, certificate, options.json === true);
}

type Pair = { readonly certificate: Certificate; readonly key: ClientKey };

/** The key and the certificate that are renewed. */
async function pairIn(folder: Folder): Promise<Pair> {
  const [certificate] = await readCertificates(folder.certificate);
  const key = await readKey(folder.key);
  if (!certificate || !key) {
    const missing = certificate ? folder.key : folder.certificate;
    throw new CliError('notFound', `${missing} is not there: there is nothing to renew`);
  }
  if (!certifies(certificate, key)) {
    throw new CliError('failure', `${folder.key} is not the key of ${folder.certificate}`);
  }
  return { certificate, key };
}

/** The CA that the last enrolment found, unless the user names another. */
async function trustedIn({ ca }: Folder, given: string | undefined): Promise<string[]> {
  if (given !== undefined) return [plainFingerprint(given)];
  const known = await readCertificates(ca);
  if (known.length === 0) {
    throw new CliError('notFound', `${ca} is not there: give the CA's --fingerprint`);
  }
  return known.map(({ der }) => fingerprint(der));
}

/** The same for the same key and certificate, so that a command that was stopped can be repeated. */
async function askFor(key: ClientKey, signer: Pair): Promise<Ask> {
  const { subject, der } = signer.certificate;
  const names = await verified(async () => namesOf(signer.certificate));
  const password = passwordFor(key, signer);
  return {
    messageType: 'RenewalReq',
    // The key alone is not enough: some servers answer a known transactionID with the old certificate.
    transactionID: hex(hash('SHA-256', concat([key.spki, der]))),
    plaintext: await buildRequest(key, { subject, names }, password),
    signer,
    subject,
    key,
    password,
  };
}

/** A signer that cannot decrypt gets its reply sealed under the challengePassword (RFC 8894 §3.1). */
function passwordFor({ pkcs8 }: ClientKey, signer: Pair): string | undefined {
  if (signer.key.scheme.kind === 'RSASSA-PKCS1-v1_5') return undefined;
  return hex(hash('SHA-256', concat([utf8('scepter renew'), pkcs8])));
}

function namesOf({ extensions }: Certificate): GeneralName[] {
  const value: Bytes | undefined = extensions.get(extensionOids.subjectAltName)?.value;
  const names = value ? readGeneralNames(scan(value)) : [];
  return names.filter(({ kind }) => kind !== 'other');
}

function specOf(certificate: Certificate): ClientKeySpec {
  const kind = publicKeyOf(certificate)?.kind;
  if (kind?.type === 'RSA' || kind?.type === 'EC') return kind;
  throw new CliError('usage', 'give the --key to make: the old one is of a kind that is not made');
}
