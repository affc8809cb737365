// strongSwan `pki` (Debian 12: 5.9.8). Asks GetCACaps, then PKIOperation by POST without any
// Content-Type; takes its CA and RA certificates from files that `pki --scepca` wrote.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { must, type Ran, run } from '../command.ts';

export type CaFiles = { readonly ca: string; readonly ra: string; readonly said: string };

/** `pki --scepca`: GetCACert into two files. */
export async function fetchCa(url: string, folder: string): Promise<CaFiles> {
  const ca = join(folder, 'ca.pem');
  const ra = join(folder, 'ra.pem');
  const files = ['--caout', ca, '--raout', ra, '--outform', 'pem', '--force'];
  const { code, stderr } = await run('pki', ['--scepca', '--url', url, ...files]);
  if (code !== 0) throw new Error(`pki --scepca ended with ${code}: ${stderr}`);
  return { ca, ra, said: stderr };
}

export type Enrolment = {
  readonly url: string;
  readonly ca: CaFiles;
  readonly folder: string;
  /** In strongSwan's order, `C=US, O=Interop, CN=host`. */
  readonly dn: string;
  readonly san?: readonly string[];
  readonly password: string;
  /** `--cipher des3`, `--digest sha1`, `--rsa-padding pss`, `--interval 1`. */
  readonly options?: readonly string[];
};

export type Result = { readonly ran: Ran; readonly certificate: string; readonly key: string };

/** `pki --gen` and `pki --scep`; the certificate file is empty when it was refused. */
export async function enrol(enrolment: Enrolment): Promise<Result> {
  const { url, ca, folder, dn, san = [], password, options = [] } = enrolment;
  const key = join(folder, 'key.der');
  const certificate = join(folder, 'cert.pem');
  await writeFile(key, await must('pki', ['--gen', '--type', 'rsa', '--size', '2048']));
  const trust = ['--cacert-enc', ca.ra, '--cacert-sig', ca.ra, '--cacert', ca.ca];
  const wanted = ['--dn', dn, ...san.flatMap((name) => ['--san', name]), '--password', password];
  const ran = await run('pki', [
    ...['--scep', '--url', url, '--in', key, '--outform', 'pem'],
    ...trust,
    ...wanted,
    ...options,
  ]);
  await writeFile(certificate, ran.stdout);
  return { ran, certificate, key };
}
