// CAs and their CRLs.

import * as z from 'zod/mini';
import { raGenerationStates } from '../../base/words.ts';
import { described } from '../../config/schema.ts';
import type { Routes } from '../route.ts';
import { answer, caId, crlPartition, der, hexText, pageShape, time, turn } from '../schemas.ts';

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

const crl = {
  number: z.int(),
  thisUpdate: time,
  nextUpdate: time,
};

export const partitions = z.strictObject({
  generation: z.int(),
  count: described('how many CRLs: BASE/crl/CA/GENERATION-0.crl and so on', z.int()),
  base: described('origin of their URLs', z.string()),
});

const ca = answer(
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
          state: z.enum(raGenerationStates),
          certificate,
        }),
      ),
    ),
    crl: described('its own', z.optional(z.strictObject(crl))),
    partitions: described(
      'over which its certificates are spread, the oldest first',
      z.optional(z.array(partitions)),
    ),
    warnings: z.array(z.string()),
  }),
);

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
    partition: described('absent: its own CRL', z.optional(z.string())),
    ...crl,
    size: described('octets of its DER', z.int()),
    sha256: described('of its DER', hexText),
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

const readers = ['auditor', 'approver', 'challenger'] as const;

const byCa = z.strictObject({ ca: caId });

export const caRoutes = {
  'GET /cas': {
    noun: 'CA',
    roles: readers,
    summary: 'All CAs of this service',
    answer: cas,
  },
  'GET /cas/{ca}': {
    noun: 'CA',
    roles: readers,
    summary: 'One CA: certificates, fingerprints, RA generations, CRL, and what to worry about',
    params: byCa,
    answer: ca,
  },
  'GET /crls/{ca}': {
    noun: 'CA',
    roles: ['auditor'],
    summary: 'The newest CRL of a CA, its entries by serial number',
    params: byCa,
    query: z.strictObject({
      partition: described(
        'that of certificates that name this partition, such as 1-17',
        z.optional(crlPartition),
      ),
      ...turn,
    }),
    answer: whole,
  },
  'POST /crls/{ca}/publish': {
    noun: 'CA',
    roles: [],
    summary: 'Publish all CRLs of a CA now, with everything that has been revoked',
    params: byCa,
    answer: published,
    repeatable: true,
  },
} as const satisfies Routes;
