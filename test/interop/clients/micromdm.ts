// micromdm `scepclient` (Debian 12: 2.1.0). Always DES-CBC and SHA-1, one recipientInfo for every
// certificate of the GetCACert bag; a GET with URL-safe base64 when the capabilities name no POST.
// A certificate that is there already is renewed by type 17 with the key that is there: it cannot
// take a new one (another key beside the old certificate signs a message that does not verify).
// While pending it sleeps for 30 seconds and sends the same octets again, for ever.

import { join } from 'node:path';
import { type Ran, run } from '../command.ts';

export type Enrolment = {
  readonly url: string;
  /** One for each client: it uses a csr.pem again that it finds beside its key. */
  readonly folder: string;
  readonly cn: string;
  readonly challenge: string;
};

export type Result = { readonly ran: Ran; readonly certificate: string; readonly key: string };

/** What it makes of `-cn`; the rest of the subject is its own default, given here to be seen. */
export const subjectOf = (cn: string): string => `CN=${cn},OU=MDM,O=Interop,C=US`;

export async function enrol({ url, folder, cn, challenge }: Enrolment): Promise<Result> {
  const key = join(folder, 'client.key');
  const certificate = join(folder, 'client.pem');
  const files = ['-private-key', key, '-certificate', certificate];
  const wanted = ['-cn', cn, '-organization', 'Interop', '-challenge', challenge];
  const args = ['-server-url', url, ...files, ...wanted, '-debug'];
  const ran = await run('scepclient', args, { cwd: folder });
  return { ran, certificate, key };
}
