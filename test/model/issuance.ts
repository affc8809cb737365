// The protocol of the shared design ("Issuance, exactly once") as plain data: recall, intend, commit,
// replace, take over and void, for challenges of one use. Signing touches no record. Every condition of
// a write and every rule of a decision has a name, by which it can be taken away.

import type { Change, Memory, Process, Row, State, Step, Table } from './explore.ts';

export type Ask = {
  /** What makes two requests the same: key, names and challenge are parts of it. */
  readonly request: string;
  readonly key: string;
  readonly names: string;
  readonly challenge: string;
  /** What it rests on beside, which a person may withdraw: of a renewal, the certificate that signed. */
  readonly grounds?: string;
};
type Owner = { readonly serial: number; readonly names: string; readonly request: string };
type Transaction = Ask & {
  readonly state: 'intended' | 'issued' | 'voided';
  readonly serial: number;
  readonly lapsed: boolean;
  /** What stood at the key owner before. */
  readonly previous: Owner | null;
};
type Certificate = { readonly state: Transaction['state']; readonly transaction: string };
type Challenge = {
  readonly left: number;
  readonly holder: string | null;
  readonly request: string;
};
type Pointer = { readonly transaction: string };
/** An attempt on it goes on when it is withdrawn: of a certificate, for the reason superseded. */
type Grounds = { readonly good: boolean; readonly used: boolean };
type Found = Transaction & { readonly id: string };
/** What a device knows of its attempt. */
type Kept = { readonly serial: number; readonly committed?: true; readonly ended?: true };

/** The conditions of the writes, by step. */
export const conditions = [
  'intend: Transaction',
  'intend: request pointer',
  'intend: key owner',
  'intend: a use is left',
  'intend: ended Transaction',
  'intend: ended certificate',
  'intend: ended one holds the use',
  'intend: grounds',
  'commit: Transaction',
  'commit: certificate',
  'void: Transaction',
  'void: certificate',
  'void: key owner',
  'void: it holds the use',
  'withdraw',
] as const;

/** What a decision looks at beside. */
export const rules = [
  'a twin has the use',
  'the request is still the newest',
  'the holder is voided',
  'the key: one attempt at a time',
  'the key: whose it was before is asked',
  'the key: its owner is voided',
  'an end: the key is still its own',
  'a refusal ends its own attempt',
  'grounds: a twin may have used them',
] as const;
export type Name = (typeof conditions)[number] | (typeof rules)[number];

/** Something has to be read first, or the process is at the end of its wits for now. */
class Stop {
  readonly step: Step;
  constructor(step: Step) {
    this.step = step;
  }
}
const again = (): never => {
  throw new Stop({ do: 'again' });
};

/** Changes of records as they were read; several of one record become one. */
class Draft {
  readonly #memory: Memory;
  readonly #changes = new Map<string, Change>();
  readonly #uses: Change[] = [];

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  get<T>(key: string): T | undefined {
    const change = this.#changes.get(key);
    return (
      change?.value !== undefined ? (change.value ?? undefined) : this.#memory.seen[key]?.value
    ) as T | undefined;
  }

  put(name: Name | 'new', key: string, value: object | null | undefined): void {
    const read = name === 'new' ? undefined : (this.#memory.seen[key] ?? undefined);
    this.#changes.set(key, { key, name, read, value });
  }

  /** It must be as it was read. */
  hold(name: Name, key: string): void {
    if (!this.#changes.has(key)) this.put(name, key, undefined);
  }

  use(key: string, use: NonNullable<Change['use']>): void {
    this.#uses.push({ key, name: 'use', read: undefined, value: undefined, use });
  }

  get changes(): Change[] {
    return [...this.#changes.values(), ...this.#uses];
  }
}

export class Protocol {
  readonly #without: ReadonlySet<string>;

  constructor(without: ReadonlySet<string>) {
    this.#without = without;
  }

  #rule(name: (typeof rules)[number]): boolean {
    return !this.#without.has(name);
  }

  /** Somebody who asks for a certificate until there is an answer. */
  device(ask: Ask): Process {
    return (memory, newId) =>
      stoppable(() => {
        const kept = memory.kept as Kept | undefined;
        if (kept?.ended) return again();
        if (kept?.committed) return { do: 'end', result: String(kept.serial) };
        return kept ? this.#commit(memory, kept.serial) : this.#certify(ask, memory, newId);
      });
  }

  /** Whoever withdraws what requests rest on. */
  person(grounds: string): Process {
    return (memory) =>
      stoppable(() => {
        if (memory.kept) return { do: 'end', result: 'withdrawn' };
        const key = `grounds ${grounds}`;
        see(memory, key);
        const draft = new Draft(memory);
        draft.put('withdraw', key, { ...value<Grounds>(memory, key), good: false });
        return { do: 'write', what: 'withdraw', changes: draft.changes, kept: {}, keys: [] };
      });
  }

  /** Whoever ends what nobody comes back for. */
  readonly sweeper: Process = (memory, _newId, table) =>
    stoppable(() => {
      if (memory.kept) return again();
      const [id] = Object.keys(memory.seen).filter((key) => key.startsWith('transaction'));
      if (id === undefined) {
        const due = Object.entries(table)
          .filter(([key]) => key.startsWith('transaction'))
          .filter(([, { value }]) => isLapsed(value as Transaction));
        return { do: 'pick', keys: due.map(([key]) => key) };
      }
      const transaction = found(memory, id) ?? again();
      if (!isLapsed(transaction)) return again();
      loadForEnd(memory, transaction);
      const draft = new Draft(memory);
      this.#void(draft, transaction, 'void');
      return { do: 'write', what: 'void', changes: draft.changes, kept: {}, keys: [] };
    });

  #certify(ask: Ask, memory: Memory, newId: number): Step {
    const { request, key } = ask;
    const [pointerKey, challengeKey] = [`request ${request}`, `challenge ${ask.challenge}`];
    const grounds = ask.grounds === undefined ? [] : [`grounds ${ask.grounds}`];
    see(memory, pointerKey, challengeKey, `owner ${key}`, ...grounds);
    const pointer = value<Pointer>(memory, pointerKey);
    const own = pointer && found(memory, pointer.transaction);
    if (own?.state === 'issued') return { do: 'end', result: String(own.serial) };
    if (own?.state === 'intended' && !own.lapsed) return again();
    const replaced = own?.state === 'intended' ? own : undefined;
    if (replaced) loadForEnd(memory, replaced);
    const refusal = this.#withdrawn(memory, pointerKey, grounds, replaced);
    if (refusal) return refusal;

    const challenge = value<Challenge>(memory, challengeKey) ?? again();
    const twin = !own && challenge.holder !== null && challenge.request === request;
    if (twin && this.#rule('a twin has the use')) return again();
    const held = replaced !== undefined && challenge.holder === replaced.id;
    const ends: Found[] = [];
    if (!held && challenge.left < 1) {
      const holder = this.#holder(memory, pointerKey, challenge.holder ?? '');
      if (holder === 'refused') return { do: 'end', result: 'refused' };
      ends.push(holder);
    }
    const owned = this.#owner(ask, memory, replaced ? [...ends, replaced] : ends);
    if (owned === 'owned') return { do: 'end', result: 'owned' };
    if (owned) ends.push(owned);

    const draft = new Draft(memory);
    for (const ending of ends) this.#void(draft, ending, 'intend');
    if (replaced) this.#end(draft, replaced, 'intend');
    const id = replaced?.id ?? `transaction ${newId}`;
    if (!held) {
      draft.use(challengeKey, (now, holds) => {
        const { left } = now as Challenge;
        return holds('intend: a use is left', left >= 1)
          ? { left: left - 1, holder: id, request }
          : undefined;
      });
    }
    const previous = draft.get<Owner>(`owner ${key}`) ?? null;
    const owner: Owner = { serial: newId, names: ask.names, request };
    draft.put('intend: key owner', `owner ${key}`, owner);
    const next = { ...ask, state: 'intended', serial: newId, lapsed: false, previous };
    draft.put(replaced ? 'intend: Transaction' : 'new', id, next);
    draft.put('new', `certificate ${newId}`, { state: 'intended', transaction: id });
    if (!replaced) draft.put('intend: request pointer', pointerKey, { transaction: id });
    for (const one of grounds) draft.put('intend: grounds', one, { good: true, used: true });
    const keys = [id, `certificate ${newId}`];
    const what = replaced ? 'replace' : ends.length > 0 ? 'take over' : 'intend';
    return { do: 'write', what, changes: draft.changes, kept: { serial: newId }, keys };
  }

  /** What it rests on has been withdrawn: it is refused, and its own attempt ends before. */
  #withdrawn(
    memory: Memory,
    pointerKey: string,
    grounds: readonly string[],
    own: Found | undefined,
  ): Step | undefined {
    const bad = grounds.map((one) => value<Grounds>(memory, one)).find((one) => !one?.good);
    if (!bad) return undefined;
    if (own && this.#rule('a refusal ends its own attempt')) {
      const draft = new Draft(memory);
      this.#void(draft, own, 'void');
      const kept: Kept = { serial: own.serial, ended: true };
      return { do: 'write', what: 'end', changes: draft.changes, kept, keys: [] };
    }
    if (!own && bad.used && this.#rule('grounds: a twin may have used them')) {
      if (this.#moved(memory, pointerKey)) return again();
    }
    return { do: 'end', result: 'refused' };
  }

  /** Whether the request has another Transaction than was read first. */
  #moved(memory: Memory, pointerKey: string): boolean {
    see(memory, `${pointerKey}'`);
    const [now, before] = [`${pointerKey}'`, pointerKey].map((key) => value<Pointer>(memory, key));
    return now?.transaction !== before?.transaction;
  }

  /** Who holds the challenge's only use: lapsed, so that it can be ended; or it is spent. */
  #holder(memory: Memory, pointerKey: string, id: string): Found | 'refused' {
    see(memory, `${pointerKey}'`, id);
    const moved = this.#moved(memory, pointerKey);
    if (moved && this.#rule('the request is still the newest')) return again();
    const holder = found(memory, id) ?? again();
    if (holder.state === 'intended') {
      if (!holder.lapsed) return again();
      loadForEnd(memory, holder);
      return holder;
    }
    if (holder.state === 'voided' && this.#rule('the holder is voided')) return again();
    return 'refused';
  }

  /** Whether the key may be certified for these names; who has to end for it. */
  #owner(ask: Ask, memory: Memory, ends: readonly Found[]): Found | 'owned' | undefined {
    const owner = value<Owner>(memory, `owner ${ask.key}`);
    if (!owner) return undefined;
    const settled = (one: Owner | null) => (one && one.names !== ask.names ? 'owned' : undefined);
    const ending = ends.find(({ serial }) => serial === owner.serial);
    if (ending) return settled(ending.previous);
    if (owner.names === ask.names && !this.#rule('the key: one attempt at a time')) {
      return undefined;
    }
    see(memory, `certificate ${owner.serial}`);
    const certificate = value<Certificate>(memory, `certificate ${owner.serial}`) ?? again();
    if (certificate.state === 'voided' && this.#rule('the key: its owner is voided'))
      return again();
    if (certificate.state !== 'intended') return settled(owner);
    const holder = found(memory, certificate.transaction) ?? again();
    if (holder.serial !== owner.serial || owner.request === ask.request) return again();
    if (!isLapsed(holder)) return again();
    loadForEnd(memory, holder);
    const before = this.#rule('the key: whose it was before is asked') && settled(holder.previous);
    return before || holder;
  }

  #commit(memory: Memory, serial: number): Step {
    const draft = new Draft(memory);
    const key = `certificate ${serial}`;
    const certificate = value<Certificate>(memory, key) ?? again();
    const id = certificate.transaction;
    draft.put('commit: Transaction', id, { ...value<Transaction>(memory, id), state: 'issued' });
    draft.put('commit: certificate', key, { ...certificate, state: 'issued' });
    const kept = { serial, committed: true };
    return { do: 'write', what: 'commit', changes: draft.changes, kept, keys: [] };
  }

  /** An attempt ends without a certificate; not its challenge. */
  #end(draft: Draft, { key, serial, previous }: Found, step: 'intend' | 'void'): void {
    const name = step === 'intend' ? 'intend: ended certificate' : 'void: certificate';
    const certificate = draft.get<Certificate>(`certificate ${serial}`);
    draft.put(name, `certificate ${serial}`, { ...certificate, state: 'voided' });
    const owner = draft.get<Owner>(`owner ${key}`);
    const still = owner?.serial === serial || !this.#rule('an end: the key is still its own');
    const ownerName = step === 'intend' ? 'intend: key owner' : 'void: key owner';
    if (owner && still) draft.put(ownerName, `owner ${key}`, previous);
    else draft.hold(ownerName, `owner ${key}`);
  }

  #void(draft: Draft, ending: Found, step: 'intend' | 'void'): void {
    this.#end(draft, ending, step);
    const { id, ...transaction } = ending;
    const name = step === 'intend' ? 'intend: ended Transaction' : 'void: Transaction';
    const use = step === 'intend' ? 'intend: ended one holds the use' : 'void: it holds the use';
    draft.put(name, id, { ...transaction, state: 'voided', previous: null });
    draft.use(`challenge ${ending.challenge}`, (now, holds) => {
      const { left, holder } = now as Challenge;
      if (!holds(use, holder === id)) return undefined;
      return { left: left + 1, holder: null, request: '' };
    });
  }
}

const isLapsed = ({ state, lapsed }: Transaction): boolean => state === 'intended' && lapsed;

function see(memory: Memory, ...keys: string[]): void {
  const missing = keys.filter((key) => !(key in memory.seen));
  if (missing.length > 0) throw new Stop({ do: 'read', keys: missing });
}

const value = <T>({ seen }: Memory, key: string): T | undefined =>
  seen[key]?.value as T | undefined;

function found(memory: Memory, id: string): Found | undefined {
  see(memory, id);
  const transaction = value<Transaction>(memory, id);
  return transaction && { ...transaction, id };
}

const loadForEnd = (memory: Memory, { serial, key, challenge }: Transaction): void =>
  see(memory, `certificate ${serial}`, `owner ${key}`, `challenge ${challenge}`);

function stoppable(work: () => Step): Step {
  try {
    return work();
  } catch (stop) {
    if (stop instanceof Stop) return stop.step;
    throw stop;
  }
}

/** Each lease that has not run out yet may. */
export function lapse(table: Table): Table[] {
  return Object.entries(table).flatMap(([key, { rev, value: record }]) => {
    const { state, lapsed } = record as Transaction;
    if (!key.startsWith('transaction') || state !== 'intended' || lapsed) return [];
    // Time is not a write: the revision stays.
    return [{ ...table, [key]: { rev, value: { ...(record as Transaction), lapsed: true } } }];
  });
}

export const freshChallenge: Row = { rev: 1, value: { left: 1, holder: null, request: '' } };
export const goodGrounds: Row = { rev: 1, value: { good: true, used: false } };

/** What must be true at every moment. @param asks of the devices, in the order of the processes */
export function wrong(asks: readonly Ask[]): (state: State) => string | undefined {
  return ({ table, memories }) => {
    const of = <T>(kind: string) =>
      Object.entries(table)
        .filter(([key]) => key.startsWith(`${kind} `))
        .map(([key, row]) => [key, row.value as T] as const);
    const transactions = of<Transaction>('transaction');
    const get = <T>(key: string) => table[key]?.value as T | undefined;
    for (const [id, { state, serial, request, key, names }] of transactions) {
      const certificate = get<Certificate>(`certificate ${serial}`);
      if (certificate?.state !== state) return `${id} is ${state}, its certificate is not`;
      if (state === 'voided') continue;
      if (get<Pointer>(`request ${request}`)?.transaction !== id) return `${id} is not the newest`;
      const other = transactions.find(
        ([, one]) =>
          one.key === key && one.names !== names && one.state === 'issued' && state === 'issued',
      );
      if (other) return `${id} and ${other[0]}: one key, two names`;
    }
    for (const [key, { state, transaction }] of of<Certificate>('certificate')) {
      if (state !== 'voided' && `certificate ${get<Transaction>(transaction)?.serial}` !== key) {
        return `${key} (${state}) is not its Transaction's`;
      }
    }
    for (const [key, { left, holder }] of of<Challenge>('challenge')) {
      const holders = transactions.filter(
        ([, one]) => `challenge ${one.challenge}` === key && one.state !== 'voided',
      );
      if (left + holders.length !== 1) return `${key}: ${left} left, ${holders.length} held`;
      if (left === 0 && holders[0]?.[0] !== holder) return `${key} names ${holder}`;
    }
    for (const [key, { serial }] of of<Owner>('owner')) {
      if (get<Certificate>(`certificate ${serial}`)?.state === 'voided') {
        return `${key} names a voided serial`;
      }
    }
    for (const [i, ask] of asks.entries()) {
      const result = memories[i]?.result;
      if (result === undefined) continue;
      const mine = transactions.find(
        ([, one]) => one.request === ask.request && one.state === 'issued',
      );
      if (/^\d/.test(result)) {
        if (result !== String(mine?.[1].serial)) return `device ${i} was given ${result}`;
      } else if (mine) return `device ${i} was ${result} what it has`;
      else if (result === 'refused') {
        const spent = transactions.some(
          ([, one]) => one.challenge === ask.challenge && one.state === 'issued',
        );
        const withdrawn = get<Grounds>(`grounds ${ask.grounds}`)?.good === false;
        if (!spent && !withdrawn) return `device ${i} was refused, and the challenge is not spent`;
      } else if (get<Owner>(`owner ${ask.key}`)?.names === ask.names) {
        return `device ${i} was told that its own key is another's`;
      }
    }
    return undefined;
  };
}

/** A table in which this request has been answered. */
export function certified({ challenge, ...ask }: Ask): Table {
  const owner: Owner = { serial: -1, names: ask.names, request: ask.request };
  const transaction: Transaction = {
    ...ask,
    challenge,
    state: 'issued',
    serial: -1,
    lapsed: false,
    previous: null,
  };
  const certificate: Certificate = { state: 'issued', transaction: 'transaction -1' };
  return {
    [`owner ${ask.key}`]: { rev: 1, value: owner },
    'transaction -1': { rev: 2, value: transaction },
    'certificate -1': { rev: 2, value: certificate },
    [`request ${ask.request}`]: { rev: 1, value: { transaction: 'transaction -1' } },
    [`challenge ${challenge}`]: {
      rev: 2,
      value: { left: 0, holder: 'transaction -1', request: ask.request },
    },
  };
}
