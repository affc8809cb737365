// Who speaks to the admin API: a bearer token, looked up by its hash, with roles.

import type { MiddlewareHandler } from 'hono';
import { tokenHash } from '../ca/tokens.ts';
import { HttpFailure } from '../errors.ts';
import type { Actor } from '../log/event.ts';
import type { Role } from '../ports/records.ts';
import type { Store } from '../ports/store.ts';

/** What the routes behind `requireRole` know. */
export type Admin = { readonly Variables: { readonly actor: Actor & { readonly id: string } } };

/** Lets a request pass whose token has one of the roles; `admin` has them all. */
export function requireRole(store: Store, ...allowed: readonly Role[]): MiddlewareHandler<Admin> {
  return async function requireRole(c, next) {
    const [, token] =
      /^Bearer ([\x21-\x7e]{16,256})$/i.exec(c.req.header('authorization') ?? '') ?? [];
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
