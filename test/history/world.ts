// Several processes over one store, as several instances of a function are: each with its own ports
// and its own idea of the time. Calls at their ports fail by seed, before or after they take effect
// or long before; a process dies between any two of its steps, and what it has sent still arrives.

import { Outage } from '../../lib/base/errors.ts';
import { UNIFORM_ANSWER_MS } from '../../lib/base/limits.ts';
import { guarded } from '../../lib/ca/record/guarded-store.ts';
import type { Config } from '../../lib/config/config.ts';
import type { Endpoint } from '../../lib/config/endpoint/endpoint.ts';
import type { LogEntry } from '../../lib/ports/log.ts';
import type { ListQuery, Page, Row, Store } from '../../lib/ports/store.ts';
import type { Validator } from '../../lib/ports/validator.ts';
import { memorySigner } from '../support/keys.ts';
import { type Lab, type LabDeps, makeLab } from '../support/lab.ts';
import type { Chance, Turns } from '../support/seeded.ts';

/** A store to be tried, and a look at all of it that goes past every fault. */
export type Tried = {
  readonly store: Store;
  dump(): Promise<readonly Row[]>;
  /** The CA is there; from now on everything counts. */
  begin?(): void;
  close(): Promise<void>;
};

export type WorldOptions = {
  readonly tried: Tried;
  readonly turns: Turns;
  readonly chance: Chance;
  readonly caKey: 'rsa:2048' | 'ec:P-256';
  /** How likely a call at a port fails, and how likely its process dies there. */
  readonly failing: number;
  readonly dying: number;
};

/** What a port threw because it was told to. */
class Injected extends Error {
  override readonly name = 'Injected';
}

const PROCESSES = 3;

/** Milliseconds by which the clocks of two processes may differ. */
export const SKEW_MS = 2000;

/** Turns that pass in a second of sleep: about as many as an issue takes. */
const TURNS_A_SECOND = 10;

export class World {
  readonly options: WorldOptions;
  readonly lab: Lab;
  readonly config: Config;
  readonly chance: Chance;
  readonly clock: { at: number };
  /** The time of this history: everything that happens gets the next number. */
  #moment = 0;
  #processes: Process[] = [];
  readonly #pages = new Map<string, Page>();
  armed = true;
  /** Why the last call failed that did. */
  trouble = '';
  /** How many there were of each kind. */
  readonly faults: Record<string, number> = {};
  readonly gateSaid = new Map<string, 'release' | 'refuse'>();

  private constructor(options: WorldOptions, lab: Lab) {
    this.options = options;
    this.lab = lab;
    this.chance = options.chance.fork('world');
    this.clock = { at: lab.clock.at };
    this.config = withGate(lab.config);
  }

  static async open(options: WorldOptions): Promise<World> {
    const { tried, caKey } = options;
    const lab = await options.turns.run(() =>
      makeLab({
        store: tried.store,
        caKey,
        now: 1_800_000_000_000,
        config: {
          endpoints: {
            default: { ca: 'default' },
            approving: { ca: 'default', approval: 'always', pendingTtl: '2h' },
            gated: { ca: 'default' },
          },
        },
      }),
    );
    // Places for every refusal: whoever waits for another to take some has no turn to give.
    const places = async () => ({ places: 1e6, pauseMs: 0 });
    for (const id of lab.config.endpoints.keys()) {
      await lab.deps.tally.takeRefusal(id, lab.clock.at, places);
    }
    const world = new World(options, lab);
    world.#processes = Array.from({ length: PROCESSES }, (_, i) => new Process(world, i, 0));
    return world;
  }

  moment(): number {
    return this.#moment++;
  }

  endpoint(id: string): Endpoint {
    const endpoint = this.config.endpoints.get(id);
    if (!endpoint) throw new Error(`no endpoint ${id}`);
    return endpoint;
  }

  /**
   * What one of the processes makes of it; `failed` when it is in trouble or dies over it. A new
   * process takes the place of a dead one.
   */
  async ask<T>(work: (deps: LabDeps) => Promise<T>): Promise<T | 'failed'> {
    const { turns } = this.options;
    await turns.take('nobody');
    const process = this.chance.pick(this.#processes) as Process;
    try {
      const result = await Promise.race([work(process.deps), process.died]);
      if (!process.dead) return result as T;
    } catch (error) {
      if (!(error instanceof Injected || error instanceof Outage)) throw error;
      this.trouble = error.message;
      return 'failed';
    }
    await turns.take('nobody');
    return 'failed';
  }

  /** Lists may be behind: what they were the last time somebody looked. */
  async lagging(query: ListQuery): Promise<Page> {
    const name = JSON.stringify([query.list, query.group]);
    const page = await this.options.tried.store.list(query);
    const old = this.#pages.get(name);
    this.#pages.set(name, page);
    return (this.armed && this.chance.happens(0.2) && old) || page;
  }

  /** Everything that one process has under way ends. */
  kill(victim: Process | undefined = this.chance.pick(this.#processes)): void {
    if (!victim || victim.dead) return;
    victim.die();
    const { slot, life } = victim;
    this.#processes[slot] = new Process(this, slot, life + 1);
  }
}

/** An endpoint with a release gate, which no configuration can name yet. */
function withGate(config: Config): Config {
  const endpoints = new Map(config.endpoints);
  const gated = endpoints.get('gated');
  if (gated) {
    const enrol = { ...gated.enrol, authorize: ['challenge', 'gate'] };
    endpoints.set('gated', { ...gated, enrol });
  }
  return { ...config, endpoints };
}

class Process {
  readonly slot: number;
  readonly life: number;
  readonly deps: LabDeps;
  readonly died: Promise<void>;
  dead = false;
  readonly #world: World;
  readonly #chance: Chance;
  #tell: () => void = () => {};

  constructor(world: World, slot: number, life: number) {
    this.slot = slot;
    this.life = life;
    this.#world = world;
    this.#chance = world.options.chance.fork(`process ${slot}.${life}`);
    this.died = new Promise((resolve) => {
      this.#tell = resolve;
    });
    this.deps = this.#makeDeps();
  }

  die(): void {
    this.dead = true;
    this.#world.options.turns.orphan(this);
    this.#tell();
  }

  #makeDeps(): LabDeps {
    const { lab, config, options, clock: time } = this.#world;
    const { store } = options.tried;
    const skew = this.#chance.below(SKEW_MS) - SKEW_MS / 2;
    const clock = { now: () => time.at + skew, sleep: (ms: number) => this.#sleep(ms) };
    const faulty: Store = {
      read: (keys) => this.#call('read', () => store.read(keys)),
      write: (actions) => this.#call('write', () => store.write(actions)),
      list: (query) => this.#call('list', () => this.#world.lagging(query)),
    };
    const signer: typeof memorySigner = {
      ...memorySigner,
      sign: (...args) => this.#call('sign', () => memorySigner.sign(...args)),
    };
    const gate = gateOf(this.#world);
    return {
      // With it the CAs as the lab has loaded them: a load is shared by the requests of a process, and
      // whoever waits for another's load has no turn to give.
      ...lab.deps,
      config,
      clock,
      store: guarded(faulty, lab.deps.macKeys, () => {}),
      signer,
      crlSigner: signer,
      validators: new Map([
        [
          'gate',
          {
            validate: (request) => this.#call('validate', () => gate.validate(request)),
            notify: (notice) => this.#call('notify', () => gate.notify(notice)),
          },
        ],
      ]),
      random: this.#chance.fork('random').octets,
      log: (entry) => this.#log(entry),
    };
  }

  #log({ event, detail }: LogEntry): void {
    if (event !== 'sweep.failed') return;
    const expected = /Injected|release gate|competes|being worked on|failed/.test(String(detail));
    if (!expected) throw new Error(`the sweeper met a bug: ${detail}`);
  }

  async #call<T>(port: string, act: () => Promise<T>): Promise<T> {
    await this.#turn();
    const fault = this.#fault(port);
    if (fault === 'dies before') return this.#dieHere();
    if (fault === 'fails before') throw new Injected(`Injected: ${port} before it took effect`);
    if (fault === 'takes effect late') {
      // As a request does that is under way when its sender stops waiting.
      void this.#world.options.turns.run(act).catch(() => {});
      throw new Injected(`Injected: ${port}, and it takes effect later`);
    }
    const result = await act();
    await this.#turn();
    if (fault === 'dies after') return this.#dieHere();
    if (fault === 'fails after') throw new Injected(`Injected: ${port} after it took effect`);
    return result;
  }

  #fault(port: string) {
    const { armed, options, faults } = this.#world;
    if (!armed || !this.#chance.happens(options.failing + options.dying)) return undefined;
    const failing = Math.ceil(options.failing * 1000);
    const dying = Math.ceil(options.dying * 1000);
    const fault = this.#chance.weighted({
      'fails before': failing,
      'fails after': failing,
      'takes effect late': port === 'write' ? failing : 0,
      'dies before': dying,
      'dies after': dying,
    });
    faults[fault] = (faults[fault] ?? 0) + 1;
    return fault;
  }

  /** Gives the turn away; a process that is dead by then goes no further. */
  async #turn(): Promise<void> {
    await this.#world.options.turns.take(this);
    if (this.dead) await this.#world.options.turns.end();
  }

  async #sleep(ms: number): Promise<void> {
    // It runs beside what is done meanwhile, which has the turn; whoever waits for it has been refused.
    if (ms === UNIFORM_ANSWER_MS) return;
    for (let turns = Math.ceil((ms * TURNS_A_SECOND) / 1000); turns > 0; turns--)
      await this.#turn();
  }

  #dieHere<T>(): Promise<T> {
    this.#world.kill(this);
    return new Promise(() => {});
  }
}

/** Lets most pass and refuses some for good; what it has said once it says again. */
function gateOf(world: World): Required<Pick<Validator, 'validate' | 'notify'>> {
  return {
    validate: async () => ({ allow: true }),
    notify: async ({ requestHash }) => {
      const said =
        world.gateSaid.get(requestHash) ?? (world.chance.happens(0.15) ? 'refuse' : 'release');
      world.gateSaid.set(requestHash, said);
      return said;
    },
  };
}
