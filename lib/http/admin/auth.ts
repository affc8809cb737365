// Authenticates callers of the admin API by a bearer token, which is looked up by its hash and has roles.
// Where an ingress uses `Authorization` itself (for a JWT, or the signature of an AWS request), the token
// comes in `X-Scepter-Token`.

import type { MiddlewareHandler } from 'hono';
import { isToken, tokenHeader } from '../../api/route.ts';
import { HttpFailure } from '../../base/errors.ts';
import type { Role } from '../../base/words.ts';
import type { Deps } from '../../ca/deps.ts';
import type { TokenUses } from '../../ca/record/token-use.ts';
import { isExpired, tokenHash } from '../../ca/record/tokens.ts';
import type { NamedActor } from '../../events/event.ts';
import type { AdminToken } from '../../ports/records/registry.ts';
import { clientOf } from '../client.ts';

/** What `requireRole` tells the routes behind it: the caller's name and the hash of the token. */
export type Admin = {
  readonly Variables: {
    readonly actor: NamedActor;
    readonly tokenHash: string;
  };
};

/** A request with `X-Scepter-Token` has it in place of `Authorization`, which is the ingress's then. */
function tokenOf(header: (name: string) => string | undefined): string | undefined {
  const own = header(tokenHeader) ?? /^Bearer (.*)$/i.exec(header('authorization') ?? '')?.[1];
  return own !== undefined && isToken(own) ? own : undefined;
}

/** Lets a request pass whose token has one of the roles; `admin` has them all. */
export function requireRole(
  { config, store, clock, tokens }: Pick<Deps, 'config' | 'store' | 'clock' | 'tokens'>,
  uses: TokenUses,
  ...allowed: readonly Role[]
): MiddlewareHandler<Admin> {
  const known = async (hash: string): Promise<AdminToken | undefined> => {
    const own = tokens?.get(hash);
    if (own) return own;
    const [row] = await store.read([{ kind: 'token', key: hash }]);
    return row?.kind === 'token' ? (row.record as AdminToken | undefined) : undefined;
  };
  return async function requireRole(c, next) {
    const token = tokenOf((name) => c.req.header(name));
    const hash = token && tokenHash(token);
    const record = hash && (await known(hash));
    if (!record) throw new HttpFailure(401, 'a valid bearer token is required');
    const { name, roles } = record;
    const from = clientOf({ config }, c);
    // A refusal is logged with it.
    c.set('actor', { kind: 'admin', id: name, ...(from === undefined ? {} : { from }) });
    if (isExpired(record, clock.now())) {
      throw new HttpFailure(401, `the token "${name}" has expired: have another one made`);
    }
    if (!roles.some((role) => role === 'admin' || allowed.includes(role))) {
      const needed =
        allowed.length > 0 ? `one of the roles admin, ${allowed.join(', ')}` : 'the role admin';
      throw new HttpFailure(403, `this needs ${needed}`);
    }
    c.set('tokenHash', hash);
    if (!tokens?.has(hash)) await uses.used(hash);
    await next();
  };
}
