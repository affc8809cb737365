// Certificates: listed, searched, shown, revoked and released from a hold, with their renewals.

import * as z from 'zod/mini';
import { fromBase64, pem } from '../bytes.ts';
import {
  findCertificate,
  listCertificates,
  releasedStates,
  renewalsOf,
} from '../ca/certificates.ts';
import type { Deps } from '../ca/deps.ts';
import { revoke } from '../ca/revoke.ts';
import { HttpFailure } from '../errors.ts';
import {
  type CertificateRecord,
  certificateStates,
  isReleased,
  revocationReasons,
} from '../ports/records.ts';
import { described } from '../schema.ts';
import { describeCertificate } from '../x509/describe.ts';
import { decodedCertificate } from './decoded.ts';
import { turnOf } from './request.ts';
import { type Route, route } from './route.ts';
import {
  answer,
  beginning,
  body,
  caId,
  der,
  digest,
  endpointId,
  hexText,
  iso,
  moment,
  page,
  serial,
  time,
  turn,
  ulid,
} from './schemas.ts';

const fields = {
  ca: z.string(),
  serial: hexText,
  state: z.enum(certificateStates),
  endpoint: z.string(),
  transaction: ulid,
  subject: described('RFC 4514', z.string()),
  notBefore: time,
  notAfter: time,
  tbsHash: described('SHA-256 of the TBSCertificate', hexText),
  confirmed: described('its device has it: it has signed a renewal', z.boolean()),
  successors: described('serial numbers of its renewals', z.array(hexText)),
  revokedAt: z.optional(time),
  revocationReason: z.optional(z.enum([...revocationReasons, 'certificateHold'])),
};
const certificate = answer('Certificate', z.strictObject(fields));

const whole = answer(
  'WholeCertificate',
  z.strictObject({
    ...fields,
    der: described('DER, base64; absent while nobody may have it', z.optional(der)),
    pem: z.optional(z.string()),
    decoded: z.optional(decodedCertificate),
  }),
);

const renewals = answer(
  'Renewals',
  z.strictObject({
    certificates: described(
      'all that lead to one another by renewals, oldest first',
      z.array(
        z.strictObject({
          ...fields,
          renews: described('serial number of the one before', z.optional(hexText)),
        }),
      ),
    ),
    more: described('there are more than these', z.boolean()),
  }),
);

export function shown(record: CertificateRecord) {
  const { ca, state, endpoint, transaction, subject, tbsHash, confirmed } = record;
  const { successors, revokedAt, revocationReason } = record;
  return {
    ca,
    serial: record.serial,
    state,
    endpoint,
    transaction,
    subject,
    notBefore: iso(record.notBefore),
    notAfter: iso(record.notAfter),
    tbsHash,
    confirmed,
    successors: Object.keys(successors),
    ...(revokedAt === undefined ? {} : { revokedAt: iso(revokedAt) }),
    ...(revocationReason === undefined ? {} : { revocationReason }),
  };
}

const bySerial = z.strictObject({ ca: caId, serial });

const revocation = body(
  'Revocation',
  z.strictObject({
    reason: described(
      'CRLReason (RFC 5280 section 5.3.1); certificateHold can end, by removeFromCRL',
      z.enum([...revocationReasons, 'certificateHold', 'removeFromCRL']),
    ),
  }),
);

const noSuch = (): never => {
  throw new HttpFailure(404, 'no such certificate');
};

async function existing(deps: Deps, ca: string, number: string): Promise<CertificateRecord> {
  return (await findCertificate(deps, ca, number)) ?? noSuch();
}

export const certificateRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/certificates',
    noun: 'certificate',
    roles: ['auditor'],
    summary:
      'Certificates, newest first; those that expire before a time by their end; or what a search finds',
    query: z.strictObject({
      ca: z.optional(caId),
      state: z.optional(z.enum(releasedStates)),
      endpoint: z.optional(endpointId),
      serial: z.optional(serial),
      subject: described('how the subject begins, in any case', z.optional(beginning)),
      device: described(
        'how the first subjectAltName begins, or else the common name',
        z.optional(beginning),
      ),
      key: described('SHA-256 of the SubjectPublicKeyInfo', z.optional(digest)),
      expiringBefore: described(
        'good or held, not yet expired, and expiring before this time',
        z.optional(moment),
      ),
      ...turn,
    }),
    answer: page('Certificates', 'certificates', certificate),
    async handle(deps, { path, query }) {
      const { turn: asked, filters, nextOf } = turnOf(path, query);
      const { ca, endpoint } = filters;
      if (ca !== undefined && !deps.config.cas.has(ca)) {
        throw new HttpFailure(422, `ca: "${ca}" does not exist`);
      }
      if (endpoint !== undefined && !deps.config.endpoints.has(endpoint)) {
        throw new HttpFailure(422, `endpoint: "${endpoint}" does not exist`);
      }
      const { certificates, next } = await listCertificates(deps, { ...filters, ...asked });
      return { certificates: certificates.map(shown), next: nextOf(next) };
    },
  }),
  route({
    method: 'GET',
    path: '/certificates/{ca}/{serial}',
    noun: 'certificate',
    roles: ['auditor'],
    summary: 'One certificate',
    params: bySerial,
    answer: whole,
    async handle(deps, { params }) {
      const found = await existing(deps, params.ca, params.serial);
      if (!found.der || !isReleased(found)) return shown(found);
      const octets = fromBase64(found.der);
      const inWords = { pem: pem('CERTIFICATE', octets), decoded: describeCertificate(octets) };
      return { ...shown(found), der: found.der, ...inWords };
    },
  }),
  route({
    method: 'GET',
    path: '/certificates/{ca}/{serial}/renewals',
    noun: 'certificate',
    roles: ['auditor'],
    summary: 'The certificate among its renewals: what it renews, and what renews it',
    params: bySerial,
    answer: renewals,
    async handle(deps, { params }) {
      const { certificates, more } = (await renewalsOf(deps, params.ca, params.serial)) ?? noSuch();
      return {
        certificates: certificates.map(({ renews, ...record }) => ({
          ...shown(record),
          ...(renews === undefined ? {} : { renews }),
        })),
        more,
      };
    },
  }),
  route({
    method: 'POST',
    path: '/certificates/{ca}/{serial}/revoke',
    noun: 'certificate',
    roles: [],
    summary: 'Revoke a certificate, hold it, or end a hold',
    params: bySerial,
    body: revocation,
    answer: certificate,
    conflict: 'its state does not allow it; the detail says what it is',
    repeatable: true,
    async handle(deps, { actor, params: { ca, serial: number }, body: { reason }, once }) {
      const remembered = once && { once, answer: shown };
      const said = await revoke(deps, ca, number, reason, actor, remembered);
      if (said === 'missing') return noSuch();
      if (said !== 'done') throw new HttpFailure(409, `the certificate is ${said}`);
      return shown(await existing(deps, ca, number));
    },
  }),
];
