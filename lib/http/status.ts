// Serves what relying parties fetch (RFC 5280 §4.2.1.13, §4.2.2.1), and operators' probes.

import { type Context, Hono } from 'hono';
import { HttpFailure, Outage } from '../base/errors.ts';
import { CRL_MEMORY_MS, MAX_CRL_AGE_S } from '../base/limits.ts';
import { SingleFlight } from '../base/single-flight.ts';
import type { ServerDeps } from '../ca/deps.ts';
import { UPKEEP_MEMORY_MS, upkeepTrouble } from '../ca/jobs.ts';
import { crlName } from '../ca/revoke/partitions.ts';
import { octetsResponse } from './respond.ts';

/** A CRL from an instance's memory may be that old already: caches keep it for so much less. */
const MAX_CACHED_S = MAX_CRL_AGE_S - CRL_MEMORY_MS / 1000;
const clamp = (seconds: number): number => Math.max(0, Math.min(MAX_CACHED_S, seconds));
const publicFor = (seconds: number): string => `public, max-age=${seconds}`;

export function statusRoutes(deps: ServerDeps): Hono {
  const app = new Hono();
  const existing = async (id: string): Promise<string> => {
    if (!deps.config.cas.has(id) && !(await deps.cas.served()).includes(id)) {
      throw new HttpFailure(404, 'no such CA');
    }
    return id;
  };

  app.get('/crl/:file{[a-z0-9-]+\\.crl}', async (c) =>
    crlResponse(c, await existing(c.req.param('file').slice(0, -4))),
  );
  app.get('/crl/:ca{[a-z0-9-]+}/:file{[0-9]+-[0-9]+\\.crl}', async (c) => {
    const ca = await existing(c.req.param('ca'));
    const name = crlName(ca, c.req.param('file').slice(0, -4));
    if (!(await deps.cas.hasCrl(ca, name))) throw new HttpFailure(404, 'no such CRL');
    return crlResponse(c, name);
  });

  const crlResponse = async (c: Context, name: string): Promise<Response> => {
    const crl = await deps.served.newest(deps, name);
    if (!crl) throw new Outage('no CRL has been published');
    // Caches keep a CRL neither past its end nor for long, so that revocations are seen soon.
    const left = Math.floor((crl.nextUpdate - deps.clock.now()) / 1000);
    const response = octetsResponse(crl.der, 'application/pkix-crl', publicFor(clamp(left)));
    const etag = `"${crl.number}"`;
    response.headers.set('etag', etag);
    response.headers.set('last-modified', new Date(crl.thisUpdate).toUTCString());
    response.headers.set('expires', new Date(crl.nextUpdate).toUTCString());
    const known = (c.req.header('if-none-match') ?? '').split(',').map((tag) => tag.trim());
    if (!known.some((tag) => tag === '*' || tag.replace(/^W\//, '') === etag)) return response;
    for (const name of ['content-type', 'content-length']) response.headers.delete(name);
    return new Response(null, { status: 304, headers: response.headers });
  };

  app.get('/aia/:file{[a-z0-9-]+\\.cer}', async (c) => {
    const id = await existing(c.req.param('file').slice(0, -4));
    const { der } = await deps.cas.certificate(id);
    return octetsResponse(der, 'application/pkix-cert', publicFor(86_400));
  });

  app.get('/healthz', () => octetsResponse('ok\n', 'text/plain', 'no-store'));

  // For somebody outside who wants to be woken: a schedule that calls nothing logs nothing.
  const upkeep = new SingleFlight<Outage | undefined>();
  app.get('/healthz/upkeep', async () => {
    const age = { now: deps.clock.now(), maxMs: UPKEEP_MEMORY_MS };
    const trouble = await upkeep.get('upkeep', () => upkeepTrouble(deps), age);
    if (trouble) throw trouble;
    return octetsResponse('upkeep runs\n', 'text/plain', 'no-store');
  });

  app.get('/readyz', async () => {
    const usable = [...deps.config.cas.keys()].map((ca) => deps.cas.of(ca));
    const [trouble] = await Promise.all([deps.written.trouble(), ...usable]);
    if (trouble) throw trouble;
    return octetsResponse('ready\n', 'text/plain', 'no-store');
  });
  return app;
}
