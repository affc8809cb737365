// One makes it, all have it; what fails is made again; what was given up is taken over.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SingleFlight } from '../../lib/base/single-flight.ts';

/** Settled by hand, and a count of how often it was begun. */
function maker() {
  const begun: PromiseWithResolvers<number>[] = [];
  const make = (): Promise<number> => {
    const one = Promise.withResolvers<number>();
    begun.push(one);
    return one.promise;
  };
  return { begun, make };
}

test('callers that ask meanwhile and later get what one has made', async () => {
  const flight = new SingleFlight<number>();
  const { begun, make } = maker();
  const asked = [flight.get('a', make), flight.get('a', make)];
  begun[0]?.resolve(7);
  assert.deepEqual(await Promise.all([...asked, flight.get('a', make)]), [7, 7, 7]);
  assert.equal(begun.length, 1);
  const other = flight.get('b', make);
  begun[1]?.resolve(8);
  assert.equal(await other, 8);
});

test('what fails fails for all who waited, and is made again by who comes next', async () => {
  const flight = new SingleFlight<number>();
  const { begun, make } = maker();
  const asked = [flight.get('a', make), flight.get('a', make)];
  begun[0]?.reject(new Error('down'));
  for (const one of await Promise.allSettled(asked)) {
    assert.equal(one.status === 'rejected' && one.reason.message, 'down');
  }
  const next = flight.get('a', make);
  begun[1]?.resolve(9);
  assert.equal(await next, 9);
  assert.equal(begun.length, 2);
});

test('what is too old is made anew, as is what a clock that was set back says nothing about', async () => {
  const flight = new SingleFlight<number>();
  let made = 0;
  const make = async (): Promise<number> => ++made;
  const at = (now: number) => flight.get('a', make, { now, maxMs: 100 });
  assert.deepEqual([await at(1000), await at(1099), await at(1100), await at(500)], [1, 1, 2, 3]);
});

/** A promise as workerd has it when its request has ended: whoever waits is told, what is to follow is not. */
function abandoned(): Promise<number> {
  const failed = Promise.reject(new Error('created by a request that has since ended'));
  failed.catch(() => undefined);
  // Whatever is attached at once is of the request that has ended; later ones are of others.
  let first = true;
  const then: Promise<number>['then'] = (...args) => {
    if (!first) return failed.then(...args);
    first = false;
    return new Promise(() => undefined);
  };
  return Object.assign(Object.create(failed), {
    then,
    catch: (told: (error: unknown) => number) => then(undefined, told),
  });
}

test('what was given up is taken over by one of those who waited, and the others wait for that', async () => {
  const flight = new SingleFlight<number>();
  await assert.rejects(flight.get('a', abandoned), /has since ended/);
  const { begun, make } = maker();
  const waited = [flight.get('a', make), flight.get('a', make), flight.get('a', make)];
  await new Promise((resolve) => setTimeout(resolve, 1));
  assert.equal(begun.length, 1);
  begun[0]?.resolve(5);
  assert.deepEqual(await Promise.all(waited), [5, 5, 5]);
  assert.equal(await flight.get('a', make), 5);
});

test('a value that is set is what later callers get; one that is being made is for those who asked before', async () => {
  const flight = new SingleFlight<number>();
  const { begun, make } = maker();
  const before = flight.get('a', make);
  flight.set('a', 3, 0);
  begun[0]?.resolve(1);
  assert.deepEqual([await before, await flight.get('a', make)], [1, 3]);
  assert.equal(begun.length, 1);
});
