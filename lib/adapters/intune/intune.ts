// Microsoft Intune as a validator: its API for SCEP servers of other makers ("ScepActions"), as Microsoft's reference client
// speaks it (microsoft/Intune-Resource-Access), and its queue of certificates to revoke. Intune judges the
// challengePassword, which it made, and the request against the SCEP profile; it is told of each certificate before the
// device gets it, and of each failure.

import { base64, hex } from '../../base/bytes.ts';
import { Outage } from '../../base/errors.ts';
import { iso, isText } from '../../base/text.ts';
import { hash } from '../../crypto/native.ts';
import type {
  IssuedNotice,
  RefusedNotice,
  ValidationRequest,
  Validator,
} from '../../ports/validator.ts';
import { readCertificate } from '../../x509/certificate.ts';
import { printName } from '../../x509/names/name.ts';
import { deadline, type IntuneDeps } from './call.ts';
import { noteOf } from './codes.ts';
import { hresultOf } from './hresults.ts';
import { makeRevocations } from './revocations.ts';
import { type IntuneService, IntuneServices, type IntuneSettings, product } from './services.ts';

const scepActions: IntuneService = {
  name: 'ScepRequestValidationFEService',
  version: '2018-02-20',
};

/** Characters of an errorDescription that Intune takes. */
const MAX_DESCRIPTION = 255;

/** @throws {SyntaxError} with a sentence, for a client certificate that is none */
export function makeIntune(
  settings: IntuneSettings,
  outside: IntuneDeps,
): Required<Omit<Validator, 'waiting'>> {
  const services = new IntuneServices(settings, outside);

  /** @returns Intune's code @throws {Outage} */
  async function act(
    action: 'validateRequest' | 'successNotification' | 'failureNotification',
    { transactionID, csr, until }: ValidationRequest,
    envelope: 'request' | 'notification',
    more: object = {},
  ): Promise<string> {
    const told = {
      transactionId: transactionID,
      certificateRequest: base64(csr),
      callerInfo: product,
      ...more,
    };
    const path = `ScepActions/${action}`;
    const signal = deadline(outside, until);
    const { code } = await services.post(scepActions, path, { [envelope]: told }, { signal });
    if (!isText(code)) throw new Outage(`Microsoft Intune (${path}) answered without a code`);
    return code;
  }

  return {
    async validate(request) {
      const code = await act('validateRequest', request, 'request');
      return code === 'Success' ? { allow: true } : { allow: false, note: noteOf(code) };
    },

    async notify(notice) {
      const code = await act('successNotification', notice, 'notification', issued(notice));
      return code === 'Success' ? 'release' : 'refuse';
    },

    /** Whatever Intune says to it, saying it again changes nothing. */
    async refused(notice) {
      await act('failureNotification', notice, 'notification', failed(notice));
    },

    revocations: makeRevocations(services, outside),
  };
}

/** Numbers in upper case, as Windows shows them. */
function issued({ endpoint, serial, certificate }: IssuedNotice) {
  const { issuer, notAfter } = readCertificate(certificate);
  const authority = printName(issuer);
  return {
    certificateThumbprint: hex(hash('SHA-1', certificate)).toUpperCase(),
    certificateSerialNumber: serial.toUpperCase(),
    certificateExpirationDateUtc: iso(notAfter),
    issuingCertificateAuthority: authority,
    caConfiguration: endpoint,
    certificateAuthority: authority,
  };
}

const failed = ({ reason, text }: RefusedNotice) => ({
  hResult: hresultOf(reason),
  errorDescription: text.slice(0, MAX_DESCRIPTION).toWellFormed(),
});
