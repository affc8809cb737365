// Addresses that reach only this machine, or what is on its link, such as the metadata of a cloud: a certificate
// of a stranger names them for whoever reads it, who must not be led there.

import { type LookupAddress, lookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

const near = new BlockList();
near.addSubnet('0.0.0.0', 8);
near.addSubnet('127.0.0.0', 8);
near.addSubnet('169.254.0.0', 16);
near.addAddress('::', 'ipv6');
near.addAddress('::1', 'ipv6');
near.addSubnet('fe80::', 10, 'ipv6');
// The metadata of AWS.
near.addAddress('fd00:ec2::254', 'ipv6');

export const nearby =
  'it is at an address of this machine or of its link, where a certificate from elsewhere is not followed';

/** @param address a text that is no address is at none */
export const isNear = (address: string): boolean => {
  const [plain = ''] = address.split('%');
  const version = isIP(plain);
  return version !== 0 && near.check(plain, version === 6 ? 'ipv6' : 'ipv4');
};

/** Finds the other addresses of a name only: what is connected to is what was looked at. */
export const lookupElsewhere: LookupFunction = (hostname, options, done) => {
  lookup(hostname, { ...options, all: true }, (error, found) => {
    if (error) return done(error, []);
    const far: LookupAddress[] = found.filter(({ address }) => !isNear(address));
    const [first] = far;
    if (!first) return done(new Error(nearby), []);
    if (options.all) done(null, far);
    else done(null, first.address, first.family);
  });
};
