// How many messages of one source an endpoint refuses before it holds the source back.

import * as z from 'zod/mini';
import { MAX_REFUSED_MESSAGES } from '../base/limits.ts';
import { type IpRange, inRange, parseIpRange } from '../x509/names/general-name.ts';
import { described, parsed } from './schema.ts';

const perSource = z.int().check(z.gte(1), z.lte(MAX_REFUSED_MESSAGES));

export const refusalLimits = z.strictObject({
  perSource: described(
    'messages of one address (a network of 64 bits in IPv6) at one endpoint that may be refused in ten minutes, counted by each instance: of more, every message is answered with 429 for a minute, unread. What is granted or waits does not count',
    z._default(perSource, 300),
  ),
  proxies: described(
    'sources that stand for many devices and have a limit of their own: a proxy of an MDM such as Jamf, a site behind one address; the first whose addresses match',
    z._default(
      z.array(
        z.strictObject({
          addresses: described(
            'addresses and ranges, such as "203.0.113.7" or "198.51.100.0/24"',
            z.array(parsed(parseIpRange)).check(z.minLength(1)),
          ),
          perSource: described('messages of each of them', perSource),
        }),
      ),
      [],
    ),
  ),
});

export type RefusalLimits = {
  readonly perSource: number;
  readonly proxies: readonly {
    readonly addresses: readonly IpRange[];
    readonly perSource: number;
  }[];
};

/** Messages of this address that may be refused in ten minutes. */
export const refusalsOf = ({ perSource, proxies }: RefusalLimits, address: string): number =>
  proxies.find(({ addresses }) => addresses.some((range) => inRange(address, range)))?.perSource ??
  perSource;
