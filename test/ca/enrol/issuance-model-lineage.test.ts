// Renewals as a model, explored to its last state (`model/lineage.ts`): whichever certificates of a
// lineage renew at once, and whenever a person revokes one, its bounds hold and its end is one. And what
// is taken away of its conditions and rules is missed.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Explored, explore } from '../../model/explore.ts';
import { chain, conditions, Lineage, lapse, type Name, rules, wrong } from '../../model/lineage.ts';

type Scenario = {
  /** Certificates that were renewed one by the other. */
  readonly chain: readonly string[];
  readonly devices: readonly string[];
  readonly revoked?: string;
  readonly deaths: number;
  readonly lapses: number;
  readonly sweeper?: false;
};

const scenarios: Record<string, Scenario> = {
  'two renewals by the newest': {
    chain: ['a', 'b'],
    devices: ['b', 'b'],
    deaths: 1,
    lapses: 2,
  },
  'renewals by the newest and by the one before': {
    chain: ['a', 'b'],
    devices: ['a', 'b'],
    deaths: 1,
    lapses: 2,
  },
  'renewals by both, and the newest is revoked': {
    chain: ['a', 'b'],
    devices: ['a', 'b'],
    revoked: 'b',
    deaths: 1,
    lapses: 1,
  },
  'renewals by both, and the one before is revoked': {
    chain: ['a', 'b'],
    devices: ['a', 'b'],
    revoked: 'a',
    deaths: 1,
    lapses: 1,
  },
  'three are good, and the oldest is revoked while the newest renews': {
    chain: ['a', 'b', 'c'],
    devices: ['c', 'b'],
    revoked: 'a',
    deaths: 1,
    lapses: 1,
  },
};

function run(scenario: Scenario, without: readonly Name[] = []): Explored {
  const dropped = new Set<string>(without);
  const lineage = new Lineage(dropped);
  const people = scenario.revoked === undefined ? [] : [lineage.person(scenario.revoked)];
  const asked = [...scenario.devices.map((signer) => lineage.device(signer)), ...people];
  return explore({
    processes: [...asked, ...(scenario.sweeper === false ? [] : [lineage.sweeper])],
    table: chain(...scenario.chain),
    deaths: scenario.deaths,
    lapses: scenario.lapses,
    lapse,
    wrong,
    ended: ({ memories }) => asked.every((_, i) => memories[i]?.result !== undefined),
    without: dropped,
  });
}

describe('every state of a lineage is a good one:', () => {
  for (const [name, scenario] of Object.entries(scenarios)) {
    test(name, (t) => {
      const { states, found, written } = run(scenario);
      t.diagnostic(`${states} states`);
      assert.equal(found, undefined, `${found?.what}\n${found?.steps.join('\n')}`);
      const revoke = scenario.revoked === undefined ? [] : ['revoke'];
      assert.deepEqual([...written].sort(), ['commit', 'intend', ...revoke, 'void'].sort());
    });
  }
});

/** Each says once more what another condition of the same write says. */
const doubles: readonly Name[] = ['intend: ended attempt', 'void: signer'];

test('what the signer and the attempt both say is asked of both, and one of the two is enough', () => {
  for (const [name, scenario] of Object.entries(scenarios)) {
    assert.equal(run(scenario, doubles).found, undefined, name);
  }
});

describe('it is missed when it is taken away:', () => {
  for (const name of [...conditions, ...rules].filter((one) => !doubles.includes(one))) {
    test(name, (t) => {
      for (const [where, scenario] of Object.entries(scenarios)) {
        const { found } = run(scenario, [name]);
        if (!found) continue;
        t.diagnostic(`${where}: ${found.what}, after ${found.steps.length} steps`);
        return;
      }
      assert.fail('nothing went wrong without it');
    });
  }
});
