// What a decision has read, and the write that follows from it. A View reads each record once and
// remembers what was absent; a Draft changes records of a View, each change on condition that the
// record is still as it was read. Several changes of one record become one action, which is how an
// attempt that ends and one that begins can meet on the same item.

import type { Bytes, Random } from '../../base/bytes.ts';
import { Outage } from '../../base/errors.ts';
import { EVENT_RANDOM_OCTETS, type EventFields, makeEvent } from '../../events/event.ts';
import type { Kind, Records } from '../../ports/records/records.ts';
import {
  type Action,
  type AlteredRow,
  type CountRefused,
  type FreeUses,
  type Key,
  nextRev,
  type Row,
  type Store,
  type TakeUse,
} from '../../ports/store.ts';

/** `kind key`, as people are told of a record. */
const nameOf = ({ kind, key }: Key): string => `${kind} ${key}`;

export class View {
  readonly #store: Pick<Store, 'read'>;
  /** Undefined for a record that was asked for and is not there. */
  readonly #rows = new Map<string, Row | AlteredRow | undefined>();

  constructor(store: Pick<Store, 'read'>) {
    this.#store = store;
  }

  /** Reads what has not been read yet, in one call; none if there is nothing. */
  async load(keys: readonly Key[]): Promise<void> {
    const missing = new Map(
      keys.map((key) => [nameOf(key), key] as const).filter(([name]) => !this.#rows.has(name)),
    );
    if (missing.size === 0) return;
    const rows = await this.#store.read([...missing.values()]);
    for (const name of missing.keys()) this.#rows.set(name, undefined);
    for (const row of rows) this.#rows.set(nameOf(row), row);
  }

  /** Reads these once more, in the same call with what has not been read yet. */
  async reload(stale: Key, others: readonly Key[] = []): Promise<void> {
    this.#rows.delete(nameOf(stale));
    await this.load([stale, ...others]);
  }

  /** A copy in which these rows are as given, however they were read. */
  with(rows: readonly Row[]): View {
    const copy = new View(this.#store);
    for (const [name, row] of this.#rows) copy.#rows.set(name, row);
    for (const row of rows) copy.#rows.set(nameOf(row), row);
    return copy;
  }

  /**
   * Undefined also for an altered record.
   * @throws {TypeError} for a record that was never asked for: a decision would rest on nothing
   * @throws {Outage} for one that was changed and must not be taken for absent
   */
  row<K extends Kind>(kind: K, key: string): Row<K> | undefined {
    const found = this.#found({ kind, key });
    if (found && found.record === undefined) requireUnaltered(found);
    return found?.record === undefined ? undefined : (found as Row<K>);
  }

  /** It was read, and is absent or altered. */
  lacks(kind: Kind, key: string): boolean {
    return this.#rows.has(nameOf({ kind, key })) && !this.#found({ kind, key })?.record;
  }

  /** Names (`kind key`) of what was read, is there, and another hand has changed. */
  get altered(): string[] {
    return [...this.#rows].flatMap(([name, row]) =>
      row && row.record === undefined ? [name] : [],
    );
  }

  /** The record if it holds, without the trouble that `get` has with some that do not. */
  unaltered<K extends Kind>(kind: K, key: string): Records[K] | undefined {
    return this.#found({ kind, key })?.record as Records[K] | undefined;
  }

  /** The content of an altered record: believe only what is proven otherwise. */
  said(kind: Kind, key: string): unknown {
    const found = this.#found({ kind, key });
    return found?.record === undefined ? found?.said : undefined;
  }

  /** What a write has to expect, whatever stands there; 0: nothing. @throws {TypeError} as `row` does */
  rev(kind: Kind, key: string): number {
    return this.#found({ kind, key })?.rev ?? 0;
  }

  #found(key: Key): Row | AlteredRow | undefined {
    const name = nameOf(key);
    if (!this.#rows.has(name)) throw new TypeError(`${name} has not been read`);
    return this.#rows.get(name);
  }

  get<K extends Kind>(kind: K, key: string | undefined): Records[K] | undefined {
    return key === undefined ? undefined : this.row(kind, key)?.record;
  }
}

type Change<K extends Kind = Kind> = {
  readonly key: Key<K>;
  readonly rev: number;
  /** Null: deleted. Undefined: only checked. */
  readonly record: Records[K] | null | undefined;
};

export class Draft {
  readonly view: View;
  readonly #changes = new Map<string, Change>();
  readonly #uses = new Map<string, TakeUse | FreeUses | CountRefused>();
  #lastEvent: { readonly now: number; readonly random: Bytes } | undefined;

  constructor(view: View) {
    this.view = view;
  }

  /** The record as the draft has it so far. */
  get<K extends Kind>(kind: K, key: string): Records[K] | undefined {
    const change = this.#changes.get(nameOf({ kind, key })) as Change<K> | undefined;
    return change?.record === undefined ? this.view.get(kind, key) : (change.record ?? undefined);
  }

  put<K extends Kind>(kind: K, key: string, record: Records[K]): void {
    this.#change({ key: { kind, key }, rev: this.view.rev(kind, key), record });
  }

  /** A record whose key is fresh and random: it need not be read to be known absent. */
  create<K extends Kind>(kind: K, key: string, record: Records[K]): void {
    this.#change({ key: { kind, key }, rev: 0, record });
  }

  remove(kind: Kind, key: string): void {
    const rev = this.view.rev(kind, key);
    if (rev !== 0) this.#change({ key: { kind, key }, rev, record: null });
  }

  /** The write fails if the record has changed since it was read. */
  hold(kind: Kind, key: string): void {
    const rev = this.view.rev(kind, key);
    if (!this.#changes.has(nameOf({ kind, key }))) {
      this.#change({ key: { kind, key }, rev, record: undefined });
    }
  }

  /** Uses of a challenge that are freed meet in one action with each other, and with the one that is taken then. */
  use(challenge: string, change: TakeUse | FreeUses | CountRefused): void {
    const before = this.#uses.get(challenge);
    if (!before) {
      this.#uses.set(challenge, change);
    } else if (!before.take && !before.fail && !change.fail) {
      const free = [...before.free, ...(change.free ?? [])];
      this.#uses.set(challenge, { ...change, free });
    } else {
      throw new TypeError('one write uses a challenge twice');
    }
  }

  /** Adds an event, which is written with the change that it tells of or not at all. */
  event(now: number, random: Random, fields: EventFields): void {
    const octets = random(EVENT_RANDOM_OCTETS);
    // Those of one write stand in the log in the order in which they were added.
    if (this.#lastEvent?.now === now) octets.set(successor(this.#lastEvent.random));
    this.#lastEvent = { now, random: octets.slice(0, 10) };
    const { id, ...bodies } = makeEvent(now, octets, fields);
    const { transaction } = fields;
    this.create('event', id, { ...bodies, ...(transaction === undefined ? {} : { transaction }) });
  }

  get actions(): Action[] {
    const records = [...this.#changes.values()].map(({ key, rev, record }): Action => {
      if (record === undefined) return { ...key, do: 'check', rev };
      if (record === null) return { ...key, do: 'delete', rev };
      return { ...key, do: 'put', rev, record } as Action;
    });
    const uses = [...this.#uses].map(
      ([key, change]): Action => ({ do: 'use', kind: 'challenge', key, ...change }),
    );
    return [...records, ...uses];
  }

  /** The View as it is once this draft has been written: what comes next needs no read. */
  applied(): View {
    const rows = [...this.#changes.values()].flatMap(({ key, rev, record }): Row[] =>
      record === undefined || record === null ? [] : [{ ...key, rev: nextRev(rev), record } as Row],
    );
    return this.view.with(rows);
  }

  #change(change: Change): void {
    this.#changes.set(nameOf(change.key), change);
  }
}

/** The next higher octets of the same length; the highest have none, and no generator draws them. */
function successor(octets: Bytes): Bytes {
  const next = octets.slice();
  for (let i = next.length - 1; i >= 0; i--) {
    next[i] = (octets[i] ?? 0) + 1;
    if (next[i] !== 0) break;
  }
  return next;
}

/** Nothing rests on them: what does not hold is written over, whoever wrote it. */
const expendable: ReadonlySet<Kind> = new Set([
  ...(['lease', 'indexed', 'crlRequest', 'refusalBudget', 'turns'] as const),
]);

/** How whoever administers the store removes a record that no command of ours mends. */
const removal = ({ kind, key }: Key): string =>
  `aws dynamodb delete-item --table-name TABLE --key '{"pk":{"S":"${kind}#${key}"}}'` +
  ` (of a file, with the server stopped: sqlite3 scepter.db "DELETE FROM records WHERE kind = '${kind}' AND key = '${key}'")`;

/**
 * Without a CA, its register of revocations or a blocked key, more would be allowed than with it: an
 * altered one must not count as absent, nor may one of a later release.
 * @throws {Outage} naming the command that ends it
 */
function requireUnaltered({ kind, key, later }: Pick<AlteredRow, 'kind' | 'key' | 'later'>): void {
  if (later && !expendable.has(kind)) {
    throw new Outage(
      `the record ${kind} ${key} says that a later release wrote it: use that release; where there is none, another hand changed it: ${removal({ kind, key })}`,
    );
  }
  const [ca] = key.split('/');
  const remedies: Partial<Record<Kind, string>> = {
    authority: `run "scepter ca restore ${ca} --chain FILE"`,
    register: `run "scepter crl rebuild ${ca}"`,
    registerPage: `run "scepter crl rebuild ${ca}"`,
    blockedKey: `revoke a certificate of this key ("scepter cert list --key ${key}") for keyCompromise once more; where there is none: ${removal({ kind, key })}`,
  };
  const remedy = remedies[kind];
  if (remedy === undefined) return;
  // The MAC keys of a folder are seen first by the record of a CA.
  const or = kind === 'authority' ? ', or SCEPTER_DATA_DIR is not the folder of its keys' : '';
  throw new Outage(`the record ${kind} ${key} was changed by another hand${or}: ${remedy}`);
}
