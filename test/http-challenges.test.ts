// Challenges over the admin API: listed, found, revoked; and what a revoked one means to devices.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MAX_CHALLENGE_FAILURES } from '../lib/limits.ts';
import { type Body, call, ok, pages } from './support/api.ts';
import { enrolment } from './support/messages.ts';
import { keys, refusedWith, world } from './support/world.ts';

const states = async (w: Awaited<ReturnType<typeof world>>) =>
  ((await ok(w.lab, 'GET', '/challenges')).challenges as Body[]).map(({ state }) => state);

test('none is made for an endpoint that would take none', async () => {
  const staticChallenge = { secret: 'env:PRINTERS', subject: { CN: 'printer-*' } };
  const w = await world({
    endpoint: { enrol: { authorize: ['staticChallenge'], staticChallenge } },
    staticSecrets: { 'env:PRINTERS': 'known to every printer' },
  });
  const { status, json } = await call(w.lab, 'POST', '/challenges', { body: {} });
  assert.equal(status, 422);
  assert.equal(json.detail, 'endpoint: "default" takes no challenges but its static one');
  assert.deepEqual(w.challenges(), []);
});

describe('the list', () => {
  test('newest first, each with its state, none with its secret', async () => {
    const w = await world();
    const [a, b] = await keys('list a', 'list b');
    assert.ok(a && b);
    const spent = await w.lab.challenge();
    await w.ask({ challenge: spent, key: a });
    w.lab.clock.at += 1;
    const secrets = [spent, await w.lab.challenge({ ttlMs: 5 })];
    w.lab.clock.at += 1;
    secrets.push(await w.lab.challenge({ subject: 'CN=x,O=y', names: ['dns:a.example'], uses: 2 }));
    w.lab.clock.at += 1;
    const locked = await w.lab.challenge({ subject: 'CN=nobody' });
    for (let i = 0; i < MAX_CHALLENGE_FAILURES; i++) {
      await w.ask({ challenge: locked, key: b, subject: `CN=guess-${i}` });
    }
    w.lab.clock.at += 10;
    const { text, json } = await call(w.lab, 'GET', '/challenges');
    for (const secret of [...secrets, locked]) assert.ok(!text.includes(secret));
    const list = json.challenges as Body[];
    assert.deepEqual(
      list.map(({ state }) => state),
      ['locked', 'open', 'expired', 'spent'],
    );
    assert.deepEqual(
      { ...list[1], id: '', createdAt: '', expiresAt: '' },
      {
        ...{ id: '', endpoint: 'default', state: 'open', subject: 'CN=x,O=y' },
        ...{ san: ['dns:a.example'], uses: 2, usesLeft: 2, failures: 0 },
        ...{ createdAt: '', expiresAt: '' },
      },
    );
    for (const state of ['locked', 'open', 'expired', 'spent', 'revoked']) {
      const found = (await ok(w.lab, 'GET', `/challenges?state=${state}`)).challenges as Body[];
      assert.deepEqual(
        found.map((one) => one.id),
        list.filter((one) => one.state === state).map((one) => one.id),
      );
    }
  });

  test('of one endpoint only, page by page', async () => {
    const w = await world();
    for (let i = 0; i < 7; i++) {
      w.lab.clock.at += 1;
      await w.lab.challenge({ endpoint: i % 2 ? 'other' : 'default' });
    }
    const found = await pages(w.lab, '/challenges?limit=3', 'challenges');
    assert.deepEqual(
      found.map(({ length }) => length),
      [3, 1],
    );
    assert.ok(found.flat().every(({ endpoint }) => endpoint === 'default'));
    assert.equal((await pages(w.lab, '/challenges?endpoint=other', 'challenges')).flat().length, 3);
  });
});

describe('one', () => {
  test('is found by its id, everywhere or at its endpoint, and at no other', async () => {
    const w = await world();
    const { id } = await ok(w.lab, 'POST', '/challenges', { body: { endpoint: 'other' } });
    for (const query of ['', '?endpoint=other']) {
      const found = await ok(w.lab, 'GET', `/challenges/${id}${query}`);
      assert.equal(found.id, id);
    }
    for (const query of ['?endpoint=default', '?endpoint=nowhere']) {
      for (const method of ['GET', 'DELETE']) {
        assert.equal((await call(w.lab, method, `/challenges/${id}${query}`)).status, 404);
      }
    }
    assert.equal((await call(w.lab, 'GET', `/challenges/${'0'.repeat(26)}`)).status, 404);
    assert.equal((await ok(w.lab, 'GET', `/challenges/${id}`)).state, 'open');
  });

  test('that is revoked lets nobody in, says so, and stays revoked', async () => {
    const w = await world();
    const made = await ok(w.lab, 'POST', '/challenges', { body: { uses: 5 } });
    const challenge = String(made.challenge);
    const revoked = await ok(w.lab, 'DELETE', `/challenges/${made.id}`);
    assert.equal(revoked.state, 'revoked');
    assert.equal(revoked.revokedAt, new Date(w.lab.clock.now()).toISOString());
    assert.equal(revoked.usesLeft, 5);
    refusedWith('SCEP-306', await w.ask({ challenge }));
    w.lab.clock.at += 1000;
    assert.deepEqual(await ok(w.lab, 'DELETE', `/challenges/${made.id}`), revoked);
    refusedWith('SCEP-306', await w.ask({ challenge }));
    const told = w.events().filter(({ type }) => type === 'challenge.revoked');
    assert.deepEqual(
      told.map(({ challengeId }) => challengeId),
      [made.id],
    );
    assert.deepEqual(await states(w), ['revoked']);
    w.check();
  });

  test('a request that has taken its use already is finished', async () => {
    const w = await world();
    const made = await ok(w.lab, 'POST', '/challenges', { body: {} });
    const sent = await enrolment(w.lab, { challenge: String(made.challenge) });
    await w.stuck(sent);
    await ok(w.lab, 'DELETE', `/challenges/${made.id}`);
    w.lab.clock.at += 60_000;
    assert.equal((await w.send(sent)).pkiStatus, 'SUCCESS');
    w.check();
  });

  test('a request that waits for its approver is finished too', async () => {
    const w = await world({ endpoint: { approval: 'always' } });
    const made = await ok(w.lab, 'POST', '/challenges', { body: {} });
    const wanted = { challenge: String(made.challenge) };
    assert.equal((await w.ask(wanted)).pkiStatus, 'PENDING');
    await ok(w.lab, 'DELETE', `/challenges/${made.id}`);
    const [waiting] = w.transactions();
    await ok(w.lab, 'POST', `/transactions/${waiting?.id}/approve`, { body: {} });
    assert.equal((await w.poll(wanted)).pkiStatus, 'SUCCESS');
    w.check();
  });

  test('no device gets in between: its use and the revocation exclude each other', async () => {
    const w = await world();
    const made = await ok(w.lab, 'POST', '/challenges', { body: {} });
    const sent = await enrolment(w.lab, { challenge: String(made.challenge) });
    const write = w.store.write.bind(w.store);
    w.store.write = async (actions) => {
      // The device has read an open challenge, and is about to take its use.
      if (actions.some(({ do: act }) => act === 'use')) {
        w.store.write = write;
        await ok(w.lab, 'DELETE', `/challenges/${made.id}`);
      }
      return write(actions);
    };
    refusedWith('SCEP-306', await w.send(sent));
    assert.equal(w.certificates().length, 0);
  });
});
