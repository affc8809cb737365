// The webhooks of smallstep's step-ca, so that a webhook written for it works here: what it posts for a SCEP provisioner,
// kinds SCEPCHALLENGE and NOTIFYING, signed as it signs.

import { type Bytes, base64, hex, utf8 } from '../../base/bytes.ts';
import { Outage } from '../../base/errors.ts';
import { iso, isoSeconds } from '../../base/text.ts';
import { hmacSha256 } from '../../crypto/native.ts';
import type { ValidationRequest } from '../../ports/validator.ts';
import { readCertificate } from '../../x509/certificate.ts';
import { readCertificationRequest } from '../../x509/csr.ts';
import type { HookReply } from './send.ts';
import { keyAsStepCa, requestAsStepCa } from './step-ca-request.ts';
import {
  aboutRequest,
  type HookVerdict,
  membersOf,
  type Style,
  unanswered,
  type WebhookSettings,
} from './style.ts';

/** @param key octets of the secret */
export function stepCaStyle({ id, hookId = id }: WebhookSettings, key: Bytes): Style {
  // Go's encoder leaves out what is empty, where it is told to.
  const message = (now: number, request: ValidationRequest, more: object) => {
    const { csr, transactionID, requestHash } = request;
    const body = JSON.stringify({
      timestamp: iso(now),
      x509CertificateRequest: requestAsStepCa(csr),
      ...(transactionID === '' ? {} : { scepTransactionID: transactionID }),
      ...more,
    });
    const headers = {
      'X-Smallstep-Webhook-ID': hookId,
      'X-Smallstep-Signature': hex(hmacSha256(key, utf8(body))),
      // The same for all that is posted about one request.
      'X-Request-Id': requestHash,
    };
    return { body, headers };
  };
  return {
    validation: (request, now) => {
      const { challengePassword: scepChallenge } = readCertificationRequest(request.csr);
      const provisionerName = request.endpoint;
      return message(now, request, {
        provisionerName,
        ...(scepChallenge ? { scepChallenge } : {}),
      });
    },
    issued: (notice, now) => {
      const { notBefore, notAfter, spki } = readCertificate(notice.certificate);
      const x509Certificate = {
        ...keyAsStepCa(spki),
        notBefore: isoSeconds(notBefore),
        notAfter: isoSeconds(notAfter),
        raw: base64(notice.certificate),
      };
      return message(now, notice, { x509Certificate });
    },
    // step-ca's scepErrorCode is always 0, which its encoder leaves out.
    refused: (notice, now) => message(now, notice, { scepErrorDescription: notice.text }),
    answer,
    receipt: (reply) => {
      requireTaken(reply);
      return 'release';
    },
  };
}

/** @throws {Outage} */
function answer(reply: HookReply): HookVerdict {
  // step-ca refuses for whatever is 400 or more: also where 401 speaks of credentials, 404 of the path, 429 of a limit.
  if (aboutRequest.includes(reply.status)) return { allow: false, note: `HTTP ${reply.status}` };
  requireTaken(reply);
  const { allow, error } = membersOf(reply);
  if (allow === true) return { allow };
  // Left out by an encoder that leaves out false: step-ca reads it so, too.
  if (allow !== false && allow !== undefined && allow !== null) {
    throw new Outage('the allow of its answer is neither true nor false');
  }
  const { message, code } = Object(error) as { message?: unknown; code?: unknown };
  const said = [message, typeof code === 'string' && code !== '' ? `(${code})` : undefined];
  const note = said.filter((part) => typeof part === 'string' && part !== '').join(' ');
  return note === '' ? { allow: false } : { allow: false, note };
}

/** @throws {Outage} */
function requireTaken({ status }: HookReply): void {
  if (status < 200 || status >= 300) throw unanswered(status);
}
