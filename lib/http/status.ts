// What relying parties fetch (RFC 5280 §4.2.1.13, §4.2.2.1), and what operators' probes ask.

import { Hono } from 'hono';
import type { Deps } from '../ca/deps.ts';
import { HttpFailure, Outage } from '../errors.ts';
import { octets } from './respond.ts';

const publicFor = (seconds: number): string => `public, max-age=${seconds}`;

export function statusRoutes(deps: Deps): Hono {
  const app = new Hono();
  const known = (id: string): string => {
    if (!deps.config.cas.has(id)) throw new HttpFailure(404, 'no such CA');
    return id;
  };

  app.get('/crl/:file{[a-z0-9-]+\\.crl}', async (c) => {
    const crl = await deps.crls.newest(known(c.req.param('file').slice(0, -4)));
    if (!crl) throw new Outage('no CRL has been published');
    return octets(crl.der, 'application/pkix-crl', publicFor(3600));
  });

  app.get('/aia/:file{[a-z0-9-]+\\.cer}', async (c) => {
    const { certificate } = await deps.cas.of(known(c.req.param('file').slice(0, -4)));
    return octets(certificate.der, 'application/pkix-cert', publicFor(86_400));
  });

  app.get('/healthz', () => octets('ok\n', 'text/plain', 'no-store'));

  app.get('/readyz', async () => {
    await Promise.all([...deps.config.cas.keys()].map((ca) => deps.cas.of(ca)));
    return octets('ready\n', 'text/plain', 'no-store');
  });
  return app;
}
