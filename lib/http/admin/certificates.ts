// Certificates: listed, searched, shown, revoked and released from a hold, with their renewals.

import * as z from 'zod/mini';
import { fromBase64, pem } from '../../base/bytes.ts';
import { HttpFailure } from '../../base/errors.ts';
import { iso } from '../../base/text.ts';
import { listedStates, revocationReasons, shownStates } from '../../base/words.ts';
import type { Deps } from '../../ca/deps.ts';
import {
  findCertificate,
  goodOfKey,
  listCertificates,
  renewalsOf,
  stateAt,
} from '../../ca/query/certificates.ts';
import { revoke } from '../../ca/revoke/revoke.ts';
import { type RevokedTogether, revokeWithRenewals } from '../../ca/revoke/revoke-renewals.ts';
import { described } from '../../config/schema.ts';
import { type CertificateRecord, isReleased } from '../../ports/records/certificate.ts';
import { describeCertificate } from '../../x509/describe/describe.ts';
import { decodedCertificate } from '../decoded.ts';
import { turnOf } from '../request.ts';
import {
  answer,
  beginning,
  body,
  caId,
  der,
  digest,
  endpointId,
  hexText,
  moment,
  page,
  serial,
  time,
  turn,
  ulidText,
} from '../schemas.ts';
import { type Route, route } from './route.ts';

const fields = {
  ca: z.string(),
  serial: hexText,
  state: z.enum(shownStates),
  endpoint: z.string(),
  transaction: ulidText,
  subject: described('RFC 4514', z.string()),
  notBefore: time,
  notAfter: time,
  tbsHash: described('SHA-256 of the TBSCertificate', hexText),
  keyHash: described('SHA-256 of the SubjectPublicKeyInfo', hexText),
  confirmed: described('its device has it: it has signed a renewal', z.boolean()),
  successors: described('serial numbers of its latest renewals', z.array(hexText)),
  lineage: described(
    'serial number of the certificate that was enrolled, to which this one goes back by renewals, or which it is',
    hexText,
  ),
  supersededBy: described(
    'serial number of the renewal that revoked it, to take its place or to keep its lineage small',
    z.optional(hexText),
  ),
  endedBy: described(
    'serial number of the certificate that it renews, if a person has revoked or suspended that: then this one renews nothing',
    z.optional(hexText),
  ),
  revokedAt: z.optional(time),
  revocationReason: z.optional(z.enum([...revocationReasons, 'certificateHold'])),
};
const certificate = answer('Certificate', z.strictObject(fields));

const whole = answer(
  'WholeCertificate',
  z.strictObject({
    ...fields,
    der: described('DER, base64; absent until the certificate may be handed out', z.optional(der)),
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

function shownCertificate(record: CertificateRecord, now: number) {
  const { ca, endpoint, transaction, subject, tbsHash, keyHash, confirmed } = record;
  const { successors, lineage, supersededBy, revokedAt, revocationReason } = record;
  const { root, endedBy } = lineage;
  return {
    ca,
    serial: record.serial,
    state: stateAt(record, now),
    endpoint,
    transaction,
    subject,
    notBefore: iso(record.notBefore),
    notAfter: iso(record.notAfter),
    tbsHash,
    keyHash,
    confirmed,
    successors: Object.keys(successors),
    lineage: root,
    ...(supersededBy === undefined ? {} : { supersededBy }),
    ...(endedBy === undefined ? {} : { endedBy }),
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
    withRenewals: described(
      'the same for every other good certificate of its lineage; done again, it does what is left',
      z._default(z.boolean(), false),
    ),
  }),
);

const revoked = answer(
  'RevokedCertificate',
  z.strictObject({
    ...fields,
    withRenewals: described(
      'where that was asked for: serial numbers of the others of its lineage that this request has revoked, held or released',
      z.optional(z.array(hexText)),
    ),
    sameKey: described(
      'where the reason is keyCompromise, which blocks the key: its other certificates, of every CA, that are good, held or being made; whoever has the key has them too',
      z.optional(z.array(z.strictObject(fields))),
    ),
  }),
);

type OfKey = {
  readonly now: number;
  /** Certificates of its key, where that was compromised. */
  readonly ofKey: readonly CertificateRecord[] | undefined;
};

const shownRevoked = (one: CertificateRecord, { now, ofKey }: OfKey) => ({
  ...shownCertificate(one, now),
  ...(ofKey
    ? {
        sameKey: ofKey
          .filter((other) => !isSame(other, one))
          .map((other) => shownCertificate(other, now)),
      }
    : {}),
});
const isSame = (a: CertificateRecord, b: CertificateRecord): boolean =>
  a.ca === b.ca && a.serial === b.serial;

const shownTogether = ({ certificate: one, others }: RevokedTogether, { now, ofKey }: OfKey) => ({
  ...shownRevoked(one, {
    now,
    ofKey: ofKey?.filter(({ ca, serial: other }) => ca !== one.ca || !others.includes(other)),
  }),
  withRenewals: [...others],
});

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
      'Certificates, newest first; those that expire before a time by their end, expired ones from the last end on; or what a search finds',
    query: z.strictObject({
      ca: z.optional(caId),
      state: z.optional(z.enum(listedStates)),
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
      const now = deps.clock.now();
      return {
        certificates: certificates.map((one) => shownCertificate(one, now)),
        next: nextOf(next),
      };
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
      const shown = shownCertificate(found, deps.clock.now());
      if (!found.der || !isReleased(found)) return shown;
      const octets = fromBase64(found.der);
      const inWords = { pem: pem('CERTIFICATE', octets), decoded: describeCertificate(octets) };
      return { ...shown, der: found.der, ...inWords };
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
          ...shownCertificate(record, deps.clock.now()),
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
    summary:
      'Revoke a certificate, hold it, or end a hold; with its renewals where that is asked for',
    params: bySerial,
    body: revocation,
    answer: revoked,
    conflict: 'its state does not allow it; the detail says what it is',
    repeatable: true,
    async handle(deps, { actor, params: { ca, serial: number }, body: asked, once }) {
      const { reason } = asked;
      const wanted = { ca, serial: number, reason, actor };
      const { keyHash } = await existing(deps, ca, number);
      const ofKey = reason === 'keyCompromise' ? await goodOfKey(deps, keyHash) : undefined;
      const about = { now: deps.clock.now(), ofKey };
      if (asked.withRenewals) {
        const answered = (done: RevokedTogether) => shownTogether(done, about);
        const said = await revokeWithRenewals(deps, wanted, once && { once, answer: answered });
        if (typeof said === 'object') return answered(said);
        if (said === 'missing') return noSuch();
        throw new HttpFailure(409, `the certificate is ${said}`);
      }
      const answered = (done: CertificateRecord) => shownRevoked(done, about);
      const remembered = once && { once, answer: answered };
      const said = await revoke(deps, wanted, remembered);
      if (said === 'missing') return noSuch();
      if (said !== 'done') throw new HttpFailure(409, `the certificate is ${said}`);
      return answered(await existing(deps, ca, number));
    },
  }),
];
