// What `scepter log verify` takes of memory and time, by how much there is to verify: of a log, and with --records of what
// a server has on record. It runs as a process of its own, which says what it had resident at most.

import { rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { logsOf, openDatabaseFile, storeOf } from '../../functions/node/database.ts';
import { logFolder } from '../../lib/adapters/log-folder.ts';
import { SoftwareKeys } from '../../lib/adapters/software-keys.ts';
import { systemClock } from '../../lib/adapters/system.ts';
import { utf8 } from '../../lib/base/bytes.ts';
import { SYSTEM_LOG } from '../../lib/base/words.ts';
import { createChallenge } from '../../lib/ca/challenge/challenges.ts';
import { Published } from '../../lib/ca/log/published.ts';
import { sequenceLog } from '../../lib/ca/log/sequence.ts';
import { logStates } from '../../lib/ca/log/states.ts';
import { checkConfig } from '../../lib/config/config.ts';
import { EVENT_RANDOM_OCTETS, makeEvent } from '../../lib/events/event.ts';
import { checkpointText, signedNote, verifierKey } from '../../lib/events/note.ts';
import { emptyEdge, grown, leafHash, rootOf } from '../../lib/events/tree.ts';
import type { LogFiles } from '../../lib/ports/log-files.ts';
import { keptLogs } from '../support/log.ts';
import { random } from '../support/messages.ts';
import { freshService, run, startServer, temporary } from '../support/process.ts';

export type Taken = {
  /** Resident, at most. */
  readonly peakMB: number;
  readonly seconds: number;
};
type Env = Readonly<Record<string, string>>;

const atExit = `process.on("exit",()=>process.stderr.write("\\npeak "+process.resourceUsage().maxRSS))`;

/** @throws {Error} unless it holds */
async function verify(args: readonly string[], env: Env = {}): Promise<Taken> {
  const from = performance.now();
  const NODE_OPTIONS = `--import ${JSON.stringify(`data:text/javascript,${encodeURIComponent(atExit)}`)}`;
  const done = await run('functions/cli.ts', ['log', 'verify', ...args], {
    env: { ...env, NODE_OPTIONS },
  });
  if (done.code !== 0) throw new Error(done.err);
  const [, kB] = /peak (\d+)/.exec(done.err) ?? [];
  return { peakMB: Number(kB) / 1024, seconds: (performance.now() - from) / 1000 };
}

/** Entries that are added at once. */
const BATCH = 256 * 64;
/** Milliseconds between two events. */
const APART = 3;

/** A log of so many events, written by the code of the sequencer, is verified from its folder. */
export async function logMemory(count: number, say: (line: string) => void): Promise<Taken> {
  const folder = temporary('bench-verify');
  const files = unsynced(folder);
  const { logs } = keptLogs(files, { forget: async () => {} });
  const [log, origin] = ['default', 'ca.example.com/log/default'];
  const published = new Published(files, log);
  let tree = emptyEdge;
  let said = performance.now();
  try {
    const begin = Date.now() - count * APART;
    while (tree.size < count) {
      const entries = Array.from({ length: Math.min(BATCH, count - tree.size) }, (_, i) =>
        utf8(eventAt(begin + (tree.size + i) * APART, tree.size + i)),
      );
      for (const path of await published.add(tree.size, entries)) await files.remove(path);
      tree = grown(
        tree,
        entries.map((entry) => leafHash(entry)),
      );
      if (performance.now() - said < 60_000) continue;
      said = performance.now();
      say(`         ${tree.size} of ${count} events written`);
    }
    const text = checkpointText({ origin, size: tree.size, root: rootOf(tree), time: Date.now() });
    const verifier = { name: origin, key: await logs.key() };
    const note = signedNote(text, verifier, await logs.sign(utf8(text)));
    await files.swap(`${log}/checkpoint`, utf8(note), undefined);
    return await verify([join(folder, log), '--key', verifierKey(verifier)]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Files that do not wait for the disk: they are gone in a moment. */
const unsynced = (folder: string): LogFiles => ({
  ...logFolder(folder),
  async write(path, octets) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), octets);
  },
});

const eventAt = (time: number, number: number): string =>
  makeEvent(time, random(EVENT_RANDOM_OCTETS), {
    type: 'certificate.issued',
    actor: { kind: 'device', id: `key:${number}`, from: '192.0.2.17' },
    ...{ ca: 'default', endpoint: 'default', profile: 'default', transaction: number.toString(16) },
    ...{ serial: number.toString(16).padStart(32, '4'), subject: `CN=laptop-${number}` },
  }).body;

/** So many challenges on record, each with its event, are compared with their log. */
export async function recordsMemory(count: number): Promise<Taken> {
  const { dataDir, env } = await freshService('bench-records');
  const config = checkConfig(JSON.parse(env.SCEPTER_CONFIG));
  // It makes the CA.
  await (await startServer(env)).stop();
  const database = await openDatabaseFile(dataDir);
  const keys = await SoftwareKeys.open(join(dataDir, 'keys'));
  const store = storeOf(database, keys, () => {});
  const logs = await logsOf(database, keys);
  const [endpoint] = config.endpoints.values();
  if (!logs || !endpoint) throw new Error('no logs are kept');
  const { macKeys } = keys;
  const deps = { store, macKeys, logs, config, clock: systemClock, random, log: () => {} };
  const wanted = { binding: { names: [] }, uses: 1, ttlMs: 3_600_000 };
  const actor = { kind: 'admin', id: 'bench' } as const;
  for (let made = 0; made < count; made += 5000) {
    const batch = Array.from({ length: Math.min(5000, count - made) }, () =>
      createChallenge(deps, endpoint, wanted, { actor }),
    );
    await Promise.all(batch);
    await sequenceLog(deps, SYSTEM_LOG);
  }
  const states = await logStates(deps);
  database.close();
  const key = states.find(({ log }) => log === SYSTEM_LOG)?.verifierKey ?? '';
  const server = await startServer(env);
  try {
    const asking = { ...env, SCEPTER_URL: server.url };
    return await verify([`${server.url}/log/${SYSTEM_LOG}`, '--key', key, '--records'], asking);
  } finally {
    await server.stop();
    rmSync(dirname(dataDir), { recursive: true });
  }
}
