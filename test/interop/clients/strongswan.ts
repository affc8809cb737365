// strongSwan `pki` (Debian 12: 5.9.8). Asks GetCACaps, then PKIOperation by POST without any
// Content-Type; takes its CA and RA certificates from files that `pki --scepca` wrote. Polls with a
// CertPoll every `--interval` seconds; renews with a RenewalReq.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { must, type Ran, run } from '../command.ts';

export type CaFiles = { readonly ca: string; readonly ra: string };

/** `pki --scepca`: GetCACert into two files. */
export async function fetchCa(
  url: string,
  folder: string,
): Promise<CaFiles & { readonly said: string }> {
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
  const { folder, san = [], password } = enrolment;
  const key = await newKey(join(folder, 'key.der'));
  const asked = [...san.flatMap((name) => ['--san', name]), '--password', password];
  return scep(enrolment, key, join(folder, 'cert.pem'), asked);
}

export type Renewal = Omit<Enrolment, 'san' | 'password'> & {
  /** The pair that signs. */
  readonly old: { readonly certificate: string; readonly key: string };
  /** A file with the key to certify; default a new one. */
  readonly key?: string;
};

/** A RenewalReq (17): `--cert` and `--key` are the old pair, no challenge, no names. */
export async function renew(renewal: Renewal): Promise<Result> {
  const { folder, old } = renewal;
  const key = renewal.key ?? (await newKey(join(folder, 'renewed-key.der')));
  const signer = ['--cert', old.certificate, '--key', old.key];
  return scep(renewal, key, join(folder, 'renewed.pem'), signer);
}

async function newKey(path: string): Promise<string> {
  await writeFile(path, await must('pki', ['--gen', '--type', 'rsa', '--size', '2048']));
  return path;
}

async function scep(
  { url, ca, dn, options = [] }: Pick<Enrolment, 'url' | 'ca' | 'dn' | 'options'>,
  key: string,
  certificate: string,
  more: readonly string[],
): Promise<Result> {
  const trust = ['--cacert-enc', ca.ra, '--cacert-sig', ca.ra, '--cacert', ca.ca];
  const asked = ['--scep', '--url', url, '--in', key, '--outform', 'pem', '--dn', dn];
  const ran = await run('pki', [...asked, ...trust, ...more, ...options]);
  await writeFile(certificate, ran.stdout);
  return { ran, certificate, key };
}
