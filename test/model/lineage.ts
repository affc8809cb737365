// Renewals of one lineage as plain data ("Issuance, exactly once", Renewal): whoever holds a certificate
// renews, a person revokes, a sweeper voids, each by what it has read and by writes on conditions. An
// attempt and its certificate are one record here: they always change together.

import type { Change, Memory, Process, State, Step, Table } from './explore.ts';

type Certificate = {
  readonly state: 'intended' | 'issued' | 'voided' | 'superseded' | 'revoked';
  readonly confirmed: boolean;
  readonly successors: readonly string[];
  /** The copy of what the lineage knows: renewals that count, good ones with the oldest first. */
  readonly renewals: number;
  readonly good: readonly string[];
  /** What it renews was revoked, and how far it was then. */
  readonly ended?: 'intended' | 'issued';
  /** Of an attempt: what signed it, and the renewals before it. */
  readonly signer?: string;
  readonly before: number;
  readonly lapsed: boolean;
};

/** Smaller than in the product, so that everything can be tried. */
const BUDGET = 3;
const GOOD = 3;

export const conditions = [
  'intend: signer',
  'intend: ended attempt',
  'intend: superseded',
  'commit: certificate',
  'void: certificate',
  'void: signer',
  'revoke: certificate',
  'revoke: heir',
] as const;
export const rules = [
  'a signer that has ended renews nothing',
  'a revoked successor ends its signer',
  'a confirmed successor ends its signer',
  'a commit looks whether it has ended',
  'an attempt gives its place back',
  'the oldest makes room',
] as const;
export type Name = (typeof conditions)[number] | (typeof rules)[number];

class Stop {
  readonly step: Step;
  constructor(step: Step) {
    this.step = step;
  }
}
const end = (result: string): never => {
  throw new Stop({ do: 'end', result });
};
const again = (): never => {
  throw new Stop({ do: 'again' });
};

function get(memory: Memory, key: string): Certificate {
  if (!(key in memory.seen)) throw new Stop({ do: 'read', keys: [key] });
  return (memory.seen[key]?.value as Certificate | undefined) ?? again();
}

/** Reads them in one call. */
function getAll(memory: Memory, keys: readonly string[]): (readonly [string, Certificate])[] {
  const missing = keys.filter((key) => !(key in memory.seen));
  if (missing.length > 0) throw new Stop({ do: 'read', keys: missing });
  return keys.map((key) => [key, get(memory, key)]);
}

const change = (memory: Memory, name: Name | 'new', key: string, value: Certificate): Change => ({
  key,
  name,
  read: name === 'new' ? undefined : (memory.seen[key] ?? undefined),
  value,
});

export class Lineage {
  readonly #without: ReadonlySet<string>;

  constructor(without: ReadonlySet<string>) {
    this.#without = without;
  }

  #rule(name: (typeof rules)[number]): boolean {
    return !this.#without.has(name);
  }

  /** Whoever holds this certificate renews it once. */
  device(signer: string): Process {
    return stoppable((memory, newId) => {
      const kept = memory.kept as { readonly key: string } | undefined;
      if (!kept) return this.#intend(memory, signer, `certificate ${newId}`);
      const made = get(memory, kept.key);
      if (made.state === 'issued') return end('renewed');
      if (made.state !== 'intended') return again();
      if (made.ended && this.#rule('a commit looks whether it has ended')) return end('refused');
      const next: Certificate = { ...made, state: 'issued' };
      const changes = [change(memory, 'commit: certificate', kept.key, next)];
      return { do: 'write', what: 'commit', changes, kept, keys: [kept.key] };
    });
  }

  #intend(memory: Memory, signerKey: string, key: string): Step {
    const signer = get(memory, signerKey);
    if (signer.state !== 'issued') return end('refused');
    if (signer.ended && this.#rule('a signer that has ended renews nothing')) end('refused');
    const others = signer.good.filter((one) => one !== signerKey);
    const full = others.length + 2 > GOOD;
    const read = [...new Set([...signer.successors, ...(full ? others : [])])];
    const found = new Map(getAll(memory, read));
    const leaving: string[] = [];
    const changes: Change[] = [];
    let before = signer.renewals;
    for (const successor of signer.successors) {
      const one = found.get(successor) ?? again();
      const { state, confirmed } = one;
      if (state === 'revoked' && this.#rule('a revoked successor ends its signer')) end('refused');
      if (confirmed && this.#rule('a confirmed successor ends its signer')) end('refused');
      if (state === 'intended' && !one.lapsed) again();
      if (state === 'intended') {
        leaving.push(successor);
        changes.push(change(memory, 'intend: ended attempt', successor, ended(one)));
        if (this.#rule('an attempt gives its place back')) before = one.before;
      }
      if (state === 'issued') changes.push(this.#supersede(memory, successor, one));
    }
    if (before >= BUDGET) return end('too often');
    const superseded = new Set(changes.map((one) => one.key));
    const stay = others.filter(
      (one) => !superseded.has(one) && (found.get(one)?.state ?? 'issued') === 'issued',
    );
    const excess = this.#rule('the oldest makes room') ? Math.max(0, stay.length + 2 - GOOD) : 0;
    for (const oldest of stay.splice(0, excess)) {
      changes.push(this.#supersede(memory, oldest, found.get(oldest) ?? again()));
    }
    const copied = { renewals: before + 1, good: [...stay, signerKey, key] };
    const listed = signer.successors.filter((one) => !leaving.includes(one));
    const successors = [...listed, key];
    const signed: Certificate = { ...signer, ...copied, confirmed: true, successors };
    const fresh = { confirmed: false, successors: [], before, lapsed: false } as const;
    const made: Certificate = { ...copied, ...fresh, state: 'intended', signer: signerKey };
    changes.push(change(memory, 'intend: signer', signerKey, signed));
    changes.push(change(memory, 'new', key, made));
    // It is read again: a commit that lost to another write goes on with what it finds.
    return { do: 'write', what: 'intend', changes, kept: { key }, keys: [] };
  }

  #supersede(memory: Memory, key: string, one: Certificate): Change {
    return change(memory, 'intend: superseded', key, { ...one, state: 'superseded' });
  }

  /** A person revokes this certificate, and means its device. */
  person(key: string): Process {
    return stoppable((memory) => {
      if (memory.kept) return end('revoked');
      const certificate = get(memory, key);
      if (certificate.state !== 'issued') return end('was not good');
      const heirs = getAll(memory, certificate.successors).filter(
        ([, { state, confirmed }]) => !confirmed && (state === 'intended' || state === 'issued'),
      );
      const revoked: Certificate = { ...certificate, state: 'revoked' };
      const changes = [
        change(memory, 'revoke: certificate', key, revoked),
        ...heirs.map(([heir, one]) => {
          const how = one.state === 'intended' ? 'intended' : 'issued';
          return change(memory, 'revoke: heir', heir, { ...one, ended: how });
        }),
      ];
      return { do: 'write', what: 'revoke', changes, kept: {}, keys: [] };
    });
  }

  /** Whoever voids what nobody comes back for. */
  readonly sweeper: Process = stoppable((memory, _newId, table) => {
    if (memory.kept) return again();
    const [key] = Object.keys(memory.seen);
    if (key === undefined) return { do: 'pick', keys: lapsedOf(table) };
    const attempt = get(memory, key);
    if (attempt.state !== 'intended' || !attempt.lapsed) return again();
    const signerKey = attempt.signer ?? again();
    const signer = get(memory, signerKey);
    const renewals = this.#rule('an attempt gives its place back')
      ? attempt.before
      : signer.renewals;
    const without = {
      renewals,
      successors: signer.successors.filter((one) => one !== key),
      good: signer.good.filter((one) => one !== key),
    };
    const changes = [
      change(memory, 'void: certificate', key, ended(attempt)),
      change(memory, 'void: signer', signerKey, { ...signer, ...without }),
    ];
    return { do: 'write', what: 'void', changes, kept: {}, keys: [] };
  });
}

const ended = (attempt: Certificate): Certificate => ({ ...attempt, state: 'voided' });

const lapsedOf = (table: Table): string[] =>
  Object.entries(table).flatMap(([key, { value }]) => {
    const { state, lapsed } = value as Certificate;
    return state === 'intended' && lapsed ? [key] : [];
  });

const stoppable =
  (work: Process): Process =>
  (memory, newId, table) => {
    try {
      return work(memory, newId, table);
    } catch (stop) {
      if (stop instanceof Stop) return stop.step;
      throw stop;
    }
  };

/** Each lease that has not run out yet may. */
export function lapse(table: Table): Table[] {
  return Object.entries(table).flatMap(([key, { rev, value }]) => {
    const attempt = value as Certificate;
    if (attempt.state !== 'intended' || attempt.lapsed) return [];
    return [{ ...table, [key]: { rev, value: { ...attempt, lapsed: true } } }];
  });
}

/** Certificates that were renewed one by the other, the first of them enrolled. */
export function chain(...keys: readonly string[]): Table {
  const rows = keys.map((key, i) => {
    const next = keys[i + 1];
    const value: Certificate = {
      state: 'issued',
      confirmed: next !== undefined,
      successors: next === undefined ? [] : [next],
      renewals: next === undefined ? i : i + 1,
      good: keys.slice(0, i + 2),
      before: Math.max(0, i - 1),
      lapsed: false,
      ...(i > 0 ? { signer: keys[i - 1] ?? '' } : {}),
    };
    return [key, { rev: 1, value }] as const;
  });
  return Object.fromEntries(rows);
}

/** What must be true at every moment. */
export function wrong({ table }: State): string | undefined {
  const all = Object.entries(table).map(([key, { value }]) => [key, value as Certificate] as const);
  const of = (key: string) => table[key]?.value as Certificate;
  const lives = ({ state }: Certificate) => state === 'intended' || state === 'issued';
  const renewals = all.filter(([, one]) => one.signer !== undefined && one.state !== 'voided');
  if (renewals.length > BUDGET) return `${renewals.length} renewals`;
  if (all.filter(([, one]) => lives(one)).length > GOOD) return 'too many are good';
  for (const [key, one] of all) {
    const after = one.successors.map((successor) => [successor, of(successor)] as const);
    for (const [i, [successor, next]] of after.entries()) {
      if (next.state === 'voided') return `${key} lists ${successor}, which is voided`;
      if (one.state === 'revoked' && lives(next) && !next.confirmed && !next.ended)
        return `${key} is revoked, and ${successor} renews`;
      if (one.ended && lives(next)) return `${key} has ended and was renewed by ${successor}`;
      if (next.state === 'revoked' && i + 1 < after.length)
        return `${key} was renewed after its renewal ${successor} had been revoked`;
    }
    if (one.ended === 'intended' && one.state === 'issued')
      return `${key} was finished after its end`;
    const renews = one.state === 'issued' && !after.some(([, next]) => next.confirmed);
    if (renews && one.renewals !== renewals.length)
      return `${key} counts ${one.renewals} renewals of ${renewals.length}`;
    if (renews && all.some(([other, { state }]) => state === 'issued' && !one.good.includes(other)))
      return `${key} does not know all that is good`;
  }
  return undefined;
}
