// An RA key gives way to the next one (shared design 4.1): two instances that hear of it at different
// times, clients that hold the certificate before, the one in force and the one after. Whoever has a
// certificate that was ever announced is answered, by the key that he sealed for, until it is retired.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sequence } from '../../../lib/asn1/writer.ts';
import { Outage } from '../../../lib/base/errors.ts';
import {
  RA_FORCED_RELOAD_MS,
  RA_PREPARED_MS,
  RA_PREVIOUS_MS,
  RA_RELOAD_MS,
} from '../../../lib/base/limits.ts';
import { rotationSteps } from '../../../lib/base/words.ts';
import { decide } from '../../../lib/ca/approve/decide.ts';
import { initCa } from '../../../lib/ca/authority/init-ca.ts';
import {
  type Rotated,
  type RotationOptions,
  rotateRa,
} from '../../../lib/ca/authority/rotation.ts';
import { readCaCertificates } from '../../../lib/protocol/scep/client/client.ts';
import { parseName } from '../../../lib/x509/names/name.ts';
import { eventIn } from '../../support/event-in.ts';
import { type FaultMode, Faults, faultModes } from '../../support/faults.ts';
import { deviceKey } from '../../support/keys.ts';
import { type Instance, type KmsWorld, kmsWorld, twoCas } from '../../support/kms-world.ts';
import { makeLab } from '../../support/lab.ts';
import { type EnrolOptions, enrolment, type Sent } from '../../support/messages.ts';
import { idleTime } from '../../support/timers.ts';

const actor = { kind: 'admin', id: 'operator' } as const;
const DAY = 24 * 60 * 60 * 1000;

const rotate = (w: KmsWorld, options: Partial<RotationOptions> = {}): Promise<Rotated> =>
  rotateRa(w.lab.deps, 'default', { actor, ...options });

async function stepped(w: KmsWorld, options: Partial<RotationOptions> = {}): Promise<string[]> {
  const rotated = await rotate(w, options);
  assert.equal(rotated.kind, 'done');
  return states(w);
}

const states = (w: KmsWorld): string[] =>
  w.read('authority', 'default').generations.map(({ id, state }) => `${id} ${state}`);

/** What the CA announces at this instance. */
const announced = async ({ deps }: Instance) =>
  readCaCertificates((await deps.cas.of('default')).bag);
const announces = async (instance: Instance): Promise<number> =>
  (await instance.deps.cas.of('default')).current.id;

/** A client keeps what it was given. */
type Client = (options?: EnrolOptions) => Promise<Sent>;
async function clientOf(w: KmsWorld, instance: Instance): Promise<Client> {
  const kept = { announced: await announced(instance), clock: w.lab.clock };
  return async (options = {}) =>
    enrolment(kept, {
      ...(options.plaintext ? {} : { challenge: await w.lab.challenge() }),
      ...options,
    });
}

let devices = 0;
/** The reply must verify with the RA certificate that the client holds. */
async function enrols(w: KmsWorld, client: Client, instance: Instance): Promise<void> {
  const sent = await client({ key: await deviceKey(`rotation ${devices++ % 4}`) });
  await w.certificate(sent, await instance.post(sent));
}

/** As the log has it: nobody is told more than badMessageCheck. */
async function refused(client: Client, instance: Instance): Promise<void> {
  const { status } = await instance.post(await client());
  assert.equal(status, 200);
  assert.equal(instance.log.at(-1)?.reason, 'recipientUnknown');
}

const subject = 'CN=device-1,O=Test';
const pollOf = async (client: Client, instance: Instance): Promise<Sent> => {
  const { ra } = await announced(instance);
  const plaintext = sequence(ra.issuer, parseName(subject));
  return client({ messageType: 'CertPoll', plaintext });
};

describe('the life of a generation, on two instances', () => {
  test('everybody is answered by the key that he sealed for, until it is retired', async () => {
    const w = await kmsWorld();
    const [a, b] = [w.instance(), w.instance()];
    const old = await clientOf(w, a);
    await enrols(w, old, b);

    assert.deepEqual(await stepped(w), ['1 current', '2 prepared']);
    w.lab.clock.at += RA_RELOAD_MS;
    await enrols(w, old, a);
    assert.equal(await announces(a), 1, 'a prepared one is announced to nobody');
    const early = await rotate(w);
    assert.deepEqual(early, {
      kind: 'early',
      step: 'activate',
      from: w.lab.clock.at - RA_RELOAD_MS + RA_PREPARED_MS,
    });

    // b has last looked just now, a is due: they disagree for five minutes.
    w.lab.clock.at += RA_PREPARED_MS - RA_RELOAD_MS;
    await enrols(w, old, b);
    assert.deepEqual(await stepped(w), ['1 previous', '2 current']);
    w.lab.clock.at += 1000;
    const late = w.instance();
    assert.deepEqual([await announces(late), await announces(b)], [2, 1]);
    const fresh = await clientOf(w, late);
    for (const instance of [a, b, late]) {
      await enrols(w, old, instance);
      await enrols(w, fresh, instance);
    }
    w.lab.clock.at += RA_RELOAD_MS;
    assert.deepEqual([await announces(a), await announces(b)], [2, 2]);
    for (const instance of [a, b]) await enrols(w, old, instance);

    assert.equal((await rotate(w)).kind, 'early');
    w.lab.clock.at += RA_PREVIOUS_MS;
    await enrols(w, old, a);
    assert.deepEqual(await stepped(w), ['1 retired', '2 current']);
    w.lab.clock.at += RA_RELOAD_MS;
    for (const instance of [a, b]) {
      await refused(old, instance);
      await enrols(w, fresh, instance);
    }
    const [retired] = w.read('authority', 'default').generations;
    assert.equal(retired?.sealedKey, undefined, 'nothing that was sealed for it can be opened');
    const told = w.all('event').map(eventIn);
    assert.deepEqual(
      told
        .filter(({ type }) => type.startsWith('ca.ra.'))
        .map(({ type, number, actor: { kind } }) => [type, number, kind])
        .sort(),
      [
        ['ca.ra.current', 1, 'system'],
        ['ca.ra.current', 2, 'admin'],
        ['ca.ra.prepared', 2, 'admin'],
        ['ca.ra.retired', 1, 'admin'],
      ],
    );
    w.check();
  });

  test('requests never make a key, and an instance opens each one once, whoever asks at once', async () => {
    const w = await kmsWorld();
    const [a, b] = [w.instance(), w.instance()];
    const old = await clientOf(w, a);
    await enrols(w, old, b);
    await stepped(w);
    await stepped(w, { force: true });
    const fresh = await clientOf(w, w.instance());
    w.lab.clock.at += RA_FORCED_RELOAD_MS;
    const from = w.kms.emulator.calls.length;
    const sent = await fresh();
    const time = idleTime(40);
    w.lab.clock.sleep = time.sleep;
    const replies = await Promise.all(
      [a, b].flatMap((instance) =>
        Array.from({ length: 20 }, () => instance.post(sent).finally(time.leave)),
      ),
    );
    for (const reply of replies) await w.certificate(sent, reply);
    const made = w.kms.since(from);
    assert.deepEqual(made.filter((call) => call === 'Sign').length, 1);
    const opened = w.kms.emulator.calls
      .slice(from)
      .filter(({ conditions }) => conditions['kms:EncryptionContext:purpose'] === 'ra');
    assert.deepEqual(
      opened.map(({ action }) => action),
      ['kms:Decrypt', 'kms:Decrypt'],
      'one for each instance',
    );
    w.check();
  });

  test('an instance that has not heard of a key that was announced without waiting looks once, and answers', async () => {
    const w = await kmsWorld();
    const [a, b] = [w.instance(), w.instance()];
    await enrols(w, await clientOf(w, a), b);
    w.lab.clock.at += RA_FORCED_RELOAD_MS;
    await stepped(w);
    await stepped(w, { force: true });
    const fresh = await clientOf(w, w.instance());
    assert.equal(await announces(b), 1);
    await enrols(w, fresh, b);
    await enrols(w, fresh, a);
    w.check();
  });

  test('recipients that nobody knows make an instance look again once in ten seconds', async () => {
    const w = await kmsWorld({ config: twoCas.config });
    const a = w.instance();
    await enrols(w, await clientOf(w, a), a);
    const stranger = { announced: readCaCertificates((await a.deps.cas.of('second')).bag) };
    const reads = () => w.lab.calls.filter((call) => call === 'store.read').length;
    const ask = async () => {
      const before = reads();
      const sent = await enrolment({ ...stranger, clock: w.lab.clock }, { challenge: 'X' });
      assert.equal((await a.post(sent)).status, 200);
      assert.equal(a.log.at(-1)?.reason, 'recipientUnknown');
      return reads() - before;
    };
    w.lab.clock.at += RA_FORCED_RELOAD_MS;
    assert.deepEqual([await ask(), await ask(), await ask()], [1, 0, 0]);
    w.lab.clock.at += RA_FORCED_RELOAD_MS;
    assert.deepEqual([await ask(), await ask()], [1, 0]);
  });

  test('a device that waits for its approver polls across the rotation, until it is retired', async () => {
    const w = await kmsWorld({ endpoint: { approval: 'always' } });
    const a = w.instance();
    const old = await clientOf(w, a);
    const sent = await old();
    assert.equal((await sent.read((await a.post(sent)).body)).pkiStatus, 'PENDING');
    await stepped(w);
    await stepped(w, { force: true });
    w.lab.clock.at += RA_RELOAD_MS;
    const poll = await pollOf(old, a);
    assert.equal((await poll.read((await a.post(poll)).body)).pkiStatus, 'PENDING');
    const [transaction] = w.all('transaction');
    await decide(w.lab.deps, transaction?.id ?? '', 'approved', { by: 'somebody' });
    const again = await pollOf(old, a);
    await w.certificate(again, await a.post(again));
    w.check();
  });
});

describe('steps that are not taken', () => {
  test('a step that has nothing to work on is named, and changes nothing', async () => {
    const w = await kmsWorld();
    assert.deepEqual(await rotate(w, { step: 'activate' }), { kind: 'none', step: 'activate' });
    assert.deepEqual(await rotate(w, { step: 'retire' }), { kind: 'none', step: 'retire' });
    await stepped(w, { step: 'prepare' });
    assert.deepEqual(await rotate(w, { step: 'prepare' }), { kind: 'none', step: 'prepare' });
    assert.deepEqual(states(w), ['1 current', '2 prepared']);
  });

  test('devices may wait for their approver longer than a month: so does the previous one', async () => {
    const w = await kmsWorld({ endpoint: { approval: 'always', pendingTtl: '90d' } });
    await stepped(w);
    await stepped(w, { force: true });
    w.lab.clock.at += 90 * DAY - 1;
    assert.equal((await rotate(w)).kind, 'early');
    w.lab.clock.at += 1;
    assert.deepEqual(await stepped(w), ['1 retired', '2 current']);
  });

  test('a second rotation before the first is over: both that were announced are answered', async () => {
    const w = await kmsWorld();
    const first = await clientOf(w, w.instance());
    await stepped(w);
    await stepped(w, { force: true });
    const second = await clientOf(w, w.instance());
    await stepped(w, { step: 'prepare' });
    w.lab.clock.at += DAY;
    assert.deepEqual(await stepped(w, { force: true }), ['1 previous', '2 previous', '3 current']);
    const a = w.instance();
    for (const client of [first, second, await clientOf(w, a)]) await enrols(w, client, a);
    w.lab.clock.at += RA_PREVIOUS_MS - DAY;
    assert.deepEqual(await stepped(w), ['1 retired', '2 previous', '3 current']);
    w.check();
  });

  test('two operators at once: one of them has done it, and the other is told', async () => {
    const w = await kmsWorld();
    for (const step of rotationSteps) {
      const both = await Promise.allSettled([
        rotate(w, { step, force: true }),
        rotate(w, { step, force: true }),
      ]);
      const done = both.filter(({ status }) => status === 'fulfilled');
      const told = both.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
      assert.equal(done.length, 1, step);
      assert.match(String(told[0]), /somebody else has just changed the CA "default"/);
    }
    assert.deepEqual(states(w), ['1 retired', '2 current']);
  });

  test('a CA that has expired, and one that is not there, get no RA key', async () => {
    const w = await kmsWorld();
    const from = w.kms.emulator.calls.length;
    w.lab.clock.at += 20 * 365 * DAY;
    await assert.rejects(rotate(w), { name: 'Outage', message: 'the CA "default" has expired' });
    await assert.rejects(
      rotateRa(w.lab.deps, 'nowhere', { actor }),
      /the CA "nowhere" has not been initialised: run "scepter ca init nowhere"/,
    );
    assert.deepEqual(w.kms.since(from), []);
  });

  test('an RA certificate ends with its CA at the latest', async () => {
    const w = await kmsWorld();
    const { certificate } = await w.instance().deps.cas.of('default');
    w.lab.clock.at = certificate.notAfter - DAY;
    await stepped(w);
    await stepped(w, { force: true });
    const { current } = await w.instance().deps.cas.of('default');
    assert.equal(current.certificate.notAfter, certificate.notAfter);
  });
});

const afterwards = {
  prepare: '1 current,2 prepared',
  activate: '1 previous,2 current',
  retire: '1 retired,2 current',
};

describe('a step that breaks off', () => {
  for (const step of rotationSteps) {
    test(`${step}: at whichever call, run again it ends as if nothing had been`, async () => {
      const earlier = rotationSteps.slice(0, rotationSteps.indexOf(step));
      /** @returns how many calls the step made */
      const broken = async (at: number, mode: FaultMode): Promise<number> => {
        const w = await kmsWorld();
        for (const done of earlier) await stepped(w, { step: done, force: true });
        const faults = new Faults();
        const { deps } = w.lab;
        const store = faults.wrapStore(deps.store);
        const wrapped = { ...deps, store, signer: faults.wrapSigner(deps.signer) };
        faults.arm(at, mode);
        const tried = rotateRa(wrapped, 'default', { actor, step, force: true }).then(
          () => 'done',
          () => 'failed',
        );
        const ended = await Promise.race([tried, faults.died]);
        assert.equal(ended === 'done', at === Number.POSITIVE_INFINITY, `${mode} ${at}`);
        const again = await rotate(w, { step, force: true });
        assert.ok(again.kind === 'done' || again.kind === 'none', `${mode} ${at}`);
        assert.equal(states(w).join(), afterwards[step], `${mode} ${at}`);
        const events = w.all('event').filter(({ body }) => body.includes('"ca.ra.'));
        assert.equal(events.length, 1 + earlier.length + 1, `${mode} ${at}`);
        const a = w.instance();
        await enrols(w, await clientOf(w, a), a);
        w.check();
        return faults.calls.length;
      };
      const calls = await broken(Number.POSITIVE_INFINITY, 'fails before');
      assert.equal(calls, step === 'prepare' ? 4 : 3);
      for (let at = 0; at < calls; at++) {
        for (const mode of faultModes) await broken(at, mode);
      }
    });
  }

  test('a key that cannot be opened is not put on record', async () => {
    const w = await kmsWorld();
    const { deps } = w.lab;
    const raKeys = {
      ...deps.raKeys,
      generate: async (context: Parameters<typeof deps.raKeys.generate>[0]) => {
        const [made, other] = [
          await deps.raKeys.generate(context),
          await deps.raKeys.generate(context),
        ];
        return { spki: made.spki, sealed: other.sealed };
      },
    };
    await assert.rejects(
      rotateRa({ ...deps, raKeys }, 'default', { actor }),
      /^Outage: the key of RA generation 2 does not fit its certificate$/,
    );
    assert.deepEqual(states(w), ['1 current']);
    const lab = await makeLab({ config: twoCas.config });
    const second = lab.config.cas.get('second');
    assert.ok(second);
    const refusing = {
      ...lab.deps,
      raKeys: { ...lab.deps.raKeys, unseal: () => Promise.reject(new Outage('no')) },
    };
    await assert.rejects(initCa(refusing, { ...second, id: 'third' }), /^Outage: no$/);
  });
});
