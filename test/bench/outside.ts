// What a validator outside that is silent costs the endpoints that do not ask it: their p99 beside an endpoint that is
// asked for certificates all the time, while its validator answers, and while it does not, in turns.

import { guardedValidator } from '../../lib/adapters/guarded-validator.ts';
import { systemClock } from '../../lib/adapters/system.ts';
import { type ClientKey, generateKey } from '../../lib/protocol/scep/client/client.ts';
import { type Lab, makeLab } from '../support/lab.ts';
import { enrolment } from '../support/messages.ts';
import { requestFor } from '../support/requests.ts';
import { median } from './median.ts';

/** Requests a second at the endpoint that is measured, and at the one beside it. */
const PER_SECOND = 40;
const BESIDE_PER_SECOND = 20;

type Beside = {
  /** Milliseconds. */
  readonly answering: number;
  readonly silent: number;
  readonly ratio: number;
};

/** @param count requests of each round and side */
export async function besideSilence(rounds: number, count: number): Promise<Beside> {
  // Two requests for one key wait for each other.
  const devices: ClientKey[] = [];
  for (let i = 0; i < 8; i++) devices.push(await generateKey({ type: 'RSA', bits: 2048 }));
  const sideOf = async (isSilent: boolean) => {
    const validate = () =>
      isSilent ? new Promise<never>(() => {}) : Promise.resolve({ allow: true as const });
    const lab = await makeLab({
      validators: { intune: guardedValidator('intune', { validate }, systemClock) },
      config: {
        validators: {
          intune: { kind: 'intune', tenant: 't', clientId: 'c', clientSecret: 'env:SECRET' },
        },
        endpoints: {
          default: { ca: 'default' },
          phones: {
            ...{ ca: 'default', enrol: { authorize: ['intune'] } },
            renew: { authorize: ['intune'] },
          },
        },
      },
    });
    return () => roundOf(lab, devices, count);
  };
  const sides = [await sideOf(false), await sideOf(true)] as const;
  const found: (readonly [number, number])[] = [];
  // The first round warms up.
  for (let round = 0; round <= rounds; round++) {
    const both = [await sides[0](), await sides[1]()] as const;
    if (round > 0) found.push(both);
  }
  return {
    answering: median(found.map(([answering]) => answering)),
    silent: median(found.map(([, silent]) => silent)),
    ratio: median(found.map(([answering, silent]) => silent / answering)),
  };
}

/** @returns milliseconds of the p99 at the endpoint `default` */
async function roundOf(lab: Lab, devices: readonly ClientKey[], count: number): Promise<number> {
  const seconds = count / PER_SECOND;
  const own = await messages(lab, count, async (i) => ({
    challenge: await lab.challenge(),
    key: keyOf(devices, i),
  }));
  const beside = await messages(lab, Math.ceil(seconds * BESIDE_PER_SECOND), async (i) => {
    const key = keyOf(devices, i);
    return { key, plaintext: await requestFor(key, { challenge: `blob ${Date.now()} ${i}` }) };
  });
  const waited: number[] = [];
  const send = async (message: Uint8Array<ArrayBuffer>, path: string): Promise<number> => {
    lab.clock.at = Date.now();
    const from = performance.now();
    // A validator that gives no answer is a 503.
    await lab.operate(message, path).catch(() => undefined);
    return performance.now() - from;
  };
  await Promise.all([
    paced(own, PER_SECOND, async (message) => void waited.push(await send(message, '/scep'))),
    paced(
      beside,
      BESIDE_PER_SECOND,
      async (message) => void (await send(message, '/scep/phones')),
      {
        isWaitedFor: false,
      },
    ),
  ]);
  return waited.sort((a, b) => a - b)[Math.floor(waited.length * 0.99)] ?? Number.NaN;
}

function keyOf(devices: readonly ClientKey[], i: number): ClientKey {
  const key = devices[i % devices.length];
  if (!key) throw new Error('there are no devices');
  return key;
}

async function messages(
  lab: Lab,
  count: number,
  wanted: (i: number) => Promise<Parameters<typeof enrolment>[1]>,
) {
  const all = [];
  for (let i = 0; i < count; i++) all.push((await enrolment(lab, await wanted(i))).message);
  return all;
}

/** Begins one after the other at this rate, whether those before have ended or not. */
async function paced<T>(
  all: readonly T[],
  perSecond: number,
  send: (one: T) => Promise<void>,
  { isWaitedFor } = { isWaitedFor: true },
): Promise<void> {
  const from = performance.now();
  const sent: Promise<void>[] = [];
  for (const [i, one] of all.entries()) {
    const due = from + (i * 1000) / perSecond - performance.now();
    if (due > 0) await new Promise((resolve) => setTimeout(resolve, due));
    sent.push(send(one));
  }
  if (isWaitedFor) await Promise.all(sent);
}
