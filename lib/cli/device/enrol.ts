// scepter enrol: a SCEP client, from a key to a certificate in files.

import { mkdir } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { fromUtf8, hex, pem } from '../../base/bytes.ts';
import { hash } from '../../crypto/native.ts';
import { buildRequest, selfSigned } from '../../protocol/scep/client/client.ts';
import { parseGeneralName } from '../../x509/names/general-name.ts';
import { parseName, printName } from '../../x509/names/name.ts';
import { Patience } from '../busy.ts';
import { CliError, type Io, readStdin } from '../io.ts';
import { chainPem, keyIn, keySpecs, openFolder, replaceFile, report } from './folder.ts';
import {
  discover,
  obtain,
  plainFingerprint,
  random,
  syntax,
  type Waiting,
  waitOptions,
} from './scep.ts';

type Options = Waiting & {
  readonly url: string;
  readonly challenge?: string;
  readonly challengeStdin?: true;
  readonly subject: string;
  readonly san: readonly string[];
  readonly key: string;
  readonly fingerprint?: string;
  readonly out: string;
  readonly json?: true;
};

export function enrolCommand(io: Io): Command {
  const command = new Command('enrol')
    .requiredOption('--url <url>', 'the SCEP URL, such as http://127.0.0.1:8080/scep')
    .addOption(
      new Option('--challenge <secret>', 'the challengePassword').conflicts('challengeStdin'),
    )
    .option('--challenge-stdin', 'read the challengePassword from standard input')
    .requiredOption('--subject <DN>', 'the subject to ask for (RFC 4514)')
    .option(
      '--san <TYPE:VALUE>',
      'a subjectAltName to ask for: dns, email, uri, ip or upn; repeatable',
      (value: string, all: string[]) => [...all, value],
      [] as string[],
    )
    .addOption(
      new Option('--key <type>', 'key to make').choices(Object.keys(keySpecs)).default('rsa:2048'),
    )
    .option('--fingerprint <sha256>', 'stop unless the CA certificate has this SHA-256')
    .requiredOption('--out <folder>', 'where key.pem, cert.pem and ca.pem go');
  for (const option of waitOptions()) command.addOption(option);
  return command
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
A key.pem that is in the folder already is used again, so that a command that was stopped, or whose
answer got lost, can simply be repeated: the server knows the request by its key, subject, names and
challenge, and a request that waits for an approver goes on waiting.

Examples:
  scepter enrol --url http://127.0.0.1:8080/scep --challenge SECRET --subject CN=device-1 --out device-1
  scepter challenge create | scepter enrol --url http://127.0.0.1:8080/scep --challenge-stdin \\
    --subject CN=device-2 --key ec:P-256 --out device-2
  scepter enrol --url http://127.0.0.1:8080/scep/vpn --challenge SECRET --subject CN=device-3 \\
    --out device-3 --poll-interval 1m --max-wait 7d`,
    )
    .action((options: Options) => enrol(io, options));
}

async function enrol(io: Io, options: Options): Promise<void> {
  const subject = syntax(() => parseName(options.subject));
  const names = syntax(() => options.san.map(parseGeneralName));
  const challenge = options.challengeStdin
    ? fromUtf8(await readStdin(io)).trim()
    : options.challenge;
  if (!challenge) throw new CliError('usage', 'give --challenge or --challenge-stdin');
  const { url, fingerprint, out } = options;
  const trusted = fingerprint === undefined ? undefined : [plainFingerprint(fingerprint)];
  const patience = new Patience(io, options.retryFor);
  const server = await discover(patience, url, trusted);
  io.note(`CA ${printName(server.ra.issuer)}, ${server.digest}, ${server.cipher}`);
  await mkdir(out, { recursive: true });
  const folder = await openFolder(out);
  const key = await keyIn(io, folder.key, keySpecs[options.key] ?? { type: 'RSA', bits: 2048 });
  const ask = {
    messageType: 'PKCSReq',
    // RFC 8894 §3.2.1.1 suggests a hash of the key: a repeated command is the same transaction.
    transactionID: hex(hash('SHA-256', key.spki)),
    plaintext: await buildRequest(key, { subject, names }, challenge),
    signer: { certificate: await selfSigned(key, subject, io.clock.now(), random), key },
    subject,
    key,
    password: challenge,
  } as const;
  const certificate = await obtain({ io, patience }, server, ask, options);
  await replaceFile(folder.certificate, pem('CERTIFICATE', certificate.der));
  await replaceFile(folder.ca, chainPem(server.chain));
  report(io, folder, certificate, options.json === true);
}
