// Certificates: listed, searched, shown, revoked and released from a hold, with their renewals.

import * as z from 'zod/mini';
import { listedStates, registerReasons, revocationReasons, shownStates } from '../../base/words.ts';
import { described } from '../../config/schema.ts';
import { decodedCertificate } from '../decoded.ts';
import type { Routes } from '../route.ts';
import {
  altered,
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
  search,
  serial,
  serialPrefix,
  time,
  turn,
  ulidText,
  unchanged,
} from '../schemas.ts';

const fields = {
  ca: z.string(),
  serial: hexText,
  state: z.enum(shownStates),
  endpoint: z.string(),
  transaction: ulidText,
  subject: described('RFC 4514', z.string()),
  device: described('what its owner calls it, by its challenge', z.optional(z.string())),
  notBefore: time,
  notAfter: time,
  tbsHash: described('SHA-256 of the TBSCertificate', hexText),
  keyHash: described('SHA-256 of the SubjectPublicKeyInfo', hexText),
  confirmed: described(
    'its device has it: it has signed a renewal, or a query where its renewal supersedes it',
    z.boolean(),
  ),
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
    altered,
  }),
);

const bySerial = z.strictObject({ ca: caId, serial });

const revocation = body(
  'Revocation',
  z.strictObject({
    reason: described(
      'CRLReason (RFC 5280 section 5.3.1); certificateHold can end, by removeFromCRL; a final one is raised (unspecified, then others, then aACompromise and cACompromise, then keyCompromise), never lowered, and keeps its date',
      z.enum(registerReasons),
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
    unchanged,
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

export const certificateRoutes = {
  'GET /certificates': {
    noun: 'certificate',
    roles: ['auditor'],
    summary:
      'Certificates, newest first; those that expire before a time by their end, expired ones from the last end on; or what a search finds',
    query: z.strictObject({
      ca: z.optional(caId),
      state: z.optional(z.enum(listedStates)),
      endpoint: z.optional(endpointId),
      serial: z.optional(serial),
      serialPrefix,
      search: z.optional(search),
      subject: described('how the subject begins, in any case', z.optional(beginning)),
      device: described(
        'how its name begins: that of its challenge, or the first subjectAltName, or else the common name',
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
  },
  'GET /certificates/{ca}/{serial}': {
    noun: 'certificate',
    roles: ['auditor'],
    summary: 'One certificate',
    params: bySerial,
    answer: whole,
  },
  'GET /certificates/{ca}/{serial}/renewals': {
    noun: 'certificate',
    roles: ['auditor'],
    summary: 'The certificate among its renewals: what it renews, and what renews it',
    params: bySerial,
    answer: renewals,
  },
  'POST /certificates/{ca}/{serial}/revoke': {
    noun: 'certificate',
    roles: [],
    summary:
      'Revoke a certificate, hold it, or end a hold; with its renewals where that is asked for',
    params: bySerial,
    body: revocation,
    answer: revoked,
    conflict: 'its state does not allow it; the detail says what it is',
    repeatable: true,
  },
} as const satisfies Routes;
