// Authenticates callers of the admin API by a bearer token, which is looked up by its hash and has roles.
// Where an ingress uses `Authorization` itself (for a JWT, or the signature of an AWS request), the token
// comes in `X-Scepter-Token`.

import type { Context, MiddlewareHandler } from 'hono';
import { isToken, tokenHeader } from '../../api/route.ts';
import { HttpFailure } from '../../base/errors.ts';
import type { Role } from '../../base/words.ts';
import type { Deps } from '../../ca/deps.ts';
import { Access } from '../../ca/log/access.ts';
import { TokenUses } from '../../ca/record/token-use.ts';
import { isExpired, ownNames, tokenHash } from '../../ca/record/tokens.ts';
import type { NamedActor } from '../../events/event.ts';
import type { AdminToken } from '../../ports/records/registry.ts';
import { type Connection, clientOf, subscriber } from '../client.ts';

/** What `requireRole` tells the routes behind it: the caller's name and the hash of the token. */
export type Admin = {
  readonly Variables: {
    readonly actor: NamedActor;
    readonly tokenHash: string;
  };
};

/** Characters of a request in an event. */
const MAX_TOLD = 500;

/** A request with `X-Scepter-Token` has it in place of `Authorization`, which is the ingress's then. */
function tokenOf(header: (name: string) => string | undefined): string | undefined {
  const own = header(tokenHeader) ?? /^Bearer (.*)$/i.exec(header('authorization') ?? '')?.[1];
  return own !== undefined && isToken(own) ? own : undefined;
}

/** What is remembered of callers: when a token was last used, and which events told of them. */
export type Callers = { readonly uses: TokenUses; readonly access: Access };

/** One for all routes of a process: what each caller may still have told is counted once. */
export const callersOf = (deps: Deps): Callers => ({
  uses: new TokenUses(deps),
  access: new Access(deps),
});

/** Lets a request pass whose token has one of the roles; `admin` has them all. */
export function requireRole(
  { config, store, clock, tokens }: Pick<Deps, 'config' | 'store' | 'clock' | 'tokens'>,
  { uses, access }: Callers,
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
    const from = clientOf({ config }, c);
    const address = from === undefined ? {} : { from };
    const refused = async (status: 401 | 403, why: string): Promise<HttpFailure> => {
      const who = record ? { id: record.name } : {};
      const what = `${status}: ${c.req.method} ${new URL(c.req.url).pathname}`.slice(0, MAX_TOLD);
      const source = subscriber(from ?? '');
      await access.refused({ kind: 'admin', ...who, ...address }, { source, what });
      return new HttpFailure(status, why);
    };
    if (!record) throw await refused(401, 'a valid bearer token is required');
    const { name, person, roles } = record;
    const of = person === undefined ? {} : { person };
    // A refusal is logged with it.
    const auth = authOf(c, name === ownNames.operator && tokens?.has(hash) === true);
    c.set('actor', { kind: 'admin', id: name, ...of, ...address, auth });
    if (isExpired(record, clock.now())) {
      throw await refused(401, `the token "${name}" has expired: have another one made`);
    }
    if (!roles.some((role) => role === 'admin' || allowed.includes(role))) {
      const needed =
        allowed.length > 0 ? `one of the roles admin, ${allowed.join(', ')}` : 'the role admin';
      throw await refused(403, `this needs ${needed}`);
    }
    c.set('tokenHash', hash);
    if (!tokens?.has(hash)) await uses.used(hash);
    await next();
  };
}

/** How the caller was authenticated (`Actor`). @param own with rights of his own, in a process of his own */
function authOf(c: Context, own: boolean): string {
  const { identity }: Connection = c.env ?? {};
  const by = own ? 'credentials' : 'token';
  return identity === undefined ? by : `${by}, ${identity}`;
}

/** Tells who reads, once an hour for each token and address. */
export const tellReading = (access: Access, c: Context<Admin>): Promise<void> => {
  const { pathname, search } = new URL(c.req.url);
  const what = `${c.req.method} ${pathname}${search}`.slice(0, MAX_TOLD);
  const actor = c.get('actor');
  const source = subscriber(actor.from ?? '');
  return access.read(actor, { token: c.get('tokenHash'), source, what });
};
