// An enrolment here beside one at another server, as ratios of one run: processes of their own on this
// machine, an RSA-2048 CA key in each, the same load generator, in turn.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorText } from '../../lib/base/errors.ts';
import type { ConfigDocument } from '../../lib/config/config.ts';
import { freePort, startServer, temporary } from '../support/process.ts';
import { type ScepPeer, startScepserver, startStepCa } from '../support/scep-peers.ts';
import {
  buildMessages,
  type Device,
  type Message,
  makeDevices,
  type Round,
  type Server,
  send,
} from './load.ts';
import { residentMB } from './usage.ts';

const IN_FLIGHT = 8;

const document: ConfigDocument = {
  publicUrl: 'http://scep.test',
  cas: { default: { subject: 'CN=Bench CA,O=Bench', key: 'rsa:2048' } },
  // Keys are made once and used for many names.
  endpoints: { default: { ca: 'default', namesPerKey: 'any' } },
};

async function ours(): Promise<Server> {
  const dataDir = temporary('bench');
  const port = await freePort();
  const server = await startServer({
    SCEPTER_CONFIG: JSON.stringify(document),
    SCEPTER_DATA_DIR: dataDir,
    PORT: String(port),
  });
  const token = readFileSync(join(dataDir, 'token'), 'utf8').trim();
  return {
    pid: server.child.pid ?? 0,
    port,
    path: '/scep',
    challenge: async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/api/v1/challenges`, {
        method: 'POST',
        body: '{}',
        headers: { authorization: `Bearer ${token}` },
      });
      return ((await answer.json()) as { challenge: string }).challenge;
    },
    stop: server.stop,
  };
}

const challenge = 'bench';
const withChallenge = (peer: ScepPeer): Server => ({ ...peer, challenge: async () => challenge });

/** Servers of others, and what is said where one cannot be had. */
const others = {
  // Debian's package `scep`.
  scepserver: async () => {
    const peer = await startScepserver(challenge);
    if (peer) return withChallenge(peer);
    throw new Error('the Debian package scep is missing');
  },
  'step-ca': async () => withChallenge(await startStepCa(challenge)),
};
type Other = keyof typeof others;

type Say = (line: string) => void;
type Report = Record<string, number>;
export type PeersOptions = {
  readonly smoke: boolean;
  /** Enrolments over which memory is watched. */
  readonly rss: number;
};

/** The median, and what it lies between. */
function spread(values: readonly number[]): { median: number; said: string } {
  const sorted = values.toSorted((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const [low = median] = sorted;
  return { median, said: `${low.toFixed(2)} to ${(sorted.at(-1) ?? median).toFixed(2)}` };
}

const column = (value: number, digits: number): string => value.toFixed(digits).padStart(7);

async function beside(
  name: Other,
  devices: readonly Device[],
  smoke: boolean,
  say: Say,
): Promise<Report> {
  const peer = await others[name]().catch((error: unknown) => {
    // Go, which step-ca is built with, is not everywhere.
    const not = name === 'scepserver' ? 'NOT RUN: bench beside' : 'not measured here:';
    say(`${not} ${name} (${errorText(error)})`);
  });
  if (!peer) return {};
  const servers = [await ours(), peer] as const;
  try {
    const counts = smoke ? [24, 48] : [100, 400];
    const rounds: Pair[] = [];
    for (let round = 0; round <= (smoke ? 3 : 9); round++) {
      const messages: (readonly Message[])[][] = [];
      for (const server of servers) {
        const batches: (readonly Message[])[] = [];
        for (const count of counts) batches.push(await buildMessages(server, devices, count));
        messages.push(batches);
      }
      const taken: Taken[] = [];
      for (const [i, server] of servers.entries()) {
        const [few = [], many = []] = messages[i] ?? [];
        taken.push({
          alone: await send(server, few, 1),
          crowd: await send(server, many, IN_FLIGHT),
        });
      }
      const [mine, theirs] = taken;
      // The first warms up.
      if (round > 0 && mine && theirs) rounds.push({ mine, theirs });
    }
    return compared(name, rounds, say);
  } finally {
    await Promise.all(servers.map(({ stop }) => stop()));
  }
}

/** Of one server in one round: messages one after another, then {@link IN_FLIGHT} at a time. */
type Taken = { readonly alone: Round; readonly crowd: Round };
type Pair = { readonly mine: Taken; readonly theirs: Taken };

/** The goals are beside scepserver. */
const goals = {
  scepserver: { cpu: '; goal: at most 0.5', rate: '; goal: at least 1.5' },
  'step-ca': { cpu: '', rate: '' },
} as const;

function compared(name: Other, rounds: readonly Pair[], say: Say): Report {
  const ratio = (of: (taken: Taken) => number) =>
    spread(rounds.map(({ mine, theirs }) => of(mine) / of(theirs)));
  const both = (of: (taken: Taken) => number, digits: number) =>
    (['mine', 'theirs'] as const)
      .map((side) => spread(rounds.map((round) => of(round[side]))).median.toFixed(digits))
      .join(' and ');
  const lost = (side: 'mine' | 'theirs') =>
    rounds.reduce((sum, { [side]: { alone, crowd } }) => sum + alone.lost + crowd.lost, 0);
  const cpu = ratio(({ alone }) => alone.cpu);
  const rate = ratio(({ crowd }) => crowd.perSecond);
  const tail = spread(rounds.map(({ mine: { crowd } }) => crowd.p99 / crowd.p50));
  say(`\nBeside ${name}, RSA-2048; the median of ${rounds.length} rounds in turn (all rounds)`);
  say(
    `${column(cpu.median, 2)}  CPU of the server process for an enrolment, to ${name}'s (${cpu.said}${goals[name].cpu}): ${both(({ alone }) => alone.cpu, 1)} ms`,
  );
  say(
    `${column(rate.median, 2)}  enrolments per second, ${IN_FLIGHT} in flight, to ${name}'s, its refusals included (${rate.said}${goals[name].rate}): ${both(({ crowd }) => crowd.perSecond, 0)}`,
  );
  say(
    `${column(lost('mine'), 0)}  enrolments that got no certificate (goal: none); ${lost('theirs')} at ${name}`,
  );
  say(
    `${column(tail.median, 2)}  p99 to the median, ${IN_FLIGHT} in flight (${tail.said}; goal: at most 3); medians: ${both(({ crowd }) => crowd.p50, 1)} ms`,
  );
  return {
    [`CPU ours/${name}`]: Number(cpu.median.toFixed(2)),
    [`rate ours/${name}`]: Number(rate.median.toFixed(2)),
    [`enrolments lost beside ${name}`]: lost('mine'),
    [`p99/median beside ${name}`]: Number(tail.median.toFixed(2)),
  };
}

/** Messages are built by the hundred between the rounds, so that this process stays small too. */
async function memory(devices: readonly Device[], count: number, say: Say): Promise<Report> {
  const server = await ours();
  try {
    const stops = [0.1, 0.5, 1].map((share) => Math.ceil(share * count));
    const found: number[] = [];
    let [done, lost] = [0, 0];
    for (const stop of stops) {
      while (done < stop) {
        const batch = await buildMessages(server, devices, Math.min(100, stop - done));
        lost += (await send(server, batch, IN_FLIGHT)).lost;
        done += batch.length;
      }
      found.push(residentMB(server.pid));
    }
    const [early = Number.NaN, , late = Number.NaN] = found;
    const said = stops.map((stop, i) => `${found[i]?.toFixed(0)} MB after ${stop}`).join(', ');
    say(
      `${column(late / early, 2)}  resident memory at the end, to that after a tenth (goal: at most 1.2): ${said} enrolments, ${lost} lost`,
    );
    return { 'RSS late/early': Number((late / early).toFixed(2)) };
  } finally {
    await server.stop();
  }
}

export async function peers({ smoke, rss }: PeersOptions, say: Say): Promise<Report> {
  if (process.platform !== 'linux') {
    say('not measured here: other servers (this is no Linux)');
    return {};
  }
  const devices = await makeDevices(smoke ? 2 * IN_FLIGHT : 100);
  const report: Report = {};
  for (const name of ['scepserver', 'step-ca'] as const) {
    Object.assign(report, await beside(name, devices, smoke, say));
  }
  return { ...report, ...(await memory(devices, rss, say)) };
}
