// scepter cert revoke --file, and the revocation of an RA certificate: revokes what the CA has signed, with
// or without a record of it.

import { type Bytes, base64, fromBase64 } from '../../base/bytes.ts';
import { Malformed } from '../../base/errors.ts';
import { visible } from '../../base/text.ts';
import type { RegisterReason } from '../../base/words.ts';
import { describeCertificate } from '../../x509/describe/describe.ts';
import { callApi } from '../api.ts';
import { CliError, type Io, jsonLine } from '../io.ts';
import { partsOf } from '../look/encodings.ts';
import { fileOctets } from '../look/inspect.ts';

type Asked = { readonly reason: RegisterReason; readonly json: boolean };

/** @param ca undefined: the one that the certificate names as its issuer @throws {CliError} */
export async function revokeFile(
  io: Io,
  file: string,
  ca: string | undefined,
  asked: Asked,
): Promise<void> {
  const der = await certificateIn(io, file);
  await revokeSigned(io, ca ?? (await issuerOf(io, der, file)), der, asked);
}

/**
 * @param serial of an RA certificate, hexadecimal @param ca undefined: whichever has it
 * @returns false: no RA has such a certificate
 */
export async function revokeOfRa(
  io: Io,
  serial: string,
  ca: string | undefined,
  asked: Asked,
): Promise<boolean> {
  const plain = serial.replaceAll(':', '').toLowerCase();
  const { cas } = await callApi(io, 'GET /cas');
  for (const { id, ra } of cas.filter((one) => ca === undefined || one.id === ca)) {
    const found = ra.find(({ certificate }) => certificate.serial === plain);
    if (!found) continue;
    await revokeSigned(io, id, fromBase64(found.certificate.der), asked);
    return true;
  }
  return false;
}

async function revokeSigned(io: Io, ca: string, der: Bytes, { reason, json }: Asked) {
  const done = await callApi(io, 'POST /certificates/{ca}/revoke', {
    params: { ca },
    body: { certificate: base64(der), reason },
  });
  const ended = reason === 'removeFromCRL' || reason === 'certificateHold';
  const state = reason === 'removeFromCRL' ? 'issued' : ended ? 'held' : 'revoked';
  io.out(json ? jsonLine(done) : `${visible(saidOf({ ...done, state, reason }))}\n`);
  if (reason === 'keyCompromise') io.note('its key is blocked: no CA here certifies it');
  if (!done.generation || ended) return;
  const { id, state: use } = done.generation;
  io.note(`RA generation ${id} is ${use}, and is used until you end that:`);
  const steps: Readonly<Record<string, readonly string[]>> = {
    current: ['--prepare', '--activate --force', '--retire --force'],
    prepared: ['--activate --force', '--prepare', '--activate --force', '--retire --force'],
  };
  for (const step of steps[use] ?? ['--retire --force']) {
    io.note(`  scepter ca rotate-ra ${done.ca} ${step}`);
  }
}

type Said = {
  readonly ca: string;
  readonly serial: string;
  readonly subject: string;
  readonly state: string;
  readonly revocationReason?: RegisterReason;
  readonly unchanged?: true;
  /** That was asked for. */
  readonly reason: RegisterReason;
};

/** What a certificate is now, in a line. */
export function saidOf({ ca, serial, subject, state, ...how }: Said): string {
  const { revocationReason, unchanged, reason } = how;
  const why = revocationReason ?? (unchanged ? undefined : reason);
  const already = unchanged ? ' already' : '';
  return `${serial} of CA ${ca} is ${state}${already}${why ? ` (${why})` : ''}: ${subject}`;
}

/** @throws {CliError} */
async function certificateIn(io: Io, file: string): Promise<Bytes> {
  try {
    const [der] = partsOf(await fileOctets(io, file));
    if (der) describeCertificate(der);
    if (der) return der;
  } catch (error) {
    if (!(error instanceof Malformed || error instanceof SyntaxError)) throw error;
  }
  throw new CliError('failure', `${file} holds no certificate in PEM or DER`);
}

/** @throws {CliError} */
async function issuerOf(io: Io, der: Bytes, file: string): Promise<string> {
  const { issuer } = describeCertificate(der);
  const { cas } = await callApi(io, 'GET /cas');
  const [first, ...others] = cas.filter(({ certificate }) => certificate?.subject === issuer);
  if (!first) throw new CliError('notFound', `no CA here is called ${issuer}, as ${file} says`);
  if (others.length === 0) return first.id;
  const names = [first, ...others].map(({ id }) => id).join(', ');
  throw new CliError('usage', `several CAs are called so: add --ca with one of ${names}`);
}
