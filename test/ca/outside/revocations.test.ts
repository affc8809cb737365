// A validator outside orders revocations: they are carried out once, for certificates that it has allowed and no others,
// and their results are told.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { jobsOf } from '../../../lib/ca/jobs.ts';
import { carryOutRevocations } from '../../../lib/ca/outside/revocations.ts';
import type {
  RevocationOrder,
  RevocationQueue,
  RevocationResult,
  Validator,
} from '../../../lib/ports/validator.ts';
import { got, type World, world } from '../../support/world.ts';

/** Gives an order until it has been told of it, as Intune does. */
function queueOf(orders: RevocationOrder[]) {
  const told: RevocationResult[] = [];
  const issuers = new Set<string | undefined>();
  let failsToReport = 0;
  const queue: RevocationQueue = {
    take: async (max, issuer) => {
      issuers.add(issuer);
      return orders.slice(0, max);
    },
    report: async (results) => {
      if (failsToReport-- > 0) throw new Error('not reachable');
      told.push(...results);
      for (const { context } of results) {
        const at = orders.findIndex((order) => order.context === context);
        orders.splice(at, 1);
      }
    },
  };
  return { queue, told, issuers, failNext: () => failsToReport++ };
}

const allowing: Validator = { validate: async () => ({ allow: true }) };

async function enrolled(authorize = ['challenge', 'mdm']): Promise<World> {
  const w = await world({
    validators: { mdm: allowing },
    authorize: { enrol: authorize, renew: [] },
  });
  got(await w.ask({ challenge: await w.lab.challenge() }));
  return w;
}
const serialOf = (w: World): string => w.certificates()[0]?.serial ?? '';
const order = (serial: string, context = 'one'): RevocationOrder => ({
  ...{ context, serial },
  issuer: 'CN=Lab CA,O=Lab',
});

describe('an order to revoke', () => {
  test('is carried out and told, and its event names the validator', async () => {
    const w = await enrolled();
    const { queue, told, issuers } = queueOf([order(serialOf(w))]);
    assert.deepEqual(await carryOutRevocations(w.lab.deps, 'mdm', queue), {
      revoked: 1,
      failed: 0,
    });
    assert.deepEqual(told, [{ context: 'one', done: true }]);
    assert.deepEqual([...issuers], ['CN=Lab CA,O=Lab']);
    assert.equal(w.certificates()[0]?.state, 'revoked');
    const event = w.events().find(({ type }) => type === 'certificate.revoked');
    assert.deepEqual(event?.actor, { kind: 'system', id: 'validator mdm' });
    w.check();
  });

  test('that was carried out before is told as done', async () => {
    const w = await enrolled();
    const given = order(serialOf(w));
    const { queue, told, failNext } = queueOf([given]);
    failNext();
    await assert.rejects(carryOutRevocations(w.lab.deps, 'mdm', queue), /not reachable/);
    assert.equal(w.certificates()[0]?.state, 'revoked');
    assert.deepEqual(await carryOutRevocations(w.lab.deps, 'mdm', queue), {
      revoked: 1,
      failed: 0,
    });
    assert.deepEqual(told, [{ context: 'one', done: true }]);
    const revoked = w.events().filter(({ type }) => type === 'certificate.revoked');
    assert.equal(revoked.length, 1);
  });

  test('for a certificate that was issued without the validator, or is none, changes nothing', async () => {
    const w = await enrolled(['challenge']);
    for (const serial of [serialOf(w), 'ff'.repeat(16), 'no serial', '', '../ca/1']) {
      const asking = await w.instance({
        validators: { mdm: allowing },
        authorize: { enrol: ['challenge', 'mdm'], renew: [] },
      });
      const { queue, told } = queueOf([order(serial)]);
      const done = await carryOutRevocations(asking.deps, 'mdm', queue);
      assert.deepEqual(done, { revoked: 0, failed: 1 });
      assert.deepEqual(
        told.map((result) => !result.done && result.problem),
        ['notFound'],
      );
    }
    assert.equal(w.certificates()[0]?.state, 'issued');
  });

  test('that comes before the certificate is given out comes again', async () => {
    const notify = () => Promise.reject(new Error('down'));
    const w = await world({
      validators: { mdm: { ...allowing, notify } },
      authorize: { enrol: ['challenge', 'mdm'], renew: [] },
    });
    await assert.rejects(w.ask({ challenge: await w.lab.challenge() }), /HTTP 503/);
    const { queue, told } = queueOf([order(serialOf(w))]);
    await carryOutRevocations(w.lab.deps, 'mdm', queue);
    const [result] = told;
    assert.ok(result && !result.done);
    assert.deepEqual([result.problem, result.text], ['unavailable', 'the certificate is signed']);
  });
});

test('more orders than one batch holds are carried out in one run; those that fail for ever do not keep it busy', async () => {
  const w = await enrolled();
  const many = Array.from({ length: 250 }, (_, i) => order('0a', `${i}`));
  const { queue, told } = queueOf(many);
  assert.deepEqual(await carryOutRevocations(w.lab.deps, 'mdm', queue), {
    revoked: 0,
    failed: 100,
  });
  assert.equal(told.length, 100);
});

test('no endpoint asks the validator: its queue is left alone', async () => {
  const w = await enrolled(['challenge']);
  const { queue, issuers } = queueOf([order(serialOf(w))]);
  assert.deepEqual(await carryOutRevocations(w.lab.deps, 'mdm', queue), { revoked: 0, failed: 0 });
  assert.equal(issuers.size, 0);
});

test('the jobs have one for each validator that orders, and none for others', async () => {
  const { queue } = queueOf([]);
  const w = await world({
    validators: { mdm: { ...allowing, revocations: queue }, hook: allowing },
    authorize: { enrol: ['challenge', 'mdm'], renew: [] },
  });
  const names = jobsOf(w.lab.deps).map(({ name }) => name);
  assert.deepEqual(
    names.filter((name) => name.startsWith('revocations')),
    ['revocations mdm'],
  );
});
