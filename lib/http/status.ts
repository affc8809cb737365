// What relying parties fetch (RFC 5280 §4.2.1.13, §4.2.2.1), and what operators' probes ask.

import { Hono } from 'hono';
import type { Deps } from '../ca/deps.ts';
import { HttpFailure, Outage } from '../errors.ts';
import { MAX_CRL_AGE_S } from '../limits.ts';
import { octets } from './respond.ts';

const clamp = (seconds: number): number => Math.max(0, Math.min(MAX_CRL_AGE_S, seconds));
const publicFor = (seconds: number): string => `public, max-age=${seconds}`;

export function statusRoutes(deps: Deps): Hono {
  const app = new Hono();
  const existing = (id: string): string => {
    if (!deps.config.cas.has(id)) throw new HttpFailure(404, 'no such CA');
    return id;
  };

  app.get('/crl/:file{[a-z0-9-]+\\.crl}', async (c) => {
    const crl = await deps.crls.newest(existing(c.req.param('file').slice(0, -4)));
    if (!crl) throw new Outage('no CRL has been published');
    // Nobody keeps it past its end, nor for long: a revocation has to be seen.
    const left = Math.floor((crl.nextUpdate - deps.clock.now()) / 1000);
    const response = octets(crl.der, 'application/pkix-crl', publicFor(clamp(left)));
    const etag = `"${crl.number}"`;
    response.headers.set('etag', etag);
    response.headers.set('last-modified', new Date(crl.thisUpdate).toUTCString());
    response.headers.set('expires', new Date(crl.nextUpdate).toUTCString());
    const known = (c.req.header('if-none-match') ?? '').split(',').map((tag) => tag.trim());
    if (!known.some((tag) => tag === '*' || tag.replace(/^W\//, '') === etag)) return response;
    for (const name of ['content-type', 'content-length']) response.headers.delete(name);
    return new Response(null, { status: 304, headers: response.headers });
  });

  app.get('/aia/:file{[a-z0-9-]+\\.cer}', async (c) => {
    const { certificate } = await deps.cas.of(existing(c.req.param('file').slice(0, -4)));
    return octets(certificate.der, 'application/pkix-cert', publicFor(86_400));
  });

  app.get('/healthz', () => octets('ok\n', 'text/plain', 'no-store'));

  app.get('/readyz', async () => {
    await Promise.all([...deps.config.cas.keys()].map((ca) => deps.cas.of(ca)));
    return octets('ready\n', 'text/plain', 'no-store');
  });
  return app;
}
