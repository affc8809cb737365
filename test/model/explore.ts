// Every state that a handful of processes over one table of records can reach, breadth first: at each
// step any of them reads, writes, dies, or time passes. What a process does next is a function of what
// it has read. A write is all or nothing. A batch read gives each record as it was at some moment of
// its own during the call, so what an open read may still return is kept: every version since it began.

export type Row = { readonly rev: number; readonly value: unknown };
export type Table = Readonly<Record<string, Row>>;

/** One action of a write; `name` is that of its condition, for taking it away. */
export type Change = {
  readonly key: string;
  readonly name: string;
  /** The record as it was read; undefined: there was none. */
  readonly read: Row | undefined;
  /** What it becomes; null: deleted; undefined: only its condition is asked. */
  readonly value: unknown;
  /** Instead: arithmetic on what is there, undefined where a condition does not hold. */
  readonly use?: (value: unknown, holds: (name: string, condition: boolean) => boolean) => unknown;
};

/** What a process does next. */
export type Step =
  /** Reads these in one call. A key that ends in ' is the record read once more. */
  | { readonly do: 'read'; readonly keys: readonly string[] }
  /** Reads one of these, whichever. */
  | { readonly do: 'pick'; readonly keys: readonly string[] }
  /** Then goes on with what it keeps, and with these records as it has written them. */
  | {
      readonly do: 'write';
      /** The name of the step. */
      readonly what: string;
      readonly changes: readonly Change[];
      readonly kept: object;
      readonly keys: readonly string[];
    }
  /** Begins again: in trouble (503), or because something has changed. */
  | { readonly do: 'again' }
  | { readonly do: 'end'; readonly result: string };

/** What a process knows: records as it read them, undefined where there was none. */
export type Memory = {
  readonly seen: Readonly<Record<string, Row | null>>;
  /** The read that is under way: the versions of each record since it began. */
  readonly open?: Readonly<Record<string, readonly (Row | null)[]>>;
  /** What it keeps from one write to the next. */
  readonly kept?: object;
  readonly result?: string;
};

export type State = {
  readonly table: Table;
  readonly memories: readonly Memory[];
  /** Ids handed out so far. */
  readonly ids: number;
  /** How many processes may still die, and how many leases may still run out under their holders. */
  readonly deaths: number;
  readonly lapses: number;
};

/** @param table for looking up lists, which a decision never rests on */
export type Process = (memory: Memory, newId: number, table: Table) => Step;

export type Model = {
  readonly processes: readonly Process[];
  readonly table: Table;
  readonly deaths: number;
  readonly lapses: number;
  /** The tables that there may be when time has passed by one lease. */
  lapse(table: Table): readonly Table[];
  /** @returns what is wrong with a state */
  wrong(state: State): string | undefined;
  /** @returns whether each that must has come to an end */
  ended(state: State): boolean;
  /** Names of conditions that are taken away. */
  readonly without?: ReadonlySet<string>;
};

export type Explored = {
  readonly states: number;
  /** Names of the writes that took effect. */
  readonly written: ReadonlySet<string>;
  /** What went wrong, and by which steps. */
  readonly found?: { readonly what: string; readonly steps: readonly string[] };
};

const fresh: Memory = { seen: {} };
/** More rounds than any recovery takes, and more steps than anybody takes in one. */
const RECOVERY_ROUNDS = 20;
const RECOVERY_STEPS = 30;

export function explore(model: Model): Explored {
  const { table, deaths, lapses, processes } = model;
  let first: State = { table, memories: processes.map(() => fresh), ids: 0, deaths, lapses };
  for (const i of processes.keys()) first = settle(model, first, i, fresh);
  const known = new Set([keyOf(first)]);
  const recovered = new Set<string>();
  const written = new Set<string>();
  let level: Trail[] = [{ state: first, step: 'nothing has happened', before: undefined }];
  while (level.length > 0) {
    const next: Trail[] = [];
    for (const trail of level) {
      const { state } = trail;
      const what = model.wrong(state) ?? deadEnd(model, state, recovered);
      if (what) return { states: known.size, written, found: { what, steps: stepsOf(trail) } };
      for (const [step, after] of successors(model, state)) {
        const [, what] = /^\d writes: (.*)$/.exec(step) ?? [];
        if (what) written.add(what);
        const key = keyOf(after);
        if (known.has(key)) continue;
        known.add(key);
        next.push({ state: after, step, before: trail });
      }
    }
    level = next;
  }
  return { states: known.size, written };
}

type Trail = { readonly state: State; readonly step: string; readonly before: Trail | undefined };

function stepsOf(trail: Trail): string[] {
  const steps: string[] = [];
  for (let at: Trail | undefined = trail; at; at = at.before) steps.unshift(at.step);
  return steps;
}

const numbers = new Map<string, number>();
const numbered = new WeakMap<object, number>();

/** The same for parts that say the same. Most parts are shared by many states. */
function numberOf<T extends object>(part: T, textOf: (part: T) => string = JSON.stringify): number {
  const known = numbered.get(part);
  if (known !== undefined) return known;
  const text = textOf(part);
  const number = numbers.get(text) ?? numbers.size;
  numbers.set(text, number);
  numbered.set(part, number);
  return number;
}

const textOfRows = (rows: Memory['seen']): string =>
  Object.entries(rows)
    .map(([key, row]) => `${key}:${row ? numberOf(row) : ''}`)
    .join();

const textOfMemory = ({ seen, open = {}, kept, result }: Memory): string => {
  const versions = Object.entries(open).map(([key, all]) =>
    all.map((row) => `${key}:${row ? numberOf(row) : ''}`).join('/'),
  );
  return `${textOfRows(seen)} ${versions} ${kept ? JSON.stringify(kept) : ''} ${result}`;
};

/** The states themselves would not fit into memory. */
const keyOf = ({ table, memories, ids, deaths, lapses }: State): string => {
  const known = memories.map((memory) => numberOf(memory, textOfMemory));
  return [numberOf(table, textOfRows), ...known, ids, deaths, lapses].join();
};

function* successors(model: Model, state: State): Generator<[string, State]> {
  for (const [i, memory] of state.memories.entries()) {
    if (memory.result !== undefined) continue;
    yield* steps(model, state, i);
    const begun = memory.kept !== undefined || Object.keys(memory.seen).length > 0;
    if (state.deaths > 0 && begun) {
      yield [`${i} dies`, settle(model, { ...state, deaths: state.deaths - 1 }, i, fresh)];
    }
  }
  if (state.lapses === 0) return;
  for (const table of model.lapse(state.table)) {
    const after = { ...state, lapses: state.lapses - 1 };
    yield ['a lease runs out', changed(after, table)];
  }
}

/** What the process may do next. */
function* steps(model: Model, state: State, i: number): Generator<[string, State]> {
  const memory = state.memories[i] ?? fresh;
  if (memory.result !== undefined) return;
  if (memory.open) {
    const { open, ...rest } = memory;
    for (const read of combinations(Object.entries(open))) {
      const seen = { ...memory.seen, ...read };
      yield [`${i} reads ${text(read)}`, settle(model, state, i, { ...rest, seen })];
    }
    return;
  }
  const step = model.processes[i]?.(memory, state.ids, state.table);
  if (step?.do === 'pick') {
    for (const key of step.keys) {
      const seen = { ...memory.seen, [key]: state.table[key] ?? null };
      yield [`${i} picks ${text(seen)}`, settle(model, state, i, { ...memory, seen })];
    }
  }
  if (step?.do !== 'write') return;
  const written = apply(state.table, step.changes, model.without ?? new Set());
  if (!written) {
    yield [`${i} conflicts`, settle(model, state, i, fresh)];
    return;
  }
  const seen = Object.fromEntries(step.keys.map((key) => [key, written[key] ?? null]));
  const after = changed({ ...state, ids: state.ids + 1 }, written);
  yield [`${i} writes: ${step.what}`, settle(model, after, i, { seen, kept: step.kept })];
}

const text = (rows: Memory['seen']): string =>
  Object.entries(rows)
    .map(([key, row]) => `${key} ${JSON.stringify(row?.value)}`)
    .join(', ');

/** One choice of a version for every record. */
function* combinations(
  open: readonly (readonly [string, readonly (Row | null)[]])[],
): Generator<Record<string, Row | null>> {
  const [first, ...others] = open;
  if (!first) return yield {};
  const [key, versions] = first;
  for (const rest of combinations(others)) {
    for (const version of versions) yield { [key]: version, ...rest };
  }
}

/** The process with this memory, as far as it gets without a step that others could see. */
function settle(model: Model, state: State, i: number, memory: Memory): State {
  const remember = (next: Memory): State => ({
    ...state,
    memories: state.memories.map((other, j) => (j === i ? next : other)),
  });
  const step = model.processes[i]?.(memory, state.ids, state.table);
  switch (step?.do) {
    case 'read': {
      const versions = step.keys.map((key) => [key, [state.table[plain(key)] ?? null]] as const);
      return remember({ ...memory, open: Object.fromEntries(versions) });
    }
    case 'again':
      return settle(model, state, i, fresh);
    case 'end':
      return remember({ seen: {}, result: step.result });
    default:
      return remember(memory);
  }
}

const plain = (key: string): string => key.replace(/'$/, '');

/** Another table, which reads that are under way may see. */
function changed(state: State, table: Table): State {
  const memories = state.memories.map((memory): Memory => {
    if (!memory.open) return memory;
    const open = Object.entries(memory.open).map(([key, versions]) => {
      const now = table[plain(key)] ?? null;
      const same = versions.some(
        (version) => textOfRows({ key: version }) === textOfRows({ key: now }),
      );
      return [key, same ? versions : [...versions, now]] as const;
    });
    return { ...memory, open: Object.fromEntries(open) };
  });
  return { ...state, table, memories };
}

function apply(
  table: Table,
  changes: readonly Change[],
  without: ReadonlySet<string>,
): Table | undefined {
  const holds = (name: string, condition: boolean) => condition || without.has(name);
  const result: Record<string, Row> = { ...table };
  for (const { key, name, read, value, use } of changes) {
    // A use that is given back can be taken in the same write.
    const now = use ? result[key] : table[key];
    if (!use && !holds(name, now?.rev === read?.rev)) return undefined;
    if (!use && value === undefined) continue;
    const after = use ? now && use(now.value, holds) : value;
    if (after === undefined) return undefined;
    if (after === null) delete result[key];
    else result[key] = { rev: (table[key]?.rev ?? 0) + 1, value: after };
  }
  return result;
}

/**
 * Whether there is no way on: everybody dies and is started again, and leases run out where they have
 * to; then each in turn must come to its end.
 */
function deadEnd(model: Model, state: State, recovered: Set<string>): string | undefined {
  let now: State = { ...state, deaths: 0, lapses: 0 };
  const restarted = () => {
    for (const [i, memory] of now.memories.entries()) {
      if (memory.result === undefined) now = settle(model, now, i, fresh);
    }
  };
  restarted();
  const key = keyOf({ ...now, ids: 0 });
  if (recovered.has(key)) return undefined;
  recovered.add(key);
  for (let round = 0; round < RECOVERY_ROUNDS; round++) {
    for (let [table] = model.lapse(now.table); table; [table] = model.lapse(table)) {
      now = { ...now, table };
    }
    restarted();
    for (const i of model.processes.keys()) {
      // One process gets as far as it can on its own.
      for (let step = 0; step < RECOVERY_STEPS; step++) {
        const [first] = steps(model, now, i);
        if (!first) break;
        now = first[1];
      }
    }
    const wrong = model.wrong(now);
    if (wrong || model.ended(now)) return wrong;
  }
  return 'there is no way on';
}
