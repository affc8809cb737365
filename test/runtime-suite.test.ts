// The suite that runs these files in workerd: nothing is lost on the way, and what cannot run there is
// known and still so.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Message } from './runtime/message.ts';
import * as shim from './runtime/node-test.ts';
import { judge } from './runtime/verdict.ts';

const inNode = ['a', 'b'].map((title) => ({ title, skipped: false }));
const result = (title: string, error?: string): Message => ({
  kind: 'result',
  title,
  skipped: false,
  diagnostics: [],
  ...(error === undefined ? {} : { error }),
});
const whole: readonly Message[] = [
  { kind: 'registered', tests: inNode },
  result('a'),
  result('b'),
  { kind: 'end' },
];
const known = [{ file: 'file', title: 'b', reason: 'cannot' }];
const wrongOf = (...args: Parameters<typeof judge>) => judge(...args).wrong.join('\n');

describe('the verdict on a file', () => {
  test('all that Node has has run and passed', () => {
    assert.deepEqual(judge('file', inNode, whole, undefined, []), {
      tests: 2,
      passed: 2,
      skipped: 0,
      cannot: {},
      wrong: [],
    });
  });

  test('a test that fails is told with its error, and one that cannot run is counted', () => {
    const messages = [...whole.slice(0, 2), result('b', 'an error'), { kind: 'end' } as const];
    assert.equal(wrongOf('file', inNode, messages, undefined, []), 'b\nan error');
    const { cannot, wrong } = judge('file', inNode, messages, undefined, known);
    assert.deepEqual([cannot, wrong], [{ cannot: 1 }, []]);
  });

  test('an exception that passes, or that no test answers to, is wrong', () => {
    assert.match(wrongOf('file', inNode, whole, undefined, known), /^b\n.*: it passes$/);
    const other = [{ file: 'file', title: 'c', reason: 'cannot' }];
    assert.match(wrongOf('file', inNode, whole, undefined, other), /^c\n.*no test is called that$/);
    const all = [{ file: 'file', reason: 'cannot' }];
    assert.equal(judge('file', inNode, whole, undefined, all).wrong.length, 2);
  });

  test('a test that one runtime does not have, did not run, or skips alone is wrong', () => {
    const less: readonly Message[] = [
      { kind: 'registered', tests: inNode.slice(0, 1) },
      result('a'),
      { kind: 'end' },
    ];
    assert.match(wrongOf('file', inNode, less, undefined, []), /^b\n.*none in workerd$/);
    const more = inNode.slice(0, 1);
    assert.match(wrongOf('file', more, whole, undefined, []), /^b\n.*none in Node$/);
    const notRun = whole.filter((message) => message !== whole[2]);
    assert.match(wrongOf('file', inNode, notRun, undefined, []), /^b\nhas not run in workerd$/);
    const left = inNode.map(({ title }) => ({ title, skipped: true }));
    assert.equal(judge('file', left, whole, undefined, []).wrong.length, 4);
    const twice = [...inNode, { title: 'a', skipped: false }];
    assert.equal(wrongOf('file', twice, whole, undefined, []), '3 tests in Node, 2 ran in workerd');
  });

  test('a run that was cut short, and trouble outside its tests, are wrong', () => {
    const cut = wrongOf('file', inNode, whole.slice(0, -1), 'workerd ended with SIGKILL', []);
    assert.equal(cut, 'workerd ended with SIGKILL\nthe run did not come to its end');
    const fault: Message = { kind: 'fault', error: 'nobody waited for: x' };
    assert.match(wrongOf('file', inNode, [...whole, fault], undefined, []), /^outside its tests/);
  });
});

describe('what stands for node:test', () => {
  const results = async (define: () => unknown) => {
    const registered = await shim.load(async () => define());
    const found: shim.Result[] = [];
    await shim.run((one) => found.push(one));
    assert.deepEqual(
      found.map(({ title }) => title),
      registered.map(({ title }) => title),
    );
    return found.map(({ title, error, skipped }) => [title, skipped ? 'skipped' : String(error)]);
  };

  test('suites, their hooks in order, and bodies that wait', async () => {
    const log: string[] = [];
    const hook = (name: string) => async () => void log.push(name);
    const slow = async (name: string, ms: number) => {
      await new Promise((resolve) => setTimeout(resolve, ms));
      shim.test('late', hook(name));
    };
    const told = await results(() => {
      shim.before(hook('before all'));
      shim.afterEach(hook('after each'));
      shim.describe('one', () => {
        shim.before(hook('before one'));
        shim.beforeEach(hook('before each of one'));
        shim.after(hook('after one'));
        shim.test('a', hook('a'));
      });
      shim.describe('two', () => slow('of two', 20));
      shim.describe('three', () => slow('of three', 1));
    });
    assert.deepEqual(
      told.map(([title]) => title),
      ['one > a', 'two > late', 'three > late'],
    );
    const one = ['before one', 'before each of one', 'a', 'after each', 'after one'];
    const late = ['of two', 'after each', 'of three', 'after each'];
    assert.deepEqual(log, ['before all', ...one, ...late]);
  });

  test('errors of tests and hooks, and skipping', async () => {
    const fails = () => Promise.reject(new Error('no'));
    const told = await results(() => {
      shim.test('fails', fails);
      shim.test('skipped', { skip: 'a reason' }, fails);
      shim.test('not skipped', { skip: false }, () => {});
      shim.describe('no before', () => {
        shim.before(fails);
        shim.describe('inner', () => shim.test('a', () => {}));
      });
      shim.describe('all skipped', { skip: true }, () => {
        shim.before(fails);
        shim.test('a', fails);
      });
    });
    assert.deepEqual(told, [
      ['fails', 'Error: no'],
      ['skipped', 'skipped'],
      ['not skipped', 'undefined'],
      ['no before > inner > a', 'Error: no'],
      ['all skipped > a', 'skipped'],
    ]);
  });

  test('what it does not know it refuses: options, members of t, nesting, mocks', async () => {
    const unknown = { todo: true } as { skip?: boolean };
    assert.throws(() => shim.test('a', unknown, () => {}), /not known here: todo$/);
    const told = await results(() => {
      shim.test('t', (t) => Reflect.get(t, 'skip'));
      shim.test('nested', () => shim.test('inner', () => {}));
      shim.test('mock', () => Reflect.get(shim.mock, 'timers'));
    });
    assert.deepEqual(told, [
      ['t', 'Error: t.skip is not known here'],
      ['nested', 'Error: a test within a test is not known here'],
      ['mock', 'Error: mock.timers is not known here'],
    ]);
  });
});
