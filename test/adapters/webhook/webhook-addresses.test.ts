// Which addresses a webhook may be at: every range that leads into a network of ours, in every way of writing it.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { addressProblem, literalOf } from '../../../lib/adapters/webhook/addresses.ts';
import { parseIpRange } from '../../../lib/x509/names/general-name.ts';

const all = ['0.0.0.0/0', '::/0'].map(parseIpRange);

describe('addresses of webhooks', () => {
  const open = [
    ...['1.1.1.1', '11.0.0.1', '172.15.255.255', '172.32.0.1', '192.167.0.1', '100.63.255.255'],
    ...['100.128.0.1', '169.253.0.1', '223.255.255.255', '2606:4700:4700::1111', '2a00:1450::1'],
    // A name of IPv4 alone, as DNS64 gives it (RFC 6147); the mapped form of a public address.
    ...['64:ff9b::101:101', '::ffff:1.1.1.1', '::ffff:101:101'],
  ];
  for (const address of open) {
    test(`${address} is connected to`, () => {
      assert.equal(addressProblem(address, []), undefined);
    });
  }

  const privateOnes = [
    ...['10.0.0.1', '10.255.255.255', '172.16.0.1', '172.31.255.255', '192.168.0.1', '100.64.0.1'],
    ...['100.127.255.255', 'fc00::1', 'fd12:3456::1', '::ffff:10.0.0.1', '::ffff:a00:1'],
    ...['64:ff9b::a00:1', '64:ff9b::192.168.0.1'],
  ];
  for (const address of privateOnes) {
    test(`${address} is connected to where its network is opened, and only there`, () => {
      assert.match(addressProblem(address, []) ?? '', /private|shared/);
      assert.match(addressProblem(address, [parseIpRange('10.9.0.0/16')]) ?? '', /private|shared/);
      assert.equal(addressProblem(address, all), undefined);
    });
  }

  const never = [
    ...['127.0.0.1', '127.255.255.254', '0.0.0.0', '0.1.2.3', '::1', '::', '::ffff:127.0.0.1'],
    ...['::ffff:7f00:1', '::127.0.0.1', '64:ff9b::7f00:1', '64:ff9b:1::1'],
    ...['169.254.169.254', '169.254.170.2', '::ffff:169.254.169.254', '64:ff9b::a9fe:a9fe'],
    ...['fd00:ec2::254', 'fd20:ce::254', '100.100.100.200', '168.63.129.16', '192.0.0.192'],
    ...['fe80::1', 'febf::1', 'fec0::1', '224.0.0.1', '239.255.255.255', 'ff02::1'],
    ...['255.255.255.255', '240.0.0.1', '198.18.0.1', '198.19.255.255', '192.88.99.1'],
    ...['192.0.2.1', '198.51.100.1', '203.0.113.1', '2001:db8::1', '3fff::1'],
    // 6to4 and Teredo of 10.0.0.1 and others; what nobody has been given.
    ...['2002:a00:1::1', '2001:0:a00:1::1', '2001:1::1', '100::1', '5f00::1', '4000::1', '1::1'],
    ...['no address', '1.2.3', '1.2.3.4.5', '0x7f000001', '2130706433', ''],
  ];
  for (const address of never) {
    test(`${address || 'nothing'} is never connected to, whatever is opened`, () => {
      assert.ok(addressProblem(address, []));
      assert.ok(addressProblem(address, all));
    });
  }

  test('a host that is an address is known in every form that a URL can have it in', () => {
    const forms = ['2130706433', '0x7f.1', '017700000001', '127.0.0.1', '[::ffff:7f00:1]', '127.1'];
    const hosts = forms.map((form) => new URL(`https://${form}/`).hostname);
    for (const host of hosts) assert.ok(addressProblem(literalOf(host) ?? '1.1.1.1', []), host);
    assert.equal(literalOf(new URL('https://hooks.example.com').hostname), undefined);
  });
});
