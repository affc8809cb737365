// Whoever asks about thousands of changed messages is held back: failures inside envelopes are counted
// for each source and endpoint, in memory, and a source of too many waits before its next is opened.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  MAX_REJECTED_ENVELOPES,
  MAX_REJECTED_SOURCES,
  REJECTED_ENVELOPES_MS,
  REJECTED_RETRY_S,
} from '../../lib/base/limits.ts';
import { Rejections } from '../../lib/ca/rejections.ts';
import { makeApp } from '../../lib/http/app.ts';
import type { Connection } from '../../lib/http/client.ts';
import { type Lab, makeLab } from '../support/lab.ts';
import { enrolment, random } from '../support/messages.ts';

const asking = async (lab: Lab) => {
  const app = makeApp(lab.deps);
  const { message } = await enrolment(lab, { plaintext: random(300) });
  const good = await enrolment(lab, { challenge: 'x'.repeat(26) });
  const send = (body: Uint8Array<ArrayBuffer>, address: string, path = '/scep') => {
    const url = `http://scep.test${path}?operation=PKIOperation`;
    const connection: Connection = { hops: [address] };
    return app.fetch(new Request(url, { method: 'POST', body }), connection);
  };
  return {
    bad: (address: string, path?: string) => send(message, address, path),
    good: (address: string, path?: string) => send(good.message, address, path),
    /** One more than may be, from addresses by turns. */
    flood: async (...addresses: string[]) => {
      for (let i = 0; i <= MAX_REJECTED_ENVELOPES; i++) {
        const response = await send(message, addresses[i % addresses.length] ?? '');
        assert.equal(response.status, 200, `${i}`);
      }
    },
  };
};

describe('envelopes of one source that do not open', () => {
  test('too many of them are answered 429 with Retry-After for a minute, good requests too, and nothing is opened', async () => {
    const lab = await makeLab();
    const { bad, good, flood } = await asking(lab);
    await flood('192.0.2.1');
    lab.log.length = 0;
    lab.calls.length = 0;
    for (const ask of [bad, good]) {
      const response = await ask('192.0.2.1');
      assert.equal(response.status, 429);
      assert.equal(response.headers.get('retry-after'), String(REJECTED_RETRY_S));
      assert.equal(await response.text(), 'too many requests, try again later\n');
    }
    assert.deepEqual(lab.calls, []);
    assert.deepEqual(lab.log, [], 'no line for each');
    assert.equal((await good('192.0.2.2')).status, 200, 'another source');
    assert.equal((await good('192.0.2.1', '/scep/other')).status, 200, 'another endpoint');
    const caps = await lab.fetch('/scep?operation=GetCACaps');
    assert.equal(caps.status, 200);
    lab.clock.at += REJECTED_RETRY_S * 1000;
    assert.equal((await good('192.0.2.1')).status, 200, 'after the minute');
    assert.equal((await bad('192.0.2.1')).status, 200);
    assert.equal((await good('192.0.2.1')).status, 429, 'one more holds it again');
    lab.clock.at += REJECTED_ENVELOPES_MS;
    assert.equal((await bad('192.0.2.1')).status, 200);
    assert.equal((await good('192.0.2.1')).status, 200, 'the ten minutes begin anew');
  });

  test('the log names their source once, and nothing is written', async () => {
    const lab = await makeLab();
    const { flood } = await asking(lab);
    await flood('192.0.2.1');
    const said = lab.log.filter(({ event }) => event === 'scep.sourceHeld');
    assert.equal(said.length, 1);
    assert.deepEqual([said[0]?.endpoint, said[0]?.client], ['default', '192.0.2.1']);
    assert.ok(!lab.calls.includes('store.write'));
  });

  test('a source is a network of 64 bits in IPv6, and one address in IPv4 however it is written', async () => {
    const lab = await makeLab();
    const { good, flood } = await asking(lab);
    await flood('2001:db8:0:1::1', '2001:db8:0:1:ffff::2');
    assert.equal((await good('2001:db8:0:1:1234::')).status, 429);
    assert.equal((await good('2001:db8:0:2::1')).status, 200);
    await flood('192.0.2.1', '::ffff:192.0.2.1');
    assert.equal((await good('::ffff:192.0.2.1')).status, 429);
    assert.equal((await good('::ffff:192.0.2.2')).status, 200);
  });
});

describe('Rejections', () => {
  test('Rejections remember a bounded number of sources, the youngest', () => {
    const rejections = new Rejections();
    for (let i = 0; i < MAX_REJECTED_SOURCES + 10; i++) rejections.count('default', `${i}`, 0);
    assert.equal(rejections.sources, MAX_REJECTED_SOURCES);
    for (let i = 0; i < MAX_REJECTED_ENVELOPES; i++) {
      assert.equal(rejections.count('default', '20', 0), i === MAX_REJECTED_ENVELOPES - 1);
    }
    assert.ok(rejections.holds('default', '20', 0));
  });

  test('a clock that was set back holds a source no longer than a minute', () => {
    const rejections = new Rejections();
    const now = 1_000_000_000;
    for (let i = 0; i <= MAX_REJECTED_ENVELOPES; i++) rejections.count('default', 'a', now);
    assert.ok(rejections.holds('default', 'a', now));
    assert.ok(!rejections.holds('default', 'a', now - 1));
    assert.equal(rejections.count('default', 'a', now - 1), false, 'counted anew');
  });
});
