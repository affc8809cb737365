// What would become of a request: policy tried out on a CSR, with no device and no consequence.

import type { simulateRoutes } from '../../api/routes/simulate.ts';
import { type Bytes, base64, fromBase64, fromPem } from '../../base/bytes.ts';
import { HttpFailure } from '../../base/errors.ts';
import { namesOf } from '../../ca/authorize/renew.ts';
import { normalBinding, type WantedBinding } from '../../ca/challenge/binding.ts';
import type { Deps } from '../../ca/deps.ts';
import { Unusable } from '../../ca/policy/wanted.ts';
import { findCertificate } from '../../ca/query/certificates.ts';
import { explainRefusal } from '../../ca/query/explain-refusal.ts';
import type { Endpoint } from '../../config/endpoint/endpoint.ts';
import { outsideOf } from '../../config/endpoint/enrolment.ts';
import type { CertificateRecord } from '../../ports/records/certificate.ts';
import type { Binding } from '../../ports/records/records.ts';
import { type AssumedAnswer, simulate } from '../../protocol/scep/server/simulate.ts';
import { failInfoOf } from '../../protocol/scep/wire/fail-info.ts';
import { reasons } from '../../refusal/reasons.ts';
import type { Certificate } from '../../x509/certificate.ts';
import { describedCertificate } from '../../x509/describe/describe.ts';
import { normalIp } from '../../x509/names/general-name.ts';
import type { HandlersOf } from './handlers.ts';

function shown(certificate: Certificate) {
  const { subject, issuer, notBefore, notAfter, key, extensions } =
    describedCertificate(certificate);
  const names = namesOf(certificate);
  const about = { subject, issuer, names, notBefore, notAfter, key: key.algorithm, extensions };
  return { ...about, lint: 'clean' as const };
}

export const simulateHandlers: HandlersOf<Pick<typeof simulateRoutes, 'POST /simulate'>> = {
  async 'POST /simulate'(deps, { body }) {
    const { endpoint: id, csr, challenge, signedBy, validatorAnswers = {}, from, renews } = body;
    const endpoint = deps.config.endpoints.get(id);
    if (!endpoint) throw new HttpFailure(422, `endpoint: "${id}" does not exist`);
    const octets = octetsOf(csr);
    const result = await simulate(deps, {
      endpoint,
      csr: octets,
      challenge: challenge === 'none' ? undefined : bindingOf(endpoint, challenge),
      signedBy: challenge === 'none' ? undefined : signerOf(endpoint, signedBy),
      answers: answersFor(endpoint, validatorAnswers),
      from: from === undefined ? undefined : addressOf(from),
      renews: renews === undefined ? undefined : await renewed(deps, endpoint, renews),
    });
    const { verdicts } = result;
    if (result.decision === 'trouble') {
      const { decision, validator, says } = result;
      return { decision, verdicts, text: `validator ${validator}: ${says}` };
    }
    if (result.decision === 'deny') {
      const { decision, reason, evidence: looked } = result;
      const { code, text } = reasons[reason];
      const about = { csr: base64(octets), endpoint: id, profile: endpoint.profile.id };
      const { rule, means, change } = explainRefusal({ reason, evidence: looked, ...about }) ?? {};
      const why = rule && means && change ? { rule, means, change } : {};
      const failInfo = failInfoOf[reason];
      return { decision, verdicts, code, text, failInfo, evidence: looked, ...why };
    }
    const { decision, certificate } = result;
    return { decision, verdicts, ...(certificate ? { certificate: shown(certificate) } : {}) };
  },
};

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

function bindingOf({ profile, enrol }: Endpoint, asked: WantedBinding): Binding {
  const { san = [], ...rest } = asked;
  const isBound = san.length > 0 || Object.values(rest).some((value) => value !== undefined);
  if (enrol.staticChallenge && isBound) {
    throw new HttpFailure(
      422,
      'challenge: the static challenge of the endpoint is bound to nothing',
    );
  }
  try {
    return normalBinding(profile, asked);
  } catch (error) {
    if (!(error instanceof Unusable)) throw error;
    throw new HttpFailure(422, `challenge.${error.field}: ${error.message}`);
  }
}

type Answers = Readonly<Record<string, AssumedAnswer>>;

/** @throws {HttpFailure} 422 for a validator that the endpoint does not ask */
function answersFor(endpoint: Endpoint, answers: Answers): Map<string, AssumedAnswer> {
  const asked = outsideOf(endpoint);
  const other = Object.keys(answers).find((id) => !asked.includes(id));
  if (other === undefined) return new Map(Object.entries(answers));
  const said = asked.length === 0 ? 'asks no validator outside' : `asks ${asked.join(', ')}`;
  throw new HttpFailure(422, `validatorAnswers.${other}: the endpoint "${endpoint.id}" ${said}`);
}

/** @throws {HttpFailure} 422 */
function signerOf({ id, enrol }: Endpoint, signedBy: string | undefined): string | undefined {
  const kids = [...(enrol.signedChallenge?.keys.keys() ?? [])];
  const refuse = (said: string): never => {
    throw new HttpFailure(422, `signedBy: ${said}`);
  };
  if (signedBy === undefined) {
    return kids.length < 2 ? kids[0] : refuse(`has to be one of ${kids.join(', ')}`);
  }
  if (kids.length === 0) return refuse(`the endpoint "${id}" takes no signed challenges`);
  if (kids.includes(signedBy)) return signedBy;
  return refuse(`"${signedBy}" signs no challenges for the endpoint "${id}": ${kids.join(', ')}`);
}

/** @throws {HttpFailure} 422 */
function addressOf(text: string): string {
  const address = normalIp(text);
  if (address === undefined) throw new HttpFailure(422, `from: "${text}" is no IP address`);
  return address;
}

async function renewed(deps: Deps, { ca }: Endpoint, number: string): Promise<CertificateRecord> {
  const found = await findCertificate(deps, ca, number);
  if (!found?.der) {
    throw new HttpFailure(422, `renews: the CA "${ca}" has issued no certificate ${number}`);
  }
  return found;
}
