// scepter enrol: a SCEP client, from a key to a certificate in files.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { type Bytes, fromPem, hex, pem } from '../bytes.ts';
import { hash } from '../cms/native.ts';
import { Malformed } from '../errors.ts';
import {
  type Algorithms,
  buildPkiMessage,
  buildRequest,
  type CaCertificates,
  type CertRepResult,
  type ClientKey,
  type ClientKeySpec,
  chooseAlgorithms,
  generateKey,
  importKey,
  type PkiRequest,
  readCaCertificates,
  readCapabilities,
  readCertRep,
  selfSigned,
} from '../scep/client.ts';
import { mediaTypes } from '../scep/registry.ts';
import { readCertificate } from '../x509/certificate.ts';
import { parseGeneralName } from '../x509/general-name.ts';
import { parseName, printName } from '../x509/name.ts';
import { CliError, type Io, send } from './io.ts';

type Options = {
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

const keySpecs: Readonly<Record<string, ClientKeySpec>> = {
  'rsa:2048': { type: 'RSA', bits: 2048 },
  'rsa:3072': { type: 'RSA', bits: 3072 },
  'rsa:4096': { type: 'RSA', bits: 4096 },
  'ec:P-256': { type: 'EC', curve: 'P-256' },
  'ec:P-384': { type: 'EC', curve: 'P-384' },
  'ec:P-521': { type: 'EC', curve: 'P-521' },
};

export function enrolCommand(io: Io): Command {
  return new Command('enrol')
    .description('get a certificate from a SCEP server, this one or any other')
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
    .requiredOption('--out <folder>', 'where key.pem, cert.pem and ca.pem go')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
A key.pem that is in the folder already is used again, so that a command whose
answer got lost can simply be repeated.

Examples:
  scepter enrol --url http://127.0.0.1:8080/scep --challenge SECRET --subject CN=device-1 --out device-1
  scepter challenge create | scepter enrol --url http://127.0.0.1:8080/scep --challenge-stdin \\
    --subject CN=device-2 --key ec:P-256 --out device-2`,
    )
    .action(async (options: Options) => enrol(io, options));
}

async function enrol(io: Io, options: Options): Promise<void> {
  const subject = syntax(() => parseName(options.subject));
  const names = syntax(() => options.san.map(parseGeneralName));
  const challenge = options.challengeStdin ? (await io.stdin()).trim() : options.challenge;
  if (!challenge) throw new CliError('usage', 'give --challenge or --challenge-stdin');
  const server = await discover(options.url, options.fingerprint);
  io.note(`CA ${printName(server.ra.issuer)}, ${server.digest}, ${server.cipher}`);
  await mkdir(options.out, { recursive: true });
  const key = await keyIn(io, join(options.out, 'key.pem'), options.key);
  const random = (octets: number): Bytes => crypto.getRandomValues(new Uint8Array(octets));
  const request: PkiRequest = {
    messageType: 'PKCSReq',
    // RFC 8894 §3.2.1.1 suggests a hash of the key: a repeated command is the same transaction.
    transactionID: hex(hash('SHA-256', key.spki)),
    senderNonce: random(16),
    plaintext: await buildRequest(key, { subject, names }, challenge),
    ra: server.ra,
    signer: { certificate: await selfSigned(key, subject, Date.now(), random), key },
    digest: server.digest,
    cipher: server.cipher,
  };
  const answer = await operate(server, await buildPkiMessage(request, random));
  const result = await verified(() => readCertRep(answer, request, challenge));
  if (result.pkiStatus !== 'SUCCESS') throw refusal(result);
  const [der] = result.certificates;
  if (!der) throw new CliError('verification', 'the reply holds no certificate');
  const certificate = await verified(async () => readCertificate(der));
  await writeFile(join(options.out, 'cert.pem'), pem('CERTIFICATE', der));
  const chain = server.chain.map((ca) => pem('CERTIFICATE', ca.der));
  await writeFile(join(options.out, 'ca.pem'), chain.join(''));
  const summary = {
    subject: printName(certificate.subject),
    serial: hex(certificate.serial),
    notAfter: new Date(certificate.notAfter).toISOString(),
    certificate: join(options.out, 'cert.pem'),
    key: join(options.out, 'key.pem'),
    ca: join(options.out, 'ca.pem'),
  };
  io.out(
    options.json
      ? `${JSON.stringify(summary)}\n`
      : `${summary.certificate}: ${summary.subject}, serial ${summary.serial}, until ${summary.notAfter}\n`,
  );
}

type Server = CaCertificates & Algorithms & { readonly url: string; readonly post: boolean };

/** GetCACert and GetCACaps. */
async function discover(url: string, fingerprint: string | undefined): Promise<Server> {
  const { origin, pathname } = syntax(() => new URL(url));
  const base = origin + pathname;
  const bag = await octetsOf(await send(`${base}?operation=GetCACert`), base);
  const certificates = await verified(async () => readCaCertificates(bag));
  const wanted = fingerprint?.replace(/[:\s]/g, '').toLowerCase();
  const found = certificates.chain.map((ca) => hex(hash('SHA-256', ca.der)));
  if (wanted && !found.includes(wanted)) {
    throw new CliError('verification', `the CA's SHA-256 is ${found.join(' or ')}, not ${wanted}`);
  }
  const caps = await send(`${base}?operation=GetCACaps`);
  const capabilities = caps.ok ? readCapabilities(await caps.text()) : [];
  const post = ['POSTPKIOPERATION', 'SCEPSTANDARD'].some((word) => capabilities.includes(word));
  return { ...certificates, ...chooseAlgorithms(capabilities), url: base, post };
}

async function operate({ url, post }: Server, message: Bytes): Promise<Bytes> {
  const target = `${url}?operation=PKIOperation`;
  const response = post
    ? await send(target, {
        method: 'POST',
        headers: { 'content-type': mediaTypes.pkiMessage },
        body: message,
      })
    : await send(`${target}&message=${encodeURIComponent(btoa(String.fromCharCode(...message)))}`);
  return octetsOf(response, url);
}

async function octetsOf(response: Response, url: string): Promise<Bytes> {
  if (!response.ok) {
    throw new CliError('remote', `${url} answered with HTTP ${response.status}, which is no SCEP`);
  }
  return new Uint8Array(await response.arrayBuffer());
}

/** The key in the file, or a new one put there. */
async function keyIn(io: Io, path: string, spec: string): Promise<ClientKey> {
  const existing = await readFile(path, 'utf8').catch((error) => {
    if (error.code !== 'ENOENT') throw error;
    return undefined;
  });
  if (existing !== undefined) {
    const [pkcs8] = fromPem('PRIVATE KEY', existing);
    const key = pkcs8 && (await importKey(pkcs8));
    if (!key) throw new CliError('failure', `${path} is not an RSA or EC key in PKCS#8`);
    io.note(`using the key in ${path}`);
    return key;
  }
  const key = await generateKey(keySpecs[spec] ?? { type: 'RSA', bits: 2048 });
  await writeFile(path, pem('PRIVATE KEY', key.pkcs8), { mode: 0o600 });
  return key;
}

function refusal(result: Exclude<CertRepResult, { pkiStatus: 'SUCCESS' }>): CliError {
  if (result.pkiStatus === 'PENDING') {
    return new CliError('failure', 'the server wants to decide later (PENDING)');
  }
  return new CliError(
    'failure',
    `refused: ${result.failInfo}: ${result.text ?? 'no further text'}`,
  );
}

function syntax<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new CliError('usage', error instanceof Error ? error.message : String(error));
  }
}

async function verified<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof Malformed) throw new CliError('verification', error.message);
    throw error;
  }
}
