// How the service stands, and the configuration that it runs with.

import * as z from 'zod/mini';
import packageJson from '../../../package.json' with { type: 'json' };
import { iso } from '../../base/text.ts';
import { type CaStatus, statusOf } from '../../ca/authority/status.ts';
import { completed } from '../../config/config.ts';
import { described } from '../../config/schema.ts';
import { answer, time } from '../schemas.ts';
import { type Route, route } from './route.ts';

const warnings = z.array(z.string());

const status = answer(
  'Status',
  z.strictObject({
    version: z.string(),
    time,
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
    endpoints: z.array(
      z.strictObject({
        id: z.string(),
        ca: z.string(),
        profile: z.string(),
        approval: z.string(),
        legacy: described('weak algorithms that it accepts', z.array(z.string())),
        static: described(
          'it takes a static challenge; uses of it that this instance has counted',
          z.optional(z.strictObject({ uses: z.int() })),
        ),
        pending: described('requests that wait for an approver', z.int()),
        warnings,
      }),
    ),
    morePending: described('there are more requests that wait than were counted', z.boolean()),
    warnings: described('all of them', warnings),
  }),
);

function shownCa({ id, chain: [own], generations, crl, warnings: said }: CaStatus) {
  const current = generations.find(({ state }) => state === 'current')?.certificate;
  return {
    id,
    ...(own ? { notAfter: iso(own.notAfter) } : {}),
    ...(current ? { raNotAfter: iso(current.notAfter) } : {}),
    ...(crl
      ? {
          crl: {
            number: crl.number,
            thisUpdate: iso(crl.thisUpdate),
            nextUpdate: iso(crl.nextUpdate),
          },
        }
      : {}),
    warnings: said,
  };
}

export const serviceRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/status',
    noun: 'status',
    roles: ['auditor', 'approver', 'challenger'],
    summary: 'How the service stands, and what to worry about',
    answer: status,
    async handle(deps) {
      const { at, cas, unwritten, endpoints, morePending } = await statusOf(deps);
      const about = (what: string) => (one: { id: string; warnings: readonly string[] }) =>
        one.warnings.map((said) => `${what} "${one.id}": ${said}`);
      return {
        version: packageJson.version,
        time: iso(at),
        store: { reachable: cas !== undefined, writable: unwritten === undefined },
        cas: (cas ?? []).map(shownCa),
        endpoints: endpoints.map(({ staticUses, ...endpoint }) => ({
          ...endpoint,
          ...(staticUses === undefined ? {} : { static: { uses: staticUses } }),
        })),
        morePending,
        warnings: [
          ...(cas ? [] : ['the store cannot be reached: the log says why']),
          ...(cas && unwritten !== undefined ? [`nothing can be written: ${unwritten}`] : []),
          ...(cas ?? []).flatMap(about('CA')),
          ...endpoints.flatMap(about('endpoint')),
        ],
      };
    },
  }),
  route({
    method: 'GET',
    path: '/config',
    noun: 'configuration',
    roles: ['auditor'],
    summary: 'The configuration, every default written out; secrets are references in it',
    answer: answer('Config', z.record(z.string(), z.unknown())),
    handle: async ({ config }) => completed(config.document),
  }),
];
