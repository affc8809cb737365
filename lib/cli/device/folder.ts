// The folder in which a device keeps key.pem, cert.pem and ca.pem. A file is replaced whole or not at
// all. A renewal with a new key prepares next-key.pem and, once it has one, next-cert.pem, and only
// then moves both into place: whatever stops it before that leaves the old pair as it was, and the
// next command in the folder finishes what it stopped in between.

import { access, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fromPem, hex, pem } from '../../base/bytes.ts';
import { Malformed } from '../../base/errors.ts';
import { caKeyNames, caKeys } from '../../crypto/algorithms.ts';
import {
  type ClientKey,
  type ClientKeySpec,
  generateKey,
  importKey,
} from '../../protocol/scep/client/client.ts';
import { type Certificate, readCertificate } from '../../x509/certificate.ts';
import { printName } from '../../x509/names/name.ts';
import { CliError, type Io, jsonLine } from '../io.ts';

export type Folder = {
  readonly key: string;
  readonly certificate: string;
  readonly ca: string;
  readonly nextKey: string;
  readonly nextCertificate: string;
};

/** Its files; a renewal that was stopped while it moved them is finished first. */
export async function openFolder(path: string): Promise<Folder> {
  const folder = {
    key: join(path, 'key.pem'),
    certificate: join(path, 'cert.pem'),
    ca: join(path, 'ca.pem'),
    nextKey: join(path, 'next-key.pem'),
    nextCertificate: join(path, 'next-cert.pem'),
  };
  await takeNext(folder);
  return folder;
}

/** The certificate for the key in next-key.pem; both take the places of the old ones. */
export async function replacePair(folder: Folder, certificate: Certificate): Promise<void> {
  await replaceFile(folder.nextCertificate, pem('CERTIFICATE', certificate.der));
  await takeNext(folder);
}

/** next-cert.pem is only ever there when its key is there too, or has taken its place already. */
async function takeNext({ key, certificate, nextKey, nextCertificate }: Folder): Promise<void> {
  if (!(await exists(nextCertificate))) return;
  if (await exists(nextKey)) await rename(nextKey, key);
  await rename(nextCertificate, certificate);
}

export const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** Written beside it, forced to the disk, moved into its place. */
export async function replaceFile(
  path: string,
  content: string | Uint8Array,
  mode = 0o644,
): Promise<void> {
  const beside = `${path}.part`;
  await rm(beside, { force: true });
  const file = await open(beside, 'wx', mode);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(beside, path);
}

export const keySpecs: Readonly<Record<string, ClientKeySpec>> = {
  ...Object.fromEntries(caKeyNames.map((name) => [name, caKeys[name].spec])),
  'ec:P-521': { type: 'EC', curve: 'P-521' },
};

/** The key in the file, or a new one put there. */
export async function keyIn(io: Io, path: string, spec: ClientKeySpec): Promise<ClientKey> {
  const existing = await readKey(path);
  if (existing) {
    io.note(`using the key in ${path}`);
    return existing;
  }
  const key = await generateKey(spec);
  await replaceFile(path, pem('PRIVATE KEY', key.pkcs8), 0o600);
  return key;
}

/** @returns undefined where there is no file */
export async function readKey(path: string): Promise<ClientKey | undefined> {
  const text = await readIfThere(path);
  if (text === undefined) return undefined;
  const [pkcs8] = fromPem('PRIVATE KEY', text);
  const key = pkcs8 && (await importKey(pkcs8));
  if (!key) throw new CliError('failure', `${path} is not an RSA or EC key in PKCS#8`);
  return key;
}

/** Of a PEM file, in their order; none where there is no file. @throws {CliError} where it has none */
export async function readCertificates(path: string): Promise<Certificate[]> {
  const text = await readIfThere(path);
  if (text === undefined) return [];
  try {
    const found = fromPem('CERTIFICATE', text).map(readCertificate);
    if (found.length > 0) return found;
  } catch (error) {
    if (!(error instanceof Malformed || error instanceof SyntaxError)) throw error;
    throw new CliError(
      'failure',
      `${path} has a certificate that cannot be read: ${error.message}`,
    );
  }
  throw new CliError('failure', `${path} has no certificate in PEM`);
}

const readIfThere = (path: string): Promise<string | undefined> =>
  readFile(path, 'utf8').catch((error) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });

export const chainPem = (chain: readonly Certificate[]): string =>
  chain.map(({ der }) => pem('CERTIFICATE', der)).join('');

/** Says what is in the folder now. */
export function report(
  io: Io,
  { certificate, key, ca }: Folder,
  { subject, serial, notAfter }: Certificate,
  json: boolean,
): void {
  const summary = {
    subject: printName(subject),
    serial: hex(serial),
    notAfter: new Date(notAfter).toISOString(),
    certificate,
    key,
    ca,
  };
  io.out(
    json
      ? jsonLine(summary)
      : `${certificate}: ${summary.subject}, serial ${summary.serial}, until ${summary.notAfter}\n`,
  );
}
