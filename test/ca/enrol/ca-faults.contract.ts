// Exactly once, whatever call fails and however (shared design, "How it is tested"): for each
// scenario a good run counts the port calls; then it is run once for every call and every way to fail.
// After each a retry must bring the certificate, and everything in the store must be true. Run over
// each store by its tests.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sequence } from '../../../lib/asn1/writer.ts';
import { type Bytes, hex } from '../../../lib/base/bytes.ts';
import { LEASE_MS, REFUSAL_PLACES_EMPTY_MS } from '../../../lib/base/limits.ts';
import { decide } from '../../../lib/ca/approve/decide.ts';
import { revoke } from '../../../lib/ca/revoke/revoke.ts';
import type { Transaction } from '../../../lib/ports/records/transaction.ts';
import type { Validator } from '../../../lib/ports/validator.ts';
import type { ClientKey } from '../../../lib/protocol/scep/client/client.ts';
import { readCertificate } from '../../../lib/x509/certificate.ts';
import { parseName } from '../../../lib/x509/names/name.ts';
import { checkCa } from '../../support/check-ca.ts';
import { type FaultMode, Faults, faultModes } from '../../support/faults.ts';
import { deviceKey, memorySigner } from '../../support/keys.ts';
import { type Lab, type LabOptions, makeLab } from '../../support/lab.ts';
import { type EnrolOptions, enrolment, type Sent } from '../../support/messages.ts';
import type { OpenedStore, OpenStore } from '../../support/stores.ts';

/** A device that does not give up: its message goes out again until there is an answer. */
class World {
  readonly faults = new Faults();
  readonly delivered: Bytes[] = [];
  readonly lab: Lab;
  readonly #opened: OpenedStore;
  readonly #options: LabOptions;

  private constructor(lab: Lab, opened: OpenedStore, options: LabOptions) {
    this.lab = lab;
    this.#opened = opened;
    this.#options = options;
  }

  static async make(open: OpenStore, options: LabOptions): Promise<World> {
    const world = new World(undefined as unknown as Lab, await open(), options);
    Object.assign(world, { lab: await world.#open() });
    return world;
  }

  #open(now?: number): Promise<Lab> {
    const validators = Object.entries(this.#options.validators ?? {});
    return makeLab({
      ...this.#options,
      ...(now === undefined ? {} : { now }),
      store: this.faults.wrapStore(this.#opened.store),
      signer: this.faults.wrapSigner(memorySigner),
      validators: Object.fromEntries(
        validators.map(([id, validator]) => [id, this.faults.wrapValidator(validator)]),
      ),
    });
  }

  /** One try. A process that died is started again. */
  async once(sent: Sent): Promise<Awaited<ReturnType<Sent['read']>> | 'failed'> {
    const reply = this.lab.operate(sent.message).then(
      (answer) => sent.read(answer),
      () => 'failed' as const,
    );
    const result = await Promise.race([reply, this.faults.died]);
    if (result !== 'died') return result;
    this.faults.disarm();
    Object.assign(this, { lab: await this.#open(this.lab.clock.at) });
    return 'failed';
  }

  /** Tries until there is an answer, leases running out in between. */
  async send(sent: Sent) {
    for (let tries = 0; tries < 6; tries++) {
      const answer = await this.once(sent);
      if (answer !== 'failed') {
        if (answer.pkiStatus === 'SUCCESS') this.delivered.push(...answer.certificates);
        return answer;
      }
      this.lab.clock.at += LEASE_MS;
    }
    throw new Error('six tries, no answer');
  }

  /** An admin's or the sweeper's act, repeated until it has an end. */
  async act<T>(work: (lab: Lab) => Promise<T>): Promise<T> {
    for (let tries = 0; tries < 6; tries++) {
      const result = await Promise.race([
        work(this.lab).catch(() => 'failed' as const),
        this.faults.died,
      ]);
      if (result !== 'failed' && result !== 'died') return result;
      this.faults.disarm();
      if (result === 'died') Object.assign(this, { lab: await this.#open(this.lab.clock.at) });
    }
    throw new Error('six tries, no end');
  }

  async check(): Promise<void> {
    checkCa(await this.#opened.rows(), this.delivered);
  }

  async transactions(): Promise<Transaction[]> {
    return (await this.#opened.rows())
      .filter(({ kind }) => kind === 'transaction')
      .map(({ record }) => record as Transaction)
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  }
}

type Scenario = {
  readonly name: string;
  readonly options: LabOptions;
  /** Before faults: gives what the faulty part needs. */
  prepare(world: World): Promise<unknown>;
  /** With faults: must come to its end. */
  run(world: World, prepared: never): Promise<void>;
};

const message = (world: World, options: EnrolOptions) => enrolment(world.lab, options);
const success = async (world: World, sent: Sent): Promise<Bytes> => {
  const answer = await world.send(sent);
  assert.ok(answer.pkiStatus === 'SUCCESS', JSON.stringify(answer));
  return answer.certificates[0] ?? new Uint8Array(0);
};

async function held(world: World, key: ClientKey) {
  const challenge = await world.lab.challenge();
  const der = await success(world, await message(world, { challenge, key }));
  return { key, certificate: readCertificate(der) };
}

const [a, b, c] = await Promise.all(
  ['fault a', 'fault b', 'fault c'].map((name) => deviceKey(name)),
);

async function approveFirst(world: World): Promise<void> {
  const [transaction] = await world.transactions();
  const verdict = await world.act((lab) =>
    decide(lab.deps, transaction?.id ?? '', 'approved', { by: 'somebody' }),
  );
  assert.ok(verdict === 'done' || verdict === 'approved');
}

const pollOf = (world: World) =>
  message(world, {
    messageType: 'CertPoll',
    plaintext: sequence(world.lab.announced.ra.subject, parseName('CN=device-1,O=Test')),
  });

const gate: Validator = {
  validate: async () => ({ allow: true }),
  notify: async () => 'release',
};

const scenarios: Scenario[] = [
  ...(['rsa:2048', 'ec:P-256'] as const).map(
    (caKey): Scenario => ({
      name: `enrol, CA key ${caKey}`,
      options: { caKey },
      prepare: async (world) => message(world, { challenge: await world.lab.challenge() }),
      run: async (world, sent: Sent) => {
        await success(world, sent);
        assert.equal(new Set(world.delivered.map(String)).size, 1);
      },
    }),
  ),
  {
    name: 'enrol with a challenge of many uses',
    options: {},
    prepare: async (world) => {
      const challenge = await world.lab.challenge({ uses: 3 });
      return Promise.all(
        [a, b].map((key) => message(world, { challenge, ...(key ? { key } : {}) })),
      );
    },
    run: async (world, sent: Sent[]) => {
      for (const one of sent) await success(world, one);
      assert.equal(new Set(world.delivered.map(String)).size, 2);
    },
  },
  {
    name: 'renew with a new key',
    options: {},
    prepare: async (world) => {
      assert.ok(a && b);
      return message(world, { signer: await held(world, a), key: b, messageType: 'RenewalReq' });
    },
    run: async (world, sent: Sent) => {
      await success(world, sent);
    },
  },
  {
    name: 'renew once more: the unused successor is superseded',
    options: {},
    prepare: async (world) => {
      assert.ok(a && b && c);
      const signer = await held(world, a);
      await success(world, await message(world, { signer, key: b, messageType: 'RenewalReq' }));
      return message(world, { signer, key: c, messageType: 'RenewalReq' });
    },
    run: async (world, sent: Sent) => {
      await success(world, sent);
    },
  },
  ...(['always', 'newSubject'] as const).map(
    (approval): Scenario => ({
      name: `pending, approved, polled: approval ${approval}`,
      options: { endpoint: { approval } },
      prepare: async (world) => message(world, { challenge: await world.lab.challenge() }),
      run: async (world, sent: Sent) => {
        assert.equal((await world.send(sent)).pkiStatus, 'PENDING');
        await approveFirst(world);
        await success(world, await pollOf(world));
        await success(world, sent);
        assert.equal(new Set(world.delivered.map(String)).size, 1);
      },
    }),
  ),
  {
    name: 'a subject that is known needs no approver, whichever call fails',
    options: { endpoint: { approval: 'newSubject' } },
    prepare: async (world) => {
      assert.ok(a && b);
      const first = await message(world, { challenge: await world.lab.challenge(), key: a });
      assert.equal((await world.send(first)).pkiStatus, 'PENDING');
      await approveFirst(world);
      await success(world, first);
      return message(world, { challenge: await world.lab.challenge(), key: b });
    },
    run: async (world, sent: Sent) => {
      await success(world, sent);
      assert.equal(new Set(world.delivered.map(String)).size, 2);
    },
  },
  {
    name: 'enrol on a static challenge',
    options: {
      endpoint: {
        enrol: {
          authorize: ['staticChallenge'],
          staticChallenge: { secret: 'env:SECRET', subject: { CN: 'device-*' } },
        },
      },
      staticSecrets: { 'env:SECRET': 'known to every device' },
    },
    prepare: (world) => message(world, { challenge: 'known to every device' }),
    run: async (world, sent: Sent) => {
      await success(world, sent);
      await success(world, sent);
      assert.equal(new Set(world.delivered.map(String)).size, 1);
    },
  },
  {
    name: 'refused, and counted against its challenge',
    options: {},
    prepare: async (world) => {
      const challenge = await world.lab.challenge({ subject: 'CN=right' });
      return message(world, { challenge, subject: 'CN=wrong' });
    },
    run: async (world, sent: Sent) => {
      for (let i = 0; i < 2; i++) {
        assert.equal((await world.send(sent)).pkiStatus, 'FAILURE');
        // Where the budget could not be asked it is asked again.
        world.lab.clock.at += REFUSAL_PLACES_EMPTY_MS;
      }
      const states = (await world.transactions()).map(({ state }) => state);
      assert.deepEqual(states, ['refused'], 'kept once, whatever fails');
    },
  },
  {
    name: 'pending, denied',
    options: { endpoint: { approval: 'always' } },
    prepare: async (world) => message(world, { challenge: await world.lab.challenge() }),
    run: async (world, sent: Sent) => {
      assert.equal((await world.send(sent)).pkiStatus, 'PENDING');
      const [transaction] = await world.transactions();
      await world.act((lab) =>
        decide(lab.deps, transaction?.id ?? '', 'denied', { by: 'somebody' }),
      );
      assert.equal((await world.send(sent)).pkiStatus, 'FAILURE');
    },
  },
  {
    name: 'revoked, then asked for again',
    options: {},
    prepare: async (world) => {
      const sent = await message(world, { challenge: await world.lab.challenge() });
      return { sent, serial: hex(readCertificate(await success(world, sent)).serial) };
    },
    run: async (world, { sent, serial }: { sent: Sent; serial: string }) => {
      const actor = { kind: 'admin', id: 'somebody' } as const;
      const said = await world.act((lab) =>
        revoke(lab.deps, { ca: 'default', serial, reason: 'keyCompromise', actor }),
      );
      assert.ok(said === 'done' || said === 'unchanged');
      assert.equal((await world.send(sent)).pkiStatus, 'FAILURE');
    },
  },
  {
    name: 'through a release gate',
    options: { validators: { gate }, authorize: { enrol: ['challenge', 'gate'] } },
    prepare: async (world) => message(world, { challenge: await world.lab.challenge() }),
    run: async (world, sent: Sent) => {
      await success(world, sent);
      assert.equal(new Set(world.delivered.map(String)).size, 1);
    },
  },
];

export function faultScenarios(store: string, open: OpenStore): void {
  describe(`one call fails, once for every call and every way: ${store}`, () => {
    for (const { name, options, prepare, run } of scenarios) {
      test(name, async () => {
        const good = await World.make(open, options);
        const prepared = (await prepare(good)) as never;
        good.faults.arm(Number.POSITIVE_INFINITY, 'fails before');
        await run(good, prepared);
        await good.check();
        const { calls } = good.faults;
        assert.ok(calls.length >= 3, `${calls}`);
        for (const [at, call] of calls.entries()) {
          for (const mode of faultModes) {
            const world = await World.make(open, options);
            await replay(world, { prepare, run }, at, mode).catch((cause) => {
              const said = cause instanceof Error ? cause.message : cause;
              throw new Error(`call ${at} (${call}) ${mode}: ${said}`, { cause });
            });
          }
        }
      });
    }
  });
}

async function replay(
  world: World,
  { prepare, run }: Pick<Scenario, 'prepare' | 'run'>,
  at: number,
  mode: FaultMode,
): Promise<void> {
  const prepared = (await prepare(world)) as never;
  world.faults.arm(at, mode);
  await run(world, prepared);
  world.faults.disarm();
  await world.check();
}
