// GET /certsrv/mscep_admin/: one page, one challenge, for whatever fits the subject pattern of the account that asked.

import { type Context, Hono } from 'hono';
import { HttpFailure } from '../../base/errors.ts';
import { NDES_CHALLENGE_MS } from '../../base/mdm-limits.ts';
import type { ChallengeDeps } from '../../ca/deps.ts';
import type { Endpoint } from '../../config/endpoint/endpoint.ts';
import type { Charset, NdesPage } from '../../config/outside/ndes.ts';
import { hash } from '../../crypto/native.ts';
import { challengePage, encoded, fullPage } from '../../mdm/ndes-page.ts';
import { octetsResponse } from '../respond.ts';
import { loginOf } from './logins.ts';
import { makeFor } from './make.ts';

/** As clients write them: any case and doubled slashes are made one before this (`scepPath`). */
const paths = ['/certsrv/mscep_admin', '/certsrv/:endpoint/mscep_admin'];

export function ndesRoutes(deps: ChallengeDeps): Hono {
  const app = new Hono();
  const serve = (c: Context): Promise<Response> => {
    const endpoint = deps.config.endpoints.get(c.req.param('endpoint') ?? 'default');
    if (!endpoint?.ndes) throw new HttpFailure(404, 'no such endpoint, or it has no page');
    // A HEAD would lose the challenge that it makes.
    if (c.req.method !== 'GET') {
      throw new HttpFailure(405, `the method ${c.req.method} is not allowed here`, 'GET');
    }
    return answer(deps, endpoint, endpoint.ndes, c);
  };
  for (const path of paths) {
    app.all(path, serve);
    app.all(`${path}/`, serve);
  }
  return app;
}

async function answer(
  deps: ChallengeDeps,
  endpoint: Endpoint,
  { accounts, form, perHour, charset }: NdesPage,
  c: Context,
): Promise<Response> {
  const logins = accounts.map(({ password, ...account }) => ({ ...account, secret: password }));
  const account = loginOf(deps, { name: 'ndes', endpoint: endpoint.id }, logins, c);
  if (account instanceof Response) return account;
  const written = charsetOf(c.req.query('charset')) ?? charset;
  const shown = (text: string): Response =>
    octetsResponse(
      encoded(text, written),
      written === 'utf-8' ? 'text/html; charset=utf-8' : 'text/html',
      'no-store',
    );
  const { der } = await deps.cas.certificate(endpoint.ca);
  const made = await makeFor(deps, endpoint, {
    ...{ by: `ndes ${account.user}`, form, perHour, ttlMs: NDES_CHALLENGE_MS, c },
    binding: { subjectPattern: account.subject },
  });
  return shown(made === undefined ? fullPage : challengePage(hash('MD5', der), made));
}

const charsetOf = (asked = ''): Charset | undefined =>
  /^utf-?8$/i.test(asked) ? 'utf-8' : /^utf-?16(?:le)?$/i.test(asked) ? 'utf-16le' : undefined;
