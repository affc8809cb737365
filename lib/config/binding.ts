// What a challenge may be bound to, as whoever makes or signs one says it.

import * as z from 'zod/mini';
import { MAX_NAMES } from '../base/limits.ts';
import { patterns } from './profile.ts';
import { described, duration } from './schema.ts';

const fewTexts = z
  .array(z.string().check(z.maxLength(256, 'must be at most 256 characters')))
  .check(z.maxLength(MAX_NAMES, `must hold at most ${MAX_NAMES}`));

/** The members of one. */
export const binding = {
  subject: described('the only subject it may be used for, RFC 4514', z.optional(z.string())),
  subjectPattern: described(
    'instead of a subject: attribute types that the subject must have, and patterns of which each value must match one, such as {"CN": "printer-*"}',
    z.optional(z.record(z.string(), patterns)),
  ),
  san: described(
    'TYPE:VALUE of the subjectAltNames that the certificate gets, and no other',
    z._default(
      z.array(z.string()).check(z.maxLength(MAX_NAMES, `must hold at most ${MAX_NAMES} names`)),
      [],
    ),
  ),
  extKeyUsage: described(
    'the extended key usages of the certificate, by name or dotted OID: some of those of the profile',
    z.optional(fewTexts),
  ),
  key: described('the kind of key: rsa, rsa:BITS, ec, ec:CURVE or ed25519', z.optional(z.string())),
  keyHash: described(
    'the only key: SHA-256 of its SubjectPublicKeyInfo, 64 hexadecimal digits',
    z.optional(z.string()),
  ),
  device: described(
    'what you call the device, such as the number on its label; the transaction and the certificate have it on record, and the certificate does not say it',
    z.optional(
      z
        .string()
        .check(
          z.regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]{1,256}$/u, 'must be 1 to 256 visible characters'),
        ),
    ),
  ),
  sources: described(
    'addresses and ranges such as 10.0.0.0/8 that the request must come from',
    z.optional(fewTexts),
  ),
  profile: described(
    'the profile that the endpoint must have when the challenge is used',
    z.optional(z.string()),
  ),
  validity: described(
    'lifetime of the certificate and of its renewals, at most that of the profile',
    z.optional(duration),
  ),
};
