// Ceremonies of the keys of CAs: a CA is made, gets the certificate that its root has signed, and new RA keys.

import * as z from 'zod/mini';
import { macPurposes, raGenerationStates, rotationSteps } from '../../base/words.ts';
import { described } from '../../config/schema.ts';
import type { Routes } from '../route.ts';
import { answer, body, caId, hexText, notHere, time } from '../schemas.ts';
import { partitions } from './cas.ts';

const byCa = z.strictObject({ ca: caId });

export const chainText = described(
  "PEM: the CA's certificate and its issuers up to the root, in any order",
  z.string(),
);
export const chainShape = z.array(z.strictObject({ subject: z.string(), sha256: hexText }));
export const generationsShape = z.array(
  z.strictObject({
    id: z.int(),
    state: z.enum(raGenerationStates),
    notAfter: time,
    sha256: described('of its certificate', hexText),
  }),
);
const warnings = described('of the key service', z.array(z.string()));
const step = z.enum(rotationSteps);

const initCa = body(
  'InitCa',
  z.strictObject({
    key: described('an existing KMS key: its id, ARN or alias', z.optional(z.string())),
    csr: described(
      'make a certificate request for an offline root instead of a self-signed CA',
      z.optional(z.boolean()),
    ),
  }),
);

const initialisedCa = answer(
  'InitialisedCa',
  z.strictObject({
    id: z.string(),
    key: described('what the key service calls it', z.string()),
    subject: z.optional(z.string()),
    sha256: z.optional(hexText),
    made: described('exists: it was there already', z.optional(z.enum(['done', 'exists']))),
    request: described('PKCS#10, PEM', z.optional(z.string())),
    otherwise: described(
      'what the configuration says otherwise than CAs were made',
      z.array(z.string()),
    ),
    macKeys: described('purposes whose MAC keys were made', z.array(z.enum(macPurposes))),
    warnings,
  }),
);

const rotateRa = body(
  'RotateRa',
  z.strictObject({
    step: described('the one that comes next if absent', z.optional(step)),
    force: described(
      'do not wait, although clients and servers may still use the old key',
      z.optional(z.boolean()),
    ),
  }),
);

const rotatedRa = answer(
  'RotatedRa',
  z.strictObject({
    id: z.string(),
    step,
    ra: generationsShape,
    next: z.optional(z.strictObject({ step, from: described('when it is due', time) })),
  }),
);

const retiring = z.strictObject({
  id: z.string(),
  subject: described('absent before it had a certificate', z.optional(z.string())),
  key: z.string(),
  valid: described('certificates of it that are good or held and have not expired', z.int()),
  more: described('there are more than were counted', z.boolean()),
  until: described('when the last of them expires', z.optional(time)),
});

const raised = answer('CrlPartitions', z.strictObject({ id: z.string(), ...partitions.shape }));

export const caKeyRoutes = {
  'POST /crls/{ca}/partition': {
    noun: 'CA',
    roles: [],
    summary:
      'Spread new certificates over as many CRLs as the configuration has, at its filesUrl or publicUrl',
    params: byCa,
    answer: raised,
    repeatable: true,
    conflict: notHere,
  },
  'POST /cas/{ca}/init': {
    noun: 'CA',
    roles: [],
    summary: 'Make a CA: key, certificate, RA key, and the MAC keys if there are none',
    params: byCa,
    body: initCa,
    answer: initialisedCa,
    repeatable: true,
    conflict: notHere,
  },
  'POST /cas/{ca}/chain': {
    noun: 'CA',
    roles: [],
    summary: 'Give a CA the certificate that its root has signed',
    params: byCa,
    body: body('ImportChain', z.strictObject({ chain: chainText })),
    answer: answer('ImportedChain', z.strictObject({ id: z.string(), chain: chainShape })),
    repeatable: true,
    conflict: notHere,
  },
  'POST /cas/{ca}/rotate-ra': {
    noun: 'CA',
    roles: [],
    summary: 'Take a step to a new RA key: prepare, activate, retire',
    params: byCa,
    body: rotateRa,
    answer: rotatedRa,
    repeatable: true,
    conflict: notHere,
  },
  'GET /cas/{ca}/retirement': {
    noun: 'CA',
    roles: [],
    summary: 'What it would mean to retire a CA that the configuration does not name any more',
    params: byCa,
    answer: answer('Retirement', retiring),
    conflict: notHere,
  },
  'POST /cas/{ca}/retire': {
    noun: 'CA',
    roles: [],
    summary: 'End a CA that was taken out of the configuration: its CRL, its RA keys, its name',
    params: byCa,
    body: body(
      'RetireCa',
      z.strictObject({
        force: described(
          'although certificates of it are valid, and lose their CRL',
          z.optional(z.boolean()),
        ),
      }),
    ),
    answer: answer('RetiredCa', retiring.clone()),
    repeatable: true,
    conflict: notHere,
  },
  'GET /cas/{ca}/key': {
    noun: 'CA',
    roles: [],
    summary: 'What the key service says is wrong with the key of a CA',
    params: byCa,
    answer: answer('CaKey', z.strictObject({ id: z.string(), key: z.string(), warnings })),
    conflict: notHere,
  },
} as const satisfies Routes;
