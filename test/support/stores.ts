// A store for tests that take any: the store, and everything that is in it.

import type { Row, Store } from '../../lib/ports/store.ts';
import { MemoryStore } from './memory-store.ts';

export type OpenedStore = {
  readonly store: Store;
  /** Every record. No store of ours can tell that by its port. */
  rows(): Promise<readonly Row[]>;
};
export type OpenStore = () => Promise<OpenedStore>;

export const memory: OpenStore = async () => opened(new MemoryStore());
/** Every call gives way to the others before, within and after what it does. */
export const interleavedMemory: OpenStore = async () =>
  opened(new MemoryStore({ schedule: () => new Promise(setImmediate) }));

const opened = (store: MemoryStore): OpenedStore => ({ store, rows: async () => store.dump() });
