// Revocation of a certificate by its octets, with or without a record of it.

import * as z from 'zod/mini';
import { raGenerationStates, registerReasons } from '../../base/words.ts';
import { described } from '../../config/schema.ts';
import type { Routes } from '../route.ts';
import { answer, body, caId, der, hexText, time, unchanged } from '../schemas.ts';

const revocation = body(
  'SignedRevocation',
  z.strictObject({
    certificate: described('the certificate, DER, base64', der),
    reason: described(
      'CRLReason (RFC 5280 section 5.3.1); certificateHold can end, by removeFromCRL',
      z.enum(registerReasons),
    ),
  }),
);

const revoked = answer(
  'RevokedSigned',
  z.strictObject({
    ca: z.string(),
    serial: hexText,
    subject: described('RFC 4514', z.string()),
    notAfter: time,
    revocationReason: z.enum(registerReasons),
    unchanged,
    generation: described(
      'of an RA certificate that is still used: the CRL ends its trust, and "ca rotate-ra" its use',
      z.optional(
        z.strictObject({
          id: z.int(),
          state: z.enum(raGenerationStates),
        }),
      ),
    ),
  }),
);

export const signedRevocationRoutes = {
  'POST /certificates/{ca}/revoke': {
    noun: 'CA',
    roles: [],
    summary:
      'Revoke a certificate that this CA has signed, also where there is no record of it: one of its RA, or one whose record was lost',
    params: z.strictObject({ ca: caId }),
    body: revocation,
    answer: revoked,
    conflict: 'what is known of it does not allow it; the detail says why',
    repeatable: true,
  },
} as const satisfies Routes;
