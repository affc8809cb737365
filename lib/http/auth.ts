// Who speaks to the admin API: a bearer token, looked up by its hash, with roles. An ingress that has
// something of its own in `Authorization` (a JWT, the signature of an AWS request) leaves no room there:
// then the token comes in a header of ours.

import type { MiddlewareHandler } from 'hono';
import { tokenHash } from '../ca/tokens.ts';
import { HttpFailure } from '../errors.ts';
import type { Actor } from '../log/event.ts';
import type { Role } from '../ports/records.ts';
import type { Store } from '../ports/store.ts';

/** What the routes behind `requireRole` know. */
export type Admin = { readonly Variables: { readonly actor: Actor & { readonly id: string } } };

export const tokenHeader = 'X-Scepter-Token';

/** Where our own header is, `Authorization` is for somebody else. */
function tokenOf(header: (name: string) => string | undefined): string | undefined {
  const own = header(tokenHeader);
  const shown = own === undefined ? header('authorization') : `Bearer ${own}`;
  return /^Bearer ([\x21-\x7e]{16,256})$/i.exec(shown ?? '')?.[1];
}

/** Lets a request pass whose token has one of the roles; `admin` has them all. */
export function requireRole(store: Store, ...allowed: readonly Role[]): MiddlewareHandler<Admin> {
  return async function requireRole(c, next) {
    const token = tokenOf((name) => c.req.header(name));
    const [row] = token ? await store.read([{ kind: 'token', key: tokenHash(token) }]) : [];
    if (row?.kind !== 'token') throw new HttpFailure(401, 'a valid bearer token is required');
    const { name, roles } = row.record as { name: string; roles: readonly Role[] };
    if (!roles.some((role) => role === 'admin' || allowed.includes(role))) {
      throw new HttpFailure(403, `this needs one of the roles ${['admin', ...allowed].join(', ')}`);
    }
    c.set('actor', { kind: 'admin', id: name });
    await next();
  };
}
