// Revocation of a certificate by its octets, with or without a record of it.

import * as z from 'zod/mini';
import { fromBase64 } from '../../base/bytes.ts';
import { HttpFailure, Malformed } from '../../base/errors.ts';
import { iso } from '../../base/text.ts';
import { revocationReasons } from '../../base/words.ts';
import {
  type NotRevoked,
  type RevokedSigned,
  revokeSigned,
} from '../../ca/revoke/revoke-signed.ts';
import { described } from '../../config/schema.ts';
import { type Certificate, readCertificate } from '../../x509/certificate.ts';
import { answer, body, caId, der, hexText, time } from '../schemas.ts';
import { type Route, route } from './route.ts';

const reasons = [...revocationReasons, 'certificateHold', 'removeFromCRL'] as const;

const revocation = body(
  'SignedRevocation',
  z.strictObject({
    certificate: described('the certificate, DER, base64', der),
    reason: described(
      'CRLReason (RFC 5280 section 5.3.1); certificateHold can end, by removeFromCRL',
      z.enum(reasons),
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
    revocationReason: z.enum(reasons),
    generation: described(
      'of an RA certificate that is still used: the CRL ends its trust, and "ca rotate-ra" its use',
      z.optional(
        z.strictObject({
          id: z.int(),
          state: z.enum(['prepared', 'current', 'previous', 'retired']),
        }),
      ),
    ),
  }),
);
const shown = ({ notAfter, reason, generation, ...rest }: RevokedSigned) => ({
  ...rest,
  notAfter: iso(notAfter),
  revocationReason: reason,
  ...(generation ? { generation } : {}),
});

const sentences: Readonly<Record<NotRevoked, string>> = {
  foreign: 'certificate: was not signed by this CA',
  own: 'certificate: is of the key of the CA itself, which its own CRL cannot end',
  revoked: 'the certificate is revoked',
  held: 'the certificate is held',
  good: 'the certificate is not held',
  announced:
    'the certificate is of the RA, and devices are told of it: take the next steps of "scepter ca rotate-ra" first; for keyCompromise it is revoked at once',
};
const unprocessable: ReadonlySet<NotRevoked> = new Set(['foreign', 'own']);

/** @throws {HttpFailure} 422 */
function certificateOf(text: string): Certificate {
  try {
    return readCertificate(fromBase64(text));
  } catch (error) {
    if (!(error instanceof Malformed || error instanceof SyntaxError)) throw error;
    throw new HttpFailure(
      422,
      `certificate: must be a certificate, DER in base64: ${error.message}`,
    );
  }
}

export const signedRevocationRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/certificates/{ca}/revoke',
    noun: 'CA',
    roles: [],
    summary:
      'Revoke a certificate that this CA has signed, also where there is no record of it: one of its RA, or one whose record was lost',
    params: z.strictObject({ ca: caId }),
    body: revocation,
    answer: revoked,
    conflict: 'what is known of it does not allow it; the detail says why',
    repeatable: true,
    async handle(deps, { actor, params: { ca }, body: { certificate, reason }, once }) {
      if (!deps.config.cas.has(ca)) throw new HttpFailure(404, 'no such CA');
      const asked = { ca, certificate: certificateOf(certificate), reason, actor };
      const said = await revokeSigned(deps, asked, once && { once, answer: shown });
      if (typeof said !== 'string') return shown(said);
      throw new HttpFailure(unprocessable.has(said) ? 422 : 409, sentences[said]);
    },
  }),
];
