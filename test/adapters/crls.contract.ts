// What every store of CRLs promises (`lib/ports/crls.ts`).

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Bytes, equal } from '../../lib/base/bytes.ts';
import type { CrlStore } from '../../lib/ports/crls.ts';

const now = 1_700_000_000_000;

export function crlContract(name: string, open: () => Promise<CrlStore>): void {
  describe(`CRLs in ${name}`, () => {
    const crl = (number: number, octets: number) => ({
      number,
      der: new Uint8Array(octets).fill(number),
      thisUpdate: now,
      nextUpdate: now + number,
      changes: number * 2,
    });
    test('the number of the stored CRL only rises', async () => {
      const crls = await open();
      assert.equal(await crls.newest('default'), undefined);
      assert.equal(await crls.publish('default', crl(1, 9)), 'done');
      assert.equal(await crls.publish('default', crl(1, 8)), 'stale');
      assert.equal(await crls.publish('default', crl(3, 9)), 'done');
      assert.equal(await crls.publish('default', crl(2, 9)), 'stale');
      const { stored, ...kept } = (await crls.newest('default')) ?? assert.fail();
      assert.deepEqual(kept, crl(3, 9));
      // What calls itself 3 and is spoilt is replaced by any; by the first of two.
      const spoilt = { ...crl(2, 9), mac: 'one' };
      assert.equal(await crls.publish('default', crl(2, 8), 'another'), 'stale');
      assert.equal(await crls.publish('default', spoilt, stored), 'done');
      assert.equal(await crls.publish('default', crl(1, 9), stored), 'stale');
      const { stored: _next, ...after } = (await crls.newest('default')) ?? assert.fail();
      assert.deepEqual(after, spoilt);
      assert.equal(await crls.newest('other'), undefined);
    });

    test('a CRL of any size is read whole while others are published', async () => {
      const crls = await open();
      // Two at once with one number, in one chunk and in several.
      const sizes = (number: number) => (number % 2 ? [1_000_000, 900_000] : [10, 750_000]);
      const whole = ({ number, der }: { number: number; der: Bytes }) =>
        sizes(number).includes(der.length) && equal(der, crl(number, der.length).der);
      let published = false;
      const publishing = (async () => {
        for (let number = 1; number <= 8; number++) {
          const answers: string[] = await Promise.all(
            sizes(number).map(
              (octets): Promise<string> => crls.publish('default', crl(number, octets)),
            ),
          );
          assert.deepEqual(answers.sort(), ['done', 'stale']);
        }
      })().finally(() => {
        published = true;
      });
      let before = 0;
      while (!published) {
        const read = await crls.newest('default');
        if (read) assert.ok(whole(read) && read.number >= before, `CRL ${read.number}`);
        before = read?.number ?? before;
        await new Promise(setImmediate);
      }
      await publishing;
      assert.equal((await crls.newest('default'))?.number, 8);
    });
  });
}
