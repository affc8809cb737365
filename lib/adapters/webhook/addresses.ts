// Which addresses a webhook may be at. Whoever can change a name in the DNS could otherwise have this service post to
// the machines beside it, or to the metadata service that gives out its credentials. The ranges are those of IANA's
// special-purpose registries (RFC 6890) that are not globally reachable.

import { type IpRange, inRange, normalIp, parseIpRange } from '../../x509/names/general-name.ts';

type Named = readonly [what: string, ...ranges: string[]];

/** Never connected to. */
const never: readonly Named[] = [
  ['this machine', '0.0.0.0/8', '127.0.0.0/8', '::/128', '::1/128'],
  // Beside link-local: Amazon's, Google's and Alibaba's, and Azure's, which is a public address.
  ['a metadata service', 'fd00:ec2::/32', 'fd20:ce::/32', '100.100.100.200', '168.63.129.16'],
  ['link-local', '169.254.0.0/16', 'fe80::/10'],
  ['multicast or broadcast', '224.0.0.0/4', '255.255.255.255', 'ff00::/8'],
  ['reserved', '192.0.0.0/24', '192.88.99.0/24', '198.18.0.0/15', '240.0.0.0/4'],
  ['for documentation', '192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24'],
  ['for documentation', '2001:db8::/32', '3fff::/20'],
  // Teredo and others of 2001::/23, 6to4, site-local: each leads on to an address that is not seen here.
  ['a tunnel or out of use', '2001::/23', '2002::/16', 'fec0::/10', '64:ff9b:1::/48', '100::/64'],
  ['a tunnel or out of use', '5f00::/16', '::/96'],
];

/** Connected to where a hook's `networks` open them. */
const privateRanges: readonly Named[] = [
  ['private', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
  ['shared by the customers of a provider', '100.64.0.0/10'],
];

/** IPv6 in which the last 32 bits are an IPv4 address: RFC 4291 §2.5.5.2, RFC 6052 §2.1. */
const embedding = ['::ffff:0:0/96', '64:ff9b::/96'].map(parseIpRange);
const globalUnicast = parseIpRange('2000::/3');

const parsed = (rows: readonly Named[]) =>
  rows.flatMap(([what, ...ranges]) => ranges.map((range) => [what, parseIpRange(range)] as const));
const forbidden = parsed(never);
const closed = parsed(privateRanges);

/**
 * Why an address is not connected to; undefined: it may be.
 * @param text of an IPv4 or IPv6 address
 * @param networks private ranges that are opened
 */
export function addressProblem(text: string, networks: readonly IpRange[]): string | undefined {
  const address = normalIp(text);
  if (address === undefined) return 'no IP address';
  if (embedding.some((range) => inRange(address, range))) {
    return addressProblem(parseIpRange(address).address.subarray(12).join('.'), networks);
  }
  const [barred] = forbidden.find(([, range]) => inRange(address, range)) ?? [];
  if (barred !== undefined) return barred;
  const [shut] = closed.find(([, range]) => inRange(address, range)) ?? [];
  if (shut !== undefined) {
    if (networks.some((range) => inRange(address, range))) return undefined;
    return `${shut}, and its "networks" do not open it`;
  }
  const isKnown = !address.includes(':') || inRange(address, globalUnicast);
  return isKnown ? undefined : 'outside what is assigned';
}

/** The address that a URL's host is; undefined for a name. */
export const literalOf = (hostname: string): string | undefined =>
  normalIp(hostname.replace(/^\[(.*)\]$/, '$1'));
