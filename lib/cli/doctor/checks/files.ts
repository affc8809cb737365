// Whether the certificate and the CRL of each CA are where new certificates say that they are.

import { type Certificate, readCertificate } from '../../../x509/certificate.ts';
import type { FilesOfCa } from '../gather.ts';
import { fault, good, type Observation } from '../observation.ts';
import { hasAnswered } from '../wire/http.ts';
import { listFindings } from './revocation.ts';

const means = 'whoever checks certificates that are issued from now on does not find it';

export async function filesFindings(
  all: readonly FilesOfCa[],
  now: number,
): Promise<Observation[]> {
  const found: Observation[] = [];
  for (const { certificate, crl } of all) {
    const { url, said } = certificate;
    const of = readable(certificate);
    if (!of) {
      const seen = hasAnswered(said) ? `HTTP ${said.status}, and no certificate` : said.silence;
      const fix =
        'have "filesUrl" lead to the bucket of files, or to this service, or leave it out';
      found.push(fault('files', `${url}: ${seen}`, means, fix));
      continue;
    }
    found.push(good('files', `${url}: the certificate of the CA`));
    found.push(...(await listFindings({ ...crl, of, issuer: of }, now)));
  }
  return found;
}

function readable({ said }: FilesOfCa['certificate']): Certificate | undefined {
  if (!hasAnswered(said) || said.status !== 200) return undefined;
  try {
    return readCertificate(said.body);
  } catch {
    return undefined;
  }
}
