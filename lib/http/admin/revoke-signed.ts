// Revocation of a certificate by its octets, with or without a record of it.

import type { signedRevocationRoutes } from '../../api/routes/revoke-signed.ts';
import { fromBase64 } from '../../base/bytes.ts';
import { HttpFailure, Malformed } from '../../base/errors.ts';
import { iso } from '../../base/text.ts';
import { everyCa } from '../../ca/authority/known.ts';
import {
  type NotRevoked,
  type RevokedSigned,
  revokeSigned,
} from '../../ca/revoke/revoke-signed.ts';
import { type Certificate, readCertificate } from '../../x509/certificate.ts';
import type { HandlersOf } from './handlers.ts';

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

export const signedRevocationHandlers: HandlersOf<typeof signedRevocationRoutes> = {
  async 'POST /certificates/{ca}/revoke'(
    deps,
    { actor, params: { ca }, body: { certificate, reason }, once },
  ) {
    if (!(await everyCa(deps)).includes(ca)) throw new HttpFailure(404, 'no such CA');
    const asked = { ca, certificate: certificateOf(certificate), reason, actor };
    const said = await revokeSigned(deps, asked, once && { once, answer: shown });
    if (typeof said !== 'string') return shown(said);
    throw new HttpFailure(unprocessable.has(said) ? 422 : 409, sentences[said]);
  },
};
