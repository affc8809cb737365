// The schemas of what `x509/describe/describe` says of requests and certificates.

import * as z from 'zod/mini';
import { described } from '../config/schema.ts';
import { answer, hexText, time } from './schemas.ts';

const key = z.strictObject({
  algorithm: described('such as RSA-2048 or P-256, or an OID', z.string()),
  accepted: described('whether any endpoint could take it', z.boolean()),
  sha256: described('of the SubjectPublicKeyInfo', hexText),
});

export const extension = z.strictObject({
  id: described('dotted OID', z.string()),
  name: z.optional(z.string()),
  critical: z.boolean(),
  value: described('in words; "#" and hexadecimal for what cannot be read', z.array(z.string())),
});

export const decodedRequest = answer(
  'DecodedRequest',
  z.strictObject({
    type: z.literal('request'),
    subject: z.string(),
    names: z.array(z.string()),
    key,
    challengePassword: described(
      'its value is a secret, and not in the record',
      z.enum(['present', 'removed', 'absent']),
    ),
    requestedExtensions: z.array(extension),
    signatureAlgorithm: z.string(),
    sha256: described('of the request as it came', z.optional(hexText)),
  }),
);

export const decodedCertificate = answer(
  'DecodedCertificate',
  z.strictObject({
    type: z.literal('certificate'),
    subject: z.string(),
    issuer: z.string(),
    serial: hexText,
    notBefore: time,
    notAfter: time,
    key,
    signatureAlgorithm: z.string(),
    extensions: z.array(extension),
    sha256: described('fingerprints of the DER', hexText),
    sha1: hexText,
  }),
);
