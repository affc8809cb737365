// Which certificate a command is about.

import { Option } from 'commander';
import { callApi } from '../api.ts';
import { CliError, type Io } from '../io.ts';
import { ambiguous, CANDIDATES } from '../request/which.ts';

type CertificateParams = { readonly ca: string; readonly serial: string };

export const caOption = (): Option =>
  new Option('--ca <name>', 'the CA that issued it (default: whichever has this serial number)');

/** Digits of the serial numbers that are drawn here: with so many, it is one as a whole. */
const WHOLE_DIGITS = 32;

export const isWhole = (serial: string): boolean =>
  serial.replaceAll(':', '').length >= WHOLE_DIGITS || !/^[0-9a-f:]{2,}$/i.test(serial);

/** The CA of a certificate is looked up unless --ca names it; the beginning of its serial number is enough, where no
 * other one begins so. */
export async function paramsOf(
  io: Io,
  given: string,
  ca: string | undefined,
): Promise<CertificateParams> {
  const plain = given.replaceAll(':', '').toLowerCase();
  if (ca !== undefined && plain.length >= WHOLE_DIGITS) return { ca, serial: given };
  const found = await candidatesOf(io, given, plain, ca);
  const [first, ...others] = found;
  if (!first) throw new CliError('notFound', `no CA has issued a certificate ${given}`);
  if (others.length === 0) return { ca: first.ca, serial: first.serial };
  if (new Set(found.map(({ serial }) => serial)).size === 1) {
    const names = found.map((one) => one.ca).join(', ');
    throw new CliError('usage', `several CAs have it: add --ca with one of ${names}`);
  }
  return ambiguous(io, `${given} begins several serial numbers`, {
    columns: ['SERIAL', 'STATE', 'CA', 'SUBJECT'],
    rows: found.map(({ serial, state, ca: at, subject }) => [serial, state, at, subject]),
  });
}

/** All of a serial number; what begins none is left as it is. */
export async function wholeSerial(io: Io, given: string): Promise<string> {
  const none = (error: unknown) => {
    if (error instanceof CliError && error.exit === 'notFound') return { serial: given };
    throw error;
  };
  if (isWhole(given)) return given;
  return (await paramsOf(io, given, undefined).catch(none)).serial;
}

/** Those with this serial number, or else those whose serial number begins so: all, or more than are named. */
async function candidatesOf(
  io: Io,
  given: string,
  plain: string,
  ca: string | undefined,
): Promise<readonly Candidate[]> {
  const listed = (query: object) => callApi(io, 'GET /certificates', { query: { ...query, ca } });
  if (plain.length % 2 === 0 || !/^[0-9a-f]*$/.test(plain)) {
    const { certificates, altered } = await listed({ serial: given });
    if (certificates.length > 0) return certificates;
    const spoilt = (altered ?? []).map(certificateIn);
    if (spoilt.length > 0 || plain.length >= WHOLE_DIGITS) return spoilt;
  }
  const found: Candidate[] = [];
  for (let cursor: string | null | undefined; cursor !== null && found.length < CANDIDATES; ) {
    const page = await listed({ serialPrefix: given, limit: CANDIDATES, cursor });
    found.push(...page.certificates, ...(page.altered ?? []).map(certificateIn));
    cursor = page.next;
  }
  return found;
}

type Candidate = CertificateParams & { readonly state: string; readonly subject: string };

/** Of which the server says what is to be said when it is asked for. @param name `certificate ca/serial` */
function certificateIn(name: string): Candidate {
  const [, ca = '', serial = ''] = /^certificate (.*)\/(.*)$/s.exec(name) ?? [];
  return { ca, serial, state: 'altered', subject: '' };
}
