// One history: many acts at once over one store, with faults, and then quiet, in which every device
// asks until it has its answer. Then it is judged. Everything is drawn from the seed, which stands in
// the message of whatever goes wrong.

import { LEASE_MS, SWEEP_AFTER_MS } from '../../lib/base/limits.ts';
import { sweep } from '../../lib/ca/jobs.ts';
import type { Turns } from '../support/seeded.ts';
import { Chance, FreeTurns, SeededTurns } from '../support/seeded.ts';
import { Clients, type Conversation } from './clients.ts';
import { judge } from './judge.ts';
import { type Tried, World } from './world.ts';

export type HistoryOptions = {
  readonly seed: string;
  readonly operations: number;
  /** Seeded: one step at a time, the same again for the same seed. Free: as the machine has it. */
  readonly order: 'seeded' | 'free';
  /** @param turns for a store that gives turns away inside its calls */
  readonly open: (turns: Turns) => Promise<Tried>;
  readonly progress?: (done: number) => void;
};

export type Summary = {
  readonly acts: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<string, number>>;
  readonly conversations: number;
  readonly certificates: number;
  readonly states: Readonly<Record<string, number>>;
  /** What devices were told, in order: the same for the same seed and order `seeded`. */
  readonly transcript: readonly string[];
};

const WORKERS = 10;
const TRIES = 12;

export async function history(options: HistoryOptions): Promise<Summary> {
  try {
    return await run(options);
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    throw new Error(`seed ${options.seed}, ${options.operations} operations: ${said}`, {
      cause: error,
    });
  }
}

async function run({ seed, operations, order, open, progress }: HistoryOptions): Promise<Summary> {
  const chance = new Chance(seed);
  const drawn = chance.fork('turns');
  const turns = order === 'seeded' ? new SeededTurns(drawn) : new FreeTurns(drawn);
  const tried = await open(turns);
  try {
    const world = await World.open({
      tried,
      turns,
      chance,
      caKey: chance.pick(['ec:P-256', 'ec:P-256', 'rsa:2048'] as const) ?? 'ec:P-256',
      failing: chance.pick([0, 0.01, 0.03]) ?? 0,
      dying: chance.pick([0, 0.002, 0.01]) ?? 0,
    });
    const clients = await Clients.open(world, Math.min(40, Math.max(8, operations / 50)));
    tried.begin?.();
    let begun = 0;
    const worker = async () => {
      while (begun < operations) {
        if (++begun % 500 === 0) progress?.(begun);
        await clients.act();
      }
    };
    await all(Array.from({ length: WORKERS }, () => turns.run(worker)));
    await all(clients.beside);
    await turns.run(() => quiet(world, clients));
    const rows = await tried.dump();
    judge(rows, clients);
    return summary(world, clients, rows);
  } finally {
    await tried.close();
  }
}

/** Waits for all of them also when one fails: nobody may be at work when the store is closed. */
async function all(tasks: readonly Promise<unknown>[]): Promise<void> {
  for (const result of await Promise.allSettled(tasks)) {
    if (result.status === 'rejected') throw result.reason;
  }
}

/** No more faults: everybody asks again until there is an answer, and what waits is decided. */
async function quiet(world: World, clients: Clients): Promise<void> {
  world.armed = false;
  world.clock.at += LEASE_MS;
  const { conversations } = clients;
  for (const conversation of conversations) await answered(world, clients, conversation);
  for (let page = await clients.pending(); page.length > 0; ) {
    for (const id of page) {
      await clients.decideOn(id, clients.chance.happens(0.75) ? 'approved' : 'denied');
    }
    // Those whose time is over stay where they are until they are swept.
    const left = await clients.pending();
    page = left.filter((id) => !page.includes(id));
  }
  for (const conversation of conversations) await answered(world, clients, conversation);
  // Attempts that nobody repeated: their devices renewed again, or ask at another endpoint by now.
  world.clock.at += LEASE_MS + SWEEP_AFTER_MS;
  await world.ask(sweep);
}

async function answered(world: World, clients: Clients, conversation: Conversation): Promise<void> {
  for (let tries = 0; tries < TRIES; tries++) {
    if ((await clients.send(conversation)) !== 'failed') return;
    world.clock.at += LEASE_MS;
  }
  const { number } = conversation;
  throw new Error(`conversation ${number}: no answer after ${TRIES} quiet tries: ${world.trouble}`);
}

function summary(
  world: World,
  clients: Clients,
  rows: readonly { kind: string; record: object }[],
) {
  const states: Record<string, number> = {};
  let certificates = 0;
  for (const { kind, record } of rows) {
    if (kind === 'certificate') certificates++;
    if (kind === 'transaction' && 'state' in record) {
      const state = String(record.state);
      states[state] = (states[state] ?? 0) + 1;
    }
  }
  const transcript = clients.conversations.flatMap(({ number, answers }) =>
    answers.map(
      ({ begin, end, pkiStatus, code }) =>
        `${number} [${begin}, ${end}] ${pkiStatus} ${code ?? ''}`,
    ),
  );
  const { conversations, done: acts } = clients;
  const { faults } = world;
  return { acts, faults, conversations: conversations.length, certificates, states, transcript };
}
