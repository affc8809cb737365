// Intune's queue of certificates to revoke ("PkiConnector"): orders are taken, and their results told.

import { Outage } from '../../base/errors.ts';
import { isText } from '../../base/text.ts';
import type { RevocationQueue, RevocationResult } from '../../ports/validator.ts';
import { deadline, type IntuneDeps, isObject } from './call.ts';
import type { IntuneService, IntuneServices } from './services.ts';

/** The version is Microsoft's, and no slip of ours. */
const pkiConnector: IntuneService = { name: 'PkiConnectorFEService', version: '5019-05-05' };

/** Orders in one answer, at most; and its octets: two kB for each. */
const MAX_ORDERS = 500;
const MAX_ORDERS_OCTETS = 1024 * 1024;

/** Characters of what people read of a result. */
const MAX_MESSAGE = 255;

/** CARequestErrorCodes of Microsoft's reference client: below 4100 Intune does not ask again. */
const errorCodes = {
  notFound: '4004',
  already: '4005',
  unavailable: '4101',
  other: '4000',
} as const;
const NONE = '0';

export function makeRevocations(
  services: IntuneServices,
  outside: Pick<IntuneDeps, 'clock'>,
): RevocationQueue {
  const post = (path: string, body: object, until: number) =>
    services.post(pkiConnector, `CertificateAuthorityRequests/${path}`, body, {
      signal: deadline(outside, until),
      maxOctets: MAX_ORDERS_OCTETS,
    });
  return {
    async take(max, issuer, until) {
      const maxRequests = Math.min(Math.max(1, max), MAX_ORDERS);
      const downloadParameters = { maxRequests, issuerName: issuer ?? null };
      const { value } = await post('downloadRevocationRequests', { downloadParameters }, until);
      if (!Array.isArray(value))
        throw new Outage('Microsoft Intune answered without a list of orders');
      return value.filter(isObject).flatMap(({ requestContext, serialNumber, issuerName }) => {
        // What has no context cannot be answered.
        if (!isText(requestContext) || requestContext === '') return [];
        const serial = isText(serialNumber) ? serialNumber.replace(/[\s:]/g, '').toLowerCase() : '';
        return [{ context: requestContext, serial, issuer: isText(issuerName) ? issuerName : '' }];
      });
    },

    async report(results, until) {
      if (results.length === 0) return;
      const { value } = await post(
        'uploadRevocationResults',
        { results: results.map(told) },
        until,
      );
      if (value !== true)
        throw new Outage('Microsoft Intune did not take the results of revocations');
    },
  };
}

const told = (result: RevocationResult) => ({
  requestContext: result.context,
  succeeded: result.done,
  errorCode: result.done ? NONE : errorCodes[result.problem],
  ...(result.done ? {} : { errorMessage: result.text.slice(0, MAX_MESSAGE).toWellFormed() }),
});
