// A store that forgets, for tests. It keeps the promises of the port and no more than these: a batch
// read yields between records, so that what it returns is of different moments, and every call
// yields before and after it acts. `schedule` decides who goes on next; `fault` makes a call fail
// before or after it has taken effect.

import type { Crl, CrlStore, StoredCrl } from '../../lib/ports/crls.ts';
import { type Place, placesOf } from '../../lib/ports/records/places.ts';
import type { Challenge, Records } from '../../lib/ports/records/records.ts';
import type { Hits, Indexed, SearchIndex, SearchQuery } from '../../lib/ports/search-index.ts';
import {
  type Action,
  applyUse,
  type Key,
  type ListQuery,
  type Page,
  type Row,
  type Store,
} from '../../lib/ports/store.ts';

export type Fault = 'before' | 'after' | undefined;
export type MemoryOptions = {
  readonly schedule?: () => Promise<void>;
  readonly fault?: (call: 'read' | 'write' | 'list') => Fault;
};

/** Records are kept as JSON text, so that nobody can change one by holding on to it. */
type Entry = { readonly rev: number; readonly text: string };

export class MemoryStore implements Store {
  readonly index = new MemoryIndex();
  readonly #entries = new Map<string, Entry>();
  readonly #options: MemoryOptions;

  constructor(options: MemoryOptions = {}) {
    this.#options = options;
  }

  read(keys: readonly Key[]): Promise<readonly Row[]> {
    return this.#call('read', async () => {
      const rows: Row[] = [];
      for (const key of keys) {
        const row = this.#row(key);
        if (row) rows.push(row);
        await this.#options.schedule?.();
      }
      return rows;
    });
  }

  write(actions: readonly Action[]): Promise<'done' | 'conflict'> {
    return this.#call('write', async () => {
      const names = actions.map(nameOf);
      if (new Set(names).size !== names.length) throw new TypeError('two actions on one record');
      const uses = new Map<Action, Challenge | undefined>();
      for (const action of actions) {
        const row = this.#row(action);
        if (action.do === 'use') {
          const used = row && applyUse(row.record as Challenge, action);
          if (!used) return 'conflict';
          uses.set(action, used);
        } else if ((row?.rev ?? 0) !== action.rev) return 'conflict';
      }
      for (const action of actions) {
        const record = action.do === 'put' ? action.record : uses.get(action);
        const rev = (this.#entries.get(nameOf(action))?.rev ?? 0) + 1;
        if (record) this.#entries.set(nameOf(action), { rev, text: JSON.stringify(record) });
        if (action.do === 'delete') this.#entries.delete(nameOf(action));
      }
      return 'done';
    });
  }

  list({ list, group, from, until, reverse, limit }: ListQuery): Promise<Page> {
    return this.#call('list', async () => {
      const all = this.dump()
        .flatMap(({ kind, key, record }) =>
          placesOf(kind, key, record).map((place): Place & { key: string } => ({ ...place, key })),
        )
        .filter((place) => place.list === list && place.group === group)
        .sort((a, b) => (a.sort < b.sort ? -1 : 1) * (reverse ? -1 : 1));
      const beyond = (sort: string, bound: string) => (reverse ? sort < bound : sort > bound);
      const rest = all.filter(
        ({ sort }) =>
          (from === undefined || beyond(sort, from)) &&
          (until === undefined || beyond(until, sort)),
      );
      const page = rest.slice(0, limit);
      const next = rest.length > limit ? page.at(-1)?.sort : undefined;
      return { keys: page.map(({ key }) => key), ...(next === undefined ? {} : { next }) };
    });
  }

  /** Everything, for tests that check the whole CA. */
  dump(): Row[] {
    return [...this.#entries.keys()].flatMap((name) => {
      const [kind = '', ...key] = name.split(' ');
      return this.#row({ kind: kind as keyof Records, key: key.join(' ') }) ?? [];
    });
  }

  #row(key: Key): Row | undefined {
    const entry = this.#entries.get(nameOf(key));
    return (
      entry &&
      ({ kind: key.kind, key: key.key, rev: entry.rev, record: JSON.parse(entry.text) } as Row)
    );
  }

  async #call<T>(call: 'read' | 'write' | 'list', act: () => Promise<T>): Promise<T> {
    const fault = this.#options.fault?.(call);
    await this.#options.schedule?.();
    if (fault === 'before') throw new Error('the store failed before it did anything');
    const result = await act();
    await this.#options.schedule?.();
    if (fault === 'after') throw new Error('the store failed after it had done its work');
    return result;
  }
}

const nameOf = ({ kind, key }: Key): string => `${kind} ${key}`;

export class MemoryIndex implements SearchIndex {
  readonly findsInside = true;
  readonly #all = new Map<string, Indexed>();

  async add(all: readonly Indexed[]): Promise<void> {
    for (const one of all) this.#all.set(one.id, one);
  }

  async missing(ids: readonly string[]): Promise<readonly string[]> {
    return ids.filter((id) => !this.#all.has(id));
  }

  async find({ terms, from = '~', limit }: SearchQuery): Promise<Hits> {
    const found = [...this.#all.values()]
      .filter(({ id, starts }) => {
        const has = (text: string, inside: boolean): boolean =>
          starts.some((start) => (inside ? start.includes(text) : start.startsWith(text)));
        return id < from && terms.every(({ text, inside }) => has(text, inside));
      })
      .map(({ id }) => ({ id, at: id }))
      .sort((a, b) => (a.id < b.id ? 1 : -1));
    const hits = found.slice(0, limit);
    const next = found.length > limit ? hits.at(-1)?.at : undefined;
    return { hits, ...(next === undefined ? {} : { next }) };
  }
}

export class MemoryCrls implements CrlStore {
  readonly #crls = new Map<string, Crl>();

  async newest(ca: string): Promise<StoredCrl | undefined> {
    const crl = this.#crls.get(ca);
    return crl && { ...crl, stored: String(crl.number) };
  }

  async publish(ca: string, crl: Crl, spoilt?: string): Promise<'done' | 'stale'> {
    const { number = -1 } = this.#crls.get(ca) ?? {};
    if (number >= crl.number && String(number) !== spoilt) return 'stale';
    this.#crls.set(ca, crl);
    return 'done';
  }

  /** As another hand does it. */
  forget(name: string): void {
    this.#crls.delete(name);
  }
}
