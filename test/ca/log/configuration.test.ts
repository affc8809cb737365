import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tellConfiguration } from '../../../lib/ca/log/configuration.ts';
import { Tally } from '../../../lib/ca/tally.ts';
import { eventIn } from '../../support/event-in.ts';
import { makeLab } from '../../support/lab.ts';
import { MemoryStore } from '../../support/memory-store.ts';

const key = { kind: 'configuration', key: 'current' } as const;

async function service() {
  const store = new MemoryStore();
  const { deps } = await makeLab({ store });
  const told = () =>
    store
      .dump()
      .flatMap(({ kind, record }) => (kind === 'event' ? [eventIn(record)] : []))
      .filter(({ type }) => type === 'config.applied').length;
  /** Of another instance: what this one has told it remembers. */
  const another = () => ({ ...deps, tally: new Tally() });
  return { store, deps, another, told };
}

test('a configuration is told once, by however many instances at once', async () => {
  const { deps, another, told } = await service();
  await Promise.all([1, 2, 3].map(() => tellConfiguration(another())));
  await tellConfiguration(another());
  await tellConfiguration(deps);
  assert.equal(told(), 1);
});

test('a record that another hand has made or changed hides no configuration: it is told again', async () => {
  const { store, deps, another, told } = await service();
  const { digest } = deps.config;
  await store.write([{ do: 'put', ...key, rev: 0, record: { digest } }]);
  await tellConfiguration(another());
  assert.equal(told(), 1);
  const [row] = await store.read([key]);
  const changed = { ...Object(row?.record), digest: 'ff' };
  await store.write([{ do: 'put', ...key, rev: row?.rev ?? 0, record: changed }]);
  await tellConfiguration(another());
  assert.equal(told(), 2);
});
