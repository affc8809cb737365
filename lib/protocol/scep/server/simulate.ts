// Simulates a request without any effect: the answer is what a device would get, by the same functions (`judge.ts`).
//
// What it cannot know is left out: the pkiMessage around the request, and the state of a challenge that exists; what
// validators outside would say is assumed. No challengePassword of a CSR is ever looked up, so that simulation cannot
// be used to guess one.

import type { Bytes } from '../../../base/bytes.ts';
import { Malformed } from '../../../base/errors.ts';
import { OUTSIDE_MS } from '../../../base/mdm-limits.ts';
import { ulid } from '../../../base/ulid.ts';
import type { Deps } from '../../../ca/deps.ts';
import type { EnrolmentRequest, MessageSigner } from '../../../ca/enrol/request.ts';
import type { Endpoint } from '../../../config/endpoint/endpoint.ts';
import { outsideOf } from '../../../config/endpoint/enrolment.ts';
import { accepted, contentCiphers } from '../../../crypto/algorithms.ts';
import type { CertificateRecord } from '../../../ports/records/certificate.ts';
import type { Binding } from '../../../ports/records/records.ts';
import type { Verdict } from '../../../ports/records/transaction.ts';
import type { Validator } from '../../../ports/validator.ts';
import type { Evidence } from '../../../refusal/evidence.ts';
import { type Reason, Refusal } from '../../../refusal/reasons.ts';
import { type Certificate, readCertificate, signed } from '../../../x509/certificate.ts';
import { type ProvenRequest, readCertificationRequest } from '../../../x509/csr.ts';
import { verifySignature } from '../../../x509/public-key.ts';
import { imagine } from './imagined-challenge.ts';
import { judge } from './judge.ts';
import { requireSealable } from './reply.ts';
import { heldSigner, selfSigner } from './signers.ts';

export type AssumedAnswer = {
  readonly answer: 'allow' | 'refuse' | 'trouble';
  readonly reason?: string | undefined;
};

type SimulatedRequest = {
  readonly endpoint: Endpoint;
  /** A PKCS#10, DER. */
  readonly csr: Bytes;
  /** As if it came with a fresh challenge that is bound like this; undefined: with none. */
  readonly challenge: Binding | undefined;
  /** `kid` of the key that signs the challenge, where the endpoint takes signed ones. */
  readonly signedBy?: string | undefined;
  /** What validators outside are assumed to answer, by their names; all others allow. */
  readonly answers?: ReadonlyMap<string, AssumedAnswer> | undefined;
  /** As if it came from this address; by default from one that the challenge allows. */
  readonly from?: string | undefined;
  /** As if the device signed with this certificate; undefined: with one that it made itself. */
  readonly renews: CertificateRecord | undefined;
};

type Simulation = {
  /** What each validator would say, in the order in which they are asked. */
  readonly verdicts: readonly Verdict[];
} & (
  | /** The signature of `certificate` is a dummy; the signed part is what a device would get. */
  { readonly decision: 'grant'; readonly certificate: Certificate }
  /** What an approver would allow, unless there is a reason to refuse it then. */
  | { readonly decision: 'pend'; readonly certificate: Certificate | undefined }
  | { readonly decision: 'deny'; readonly reason: Reason; readonly evidence: Evidence }
  /** A validator outside gives no answer: the device is told to come again. */
  | { readonly decision: 'trouble'; readonly validator: string; readonly says: string }
);

/** @throws {Outage} when the service failed, or another request is using the same certificate or key */
export async function simulate(deps: Deps, asked: SimulatedRequest): Promise<Simulation> {
  const simulation = await once(deps, asked);
  if (simulation.decision !== 'pend') return simulation;
  const approved = await once(deps, {
    ...asked,
    endpoint: { ...asked.endpoint, approval: 'never' },
  });
  const certificate = approved.decision === 'grant' ? approved.certificate : undefined;
  return { ...simulation, certificate };
}

async function once(deps: Deps, asked: SimulatedRequest): Promise<Simulation> {
  const ca = await deps.cas.ca(asked.endpoint.ca);
  const now = deps.clock.now();
  try {
    const csr = await proven(asked);
    const { der } = asked.renews ?? {};
    const signer = der === undefined ? selfSigner(csr, ca, now) : heldSigner({ der });
    const { challenge: binding, signedBy } = asked;
    const wanted = binding && { endpoint: asked.endpoint, binding, signedBy, now };
    const challenge = wanted && (await imagine(deps, wanted));
    const { endpoint } = challenge ?? asked;
    const secret = challenge?.secret;
    // Without a challenge, what the CSR carries still keys the reply, as it would for its device.
    const recipient = recipientOf(signer, secret ?? csr.challengePassword);
    requireSealable(recipient);
    const request: EnrolmentRequest = {
      ...{ endpoint, ca, signer },
      transactionID: 'simulated',
      kept: {
        asked: signer.ours ? 'renewal' : 'enrolment',
        reply: { digest: recipient.digest, cipher: recipient.cipher.name },
        ...clientOf(asked),
      },
      csr: { ...csr, challengePassword: secret },
      until: now + OUTSIDE_MS,
      // Never those of a request that was really made: this one is new.
      requestHash: `simulated ${ulid(now, deps.random(10))}`,
      renewalHash: signer.ours ? `simulated ${ulid(now, deps.random(10))}` : undefined,
    };
    const judged = await judge(deps, request, {
      rows: challenge?.rows ?? new Map(),
      staticSecrets: challenge?.staticSecrets ?? new Map(),
      validators: assumed(asked),
    });
    const verdicts = judged.verdicts.map(withoutImagined);
    switch (judged.decision) {
      case 'grant': {
        const certificate = readCertificate(signed(judged.tbs, ca.scheme, new Uint8Array(0)));
        return { decision: 'grant', certificate, verdicts };
      }
      case 'pend':
        return { decision: 'pend', certificate: undefined, verdicts };
      case 'deny': {
        // It would name a challenge that is not there.
        const { challengeId: _none, ...evidence } = judged.evidence;
        return { decision: 'deny', reason: judged.reason, evidence, verdicts };
      }
    }
  } catch (error) {
    if (error instanceof NoAnswer) {
      const { validator, message: says } = error;
      return { decision: 'trouble', verdicts: [], validator, says };
    }
    if (!(error instanceof Refusal)) throw error;
    const { reason, evidence } = error;
    return { decision: 'deny', reason, evidence, verdicts: [] };
  }
}

/** A validator outside that gives none. */
class NoAnswer extends Error {
  readonly validator: string;
  constructor(validator: string, says: string) {
    super(says);
    this.validator = validator;
  }
}

/** The validators outside, answering as it is assumed; of whom nothing is assumed allows. */
function assumed({ endpoint, answers }: SimulatedRequest): Map<string, Validator> {
  const validatorOf = (id: string): Validator => ({
    async validate() {
      const { answer = 'allow', reason } = answers?.get(id) ?? {};
      if (answer === 'trouble') throw new NoAnswer(id, reason ?? 'it gives no answer');
      return { allow: answer === 'allow', note: reason ?? 'as it is assumed' };
    },
  });
  return new Map(outsideOf(endpoint).map((id) => [id, validatorOf(id)]));
}

/** A challenge that is only imagined has no id. */
const withoutImagined = ({ says, ...verdict }: Verdict): Verdict =>
  says === undefined || /^challenge [0-9A-Z]{26}$/.test(says) ? verdict : { ...verdict, says };

/** As `openRequest` has it, with a word on why. @throws {Refusal} envelopeRejected */
async function proven({ csr: der, endpoint }: SimulatedRequest): Promise<ProvenRequest> {
  const reject = (detail: string): never => {
    throw new Refusal('envelopeRejected', { detail });
  };
  try {
    const csr = readCertificationRequest(der);
    const { publicKey, scheme, info, signature } = csr;
    if (!publicKey) return reject('the key is of a type or size that is not accepted anywhere');
    if (!scheme || (scheme.digest && !accepted(scheme.digest, endpoint.legacy))) {
      return reject('the signature algorithm of the PKCS#10 is not accepted here');
    }
    const good = await verifySignature(publicKey, scheme, info, signature);
    if (!good) return reject('the signature of the PKCS#10 does not verify');
    return { ...csr, publicKey };
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    return reject(`not a PKCS#10: ${error.message}`);
  }
}

function clientOf({ from, challenge }: SimulatedRequest): Pick<EnrolmentRequest['kept'], 'client'> {
  const address = from ?? challenge?.sources?.[0]?.replace(/\/\d+$/, '');
  return address === undefined ? {} : { client: { from: address } };
}

const recipientOf = (
  { certificate, key }: MessageSigner,
  challengePassword: string | undefined,
) => ({
  certificate,
  key,
  digest: 'SHA-256' as const,
  cipher: contentCiphers['AES-128'],
  challengePassword,
});
