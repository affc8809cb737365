// Which certificate a command is about.

import { Option } from 'commander';
import { callApi } from '../api.ts';
import { CliError, type Io } from '../io.ts';

type CertificateParams = { readonly ca: string; readonly serial: string };

export const caOption = (): Option =>
  new Option('--ca <name>', 'the CA that issued it (default: whichever has this serial number)');

/** The CA of a certificate is looked up unless --ca names it. */
export async function paramsOf(
  io: Io,
  serial: string,
  ca: string | undefined,
): Promise<CertificateParams> {
  if (ca !== undefined) return { ca, serial };
  const { certificates } = await callApi(io, 'GET /certificates', { query: { serial } });
  const [first, ...others] = certificates;
  if (!first) throw new CliError('notFound', `no CA has issued a certificate ${serial}`);
  if (others.length > 0) {
    const names = certificates.map((one) => one.ca).join(', ');
    throw new CliError('usage', `several CAs have it: add --ca with one of ${names}`);
  }
  return { ca: first.ca, serial };
}
