// The address of a client. The server itself sees only the last hop; each earlier one is written into
// X-Forwarded-For by the proxy behind it, and is believed as far as `trustedProxies` says. A client can
// write that header too, so entries before the first trusted proxy are never used.

import type { Context } from 'hono';
import type { Deps } from '../ca/deps.ts';
import type { Source } from '../ca/refused-sources.ts';
import { refusalsOf } from '../config/refusal-limits.ts';
import type { Client } from '../ports/records/transaction.ts';
import { inRange, normalIp } from '../x509/names/general-name.ts';

/** What an entry point knows of a request beside its content; without it the client's address is unknown. */
export type Connection = {
  /** The addresses that the request came by; the last one is the other end of the connection. */
  readonly hops?: readonly string[];
  /** The entry point knows, not by X-Forwarded-For alone, that the request came through the configured
   * number of proxies. */
  readonly viaProxies?: boolean;
  /** The path as it was sent; a Request resolves dot segments. By default the Request's. */
  readonly path?: string;
  /** The Host as it was sent, which may be empty; by default that of the Request's URL. */
  readonly host?: string;
  /** The caller has invoked this function directly, without an ingress. */
  readonly invoked?: boolean;
  /** Whom the ingress has authenticated: `iam ARN`, `jwt ISSUER SUBJECT`. */
  readonly identity?: string;
};

/** Hops that are looked at; no request comes through more proxies. */
const MAX_HOPS = 16;

/** The entries of X-Forwarded-For: those that the client sent, then one from each proxy. */
export const forwardedFor = (header: string | null | undefined): readonly string[] =>
  (header ?? '')
    .split(',')
    .slice(-MAX_HOPS)
    .map((hop) => hop.trim())
    .filter((hop) => hop !== '');

/**
 * For a server that clients or proxies connect to directly. A number of proxies is believed only for
 * connections from this machine, because another machine may be a client; configure addresses instead.
 */
export const connectionOf = (request: Request, peer: string | undefined): Connection => ({
  hops: [...forwardedFor(request.headers.get('x-forwarded-for')), ...(peer ? [peer] : [])],
  viaProxies: /^(?:127\.|::1$)/.test(addressOf(peer ?? '') ?? ''),
});

/**
 * The client's address in its one text form. For a request that came around the proxies it is the address of
 * the connection. Undefined where that is not known.
 */
export function clientOf({ config }: Pick<Deps, 'config'>, c: Context): string | undefined {
  const { hops = [], viaProxies = false }: Connection = c.env ?? {};
  const addresses = hops.map(addressOf);
  const peer = addresses.length - 1;
  const { trustedProxies } = config;
  if (typeof trustedProxies === 'number') {
    return addresses[viaProxies ? peer - trustedProxies : peer] ?? addresses[peer];
  }
  for (let at = peer; at >= 0; at--) {
    const address = addresses[at];
    // A trusted proxy wrote something that is not an address: the last known one counts.
    if (address === undefined) return addresses[at + 1];
    if (!trustedProxies.some((range) => inRange(address, range))) return address;
  }
  return addresses[0];
}

/** By which its refusals are counted; undefined where its address is not known. */
export function sourceOf({ config }: Pick<Deps, 'config'>, c: Context): Source | undefined {
  const from = clientOf({ config }, c);
  return from === undefined
    ? undefined
    : { address: subscriber(from), refusals: refusalsOf(config.refusalLimits, from) };
}

/** An address without port, brackets and zone, of IPv4 also where it is written as IPv6. */
function addressOf(hop: string): string | undefined {
  const [, bracketed, v4] = /^\[([^\]]*)\](?::\d+)?$|^([\d.]+):\d+$/.exec(hop) ?? [];
  const [address = ''] = (bracketed ?? v4 ?? hop).split('%');
  return normalIp(address)?.replace(/^::ffff:(?=[\d.]+$)/, '');
}

/**
 * The key under which an address is counted. In IPv6 that is its network of 64 bits, because a subscriber
 * has all addresses of one. Empty for a text that is not an address.
 */
export function subscriber(text: string): string {
  const address = addressOf(text) ?? '';
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  const missing = tail === undefined ? 0 : 8 - groups.length - tail.split(':').length;
  return [...groups, ...Array<string>(Math.max(0, missing)).fill('0')].slice(0, 4).join(':');
}

/** Characters of a User-Agent that are kept. */
const MAX_AGENT = 100;

/** What is kept of a client. @param from its address */
export function asTold(from: string | undefined, c: Context): Client {
  const agent = c.req
    .header('user-agent')
    ?.replace(/[^\x20-\x7e]/g, '?')
    .slice(0, MAX_AGENT);
  return { ...(from === undefined ? {} : { from }), ...(agent ? { agent } : {}) };
}
