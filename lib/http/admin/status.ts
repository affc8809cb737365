// How the service stands, and the configuration that it runs with.

import packageJson from '../../../package.json' with { type: 'json' };
import type { serviceRoutes } from '../../api/routes/status.ts';
import { HttpFailure } from '../../base/errors.ts';
import { iso } from '../../base/text.ts';
import { type CaStatus, statusOf } from '../../ca/authority/status.ts';
import { logsStatus } from '../../ca/log/status.ts';
import { tellOfBackup } from '../../ca/revoke/after-restore.ts';
import { completed } from '../../config/config.ts';
import type { HandlersOf } from './handlers.ts';

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

export const serviceHandlers: HandlersOf<typeof serviceRoutes> = {
  async 'GET /status'(deps) {
    const { at, cas, unwritten, endpoints, morePending } = await statusOf(deps);
    const logs = cas ? await logsStatus(deps) : [];
    const { filesUrl, publicUrl } = deps.config;
    const about = (what: string) => (one: { id: string; warnings: readonly string[] }) =>
      one.warnings.map((said) => `${what} "${one.id}": ${said}`);
    return {
      version: packageJson.version,
      time: iso(at),
      ...(filesUrl === publicUrl ? {} : { filesUrl }),
      store: { reachable: cas !== undefined, writable: unwritten === undefined },
      cas: (cas ?? []).map(shownCa),
      logs: logs.map(({ time, ...log }) => ({
        ...log,
        ...(time === undefined ? {} : { time: iso(time) }),
      })),
      endpoints: endpoints.map(({ staticUses, ...endpoint }) => ({
        ...endpoint,
        ...(staticUses === undefined ? {} : { static: { uses: staticUses } }),
      })),
      morePending,
      warnings: [
        ...(cas ? [] : ['the store cannot be reached: the log says why']),
        ...(cas && unwritten !== undefined ? [`nothing can be written: ${unwritten}`] : []),
        ...(cas ?? []).flatMap(about('CA')),
        ...logs.flatMap(({ log, warnings }) => about('log')({ id: log, warnings })),
        ...endpoints.flatMap(about('endpoint')),
      ],
    };
  },
  'GET /config': async ({ config }) => completed(config.document),
  async 'POST /snapshots'(deps, { actor }) {
    const { snapshots } = deps;
    if (!snapshots) {
      throw new HttpFailure(
        409,
        'the records are not in a file of this server: back the table up by the means of AWS (point-in-time recovery)',
      );
    }
    await tellOfBackup(deps, actor);
    return { file: await snapshots.snapshot() };
  },
};
