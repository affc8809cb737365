// Where a request came from. Whoever connects to us is seen; everybody before is hearsay, written
// into X-Forwarded-For by who forwarded it, and believed as far as `trustedProxies` says.

import type { Context } from 'hono';
import type { Deps } from '../ca/deps.ts';

/** What an entry point says about a request; without it nobody's address is known. */
export type Connection = {
  /** The addresses that it came by, who connected to us last. */
  readonly hops?: readonly string[];
};

/** Characters of an address: IPv6 with a zone and a port is shorter. */
const MAX_ADDRESS = 64;
/** More proxies stand before nobody. */
const MAX_HOPS = 16;

/** The addresses in X-Forwarded-For, in their order: of who sent it, then of who forwarded it. */
export const forwardedFor = (header: string | null | undefined): readonly string[] =>
  (header ?? '')
    .split(',')
    .slice(-MAX_HOPS)
    .map((address) => address.trim().slice(0, MAX_ADDRESS))
    .filter((address) => address !== '');

/** Of a server that is connected to without anybody between that forwards. */
export const connectionOf = (request: Request, peer: string | undefined): Connection => ({
  hops: [...forwardedFor(request.headers.get('x-forwarded-for')), ...(peer ? [peer] : [])],
});

/** The client's address. Who comes around the proxies is taken for what it is: who connected. */
export function clientOf({ config }: Pick<Deps, 'config'>, c: Context): string | undefined {
  const { hops = [] } = (c.env ?? {}) as Connection;
  return hops.at(-1 - config.trustedProxies) ?? hops.at(-1);
}
