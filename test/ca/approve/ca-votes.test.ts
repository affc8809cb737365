// Two persons approve, and whoever made the challenge is none of them: whose tokens they are counts, and what another
// hand writes counts nothing.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decide } from '../../../lib/ca/approve/decide.ts';
import { isSamePerson } from '../../../lib/ca/approve/persons.ts';
import type { Author, Transaction, Vote } from '../../../lib/ports/records/transaction.ts';
import type { Body } from '../../support/api.ts';
import { call } from '../../support/api.ts';
import { deviceKey } from '../../support/keys.ts';
import { type LabOptions, putToken } from '../../support/lab.ts';
import { enrolment } from '../../support/messages.ts';
import { got, HOUR, refusedWith, type World, world } from '../../support/world.ts';

const two = { endpoint: { approval: 'always', approvers: 2, pendingTtl: '2h' } } as const;
const one = { endpoint: { approval: 'always', approvers: 1, pendingTtl: '2h' } } as const;

const alice: Author = { by: 'alice' };
const bob: Author = { by: 'bob' };

/** A request that waits, what becomes of it when it is sent again, and what persons say of it. */
async function waiting(options: LabOptions = two, on?: World) {
  const w = on ?? (await world(options));
  const before = new Set(w.transactions().map(({ id }) => id));
  const challenge = await w.lab.challenge();
  const key = await deviceKey(`votes ${w.transactions().length}`);
  const sent = await enrolment(w.lab, { challenge, key });
  assert.equal((await w.send(sent)).pkiStatus, 'PENDING');
  const { id } = w.transactions().find((each) => !before.has(each.id)) ?? assert.fail();
  return {
    ...{ w, id },
    now: (): Transaction => w.transactions().find((each) => each.id === id) ?? assert.fail(),
    says: (by: Author, verdict: 'approved' | 'denied' = 'approved', through = w.lab) =>
      decide(through.deps, id, verdict, by),
    asks: (through = w.lab) => w.send(sent, '/scep', through),
  };
}

const told = (w: World): string[] =>
  w
    .events()
    .filter(({ type }) => /^request\.(?!pending)/.test(type))
    .map(({ type, actor, number }) => [type, actor.id, number].filter(Boolean).join(' '));

describe('two persons', () => {
  test('the first approval is a vote: the request goes on waiting, and the second one lets it through', async () => {
    const { w, now, says, asks } = await waiting();
    assert.equal(await says(alice), 'done');
    assert.equal(now().state, 'pending');
    assert.deepEqual(
      now().votes?.map(({ by }) => by),
      ['alice'],
    );
    assert.equal((await asks()).pkiStatus, 'PENDING');
    assert.equal(await says(bob), 'done');
    got(await asks());
    const { approval, votes } = now();
    assert.deepEqual([approval?.by, approval?.votes?.map(({ by }) => by)], ['bob', ['alice']]);
    assert.equal(votes, undefined);
    assert.deepEqual(told(w), ['request.voted alice', 'request.approved bob 2']);
    w.check();
  });

  test('one person counts once, whichever token it has and however it is written', async () => {
    const { w, now, says } = await waiting();
    assert.equal(await says({ by: 'alice-phone', person: 'Alice' }), 'done');
    for (const again of [
      { by: 'alice-phone', person: 'Alice' },
      { by: 'alice-laptop', person: 'alice' },
      { by: 'ALICE' },
    ]) {
      assert.equal(await says(again), 'voted');
    }
    assert.equal(now().votes?.length, 1);
    assert.deepEqual(told(w), ['request.voted alice-phone']);
  });

  test('whom the ingress has authenticated as the same is one person too', () => {
    const arn = 'iam arn:aws:iam::111122223333:user/alice';
    const by = (name: string, auth: string): Author => ({ by: name, auth });
    assert.ok(isSamePerson(by('a', `token, ${arn}`), by('b', `credentials, ${arn}`)));
    assert.ok(!isSamePerson(by('a', `token, ${arn}`), by('b', `token, ${arn}2`)));
    assert.ok(!isSamePerson(by('a', 'token'), by('b', 'token')));
    const jwt = 'jwt https://issuer.example a, b';
    assert.ok(isSamePerson(by('a', `token, ${jwt}`), by('b', `token, ${jwt}`)));
    assert.ok(!isSamePerson(by('a', `token, ${jwt}`), by('b', `token, ${jwt}c`)));
  });

  test('either of them ends it alone', async () => {
    for (const who of [alice, bob]) {
      const { w, now, says, asks } = await waiting();
      await says(alice);
      assert.equal(await says(who, 'denied'), 'done');
      assert.deepEqual([now().state, now().votes?.length], ['denied', 1]);
      refusedWith('SCEP-351', await asks());
      w.check();
    }
  });

  test('a vote does not prolong: without the second one the request expires', async () => {
    const { w, now, says, asks } = await waiting();
    await says(alice);
    w.lab.clock.at += 2 * HOUR;
    assert.equal(await says(bob), 'expired');
    refusedWith('SCEP-352', await asks());
    assert.equal(now().state, 'expired');
    w.check();
  });

  test('two at once: none is lost, and it is approved once', async () => {
    for (const [first, second, end] of [
      [alice, bob, 'approved'],
      [alice, alice, 'pending'],
    ] as const) {
      const { w, now, says } = await waiting();
      const said = await Promise.all([says(first), says(second)]);
      assert.deepEqual(said.sort(), end === 'approved' ? ['done', 'done'] : ['done', 'voted']);
      assert.equal(now().state, end);
      w.check();
    }
  });

  test('a vote and a denial at once: the request ends', async () => {
    const { w, now, says } = await waiting();
    await Promise.all([says(alice), says(bob, 'denied')]);
    assert.equal(now().state, 'denied');
    w.check();
  });

  test('three at once: two count, and the third finds it approved', async () => {
    const { w, now, says } = await waiting();
    const said = await Promise.all([says(alice), says(bob), says({ by: 'carol' })]);
    assert.deepEqual(said.sort(), ['approved', 'done', 'done']);
    assert.equal((now().approval?.votes?.length ?? 0) + 1, 2);
    w.check();
  });
});

describe('whoever made the challenge', () => {
  const minted = async (options: LabOptions, person?: string) => {
    const w = await world(options);
    const of = person === undefined ? {} : { person };
    for (const name of ['portal', 'portal-2', 'bob']) {
      const mine = name === 'bob' ? {} : of;
      const token = name.padEnd(43, '-');
      await putToken(w.lab.deps.store, token, { name, ...mine, roles: ['challenger', 'approver'] });
    }
    const ask = (name: string, path: string, body: object = {}) =>
      call(w.lab, 'POST', path, { body, token: name.padEnd(43, '-') });
    const { json } = await ask('portal', '/challenges');
    await w.ask({ challenge: String(json.challenge) });
    const { id = '' } = w.transactions()[0] ?? {};
    const approve = async (name: string): Promise<[number, Body[string] | undefined]> => {
      const { status, json: said } = await ask(name, `/transactions/${id}/approve`);
      return [status, said.detail ?? said.state];
    };
    return { w, id, ask, approve };
  };

  test('approves nothing on it, by whichever token, also where one approver is enough', async () => {
    for (const options of [one, two]) {
      const { approve } = await minted(options, 'alice');
      const sentence = '"alice" made its challenge: another person has to approve it';
      assert.deepEqual(await approve('portal'), [409, sentence]);
      assert.deepEqual(await approve('portal-2'), [409, sentence]);
      assert.deepEqual(await approve('bob'), [200, options === one ? 'approved' : 'pending']);
      const again = '"bob" has approved it already: another person has to, too';
      if (options === two) assert.deepEqual(await approve('bob'), [409, again]);
    }
  });

  test('may deny what was asked for on it', async () => {
    const { w, id, ask } = await minted(one);
    assert.equal((await ask('portal', `/transactions/${id}/deny`)).status, 200);
    assert.equal(w.transactions()[0]?.state, 'denied');
  });
});

describe('the number is the one in force', () => {
  test('raised while a request waits: one approval is a vote', async () => {
    const { w, now, says } = await waiting(one);
    const raised = await w.instance(two);
    assert.equal(await says(alice, 'approved', raised), 'done');
    assert.equal(now().state, 'pending');
  });

  test('raised after the approval: it is not issued, waits for another person, and is issued then', async () => {
    const { w, id, now, says, asks } = await waiting(one);
    assert.equal(await says(alice), 'done');
    const raised = await w.instance(two);
    assert.equal((await asks(raised)).pkiStatus, 'PENDING');
    assert.equal(now().state, 'approved');
    assert.equal(await says(alice, 'approved', raised), 'voted');
    const { json } = await call(raised, 'GET', `/transactions/${id}`);
    assert.deepEqual([json.state, json.approvers], ['approved', 2]);
    assert.equal(await says(bob, 'approved', raised), 'done');
    assert.equal((await asks(raised)).pkiStatus, 'SUCCESS');
    assert.deepEqual(told(w), ['request.approved alice', 'request.approved bob 2']);
    w.check();
  });

  test('raised after the approval: it can be denied, and it expires', async () => {
    const { w, now, says } = await waiting(one);
    await says(alice);
    const raised = await w.instance(two);
    assert.equal(await says(bob, 'denied', raised), 'done');
    assert.equal(now().state, 'denied');
    const other = await waiting(one, w);
    await other.says(alice);
    raised.clock.at += 2 * HOUR;
    assert.equal((await other.asks(raised)).pkiStatus, 'FAILURE');
    assert.equal(other.now().state, 'expired');
    w.check();
  });

  test('lowered while one vote is there: it waits for the next approval, which may be that of the same person', async () => {
    for (const who of [alice, bob]) {
      const { w, now, says, asks } = await waiting(two);
      await says(alice);
      const lowered = await w.instance(one);
      assert.equal((await asks(lowered)).pkiStatus, 'PENDING');
      assert.equal(await says(who, 'approved', lowered), 'done');
      assert.equal(now().state, 'approved');
      assert.equal((await asks(lowered)).pkiStatus, 'SUCCESS');
      w.check();
    }
  });
});

describe('whoever can write records, and has the key of their MACs', () => {
  const forged: [string, (vote: Vote, other: Vote) => readonly Vote[]][] = [
    ['makes up a vote', () => [{ by: 'mallory', at: 1, mac: 'test.00' }]],
    ['gives a vote another name', (vote) => [{ ...vote, by: 'carol' }]],
    ['gives a vote another person', (vote) => [{ ...vote, person: 'carol' }]],
    ['uses the vote on another request', (_, other) => [other]],
  ];
  for (const [what, votes] of forged) {
    test(`${what}: it counts nothing`, async () => {
      const other = await waiting();
      await other.says({ by: 'carol' });
      const { w, now, says } = await waiting();
      await says(alice);
      const [theirs] = other.now().votes ?? [];
      await w.bend('transaction', ({ votes: given = [] }) => {
        const [mine] = given;
        assert.ok(mine && theirs);
        return { votes: votes(mine, theirs) };
      });
      assert.equal(await says(bob), 'done');
      assert.deepEqual([now().state, now().votes?.map(({ by }) => by)], ['pending', ['bob']]);
    });
  }

  test('takes a vote for the approval, or adds one to an approval: nothing is issued', async () => {
    for (const lowered of [false, true]) {
      const { w, says, asks } = await waiting();
      await says(alice);
      const through = lowered ? await w.instance(one) : w.lab;
      await w.bend('transaction', ({ votes: given = [], ...rest }) => {
        const [mine] = given;
        assert.ok(mine);
        const { mac, ...vote } = mine;
        const approval = lowered ? mine : { ...vote, votes: [{ by: 'bob', at: 1 }], mac };
        return { ...rest, state: 'approved', approval } as Partial<Transaction>;
      });
      await assert.rejects(asks(through), /HTTP 503/);
      assert.equal(w.certificates().length, 0);
    }
  });
});
