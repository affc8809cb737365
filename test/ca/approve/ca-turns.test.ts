// A CA that issues so many certificates a second at most: whoever polls waits for a turn, whoever does not comes again,
// and in a storm each gets its certificate, in the time for which it asks.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sequence } from '../../../lib/asn1/writer.ts';
import { CLOCK_SKEW_MS, LEASE_MS } from '../../../lib/base/limits.ts';
import { decide } from '../../../lib/ca/approve/decide.ts';
import { nextTurns } from '../../../lib/ca/approve/turns.ts';
import { sweep } from '../../../lib/ca/jobs.ts';
import type { Transaction } from '../../../lib/ports/records/transaction.ts';
import type { Action } from '../../../lib/ports/store.ts';
import type { ValidationRequest, Validator } from '../../../lib/ports/validator.ts';
import type { ClientKey } from '../../../lib/protocol/scep/client/client.ts';
import { readCertificationRequest, redact } from '../../../lib/x509/csr.ts';
import { parseName } from '../../../lib/x509/names/name.ts';
import { deviceKey } from '../../support/keys.ts';
import type { Lab, LabOptions } from '../../support/lab.ts';
import { enrolment, type Sent } from '../../support/messages.ts';
import { Chance } from '../../support/seeded.ts';
import { HOUR, type World, world } from '../../support/world.ts';

const limited = (issuancesPerSecond: number, more: LabOptions = {}): LabOptions => ({
  ...more,
  config: {
    cas: { default: { subject: 'CN=Lab CA,O=Lab', key: 'ec:P-256', issuancesPerSecond } },
    ...more.config,
  },
});

/** How clients of each kind look, and what they do. */
const families = {
  strongswan: {
    id: (i: number) => i.toString(16).toUpperCase().padStart(40, '0'),
    everyMs: 60_000,
  },
  certmonger: { id: (i: number) => `1${String(i).padStart(76, '0')}`, everyMs: 60_000 },
  /** Gives up after 20 seconds. */
  apple: {
    id: (i: number) => `apple ${i}`,
    agent: 'profiled/1.0 CFNetwork/901.1 Darwin/17.6.0',
    everyMs: 5000,
    untilMs: 20_000,
  },
  unknown: { id: (i: number) => `unknown ${i}`, everyMs: Number.POSITIVE_INFINITY },
} as const;
type Family = keyof typeof families;
type Client = { readonly family: Family; readonly sent: Sent; readonly poll: Sent };

async function client(lab: Lab, family: Family, i: number, key: ClientKey): Promise<Client> {
  const subject = `CN=device-${i},O=Test`;
  const transactionID = families[family].id(i);
  const wanted = { key, subject, transactionID };
  const plaintext = sequence(lab.announced.ra.subject, parseName(subject));
  return {
    family,
    sent: await enrolment(lab, { ...wanted, challenge: await lab.challenge() }),
    poll: await enrolment(lab, { ...wanted, messageType: 'CertPoll', plaintext }),
  };
}

async function send(lab: Lab, { family }: Client, sent: Sent) {
  const how = families[family];
  const response = await lab.fetch('/scep?operation=PKIOperation', {
    method: 'POST',
    body: sent.message,
    headers: 'agent' in how ? { 'user-agent': how.agent } : {},
  });
  if (response.status !== 200) {
    assert.equal(response.status, 503);
    return { retryAfterMs: Number(response.headers.get('retry-after')) * 1000 };
  }
  const answer = await sent.read(new Uint8Array(await response.arrayBuffer()));
  return { pkiStatus: answer.pkiStatus };
}
const asked = async (w: World, family: Family, i: number) => {
  const one = await client(w.lab, family, i, await deviceKey(`turns ${i}`));
  return { one, answer: await send(w.lab, one, one.sent) };
};

describe('a CA that issues one certificate each two seconds', () => {
  test('issues the first at once, tells a client that polls to wait, and issues when its turn has come', async () => {
    const w = await world(limited(0.5));
    assert.equal((await asked(w, 'apple', 1)).answer.pkiStatus, 'SUCCESS');
    const { one, answer } = await asked(w, 'apple', 2);
    assert.equal(answer.pkiStatus, 'PENDING');
    const waits = w.transactions().find(({ state }) => state === 'approved');
    assert.deepEqual(
      [waits?.approval?.by, waits?.approval?.turn],
      ['storm', w.lab.clock.at - 999 + 2000],
    );
    const event = w.events().find(({ type }) => type === 'request.approved');
    assert.deepEqual(event?.actor, { kind: 'system', id: 'storm' });
    w.lab.clock.at += 1000;
    assert.equal((await send(w.lab, one, one.poll)).pkiStatus, 'PENDING');
    w.lab.clock.at += 1000;
    assert.equal((await send(w.lab, one, one.poll)).pkiStatus, 'SUCCESS');
    assert.equal((await send(w.lab, one, one.sent)).pkiStatus, 'SUCCESS', 'the same again');
    const issued = w.transactions().at(-1);
    assert.ok(issued?.authorizedBy.every((by) => by.startsWith('challenge ')));
    w.check();
  });

  test('tells others when to come again, and writes nothing about them', async () => {
    const w = await world(limited(0.5));
    await asked(w, 'unknown', 1);
    const before = w.store.dump().filter(({ kind }) => kind !== 'turns').length;
    const { one, answer } = await asked(w, 'unknown', 2);
    assert.equal(answer.retryAfterMs, 2000);
    const added = w.store.dump().filter(({ kind }) => kind !== 'turns' && kind !== 'challenge');
    assert.ok(added.length <= before + 1, 'the event of its challenge');
    w.lab.clock.at += 2000;
    assert.equal((await send(w.lab, one, one.sent)).pkiStatus, 'SUCCESS');
    assert.ok(!w.lab.log.some(({ severity }) => severity === 'error'), 'no outage');
  });

  test('keeps no Apple client waiting for longer than it polls; the turn is the next one’s', async () => {
    const w = await world(limited(0.1));
    await asked(w, 'apple', 1);
    assert.equal((await asked(w, 'apple', 2)).answer.pkiStatus, 'PENDING');
    assert.equal((await asked(w, 'apple', 3)).answer.retryAfterMs, 20_000);
    assert.equal((await asked(w, 'certmonger', 4)).answer.pkiStatus, 'PENDING');
    const turns = w.transactions().flatMap(({ approval }) => approval?.turn ?? []);
    turns.sort();
    assert.deepEqual(turns, [w.lab.clock.at - 999 + 10_000, w.lab.clock.at - 999 + 20_000]);
  });

  test('lets a request that a person approved wait for its turn, too', async () => {
    const w = await world(limited(0.1, { endpoint: { approval: 'always' } }));
    const clients = [];
    for (const i of [1, 2]) {
      const { one, answer } = await asked(w, 'strongswan', i);
      assert.equal(answer.pkiStatus, 'PENDING');
      clients.push(one);
    }
    for (const { id } of w.transactions()) {
      assert.equal(await decide(w.lab.deps, id, 'approved', { by: 'boss' }), 'done');
    }
    const [first, second] = clients;
    assert.ok(first && second);
    assert.equal((await send(w.lab, first, first.poll)).pkiStatus, 'SUCCESS');
    assert.equal((await send(w.lab, second, second.poll)).pkiStatus, 'PENDING');
    await w.bend('turns', () => ({ next: w.lab.clock.at + 600_500 }));
    const crowded = await w.instance(limited(0.1, { endpoint: { approval: 'always' } }));
    assert.equal((await send(crowded, second, second.poll)).pkiStatus, 'PENDING', 'all are taken');
    w.lab.clock.at += 10_000;
    assert.equal((await send(w.lab, second, second.poll)).pkiStatus, 'SUCCESS');
    w.check();
  });

  describe('with a validator outside', () => {
    const outside = (validator: Validator) =>
      limited(0.5, {
        validators: { mdm: validator },
        authorize: { enrol: ['challenge', 'mdm'], renew: [] },
      });
    const wanting = async (validator: Validator) => {
      const w = await world(outside(validator));
      await asked(w, 'apple', 1);
      const { one, answer } = await asked(w, 'apple', 2);
      assert.equal(answer.pkiStatus, 'PENDING');
      w.lab.clock.at += 2000;
      return { w, one };
    };

    test('asks it when the turn has come, without the challenge of this service, and issues by its word', async () => {
      const questions: ValidationRequest[] = [];
      const { w, one } = await wanting({
        validate: async (question) => {
          questions.push(question);
          return { allow: true, note: 'still enrolled' };
        },
        notify: async () => 'release',
      });
      assert.equal(questions.length, 1, 'of the first device');
      assert.equal((await send(w.lab, one, one.poll)).pkiStatus, 'SUCCESS');
      const plaintext = readCertificationRequest(one.sent.request.plaintext);
      assert.deepEqual(questions[1]?.csr, redact(plaintext));
      const issued = w.transactions().at(-1);
      assert.deepEqual(issued?.authorizedBy.slice(1), ['validator mdm']);
      assert.deepEqual(
        issued?.verdicts?.map(({ validator }) => validator),
        ['challenge', 'mdm'],
      );
      w.check();
    });

    test('is asked first where nothing else proves anything: strangers take no turns', async () => {
      let allow = false;
      let asked = 0;
      const validate = async () => ({ allow, asked: asked++ });
      const w = await world(
        limited(0.5, {
          validators: { mdm: { validate } },
          authorize: { enrol: ['mdm'], renew: [] },
        }),
      );
      const sends = async (i: number) => {
        const one = await client(w.lab, 'apple', i, await deviceKey(`turns ${i}`));
        return { one, answer: await send(w.lab, one, one.sent) };
      };
      for (const i of [1, 2, 3]) assert.equal((await sends(i)).answer.pkiStatus, 'FAILURE');
      assert.deepEqual(
        w.transactions().map(({ state }) => state),
        ['refused', 'refused', 'refused'],
      );
      allow = true;
      assert.equal((await sends(4)).answer.pkiStatus, 'SUCCESS');
      const { one, answer } = await sends(5);
      assert.equal(answer.pkiStatus, 'PENDING');
      w.lab.clock.at += 2000;
      assert.equal((await send(w.lab, one, one.poll)).pkiStatus, 'SUCCESS');
      assert.equal(asked, 6, 'of the last one again, when its turn had come');
      w.check();
    });

    test('refuses the request then, if it does', async () => {
      let allow = true;
      const { w, one } = await wanting({ validate: async () => ({ allow }) });
      allow = false;
      assert.equal((await send(w.lab, one, one.poll)).pkiStatus, 'FAILURE');
      const states = w.transactions().map(({ state }) => state);
      assert.deepEqual(states.sort(), ['denied', 'issued']);
      assert.equal(w.certificates().length, 1);
      w.check();
    });

    test('asks it also where a person has to approve by now, and has', async () => {
      let allow = true;
      const validate = async () => ({ allow });
      const { w, one } = await wanting({ validate });
      const stricter = await w.instance({
        ...outside({ validate }),
        endpoint: { approval: 'always' },
      });
      stricter.clock.at = w.lab.clock.at;
      assert.equal((await send(stricter, one, one.poll)).pkiStatus, 'PENDING');
      const waiting = w.transactions().find(({ state }) => state === 'approved');
      const id = waiting?.id ?? '';
      assert.equal(await decide(stricter.deps, id, 'approved', { by: 'boss' }), 'done');
      allow = false;
      stricter.clock.at += 4000;
      assert.equal((await send(stricter, one, one.poll)).pkiStatus, 'FAILURE');
      assert.equal(w.certificates().length, 1);
      w.check();
    });

    test('is asked, whoever can write records and says that it was', async () => {
      for (const authorizedBy of [[], ['validator mdm']]) {
        const { w, one } = await wanting({ validate: async () => ({ allow: true }) });
        const row = w.store.dump().find(({ record }) => Object(record).state === 'approved');
        assert.ok(row?.kind === 'transaction');
        const { judgedBy, ...rest } = row.record as Transaction;
        assert.deepEqual(judgedBy, []);
        const record = {
          ...rest,
          judgedBy: ['mdm'],
          authorizedBy: [...rest.authorizedBy, ...authorizedBy],
        };
        // Under a good MAC of records, which such a hand does not have.
        const put = {
          do: 'put',
          kind: 'transaction',
          key: row.key,
          rev: row.rev,
          record,
        } as Action;
        assert.equal(await w.lab.deps.store.write([put]), 'done');
        assert.notEqual((await send(w.lab, one, one.poll)).pkiStatus, 'SUCCESS');
      }
    });

    test('asks it again where it gave no answer, and says once what it said', async () => {
      let up = true;
      const { w, one } = await wanting({
        validate: async () => {
          if (!up) throw new Error('down');
          return { allow: true };
        },
      });
      up = false;
      assert.deepEqual(Object.keys(await send(w.lab, one, one.poll)), ['retryAfterMs']);
      up = true;
      // Its attempt lapses after it was allowed, and it is asked again.
      w.key.down = true;
      await send(w.lab, one, one.poll);
      w.key.down = false;
      w.lab.clock.at += LEASE_MS;
      assert.equal((await send(w.lab, one, one.poll)).pkiStatus, 'SUCCESS');
      const issued = w.transactions().at(-1);
      assert.deepEqual(issued?.authorizedBy.slice(1), ['validator mdm']);
      assert.equal(issued?.verdicts?.length, 2);
      w.check();
    });
  });

  test('issues nothing by its rule where a person has to approve by now', async () => {
    const w = await world(limited(0.5));
    await asked(w, 'apple', 1);
    const { one } = await asked(w, 'apple', 2);
    const stricter = await w.instance(limited(0.5, { endpoint: { approval: 'always' } }));
    w.lab.clock.at += 4000;
    stricter.clock.at = w.lab.clock.at;
    assert.equal((await send(stricter, one, one.poll)).pkiStatus, 'PENDING');
    const waiting = w.transactions().find(({ state }) => state === 'approved');
    const id = waiting?.id ?? '';
    assert.equal(await decide(stricter.deps, id, 'approved', { by: 'boss' }), 'done');
    assert.equal((await send(stricter, one, one.poll)).pkiStatus, 'SUCCESS');
  });

  test('issues nothing on a turn that another hand has moved, or on an approval that it made', async () => {
    const w = await world(limited(0.1));
    await asked(w, 'apple', 1);
    const { one } = await asked(w, 'apple', 2);
    const row = w.store.dump().find(({ record }) => Object(record).state === 'approved');
    assert.ok(row?.kind === 'transaction');
    const { approval, ...rest } = row.record as never as Record<string, object>;
    const record = { ...rest, approval: { ...approval, turn: 0 } } as never;
    const put = { do: 'put', kind: 'transaction', key: row.key, rev: row.rev, record } as const;
    assert.equal(await w.store.write([put]), 'done');
    assert.notEqual((await send(w.lab, one, one.poll)).pkiStatus, 'SUCCESS');
  });

  test('believes no record of turns that another hand has changed', async () => {
    const w = await world(limited(0.5));
    await asked(w, 'unknown', 1);
    await w.forge('turns', () => ({ next: w.lab.clock.at + 500_000 }));
    w.lab.clock.at += 5000;
    assert.equal((await asked(w, 'unknown', 2)).answer.pkiStatus, 'SUCCESS');
  });
});

describe('turns', () => {
  const at = (next: number | undefined, now: number) =>
    nextTurns(next === undefined ? undefined : { next }, { count: 3, perSecond: 2, now });

  test('are one each 1/perSecond, after those that are taken, and from a second ago at the earliest', () => {
    assert.deepEqual(at(undefined, 10_000), { turns: [9001, 9501, 10_001], next: 10_501 });
    assert.deepEqual(at(12_000, 10_000), { turns: [12_000, 12_500, 13_000], next: 13_500 });
    assert.deepEqual(at(5, 10_000).turns, [9001, 9501, 10_001]);
  });

  test('are given out for ten minutes ahead; a moment beyond that is of a wrong clock, and ignored', () => {
    assert.throws(() => at(10_000 + 601_000, 10_000), /all turns/);
    assert.deepEqual(at(10_000 + 700_000 + CLOCK_SKEW_MS, 10_000).turns[0], 9001);
    assert.deepEqual(at(Number.NaN, 10_000).turns[0], 9001);
  });
});

const slow = process.env.SLOW === '1';
const [count, perSecond] = slow ? [5000, 10] : [200, 0.4];

test(`a storm: ${count} requests in a minute at ${perSecond} a second, by three instances`, async () => {
  // One key for all: making 5,000 of RSA takes longer than the storm.
  const options = limited(perSecond, { endpoint: { namesPerKey: 'any' } });
  const key = await deviceKey('turns');
  const w = await world(options);
  const labs = [w.lab, await w.instance(options), await w.instance(options)];
  const chance = new Chance('a storm');
  const start = w.lab.clock.at;
  const kinds: Family[] = ['strongswan', 'certmonger', 'apple', 'unknown'];
  type Step = { readonly at: number; readonly one: Client; readonly pendingSince?: number };
  /** The latest first. */
  const steps: Step[] = [];
  const add = (step: Step): void => {
    const at = steps.findLastIndex((one) => one.at >= step.at);
    steps.splice(at + 1, 0, step);
  };
  for (let i = 0; i < count; i++) {
    const one = await client(w.lab, chance.pick(kinds) ?? 'apple', i, key);
    add({ at: start + chance.below(60_000), one });
  }
  const issued: number[] = [];
  let [came, waited] = [0, 0];
  while (steps.length > 0) {
    const { at, one, pendingSince } = steps.pop() ?? assert.fail();
    assert.ok(at < start + 2 * HOUR, 'somebody is never served');
    for (const lab of labs) lab.clock.at = at;
    const lab = chance.pick(labs) ?? w.lab;
    const answer = await send(lab, one, pendingSince === undefined ? one.sent : one.poll);
    if (answer.retryAfterMs !== undefined) {
      assert.equal(pendingSince, undefined, 'a poll is never told to come again');
      came++;
      add({ at: at + answer.retryAfterMs, one });
    } else if (answer.pkiStatus === 'SUCCESS') issued.push(at);
    else {
      assert.equal(answer.pkiStatus, 'PENDING');
      waited++;
      const since = pendingSince ?? at;
      const how = families[one.family];
      const until = since + ('untilMs' in how ? how.untilMs : Number.POSITIVE_INFINITY);
      assert.ok(at < until, `a client of ${one.family} has given up`);
      add({ at: Math.min(at + how.everyMs, until), one, pendingSince: since });
    }
  }
  assert.equal(issued.length, count);
  assert.ok(came > 0 && waited > 0, `${came} came again, ${waited} polls`);
  for (const from of issued) {
    const within = issued.filter((at) => at >= from && at < from + 60_000).length;
    // Those whose turn was in the minute before come up to a minute later.
    assert.ok(within <= 2 * 60 * perSecond + 2, `${within} in the minute from ${from - start}`);
  }
  const took = (Math.max(...issued) - start) / 1000;
  assert.ok(took <= (1.5 * count) / perSecond, `it took ${took} s`);
  await sweep(w.lab.deps);
  const left = w.transactions().filter(({ state }) => state !== 'issued');
  assert.deepEqual(left, [], 'none is left');
});
