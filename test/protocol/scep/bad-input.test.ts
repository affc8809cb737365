// Hostile octets at the front door: the right fixed answer, bounded work, nothing said, nothing lost.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { octets, sequence } from '../../../lib/asn1/writer.ts';
import { type Bytes, concat } from '../../../lib/base/bytes.ts';
import { readSignedData } from '../../../lib/cms/signed-data.ts';
import { makeLab } from '../../support/lab.ts';
import { enrolment, random } from '../../support/messages.ts';

const slow = process.env.SLOW === '1';
const MAX_CPU_MS = 100;
const lab = await makeLab({ legacy: { sha1: true, md5: true, des3: true, des: true } });

const post = (body: Bytes) => lab.fetch('/scep?operation=PKIOperation', { method: 'POST', body });

/** Whether the runtime tells how much CPU was used; workerd tells only the time. */
const tellsCpu = (() => {
  try {
    return process.cpuUsage().user > 0;
  } catch {
    return false;
  }
})();

function used(): number {
  if (!tellsCpu) return performance.now();
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function timePasses(): boolean {
  const began = performance.now();
  for (let i = 0; i < 10_000_000; i++) if (performance.now() > began) return true;
  return false;
}

/**
 * CPU milliseconds (user and system) that `work` takes, the least of a few: what this process collects
 * or compiles meanwhile counts too. The time that goes by is never less, but on a busy machine a lot more.
 */
async function cpuMs(work: () => Promise<unknown>): Promise<number> {
  assert.ok(tellsCpu || timePasses(), 'the clock stands while the CPU works');
  let least = Number.POSITIVE_INFINITY;
  for (let tries = 8; tries > 0 && least >= MAX_CPU_MS; tries--) {
    const before = used();
    await work();
    least = Math.min(least, used() - before);
  }
  return least;
}

/** A 400 with a fixed body, or a CertRep with FAILURE; never a 5xx, never an echo. */
async function answeredSafely(response: Response): Promise<'http' | 'FAILURE' | 'SUCCESS'> {
  const body = new Uint8Array(await response.arrayBuffer());
  if (response.status !== 200) {
    assert.ok([400, 413].includes(response.status), `HTTP ${response.status}`);
    const text = Buffer.from(body).toString();
    assert.match(text, /^(bad request|content too large) \([0-9A-Z]{26}\)\n$/);
    return 'http';
  }
  const { attributes } = readSignedData(body);
  const status = attributes.get('2.16.840.1.113733.1.9.3')?.[0]?.[0];
  return status?.source[status.contentStart] === 0x30 ? 'SUCCESS' : 'FAILURE';
}

const nested = (depth: number, identifier: number): Bytes => {
  let inner: Bytes = new Uint8Array(0);
  for (let i = 0; i < depth; i++)
    inner = concat([Uint8Array.of(identifier), lengthOf(inner), inner]);
  return inner;
};
const lengthOf = ({ length }: Bytes): Bytes =>
  length < 0x80 ? Uint8Array.of(length) : Uint8Array.of(0x82, length >> 8, length & 0xff);

const bombs: Record<string, () => Bytes> = {
  'SEQUENCEs 15,000 deep': () => nested(15_000, 0x30),
  'indefinite SEQUENCEs 30,000 deep': () =>
    new Uint8Array(60_000).map((_, i) => (i % 2 ? 0x80 : 0x30)),
  'segmented strings 15,000 deep': () => nested(15_000, 0x24),
  '30,000 empty elements': () => sequence(new Uint8Array(60_000).map((_, i) => (i % 2 ? 0 : 5))),
  'a length of 4 GiB': () => Uint8Array.of(0x30, 0x84, 0xff, 0xff, 0xff, 0xff),
  'a length in 126 octets': () =>
    concat([Uint8Array.of(0x30, 0xfe), new Uint8Array(200).fill(0xff)]),
  'an INTEGER of 60 KB': () =>
    sequence(concat([Uint8Array.of(2, 0x82, 0xea, 0x60), random(60_000)])),
  'an OID of 60 KB': () =>
    sequence(
      concat([
        Uint8Array.of(6, 0x82, 0xea, 0x60),
        new Uint8Array(60_000).fill(0x81).fill(1, 59_999),
      ]),
    ),
  '64 KiB of zeros': () => new Uint8Array(65_536),
  '64 KiB of noise': () => random(65_536),
  '64 KiB of octet string': () => octets(random(65_000)),
};

describe('bad input', () => {
  for (const [name, make] of Object.entries(bombs)) {
    test(`${name}: a 400 under ${MAX_CPU_MS} ms of CPU`, async () => {
      const body = make();
      let response: Response | undefined;
      const spent = await cpuMs(async () => {
        response = await post(body);
      });
      assert.ok(response);
      assert.equal(await answeredSafely(response), 'http');
      assert.ok(spent < MAX_CPU_MS, `took ${spent} ms`);
    });
  }

  test('truncations of a good message, at every length', async () => {
    const { message } = await enrolment(lab, { challenge: await lab.challenge() });
    for (let length = 0; length < message.length; length += slow ? 1 : 7) {
      const result = await answeredSafely(await post(message.slice(0, length)));
      assert.equal(result, 'http', `cut at ${length}`);
    }
  });

  test('one changed octet never gets a 5xx, and never a certificate that the message would not have got', async () => {
    const seen = { http: 0, FAILURE: 0, SUCCESS: 0 };
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 255 }), async (position, change) => {
        const { message } = await enrolment(lab, { challenge: 'a challenge that nobody made' });
        const at = position % message.length;
        message[at] = (message[at] ?? 0) ^ change;
        seen[await answeredSafely(await post(message))]++;
      }),
      { numRuns: slow ? 20_000 : 600 },
    );
    assert.equal(seen.SUCCESS, 0);
    assert.ok(seen.http > 0 && seen.FAILURE > 0, JSON.stringify(seen));
  });

  test('octets inserted, removed and repeated', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.nat({ max: 40 }),
        fc.uint8Array({ maxLength: 40 }),
        async (position, remove, insert) => {
          const { message } = await enrolment(lab, { challenge: 'a challenge that nobody made' });
          const at = position % message.length;
          const bent = concat([message.subarray(0, at), insert, message.subarray(at + remove)]);
          assert.notEqual(await answeredSafely(await post(bent)), 'SUCCESS');
        },
      ),
      { numRuns: slow ? 5_000 : 200 },
    );
  });

  test('random octets', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 3000 }), async (noise) => {
        assert.equal(await answeredSafely(await post(Uint8Array.from(noise))), 'http');
      }),
      { numRuns: slow ? 10_000 : 300 },
    );
  });

  test('a reply says nothing of what went wrong inside, and no log line holds a stack', async () => {
    lab.log.length = 0;
    for (const body of [random(50), sequence(), nested(100, 0x30)]) await post(body);
    assert.equal(lab.log.length, 3);
    for (const entry of lab.log) {
      assert.equal(entry.event, 'http.refused');
      assert.ok(!('trace' in entry));
    }
  });

  test('10,000 of them leave the process where it was, and the next good request works', async () => {
    const { gc } = globalThis;
    assert.ok(gc, 'run with --expose-gc');
    const { rss } = process.memoryUsage;
    assert.ok(rss, 'this runtime does not say how much memory it has');
    const { message } = await enrolment(lab, { challenge: 'a challenge that nobody made' });
    const kinds = [random(3000), nested(3000, 0x30), message.slice(0, 900)];
    const round = async (count: number) => {
      for (let i = 0; i < count; i++) {
        // What is decrypted and verified costs a hundred times as much as what is not read.
        const body = i % 16 === 0 ? message : kinds[i % kinds.length];
        await (await post(body ?? message)).arrayBuffer();
      }
      lab.log.length = 0;
      lab.calls.length = 0;
      gc();
    };
    // As many before, until compiled code and heap have found their size, which can take a few times:
    // what leaks grows each time.
    await round(10_000);
    let grown = Number.POSITIVE_INFINITY;
    for (let tries = 5; tries > 0 && grown >= 20; tries--) {
      const before = rss();
      await round(10_000);
      grown = (rss() - before) / 2 ** 20;
    }
    assert.ok(grown < 20, `RSS grew by ${grown.toFixed(1)} MB`);
    const good = await enrolment(lab, { challenge: await lab.challenge() });
    assert.equal((await good.read(await lab.operate(good.message))).pkiStatus, 'SUCCESS');
  });
});
