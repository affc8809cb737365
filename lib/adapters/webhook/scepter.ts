// Our own style (docs/webhooks.md): the signature covers the time, and an answer is good for one signed request, which it
// names by its digest, so that an answer from before, or to somebody else, is none.

import { type Bytes, base64, hex, utf8 } from '../../base/bytes.ts';
import { Outage } from '../../base/errors.ts';
import { iso } from '../../base/text.ts';
import { hash, hmacSha256 } from '../../crypto/native.ts';
import type { ValidationRequest } from '../../ports/validator.ts';
import { readCertificationRequest } from '../../x509/csr.ts';
import { describeRequest } from '../../x509/describe/describe.ts';
import type { HookReply } from './send.ts';
import {
  type HookMessage,
  membersOf,
  type Style,
  unanswered,
  type WebhookSettings,
} from './style.ts';

/** @param key octets of the secret */
export function scepterStyle({ id }: WebhookSettings, key: Bytes): Style {
  const message = (now: number, event: string, members: object) => {
    const body = JSON.stringify({ event, ...members });
    const timestamp = `${Math.floor(now / 1000)}`;
    const signed = utf8(`${timestamp}.${body}`);
    const headers = {
      'Scepter-Webhook': id,
      'Scepter-Timestamp': timestamp,
      'Scepter-Signature': hex(hmacSha256(key, signed)),
    };
    return { body, headers, digest: hex(hash('SHA-256', signed)) };
  };
  return {
    validation: (request, now) => {
      const { challengePassword } = readCertificationRequest(request.csr);
      const asked = { ...membersFor(request), challenge: challengePassword || null };
      return message(now, 'validate', asked);
    },
    issued: (notice, now) => {
      const { serial, certificate } = notice;
      const members = { ...membersFor(notice), serial, certificate: base64(certificate) };
      return message(now, 'issued', members);
    },
    refused: (notice, now) => {
      const { reason, text } = notice;
      return message(now, 'refused', { ...membersFor(notice), reason, text });
    },
    waiting: ({ until: _, expiresAt, decisionUrl = null, ...notice }, now) =>
      message(now, 'waiting', { ...notice, expiresAt: iso(expiresAt), decisionUrl }),
    answer: (reply, sent) => {
      const { allow, reason } = read(reply, sent);
      return typeof reason === 'string' ? { allow, note: reason } : { allow };
    },
    receipt: (reply, sent) => (read(reply, sent).allow ? 'release' : 'refuse'),
  };
}

function membersFor({ endpoint, transactionID, requestHash, csr }: ValidationRequest) {
  const { subject, names, key, requestedExtensions } = describeRequest(csr);
  return {
    ...{ endpoint, transactionID, requestHash, csr: base64(csr) },
    ...{ subject, names, key: key.algorithm, requestedExtensions },
  };
}

/** Only 200 is an answer: this style has a word for no, and every other status is somebody else's. */
function read(reply: HookReply, { digest }: HookMessage): { allow: boolean; reason: unknown } {
  if (reply.status !== 200) throw unanswered(reply.status);
  const { allow, reason, digest: named } = membersOf(reply);
  if (typeof allow !== 'boolean') throw new Outage('its answer has no allow of true or false');
  if (named !== digest) throw new Outage('the digest of its answer is not that of the request');
  return { allow, reason };
}
