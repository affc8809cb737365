// What a log takes: events that are written and sequenced as `npm start` does it, in a data folder with fsync; and what
// an enrolment costs with a log and without one, in turns.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { logsOf, openDatabaseFile, storeOf } from '../../functions/node/database.ts';
import { SoftwareKeys } from '../../lib/adapters/software-keys.ts';
import { systemClock } from '../../lib/adapters/system.ts';
import type { Bytes } from '../../lib/base/bytes.ts';
import { LOG_EVERY_MS } from '../../lib/base/log-limits.ts';
import { timeOfUlid } from '../../lib/base/ulid.ts';
import { sequenceAll, sequenceLog } from '../../lib/ca/log/sequence.ts';
import { logStates } from '../../lib/ca/log/states.ts';
import { Draft, View } from '../../lib/ca/record/unit-of-work.ts';
import { checkConfig } from '../../lib/config/config.ts';
import type { Store } from '../../lib/ports/store.ts';
import { type ClientKey, generateKey } from '../../lib/protocol/scep/client/client.ts';
import { makeLab } from '../support/lab.ts';
import { enrolment, random } from '../support/messages.ts';
import { temporary } from '../support/process.ts';
import { median } from './median.ts';

const CA = 'default';
/** Writes that are not answered yet. */
const MAX_OPEN = 5000;

export type Rate = {
  /** Events written a second. */
  readonly perSecond: number;
  /** Seconds that the oldest event has waited for a published checkpoint at the end. */
  readonly lag: number;
  /** The same of the one that waited longest, of those under a checkpoint. */
  readonly waited: number;
  /** Seconds of the longest run of the sequencer. */
  readonly run: number;
  /** Of CPU, all threads, a second. */
  readonly cores: number;
};

async function openFolder() {
  const dataDir = temporary('bench-log');
  const database = await openDatabaseFile(dataDir);
  const keys = await SoftwareKeys.open(join(dataDir, 'keys'));
  const log = () => {};
  const logs = await logsOf(database, keys);
  if (!logs) throw new Error('no logs are kept');
  const close = (): void => {
    database.close();
    rmSync(dataDir, { recursive: true });
  };
  return { database, keys, logs, log, store: storeOf(database, keys, log), close };
}
type Folder = Awaited<ReturnType<typeof openFolder>>;

/** One event, as an administrator causes it. */
async function happen(store: Store): Promise<void> {
  const draft = new Draft(new View(store));
  draft.event(Date.now(), random, {
    type: 'challenge.created',
    actor: { kind: 'admin', id: 'mdm', from: '192.0.2.17', auth: 'token' },
    ...{ ca: CA, endpoint: 'default', challengeId: 'b3f1c7a95d20468e', subject: 'CN=laptop-17' },
    names: ['dns:laptop-17.example.com'],
    expires: new Date(Date.now() + 3_600_000).toISOString(),
  });
  if ((await store.write(draft.actions)) !== 'done') throw new Error('an event was not written');
}

type Asked = {
  readonly perSecond: number;
  readonly seconds: number;
  /** Between two runs of the sequencer; default: the server's. */
  readonly everyMs?: number;
};

export async function logRate(
  { perSecond, seconds, everyMs = LOG_EVERY_MS }: Asked,
  say: (line: string) => void,
): Promise<Rate> {
  const { store, logs, log, close } = await openFolder();
  const config = checkConfig({
    publicUrl: 'https://ca.example.com',
    cas: { [CA]: { subject: 'CN=bench' } },
    endpoints: { default: { ca: CA } },
  });
  const deps = { store, logs, log, config, clock: systemClock };
  let [stopped, waited, run, sequenced] = [false, 0, 0, 0];
  const sequence = async (): Promise<void> => {
    const from = performance.now();
    const { appended, waitedMs } = await sequenceLog(deps, CA);
    sequenced += appended;
    waited = Math.max(waited, waitedMs / 1000);
    run = Math.max(run, (performance.now() - from) / 1000);
  };
  let rest: NodeJS.Timeout | undefined;
  let wake = (): void => {};
  const sequencer = (async () => {
    while (!stopped) {
      await sequence();
      await new Promise<void>((resolve) => {
        wake = resolve;
        rest = setTimeout(resolve, everyMs);
      });
    }
  })();
  const began = process.cpuUsage();
  const from = performance.now();
  const all = perSecond * seconds;
  let [begun, done, said] = [0, 0, 0];
  const failed: unknown[] = [];
  while (begun < all && failed.length === 0) {
    const elapsed = performance.now() - from;
    const due = Math.min(all, Math.floor((elapsed / 1000) * perSecond));
    for (; begun < due && begun - done < MAX_OPEN; begun++) {
      happen(store).then(
        () => void done++,
        (error: unknown) => void failed.push(error),
      );
    }
    if (elapsed - said >= 60_000) {
      said = elapsed;
      say(`         ${done} events after ${Math.round(elapsed / 1000)} s, ${sequenced} sequenced`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  while (done < all && failed.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  if (failed.length > 0) throw failed[0];
  const took = (performance.now() - from) / 1000;
  const { user, system } = process.cpuUsage(began);
  const { keys } = await store.list({ list: 'unlogged', group: CA, limit: 1 });
  const oldest = keys[0]?.split('/').at(-1);
  const lag = oldest === undefined ? 0 : (Date.now() - timeOfUlid(oldest)) / 1000;
  stopped = true;
  clearTimeout(rest);
  wake();
  await sequencer;
  for (let before = -1; before < sequenced; ) {
    before = sequenced;
    await sequence();
  }
  const [state] = (await logStates(deps)).filter((one) => one.log === CA);
  if (state?.checkpoint.size !== all) throw new Error(`${state?.checkpoint.size} of ${all} events`);
  close();
  return { perSecond: all / took, lag, waited, run, cores: (user + system) / 1e6 / took };
}

/** In flight at once, each of a device of its own: two requests for one key wait for each other. */
const IN_FLIGHT = 8;

export type Enrolments = {
  /** A second, medians of the rounds. */
  readonly without: number;
  readonly with: number;
  /** Median of those of each round. */
  readonly ratio: number;
};

/** Enrolments without a log and with one, in turns, without HTTP. To the latter belongs all that its sequencer does. */
export async function enrolmentRates(rounds: number, each: number): Promise<Enrolments> {
  const [bare, kept] = [await openFolder(), await openFolder()];
  const devices: ClientKey[] = [];
  for (let i = 0; i < IN_FLIGHT; i++) devices.push(await generateKey({ type: 'RSA', bits: 2048 }));
  const sideOf = async ({ database, keys, logs }: Folder, isKept: boolean) => {
    const lab = await makeLab({
      ...{ store: database, macKeys: keys.macKeys },
      ...(isKept ? { logs } : {}),
    });
    return async (): Promise<number> => {
      const queues: Bytes[][] = [];
      for (const key of devices) {
        const queue: Bytes[] = [];
        for (let i = 0; i < each; i++) {
          queue.push((await enrolment(lab, { challenge: await lab.challenge(), key })).message);
        }
        queues.push(queue);
      }
      const from = performance.now();
      await Promise.all(
        queues.map(async (messages) => {
          for (const message of messages) await lab.operate(message);
        }),
      );
      if (isKept) await sequenceAll({ ...lab.deps, logs });
      return (each * IN_FLIGHT * 1000) / (performance.now() - from);
    };
  };
  const sides = [await sideOf(bare, false), await sideOf(kept, true)] as const;
  const found: (readonly [number, number])[] = [];
  // The first round warms up.
  for (let round = 0; round <= rounds; round++) {
    const without = await sides[0]();
    const withLog = await sides[1]();
    if (round > 0) found.push([without, withLog]);
  }
  bare.close();
  kept.close();
  return {
    without: median(found.map(([without]) => without)),
    with: median(found.map(([, withLog]) => withLog)),
    ratio: median(found.map(([without, withLog]) => withLog / without)),
  };
}
