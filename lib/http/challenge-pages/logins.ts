// How an MDM shows itself to a page or hook: HTTP Basic (RFC 7617), or a header of its own. What was sent is compared
// as digests, with every account, so that time tells neither a user nor a password. A source that is wrong too often is
// held back; who asks without credentials is told which to bring, and is no failure.

import type { Context } from 'hono';
import { type Bytes, equalSecret, fromBase64, utf8 } from '../../base/bytes.ts';
import { Outage } from '../../base/errors.ts';
import { HELD_SOURCE_S } from '../../base/limits.ts';
import { PAGE_LINE_MS } from '../../base/mdm-limits.ts';
import type { ChallengeDeps } from '../../ca/deps.ts';
import { hash } from '../../crypto/native.ts';
import { sourceOf } from '../client.ts';
import { tooMany, unauthorized } from '../respond.ts';

/** What a page asks for; `secret` is a reference, and what has no user is a header's value. */
type Login = { readonly user?: string; readonly secret: string };

type Sent = { readonly user?: Bytes; readonly secret: Bytes };

type Page = { readonly name: string; readonly endpoint: string; readonly header?: string };

const same = (sent: Bytes, expected: Bytes): boolean =>
  equalSecret(hash('SHA-256', sent), expected);

/**
 * @returns whose credentials came along, or the answer to a request without good ones
 * @throws {Outage} when this instance does not have a secret
 */
export function loginOf<T extends Login>(
  { staticSecrets, ...deps }: ChallengeDeps,
  { name, endpoint, header }: Page,
  accounts: readonly T[],
  c: Context,
): T | Response {
  const { tally, clock, log } = deps;
  const now = clock.now();
  const page = `${name} ${endpoint}`;
  const source = sourceOf(deps, c);
  if (source && tally.refusedSources.holds(page, source, now)) return tooMany(HELD_SOURCE_S);
  const sent = header === undefined ? basicOf(c) : headerOf(c, header);
  let found: T | undefined;
  for (const account of accounts) {
    const expected = staticSecrets.get(account.secret);
    if (!expected) throw new Outage(`what "${account.secret}" refers to is not there`);
    const user = same(sent?.user ?? new Uint8Array(0), hash('SHA-256', utf8(account.user ?? '')));
    const secret = same(sent?.secret ?? new Uint8Array(0), expected);
    if (user && secret) found = account;
  }
  if (found) return found;
  const offered = header === undefined ? 'Basic realm="Scepter", charset="UTF-8"' : undefined;
  if (!sent) return unauthorized(offered);
  const held = source ? tally.refusedSources.count(page, source, now) : false;
  const number = tally.lineDue(`${page} login`, now, PAGE_LINE_MS);
  if (held || number !== undefined) {
    const about = { page: name, endpoint, ...(source ? { client: source.address } : {}) };
    const detail = held ? 'the source is held back' : undefined;
    log({ event: 'page.wrongLogin', severity: 'warning', ...about, number, detail });
  }
  return unauthorized(offered);
}

function headerOf(c: Context, name: string): Sent | undefined {
  const value = c.req.header(name);
  return value === undefined ? undefined : { secret: utf8(value) };
}

/** Undefined also for another scheme, such as NTLM, which is answered with the one there is. */
function basicOf(c: Context): Sent | undefined {
  const [, text] =
    /^Basic +([A-Za-z0-9+/]+={0,2})$/i.exec(c.req.header('authorization') ?? '') ?? [];
  if (text === undefined) return undefined;
  try {
    const octets = fromBase64(text);
    const colon = octets.indexOf(0x3a);
    if (colon < 0) return undefined;
    return { user: octets.slice(0, colon), secret: octets.slice(colon + 1) };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
