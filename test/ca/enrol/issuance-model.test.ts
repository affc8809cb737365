// The protocol of the shared design as a model, explored to its last state (`model/issuance.ts`):
// whatever order things happen in, whoever dies and whichever lease runs out, nothing untrue is ever
// in the table or told to a device, and there is always a way on. And the model is worth something: a
// condition or a rule that is taken away is missed.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Explored, explore, type Table } from '../../model/explore.ts';
import {
  type Ask,
  certified,
  freshChallenge,
  goodGrounds,
  lapse,
  type Name,
  Protocol,
  wrong,
} from '../../model/issuance.ts';

type Scenario = {
  readonly asks: readonly Ask[];
  readonly table?: Table;
  readonly deaths: number;
  readonly lapses: number;
  readonly sweeper?: false;
  /** Names of the writes that must have been seen to take effect. */
  readonly written: readonly string[];
};

const first: Ask = { request: 'A', key: 'k', names: 'n', challenge: 'c' };
const otherKey: Ask = { request: 'B', key: 'l', names: 'm', challenge: 'c' };
const otherNames: Ask = { request: 'C', key: 'k', names: 'm', challenge: 'd' };
const renewal: Ask = { ...first, grounds: 'g' };
const sameKey: Ask = { request: 'D', key: 'k', names: 'n', challenge: 'd' };

/** SLOW=1: more of everything, in minutes. */
const slow = process.env.SLOW === '1';

const scenarios: Record<string, Scenario> = {
  'the same request twice': {
    asks: [first, first],
    deaths: 2,
    lapses: slow ? 2 : 1,
    written: ['intend', 'commit', 'replace', 'void'],
  },
  'two keys on one challenge': {
    asks: [first, otherKey],
    deaths: 2,
    lapses: 2,
    written: ['intend', 'commit', 'replace', 'take over', 'void'],
  },
  'the same request twice, and another key on its challenge': {
    asks: [first, first, otherKey],
    deaths: slow ? 2 : 1,
    lapses: 1,
    ...(slow ? {} : { sweeper: false }),
    written: ['intend', 'commit', 'replace', 'take over', ...(slow ? ['void'] : [])],
  },
  'one key for two names': {
    asks: [first, otherNames],
    deaths: slow ? 2 : 1,
    lapses: 2,
    written: ['intend', 'commit', 'replace', 'take over', 'void'],
  },
  'one key for two names, and it is certified for one': {
    asks: [sameKey, otherNames],
    table: certified(first),
    deaths: 1,
    lapses: 2,
    written: ['intend', 'commit', 'replace', 'void'],
  },
  'one key for the same names on two challenges': {
    asks: [first, sameKey],
    deaths: 1,
    lapses: 2,
    written: ['intend', 'commit', 'replace', 'take over', 'void'],
  },
  'the same request twice, and what it rests on is withdrawn': {
    asks: [renewal, renewal],
    deaths: 1,
    lapses: slow ? 2 : 1,
    ...(slow ? {} : { sweeper: false }),
    written: ['intend', 'commit', 'replace', 'end', 'withdraw', ...(slow ? ['void'] : [])],
  },
};

function run(
  { asks, deaths, lapses, ...scenario }: Scenario,
  without: readonly Name[] = [],
): Explored {
  const dropped = new Set<string>(without);
  const protocol = new Protocol(dropped);
  const challenges = new Set(asks.map(({ challenge }) => `challenge ${challenge}`));
  const grounds = new Set(asks.flatMap((ask) => ask.grounds ?? []));
  return explore({
    processes: [
      ...asks.map((ask) => protocol.device(ask)),
      ...[...grounds].map((one) => protocol.person(one)),
      ...(scenario.sweeper === false ? [] : [protocol.sweeper]),
    ],
    table: {
      ...Object.fromEntries([...challenges].map((key) => [key, freshChallenge])),
      ...Object.fromEntries([...grounds].map((one) => [`grounds ${one}`, goodGrounds])),
      ...scenario.table,
    },
    deaths,
    lapses,
    lapse,
    wrong: wrong(asks),
    ended: ({ memories }) => asks.every((_, i) => memories[i]?.result !== undefined),
    without: dropped,
  });
}

describe('every state is a good one:', () => {
  for (const [name, scenario] of Object.entries(scenarios)) {
    test(name, (t) => {
      const { states, found, written } = run(scenario);
      t.diagnostic(`${states} states`);
      assert.equal(found, undefined, `${found?.what}\n${found?.steps.join('\n')}`);
      assert.deepEqual([...written].sort(), [...scenario.written].sort());
    });
  }
});

/** What is missed when it is taken away, and where. */
const missed: readonly (readonly [string, ...Name[]])[] = [
  ['the same request twice', 'intend: Transaction'],
  ['the same request twice', 'intend: a use is left'],
  ['two keys on one challenge', 'intend: ended Transaction'],
  ['one key for two names', 'intend: key owner'],
  ['the same request twice', 'void: Transaction'],
  ['the same request twice', 'the request is still the newest'],
  ['two keys on one challenge', 'the holder is voided'],
  ['one key for two names', 'the key: one attempt at a time'],
  ['one key for two names', 'the key: its owner is voided'],
  ['one key for two names, and it is certified for one', 'the key: whose it was before is asked'],
  ['the same request twice, and what it rests on is withdrawn', 'a refusal ends its own attempt'],
  [
    'the same request twice, and what it rests on is withdrawn',
    'grounds: a twin may have used them',
  ],
  ['the same request twice, and what it rests on is withdrawn', 'void: key owner'],
  // Two records that always change together: one condition of the two is enough.
  ['the same request twice', 'commit: Transaction', 'commit: certificate'],
];

describe('it is missed when it is taken away:', () => {
  for (const [name, ...names] of missed) {
    test(names.join(' with '), (t) => {
      const scenario = scenarios[name];
      assert.ok(scenario);
      const { found } = run(scenario, names);
      assert.ok(found, 'nothing went wrong without it');
      t.diagnostic(`${found.what}, after ${found.steps.length} steps`);
    });
  }
});

/** Each says once more what the condition on the Transaction, or on the key owner, says. */
const doubles: readonly Name[] = [
  'intend: request pointer',
  'intend: ended certificate',
  'intend: ended one holds the use',
  'void: certificate',
  'void: it holds the use',
  'a twin has the use',
  'an end: the key is still its own',
];

test('the other conditions hold the same thing a second time', () => {
  for (const [name, scenario] of Object.entries(scenarios)) {
    // The largest is no different, only slower.
    if (name === 'two keys on one challenge' && !slow) continue;
    assert.equal(run(scenario, doubles).found, undefined, name);
  }
});
