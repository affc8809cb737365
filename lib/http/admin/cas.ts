// CAs and their CRLs.

import type { caRoutes } from '../../api/routes/cas.ts';
import { base64, hex, pem } from '../../base/bytes.ts';
import { HttpFailure, Outage } from '../../base/errors.ts';
import { iso } from '../../base/text.ts';
import { servedCas } from '../../ca/authority/known.ts';
import { type CaStatus, caStatus, fingerprints } from '../../ca/authority/status.ts';
import type { AdminDeps } from '../../ca/deps.ts';
import { readCrl } from '../../ca/revoke/crl-list.ts';
import { aboutPartition, crlName, crlUrl } from '../../ca/revoke/partitions.ts';
import { askForCrl, publishCrls } from '../../ca/revoke/publish-crl.ts';
import { hash } from '../../crypto/native.ts';
import type { Crl } from '../../ports/crls.ts';
import type { Certificate } from '../../x509/certificate.ts';
import { printName } from '../../x509/names/name.ts';
import { turnOf } from '../request.ts';
import type { HandlersOf } from './handlers.ts';

const shownCertificate = (one: Certificate) => ({
  subject: printName(one.subject),
  issuer: printName(one.issuer),
  serial: hex(one.serial),
  notBefore: iso(one.notBefore),
  notAfter: iso(one.notAfter),
  ...fingerprints(one),
  der: base64(one.der),
  pem: pem('CERTIFICATE', one.der),
});

const shownCrl = ({ number, thisUpdate, nextUpdate }: Crl) => ({
  number,
  thisUpdate: iso(thisUpdate),
  nextUpdate: iso(nextUpdate),
});

function shownCa({ id, key, chain: [own, ...issuers], generations, ...rest }: CaStatus) {
  return {
    id,
    ...(key === undefined ? {} : { key }),
    ...(own ? { certificate: shownCertificate(own) } : {}),
    chain: issuers.map(shownCertificate),
    ra: generations.map(({ certificate: one, ...generation }) => ({
      ...generation,
      certificate: shownCertificate(one),
    })),
    ...(rest.crl ? { crl: shownCrl(rest.crl) } : {}),
    ...(rest.partitions.length > 0 ? { partitions: rest.partitions } : {}),
    warnings: rest.warnings,
  };
}

async function existing(deps: AdminDeps, id: string): Promise<string> {
  const known = deps.config.cas.has(id) || (await servedCas(deps)).includes(id);
  if (!known) throw new HttpFailure(404, 'no such CA');
  return id;
}

export const caHandlers: HandlersOf<typeof caRoutes> = {
  async 'GET /cas'(deps) {
    const ids = await servedCas(deps);
    const found = await Promise.all(ids.map((id) => caStatus(deps, id)));
    return { cas: found.map(shownCa) };
  },
  'GET /cas/{ca}': async (deps, { params }) =>
    shownCa(await caStatus(deps, await existing(deps, params.ca))),
  async 'GET /crls/{ca}'(deps, { path, params, query }) {
    const id = await existing(deps, params.ca);
    const name = crlName(id, query.partition);
    const { turn: asked, nextOf } = turnOf(path, query);
    const found = await readCrl(deps, name, asked);
    if (!found) throw new HttpFailure(404, 'no CRL has been published');
    return {
      ca: id,
      ...aboutPartition(name),
      ...shownCrl(found.crl),
      size: found.crl.der.length,
      sha256: hex(hash('SHA-256', found.crl.der)),
      count: found.count,
      url: found.url ?? crlUrl({ id, partitions: [] }, deps.config.filesUrl, name),
      entries: found.entries,
      next: nextOf(found.next),
    };
  },
  async 'POST /crls/{ca}/publish'(deps, { actor, params, once }) {
    const id = await existing(deps, params.ca);
    if (!deps.keys) {
      const newest = await deps.crls.newest(id);
      if (!newest) throw new Outage('no CRL has been published');
      const asked = { ...shownCrl(newest), pending: true };
      await askForCrl(deps, id, actor, once && { once, answer: () => asked });
      return asked;
    }
    const { crlSigner, cas } = deps.keys;
    const remembered = once && { once, answer: shownCrl };
    const publishing = { ...deps, crlSigner };
    return shownCrl(await publishCrls(publishing, await cas.issuer(id), { actor }, remembered));
  },
};
