// CAs and their CRLs.

import * as z from 'zod/mini';
import { base64, hex, pem } from '../../base/bytes.ts';
import { HttpFailure, Outage } from '../../base/errors.ts';
import { iso } from '../../base/text.ts';
import { type CaStatus, caStatus, fingerprints } from '../../ca/authority/status.ts';
import { readCrl } from '../../ca/revoke/crl-list.ts';
import { askForCrl, publishCrl } from '../../ca/revoke/publish-crl.ts';
import { described } from '../../config/schema.ts';
import type { Crl } from '../../ports/crls.ts';
import type { Certificate } from '../../x509/certificate.ts';
import { printName } from '../../x509/names/name.ts';
import { turnOf } from '../request.ts';
import { answer, caId, der, hexText, pageShape, time, turn } from '../schemas.ts';
import { type ApiRole, type Route, route } from './route.ts';

const certificate = answer(
  'CaCertificate',
  z.strictObject({
    subject: described('RFC 4514', z.string()),
    issuer: z.string(),
    serial: hexText,
    notBefore: time,
    notAfter: time,
    sha256: described('fingerprints of the DER', hexText),
    sha1: hexText,
    der,
    pem: z.string(),
  }),
);

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

const crl = {
  number: z.int(),
  thisUpdate: time,
  nextUpdate: time,
};
const shownCrl = ({ number, thisUpdate, nextUpdate }: Crl) => ({
  number,
  thisUpdate: iso(thisUpdate),
  nextUpdate: iso(nextUpdate),
});

export const ca = answer(
  'Ca',
  z.strictObject({
    id: z.string(),
    key: described('such as RSA-3072 or P-256', z.optional(z.string())),
    certificate: described('absent before the CA is made', z.optional(certificate)),
    chain: described('its issuers, up to the root', z.array(certificate)),
    ra: described(
      'RA generations: current is announced, prepared and previous are answered too',
      z.array(
        z.strictObject({
          id: z.int(),
          state: z.enum(['prepared', 'current', 'previous', 'retired']),
          certificate,
        }),
      ),
    ),
    crl: z.optional(z.strictObject(crl)),
    warnings: z.array(z.string()),
  }),
);

export function shownCa({ id, key, chain: [own, ...issuers], generations, ...rest }: CaStatus) {
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
    warnings: rest.warnings,
  };
}

const cas = answer('Cas', z.strictObject({ cas: z.array(ca) }));
const published = answer(
  'PublishedCrl',
  z.strictObject({
    ...crl,
    pending: described(
      'true: it is the newest so far, and the next is published within a minute by the function that may sign it',
      z.optional(z.boolean()),
    ),
  }),
);
const whole = answer(
  'Crl',
  z.strictObject({
    ca: z.string(),
    ...crl,
    size: described('octets of its DER', z.int()),
    count: described('entries in all', z.int()),
    url: described('public URL of its DER', z.string()),
    ...pageShape(
      'entries',
      z.strictObject({
        serial: hexText,
        revokedAt: time,
        reason: described('absent: unspecified', z.optional(z.string())),
      }),
    ),
  }),
);

const readers: readonly ApiRole[] = ['auditor', 'approver', 'challenger'];
const byCa = z.strictObject({ ca: caId });

function existing(ids: ReadonlyMap<string, unknown>, id: string): string {
  if (!ids.has(id)) throw new HttpFailure(404, 'no such CA');
  return id;
}

export const caRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/cas',
    noun: 'CA',
    roles: readers,
    summary: 'All CAs of this service',
    answer: cas,
    async handle(deps) {
      const ids = [...deps.config.cas.keys()];
      const found = await Promise.all(ids.map((id) => caStatus(deps, id)));
      return { cas: found.map(shownCa) };
    },
  }),
  route({
    method: 'GET',
    path: '/cas/{ca}',
    noun: 'CA',
    roles: readers,
    summary: 'One CA: certificates, fingerprints, RA generations, CRL, and what to worry about',
    params: byCa,
    answer: ca,
    handle: async (deps, { params }) =>
      shownCa(await caStatus(deps, existing(deps.config.cas, params.ca))),
  }),
  route({
    method: 'GET',
    path: '/crls/{ca}',
    noun: 'CA',
    roles: ['auditor'],
    summary: 'The newest CRL of a CA, its entries by serial number',
    params: byCa,
    query: z.strictObject(turn),
    answer: whole,
    async handle(deps, { path, params, query }) {
      const id = existing(deps.config.cas, params.ca);
      const { turn: asked, nextOf } = turnOf(path, query);
      const found = await readCrl(deps, id, asked);
      if (!found) throw new HttpFailure(404, 'no CRL has been published');
      return {
        ca: id,
        ...shownCrl(found.crl),
        size: found.crl.der.length,
        count: found.count,
        url: `${deps.config.publicUrl}/crl/${id}.crl`,
        entries: found.entries,
        next: nextOf(found.next),
      };
    },
  }),
  route({
    method: 'POST',
    path: '/crls/{ca}/publish',
    noun: 'CA',
    roles: [],
    summary: 'Publish a CRL now, with everything that has been revoked',
    params: byCa,
    answer: published,
    repeatable: true,
    async handle(deps, { actor, params, once }) {
      const id = existing(deps.config.cas, params.ca);
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
      return shownCrl(await publishCrl(publishing, await cas.issuer(id), actor, remembered));
    },
  }),
];
