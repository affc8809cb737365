// What would become of a request: policy tried out on a CSR, with no device and no consequence.

import * as z from 'zod/mini';
import { binding } from '../../config/binding.ts';
import { described } from '../../config/schema.ts';
import { extension } from '../decoded.ts';
import type { Routes } from '../route.ts';
import { answer, body, endpointId, evidence, serial, time, verdicts } from '../schemas.ts';

const challengeText =
  'must be "none" or an object with what it is bound to, such as {"subject": ..., "san": [...]}';

const simulation = body(
  'SimulatedRequest',
  z.strictObject({
    endpoint: z._default(endpointId, 'default'),
    csr: described('a PKCS#10: PEM, or DER in base64', z.string()),
    challenge: described(
      'as if it came with a fresh challenge that is bound like this; "none": without one',
      z._default(z.union([z.literal('none'), z.strictObject(binding)], challengeText), 'none'),
    ),
    signedBy: described(
      'where the endpoint takes signed challenges: the "kid" of the key that its challenge would be signed with; has to be given where it has several',
      z.optional(z.string()),
    ),
    validatorAnswers: described(
      'what validators outside are assumed to answer, by their names; one that is not named is assumed to allow',
      z.optional(
        z.record(
          z.string(),
          z.strictObject({
            answer: described(
              '"trouble": it gives none, and the device is told to come again',
              z.enum(['allow', 'refuse', 'trouble']),
            ),
            reason: described('what it says', z.optional(z.string().check(z.maxLength(500)))),
          }),
        ),
      ),
    ),
    from: described(
      'as if it came from this address; from one that its challenge allows if absent',
      z.optional(z.string()),
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
    decision: described(
      '`trouble`: a validator outside gives no answer, and the device is told to come again',
      z.enum(['grant', 'pend', 'deny', 'trouble']),
    ),
    verdicts,
    code: described('of a refusal, as its device would be told', z.optional(z.string())),
    text: described(
      'the sentence to it, or which validator gives no answer',
      z.optional(z.string()),
    ),
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

export const simulateRoutes = {
  'POST /simulate': {
    noun: 'simulation',
    roles: ['challenger', 'approver', 'auditor'],
    summary: 'What would become of a request; nothing is written and nothing is signed',
    body: simulation,
    answer: simulated,
  },
} as const satisfies Routes;
