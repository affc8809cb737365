// How the service stands, and the configuration that it runs with.

import * as z from 'zod/mini';
import { described } from '../../config/schema.ts';
import type { Routes } from '../route.ts';
import { answer, time } from '../schemas.ts';

const warnings = z.array(z.string());

const status = answer(
  'Status',
  z.strictObject({
    version: z.string(),
    time,
    filesUrl: described(
      'where certificates say that CRLs and CA certificates are, if that is not here',
      z.optional(z.string()),
    ),
    store: z.strictObject({
      reachable: z.boolean(),
      writable: described('a write was tried within the last minute', z.boolean()),
    }),
    cas: z.array(
      z.strictObject({
        id: z.string(),
        notAfter: z.optional(time),
        raNotAfter: described('of the current RA certificate', z.optional(time)),
        crl: z.optional(z.strictObject({ number: z.int(), thisUpdate: time, nextUpdate: time })),
        warnings,
      }),
    ),
    logs: described(
      'each with its newest checkpoint; none where no logs are kept',
      z.array(
        z.strictObject({
          log: z.string(),
          size: described('events in it', z.optional(z.int())),
          time: z.optional(time),
          warnings,
        }),
      ),
    ),
    endpoints: z.array(
      z.strictObject({
        id: z.string(),
        ca: z.string(),
        profile: z.string(),
        approval: z.string(),
        approvers: described('how many persons must approve', z.int()),
        legacy: described('weak algorithms that it accepts', z.array(z.string())),
        static: described(
          'it takes a static challenge; uses of it that this instance has counted',
          z.optional(z.strictObject({ uses: z.int() })),
        ),
        validators: described(
          'systems outside that it asks: each the tenant of Intune, or the host of a hook',
          z.array(
            z.strictObject({
              id: z.string(),
              kind: z.enum(['intune', 'webhook']),
              at: z.string(),
            }),
          ),
        ),
        pages: described('paths at which MDMs get challenges of it', z.array(z.string())),
        pending: described('requests that wait for an approver', z.int()),
        warnings,
      }),
    ),
    morePending: described('there are more requests that wait than were counted', z.boolean()),
    warnings: described('all of them', warnings),
  }),
);

const snapshot = answer(
  'Snapshot',
  z.strictObject({ file: described('its name in the data folder', z.string()) }),
);

export const serviceRoutes = {
  'GET /status': {
    noun: 'status',
    roles: ['auditor', 'approver', 'challenger'],
    summary: 'How the service stands, and what to worry about',
    answer: status,
  },
  'GET /config': {
    noun: 'configuration',
    roles: ['auditor'],
    summary: 'The configuration, every default written out; secrets are references in it',
    answer: answer('Config', z.record(z.string(), z.unknown())),
  },
  'POST /snapshots': {
    noun: 'snapshot',
    roles: [],
    summary:
      'Copy the database, as it is at one moment, into a file of the data folder; "scepter backup" takes it from there, and no octet of it leaves by this API',
    status: 201,
    answer: snapshot,
    conflict: 'the records are not in a file of this server',
  },
} as const satisfies Routes;
