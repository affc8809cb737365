// Whoever guesses challenges, or asks about thousands of changed messages, is held back: refusals are counted for each
// source and endpoint, in memory, and a source of too many waits before its next message is read.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HELD_SOURCE_S, MAX_REFUSED_SOURCES, REFUSED_MESSAGES_MS } from '../../lib/base/limits.ts';
import { RefusedSources } from '../../lib/ca/refused-sources.ts';
import { checkConfig } from '../../lib/config/config.ts';
import { makeApp } from '../../lib/http/app.ts';
import type { Connection } from '../../lib/http/client.ts';
import { type Lab, makeLab } from '../support/lab.ts';
import { enrolment, random } from '../support/messages.ts';

/** As the default has it. */
const REFUSALS = 300;

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
    send,
    bad: (address: string, path?: string) => send(message, address, path),
    good: (address: string, path?: string) => send(good.message, address, path),
    /** One more than may be, from addresses by turns. */
    flood: async (...addresses: string[]) => {
      for (let i = 0; i <= REFUSALS; i++) {
        const response = await send(message, addresses[i % addresses.length] ?? '');
        assert.equal(response.status, 200, `${i}`);
      }
    },
  };
};

describe('a source of refused messages', () => {
  test('too many of them are answered 429 with Retry-After for a minute, good requests too, and nothing is opened', async () => {
    const lab = await makeLab();
    const { bad, good, flood } = await asking(lab);
    await flood('192.0.2.1');
    lab.log.length = 0;
    lab.calls.length = 0;
    for (const ask of [bad, good]) {
      const response = await ask('192.0.2.1');
      assert.equal(response.status, 429);
      assert.equal(response.headers.get('retry-after'), String(HELD_SOURCE_S));
      assert.equal(await response.text(), 'too many requests, try again later\n');
    }
    assert.deepEqual(lab.calls, []);
    assert.deepEqual(lab.log, [], 'no line for each');
    assert.equal((await good('192.0.2.2')).status, 200, 'another source');
    assert.equal((await good('192.0.2.1', '/scep/other')).status, 200, 'another endpoint');
    const caps = await lab.fetch('/scep?operation=GetCACaps');
    assert.equal(caps.status, 200);
    lab.clock.at += HELD_SOURCE_S * 1000;
    assert.equal((await bad('192.0.2.1')).status, 200, 'after the minute');
    assert.equal((await good('192.0.2.1')).status, 429, 'one more holds it again');
    lab.clock.at += REFUSED_MESSAGES_MS;
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

  test('guesses of a challenge are counted like messages that do not open', async () => {
    const lab = await makeLab();
    const { good: guess } = await asking(lab);
    for (let i = 0; i <= REFUSALS; i++) assert.equal((await guess('192.0.2.1')).status, 200);
    assert.equal((await guess('192.0.2.1')).status, 429);
  });

  test('certificates, repeats and waiting requests are not counted', async () => {
    const lab = await makeLab({ endpoint: { approval: 'always' }, config: limitsOf(1) });
    const { send } = await asking(lab);
    const waits = await enrolment(lab, { challenge: await lab.challenge() });
    for (let i = 0; i < 4; i++) {
      const response = await send(waits.message, '192.0.2.1');
      assert.equal(response.status, 200);
      const reply = await waits.read(new Uint8Array(await response.arrayBuffer()));
      assert.equal(reply.pkiStatus, 'PENDING');
    }
  });

  test('a proxy has the limit of the first entry that has its address', async () => {
    const lab = await makeLab({
      config: limitsOf(2, [
        { addresses: ['198.51.100.0/24', '2001:db8::/32'], perSource: 5 },
        { addresses: ['198.51.100.7'], perSource: 1 },
      ]),
    });
    const { bad } = await asking(lab);
    const answered = async (address: string) => {
      for (let i = 0; ; i++) if ((await bad(address)).status === 429) return i;
    };
    assert.deepEqual(
      [
        await answered('192.0.2.1'),
        await answered('198.51.100.7'),
        await answered('2001:db8::1'),
        await answered('2001:db9::1'),
      ],
      [3, 6, 6, 3],
    );
  });

  test('a limit that is none is said with its field', () => {
    const said = (refusalLimits: unknown): string => {
      try {
        checkConfig({
          publicUrl: 'http://scep.test',
          cas: { default: { subject: 'CN=Lab CA' } },
          endpoints: { default: { ca: 'default' } },
          refusalLimits,
        });
        return '';
      } catch (error) {
        return String((error as Error).message);
      }
    };
    assert.match(said({ perSource: 0 }), /refusalLimits\.perSource: .*1/);
    assert.match(said({ perSource: 10_001 }), /refusalLimits\.perSource: .*10000/);
    const wrong = { addresses: ['jamf.example'], perSource: 10 };
    assert.match(said({ proxies: [wrong] }), /refusalLimits\.proxies\.0\.addresses\.0: /);
    assert.match(
      said({ proxies: [{ addresses: [], perSource: 10 }] }),
      /refusalLimits\.proxies\.0\.addresses: /,
    );
    assert.equal(said({}), '');
  });
});

type Proxies = { readonly addresses: string[]; readonly perSource: number }[];
const limitsOf = (perSource: number, proxies: Proxies = []) => ({
  refusalLimits: { perSource, proxies },
});

const of = (address: string) => ({ address, refusals: 3 });

describe('RefusedSources', () => {
  test('RefusedSources remember a bounded number of sources, the youngest', () => {
    const sources = new RefusedSources();
    for (let i = 0; i < MAX_REFUSED_SOURCES + 10; i++) sources.count('default', of(`${i}`), 0);
    assert.equal(sources.size, MAX_REFUSED_SOURCES);
    for (let i = 0; i < 3; i++) {
      assert.equal(sources.count('default', of('20'), 0), i === 2);
    }
    assert.ok(sources.holds('default', of('20'), 0));
  });

  test('a clock that was set back holds a source no longer than a minute', () => {
    const sources = new RefusedSources();
    const now = 1_000_000_000;
    for (let i = 0; i <= 3; i++) sources.count('default', of('a'), now);
    assert.ok(sources.holds('default', of('a'), now));
    assert.ok(!sources.holds('default', of('a'), now - 1));
    assert.equal(sources.count('default', of('a'), now - 1), false, 'counted anew');
  });
});
