// What would become of a request: policy tried out on a CSR, with no device and no consequence.

import * as z from 'zod/mini';
import { type Bytes, base64, fromBase64, fromPem } from '../../base/bytes.ts';
import { HttpFailure } from '../../base/errors.ts';
import { namesOf } from '../../ca/authorize/renew.ts';
import { normalBinding } from '../../ca/challenge/binding.ts';
import type { Deps } from '../../ca/deps.ts';
import { findCertificate } from '../../ca/query/certificates.ts';
import { explainRefusal } from '../../ca/query/explain-refusal.ts';
import type { Endpoint } from '../../config/config.ts';
import { described } from '../../config/schema.ts';
import type { CertificateRecord } from '../../ports/records/certificate.ts';
import { simulate } from '../../protocol/scep/server/simulate.ts';
import { failInfoOf } from '../../protocol/scep/wire/fail-info.ts';
import { reasons } from '../../refusal/reasons.ts';
import type { Certificate } from '../../x509/certificate.ts';
import { describedCertificate } from '../../x509/describe/describe.ts';
import { extension } from '../decoded.ts';
import { answer, body, endpointId, evidence, serial, time } from '../schemas.ts';
import { type Route, route } from './route.ts';

const challengeText = 'must be "none" or {"subject": ..., "san": [...]}, both optional';
const simulation = body(
  'SimulatedRequest',
  z.strictObject({
    endpoint: z._default(endpointId, 'default'),
    csr: described('a PKCS#10: PEM, or DER in base64', z.string()),
    challenge: described(
      'as if it came with a fresh challenge that is bound like this; "none": without one',
      z._default(
        z.union(
          [
            z.literal('none'),
            z.strictObject({
              subject: z.optional(z.string()),
              san: z._default(z.array(z.string()), []),
            }),
          ],
          challengeText,
        ),
        'none',
      ),
    ),
    renews: described(
      "as if it was signed with this certificate of the endpoint's CA",
      z.optional(serial),
    ),
  }),
);

const simulated = answer(
  'Simulation',
  z.strictObject({
    decision: z.enum(['grant', 'pend', 'deny']),
    code: described('of a refusal, as its device would be told', z.optional(z.string())),
    text: z.optional(z.string()),
    failInfo: z.optional(z.string()),
    evidence: z.optional(evidence),
    rule: described('where it is decided', z.optional(z.string())),
    means: z.optional(z.string()),
    change: described('what to do', z.optional(z.string())),
    certificate: described(
      'what would be signed',
      z.optional(
        z.strictObject({
          subject: z.string(),
          issuer: z.string(),
          names: z.array(z.string()),
          notBefore: time,
          notAfter: time,
          key: z.string(),
          extensions: z.array(extension),
          lint: z.literal('clean'),
        }),
      ),
    ),
  }),
);

function shown(certificate: Certificate) {
  const { subject, issuer, notBefore, notAfter, key, extensions } =
    describedCertificate(certificate);
  const names = namesOf(certificate);
  const about = { subject, issuer, names, notBefore, notAfter, key: key.algorithm, extensions };
  return { ...about, lint: 'clean' as const };
}

export const simulateRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/simulate',
    noun: 'simulation',
    roles: ['challenger', 'approver', 'auditor'],
    summary: 'What would become of a request; nothing is written and nothing is signed',
    body: simulation,
    answer: simulated,
    async handle(deps, { body: { endpoint: id, csr, challenge, renews } }) {
      const endpoint = deps.config.endpoints.get(id);
      if (!endpoint) throw new HttpFailure(422, `endpoint: "${id}" does not exist`);
      const octets = octetsOf(csr);
      const result = await simulate(deps, {
        endpoint,
        csr: octets,
        challenge: challenge === 'none' ? undefined : bindingOf(endpoint, challenge),
        renews: renews === undefined ? undefined : await renewed(deps, endpoint, renews),
      });
      if (result.decision === 'deny') {
        const { decision, reason, evidence: looked } = result;
        const { code, text } = reasons[reason];
        const about = { csr: base64(octets), endpoint: id, profile: endpoint.profile.id };
        const { rule, means, change } =
          explainRefusal({ reason, evidence: looked, ...about }) ?? {};
        const why = rule && means && change ? { rule, means, change } : {};
        return { decision, code, text, failInfo: failInfoOf[reason], evidence: looked, ...why };
      }
      const { decision, certificate } = result;
      return { decision, ...(certificate ? { certificate: shown(certificate) } : {}) };
    },
  }),
];

/** @throws {HttpFailure} 422 */
function octetsOf(text: string): Bytes {
  try {
    const [der] = ['CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST'].flatMap((label) =>
      fromPem(label, text),
    );
    const octets = der ?? fromBase64(text.replace(/\s+/g, ''));
    if (octets.length > 0) return octets;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new HttpFailure(422, 'csr: must be a PKCS#10 in PEM, or its DER in base64');
}

function bindingOf(
  { profile, enrol }: Endpoint,
  { subject, san }: { readonly subject?: string | undefined; readonly san: readonly string[] },
) {
  if (enrol.staticChallenge && (subject !== undefined || san.length > 0)) {
    throw new HttpFailure(
      422,
      'challenge: the static challenge of the endpoint is bound to nothing',
    );
  }
  try {
    return normalBinding(profile, subject, san);
  } catch (error) {
    if (error instanceof SyntaxError) throw new HttpFailure(422, `challenge: ${error.message}`);
    throw error;
  }
}

async function renewed(deps: Deps, { ca }: Endpoint, number: string): Promise<CertificateRecord> {
  const found = await findCertificate(deps, ca, number);
  if (!found?.der) {
    throw new HttpFailure(422, `renews: the CA "${ca}" has issued no certificate ${number}`);
  }
  return found;
}
