// Judges the files a client wrote with openssl, which shares no code with either side.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { must, type RunOptions } from './command.ts';

export const openssl = (args: readonly string[], options: RunOptions = {}): Promise<Buffer> =>
  must('openssl', args, options);

const line = async (args: readonly string[]): Promise<string> =>
  (await openssl(args)).toString().trim();

export type Expected = {
  /** Files the client wrote. */
  readonly certificate: string;
  readonly key: string;
  /** The CA certificate as it was fetched, the only trust anchor. */
  readonly ca: string;
  /** RFC 4514 text, as openssl prints it with `-nameopt RFC2253,utf8,-esc_msb`. */
  readonly subject: string;
  /** As openssl prints them, such as `DNS:host.example.test`; default none. */
  readonly san?: readonly string[];
};

/** @throws {Error} with what differs */
export async function checkCertificate(expected: Expected): Promise<void> {
  const { certificate, key, ca, subject, san = [] } = expected;
  const found = {
    key: await publicKeyOf(certificate),
    subject: await nameIn(certificate, '-subject'),
    san: await namesIn(certificate),
    issuer: await nameIn(certificate, '-issuer'),
  };
  const wanted = {
    key: await line(['pkey', '-in', key, '-pubout']),
    subject,
    san,
    issuer: await nameIn(ca, '-subject'),
  };
  for (const what of ['key', 'subject', 'san', 'issuer'] as const) {
    same(`the ${what} in the certificate`, found[what].toString(), wanted[what].toString());
  }
  await verify(certificate, ca);
}

/** The chain, strictly, for the purpose that our default profile gives. */
export async function verify(certificate: string, ca: string): Promise<void> {
  const strictly = ['-x509_strict', '-purpose', 'sslclient', '-CAfile', ca];
  await openssl(['verify', ...strictly, certificate]);
}

export const publicKeyOf = (certificate: string): Promise<string> =>
  line(['x509', '-in', certificate, '-noout', '-pubkey']);

/** As the server writes it: hexadecimal, lower case. */
export async function serialOf(certificate: string): Promise<string> {
  const text = await line(['x509', '-in', certificate, '-noout', '-serial']);
  return text.replace(/^.*=/, '').toLowerCase();
}

/** Milliseconds since 1970. */
export async function endOf(certificate: string): Promise<number> {
  const text = await line(['x509', '-in', certificate, '-noout', '-enddate']);
  return Date.parse(text.replace(/^.*=/, ''));
}

/** A certificate for the key in `key`, by a CA made for it that nobody knows. */
export async function foreignCertificate(
  folder: string,
  key: string,
  subject: string,
): Promise<string> {
  const [caKey, ca] = [join(folder, 'foreign-ca.key'), join(folder, 'foreign-ca.pem')];
  const [csr, certificate] = [join(folder, 'foreign.csr'), join(folder, 'foreign.pem')];
  const fresh = ['-newkey', 'rsa:2048', '-nodes', '-keyout', caKey];
  await openssl(['req', '-x509', ...fresh, '-subj', '/CN=Foreign CA', '-out', ca]);
  await openssl(['req', '-new', '-key', key, '-subj', subject, '-out', csr]);
  const signer = ['-CA', ca, '-CAkey', caKey, '-CAcreateserial'];
  await openssl(['x509', '-req', '-in', csr, ...signer, '-days', '30', '-out', certificate]);
  return certificate;
}

export async function fingerprintOf(certificate: string, digest = 'sha256'): Promise<string> {
  const text = await line(['x509', '-in', certificate, '-noout', '-fingerprint', `-${digest}`]);
  return text.replace(/^.*=/, '').replaceAll(':', '').toLowerCase();
}

async function nameIn(certificate: string, which: '-subject' | '-issuer'): Promise<string> {
  const options = ['-nameopt', 'RFC2253,utf8,-esc_msb'];
  const text = await line(['x509', '-in', certificate, '-noout', which, ...options]);
  return text.replace(/^\w+=/, '');
}

async function namesIn(certificate: string): Promise<string[]> {
  const text = await line(['x509', '-in', certificate, '-noout', '-ext', 'subjectAltName']);
  const [, names] = /Alternative Name:.*\n\s*(.*)/.exec(text) ?? [];
  return names?.split(', ') ?? [];
}

/** The certificates of a degenerate PKCS#7, PEM, in their order. */
export async function certificatesIn(pkcs7: Uint8Array): Promise<string[]> {
  const printed = await openssl(['pkcs7', '-inform', 'DER', '-print_certs'], { input: pkcs7 });
  return printed.toString().match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----\n/g) ?? [];
}

/** The DER of a PEM file. */
export async function derOf(path: string): Promise<Buffer> {
  const [, body = ''] =
    /-----BEGIN[^-]+-----([^-]+)-----END/.exec(await readFile(path, 'utf8')) ?? [];
  return Buffer.from(body, 'base64');
}

export function same(what: string, found: string, wanted: string): void {
  if (found === wanted) return;
  throw new Error(`${what} is "${shortened(found)}", not "${shortened(wanted)}"`);
}

export function hold(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`it does not hold that ${what}`);
}

const shortened = (text: string): string =>
  text.length > 300 ? `${text.slice(0, 300)}... (${text.length} characters)` : text;
