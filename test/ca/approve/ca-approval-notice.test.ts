// Webhooks that are told of requests that wait for an approver: each at least once, once where nothing goes wrong, and
// nobody of a request that is decided.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Outage } from '../../../lib/base/errors.ts';
import { decide } from '../../../lib/ca/approve/decide.ts';
import { sweep } from '../../../lib/ca/jobs.ts';
import { type ConfigDocument, checkConfig } from '../../../lib/config/config.ts';
import type { Transaction } from '../../../lib/ports/records/transaction.ts';
import type { Store } from '../../../lib/ports/store.ts';
import type { Validator, WaitingNotice } from '../../../lib/ports/validator.ts';
import { sqlite } from '../../history/stores.ts';
import { deviceKey } from '../../support/keys.ts';
import { type Lab, makeLab } from '../../support/lab.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { enrolment } from '../../support/messages.ts';
import { HOUR } from '../../support/world.ts';

const document: Partial<ConfigDocument> = {
  decisionUrl: 'https://approve.example.com',
  validators: Object.fromEntries(
    ['hook', 'chat'].map((name) => [
      name,
      { kind: 'webhook', url: `https://${name}.example.com/`, secret: 'env:SECRET' },
    ]),
  ),
};

/** A hook that writes down what it is told, and whether it answers. */
function listener() {
  const told: WaitingNotice[] = [];
  const hook = { told, silent: false, meanwhile: async (): Promise<unknown> => undefined };
  const validator: Validator = {
    validate: async () => assert.fail('it was asked'),
    waiting: async (notice) => {
      if (hook.silent) throw new Outage('the webhook gave no answer');
      told.push(notice);
      await hook.meanwhile();
    },
  };
  return Object.assign(hook, { validator });
}

async function waitingLab(store: Store, approvalNotice: readonly string[] = ['hook']) {
  const hooks = { hook: listener(), chat: listener() };
  const validators = Object.fromEntries(
    Object.entries(hooks).map(([name, { validator }]) => [name, validator]),
  );
  const endpoint = { approval: 'always' as const, approvalNotice: [...approvalNotice] };
  const lab = await makeLab({ store, validators, endpoint, config: document });
  let count = 0;
  const wait = async () => {
    const subject = `CN=device-${++count},O=Test`;
    const key = await deviceKey(`notice ${count}`);
    const names = ['dns:device.example.com'];
    const challenge = await lab.challenge({ subject, names });
    const sent = await enrolment(lab, { subject, challenge, key, names });
    const { pkiStatus } = await sent.read(await lab.operate(sent.message));
    assert.equal(pkiStatus, 'PENDING');
    return subject;
  };
  const list = async (): Promise<Transaction[]> => {
    const query = { list: 'open', group: 'pending', limit: 100 } as const;
    const { keys } = await store.list(query);
    const rows = await lab.deps.store.read(keys.map((key) => ({ kind: 'transaction', key })));
    return rows.flatMap(({ record }) => (record as Transaction | undefined) ?? []);
  };
  return { lab, ...hooks, wait, list };
}

const decided = async ({ deps }: Lab, id: string, decision: 'approved' | 'denied') =>
  assert.equal(await decide(deps, id, decision, { by: 'somebody' }), 'done');

const stores = {
  memory: async () => ({ store: new MemoryStore(), close: async () => {} }),
  SQLite: () => sqlite(),
};

for (const [name, open] of Object.entries(stores)) {
  describe(`notices of requests that wait: ${name}`, () => {
    const over = (
      title: string,
      work: (w: Awaited<ReturnType<typeof waitingLab>>) => Promise<void>,
      notice?: readonly string[],
    ) =>
      test(title, async () => {
        const opened = await open();
        try {
          await work(await waitingLab(opened.store, notice));
        } finally {
          await opened.close();
        }
      });

    over('a webhook is told once, by the next run, what waits and until when', async (w) => {
      const subject = await w.wait();
      assert.equal(w.hook.told.length, 0);
      assert.equal((await sweep(w.lab.deps)).told, 1);
      const [one] = await w.list();
      assert.ok(one);
      const { until, ...told } = w.hook.told[0] ?? assert.fail('it was not told');
      assert.equal(until, w.lab.clock.at + 8000);
      assert.deepEqual(told, {
        ...{ id: one.id, endpoint: 'default', subject, names: ['dns:device.example.com'] },
        ...{ expiresAt: one.expiresAt, decisionUrl: 'https://approve.example.com' },
      });
      assert.equal(one.untold, undefined);
      assert.equal((await sweep(w.lab.deps)).told, 0);
      assert.equal(w.hook.told.length, 1);
      assert.equal(w.chat.told.length, 0);
    });

    over(
      'one that does not answer is asked once a run, and told when it does; the other is told once',
      async (w) => {
        await w.wait();
        await w.wait();
        w.chat.silent = true;
        assert.equal((await sweep(w.lab.deps)).told, 2);
        assert.deepEqual([w.hook.told.length, w.chat.told.length], [2, 0]);
        const failures = w.lab.log.filter(({ event }) => event === 'waiting.untold');
        assert.equal(failures.length, 1);
        assert.match(String(failures[0]?.detail), /"chat" was not told .*gave no answer/);
        assert.deepEqual(
          (await w.list()).map(({ untold }) => untold),
          [['chat'], ['chat']],
        );
        w.chat.silent = false;
        assert.equal((await sweep(w.lab.deps)).told, 2);
        assert.deepEqual([w.hook.told.length, w.chat.told.length], [2, 2]);
        assert.equal((await sweep(w.lab.deps)).told, 0);
      },
      ['hook', 'chat'],
    );

    over(
      'a process that ends between post and mark tells it again, and marks it then',
      async (w) => {
        await w.wait();
        const { store } = w.lab.deps;
        const dying = { ...store, read: store.read.bind(store), list: store.list.bind(store) };
        const deps = {
          ...w.lab.deps,
          store: { ...dying, write: () => Promise.reject(new Error('ended')) },
        };
        assert.equal((await sweep(deps)).told, 0);
        assert.equal(w.hook.told.length, 1);
        assert.equal((await sweep(w.lab.deps)).told, 1);
        assert.equal(w.hook.told.length, 2);
        assert.equal((await sweep(w.lab.deps)).told, 0);
        assert.deepEqual(w.hook.told[0]?.id, w.hook.told[1]?.id);
      },
    );

    over('nobody is told of a request that is approved, denied or over', async (w) => {
      for (const _ of [1, 2, 3]) await w.wait();
      const [one, two] = await w.list();
      assert.ok(one && two);
      await decided(w.lab, one.id, 'approved');
      await decided(w.lab, two.id, 'denied');
      w.hook.silent = true;
      assert.equal((await sweep(w.lab.deps)).told, 0);
      w.hook.silent = false;
      w.lab.clock.at += 8 * 24 * HOUR;
      assert.deepEqual(await sweep(w.lab.deps), {
        ...{ voided: 0, expired: 2, told: 0, released: 0, superseded: 0 },
      });
      assert.equal(w.hook.told.length, 0);
    });

    over('a decision while it is told stands', async (w) => {
      await w.wait();
      const [one] = await w.list();
      assert.ok(one);
      w.hook.meanwhile = () => decided(w.lab, one.id, 'denied');
      assert.equal((await sweep(w.lab.deps)).told, 0);
      assert.equal(w.hook.told.length, 1);
      assert.deepEqual(await w.list(), []);
      assert.equal((await sweep(w.lab.deps)).told, 0);
      assert.equal(w.hook.told.length, 1);
    });

    over('after 20 s of a run nobody is told any more: the next run goes on', async (w) => {
      for (const _ of [1, 2, 3]) await w.wait();
      const begun = w.lab.clock.at;
      w.hook.meanwhile = async () => {
        w.lab.clock.at += 15_000;
      };
      assert.equal((await sweep(w.lab.deps)).told, 2);
      assert.deepEqual(
        w.hook.told.map(({ until }) => until - begun),
        [8000, 20_000],
      );
      assert.equal((await sweep(w.lab.deps)).told, 1);
    });

    over(
      'a webhook that the configuration names no more is told nothing, and not waited for',
      async (w) => {
        await w.wait();
        const config = checkConfig({
          publicUrl: 'http://scep.test',
          cas: { default: { subject: 'CN=Lab CA,O=Lab' } },
          endpoints: { default: { ca: 'default', approval: 'always' } },
        });
        await sweep({ ...w.lab.deps, config });
        assert.equal(w.hook.told.length, 0);
        assert.equal((await w.list())[0]?.untold, undefined);
      },
    );
  });
}

describe('approvalNotice in the configuration', () => {
  const problemsOf = (endpoint: object, validators: object = document.validators ?? {}) => {
    try {
      checkConfig({
        publicUrl: 'http://scep.test',
        cas: { default: { subject: 'CN=CA' } },
        validators,
        endpoints: { default: { ca: 'default', ...endpoint } },
      } as ConfigDocument);
      return '';
    } catch (error) {
      return String(error);
    }
  };
  const always = { approval: 'always', approvalNotice: ['hook'] };
  const stepca = {
    hook: {
      ...{ kind: 'webhook', style: 'stepca', hookId: 'a' },
      ...{ url: 'https://hook.example.com/', secret: 'env:SECRET' },
    },
  };
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ['a webhook', problemsOf(always), /^$/],
    [
      'one that is not there',
      problemsOf({ ...always, approvalNotice: ['hook', 'hok'] }),
      /default\.approvalNotice\.1: must be a webhook of style "scepter": "hook", "chat"/,
    ],
    [
      'one for step-ca',
      problemsOf(always, stepca),
      /approvalNotice\.0: must be a webhook of style/,
    ],
    [
      'without approvals',
      problemsOf({ approvalNotice: ['hook'] }),
      /approvalNotice: has no effect while "approval" is "never"/,
    ],
  ];
  for (const [what, said, expected] of cases) {
    test(`${what}: ${expected}`, () => assert.match(said, expected));
  }
});
