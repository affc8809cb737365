// Who speaks to the admin API: a bearer token, looked up by its hash, with roles. An ingress that has
// something of its own in `Authorization` (a JWT, the signature of an AWS request) leaves no room there:
// then the token comes in a header of ours.

import type { MiddlewareHandler } from 'hono';
import type { Deps } from '../ca/deps.ts';
import { tokenHash } from '../ca/tokens.ts';
import { HttpFailure } from '../errors.ts';
import type { Actor } from '../log/event.ts';
import type { AdminToken, Role } from '../ports/records.ts';

/** What the routes behind `requireRole` know. */
export type Admin = { readonly Variables: { readonly actor: Actor & { readonly id: string } } };

export const tokenHeader = 'X-Scepter-Token';

/** What can stand in a header: others are nobody's. */
export const isToken = (text: string): boolean => /^[\x21-\x7e]{16,256}$/.test(text);

/** Where our own header is, `Authorization` is for somebody else. */
function tokenOf(header: (name: string) => string | undefined): string | undefined {
  const own = header(tokenHeader) ?? /^Bearer (.*)$/i.exec(header('authorization') ?? '')?.[1];
  return own !== undefined && isToken(own) ? own : undefined;
}

/** Lets a request pass whose token has one of the roles; `admin` has them all. */
export function requireRole(
  { store, tokens }: Pick<Deps, 'store' | 'tokens'>,
  ...allowed: readonly Role[]
): MiddlewareHandler<Admin> {
  const known = async (hash: string): Promise<AdminToken | undefined> => {
    const own = tokens?.get(hash);
    if (own) return own;
    const [row] = await store.read([{ kind: 'token', key: hash }]);
    return row?.kind === 'token' ? (row.record as AdminToken) : undefined;
  };
  return async function requireRole(c, next) {
    const token = tokenOf((name) => c.req.header(name));
    const record = token && (await known(tokenHash(token)));
    if (!record) throw new HttpFailure(401, 'a valid bearer token is required');
    const { name, roles } = record;
    if (!roles.some((role) => role === 'admin' || allowed.includes(role))) {
      throw new HttpFailure(403, `this needs one of the roles ${['admin', ...allowed].join(', ')}`);
    }
    c.set('actor', { kind: 'admin', id: name });
    await next();
  };
}
