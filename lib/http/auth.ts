// Who speaks to the admin API: a bearer token, looked up by its hash, with roles.

import type { Context, MiddlewareHandler } from 'hono';
import { hex, utf8 } from '../bytes.ts';
import { HttpFailure } from '../errors.ts';
import type { AdminTokens, Role } from '../ports/admin-tokens.ts';

/** SHA-256 is enough: tokens are 256 random bits. Hexadecimal. */
export async function tokenHash(token: string): Promise<string> {
  return hex(new Uint8Array(await crypto.subtle.digest('SHA-256', utf8(token))));
}

/** Lets a request pass whose token has one of the roles; `admin` has them all. */
export function requireRole(tokens: AdminTokens, ...allowed: readonly Role[]): MiddlewareHandler {
  return async function requireRole(c: Context, next) {
    const [, token] =
      /^Bearer ([\x21-\x7e]{16,256})$/i.exec(c.req.header('authorization') ?? '') ?? [];
    const known = token ? await tokens.find(await tokenHash(token)) : undefined;
    if (!known) throw new HttpFailure(401, 'a valid bearer token is required');
    if (!known.roles.some((role) => role === 'admin' || allowed.includes(role))) {
      throw new HttpFailure(403, `this needs one of the roles ${['admin', ...allowed].join(', ')}`);
    }
    await next();
  };
}
