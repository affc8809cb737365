// Many devices, or one device many times, at the same moment. Run over each store by its tests.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { equal } from '../../../lib/base/bytes.ts';
import { checkCa } from '../../support/check-ca.ts';
import { deviceKey } from '../../support/keys.ts';
import { makeLab } from '../../support/lab.ts';
import { enrolment, type Sent } from '../../support/messages.ts';
import type { OpenStore } from '../../support/stores.ts';
import { idleTime } from '../../support/timers.ts';

export function atOnce(name: string, open: OpenStore): void {
  describe(`at once: ${name}`, () => {
    for (const caKey of ['rsa:2048', 'ec:P-256'] as const) {
      test(`100 identical requests, CA key ${caKey}: one signature, 100 equal certificates`, async () => {
        const { store, rows } = await open();
        const lab = await makeLab({ store, caKey });
        const sent = await enrolment(lab, { challenge: await lab.challenge() });
        lab.calls.length = 0;
        const time = idleTime(100);
        lab.clock.sleep = time.sleep;
        const answers = await Promise.all(
          Array.from({ length: 100 }, async () => {
            const answer = await lab.operate(sent.message).finally(time.leave);
            return sent.read(answer);
          }),
        );
        const ders = answers.map((answer) =>
          answer.pkiStatus === 'SUCCESS' ? answer.certificates[0] : undefined,
        );
        const [first] = ders;
        assert.ok(first && ders.every((der) => der && equal(der, first)));
        assert.equal(lab.calls.filter((call) => call === 'signer.sign').length, 1);
        checkCa(await rows(), [first]);
      });
    }

    for (const [uses, devices] of [
      [1, 30],
      [15, 30],
    ] as const) {
      test(`${devices} keys on a challenge of ${uses} use(s): exactly ${uses}, whatever the order`, async () => {
        const { store, rows } = await open();
        const lab = await makeLab({ store });
        const challenge = await lab.challenge({ uses });
        const keys = await Promise.all(
          Array.from({ length: devices }, (_, i) =>
            deviceKey(`at once ${i}`, { type: 'EC', curve: 'P-256' }),
          ),
        );
        const sent = await Promise.all(keys.map((key) => enrolment(lab, { challenge, key })));
        let got = 0;
        let left = sent;
        for (let round = 0; round < 10 && left.length > 0; round++) {
          const busy: Sent[] = [];
          await Promise.all(
            left.map(async (one) => {
              const answer = await lab.operate(one.message).then(one.read, () => undefined);
              if (answer?.pkiStatus === 'SUCCESS') got++;
              else if (answer === undefined) busy.push(one);
            }),
          );
          left = busy;
        }
        assert.equal(left.length, 0);
        assert.equal(got, uses);
        checkCa(await rows());
      });
    }
  });
}
