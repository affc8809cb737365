// `npm run bench`: what an enrolment costs, as ratios within one run; `args.ts` has what it takes.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { SqliteStore } from '../../lib/adapters/sqlite/sqlite.ts';
import type { Bytes } from '../../lib/base/bytes.ts';
import type { Store } from '../../lib/ports/store.ts';
import { type ClientKey, generateKey, selfSigned } from '../../lib/protocol/scep/client/client.ts';
import type { Certificate } from '../../lib/x509/certificate.ts';
import { parseName } from '../../lib/x509/names/name.ts';
import { startDynamoDbLocal } from '../support/dynamodb-local.ts';
import { makeLab } from '../support/lab.ts';
import { enrolment, random } from '../support/messages.ts';
import { temporary } from '../support/process.ts';
import { readWanted } from './args.ts';
import { commandCosts } from './commands.ts';
import { cpuMicroseconds, denominator } from './denominator.ts';
import { folderWaits } from './folder.ts';
import { overHttp } from './http.ts';
import { enrolmentRates, logRate } from './log.ts';
import { median } from './median.ts';
import { besideSilence } from './outside.ts';
import { peers } from './peers.ts';
import { searchWaits } from './search.ts';
import { latencies, steps } from './stores.ts';
import { timing } from './timing.ts';
import { logMemory, recordsMemory, type Taken } from './verify.ts';
import type { BesideNode } from './worker.ts';

const wanted = readWanted(process.argv.slice(2));
if ('help' in wanted) {
  (wanted.code === 0 ? process.stdout : process.stderr).write(`${wanted.help}\n`);
  process.exit(wanted.code);
}
const { smoke, json: asJson, part, of } = wanted;
const runs = smoke ? 40 : 600;
const rounds = smoke ? 1 : 9;
const say = (line: string): void => {
  (asJson ? process.stderr : process.stdout).write(`${line}\n`);
};
if (part === 'timing') {
  const { endpoint } = wanted;
  await timing(of('count'), endpoint === undefined ? ['default', 'any'] : [endpoint], say);
  process.exit();
}
const besideOthers = () => peers({ smoke, rss: of('rss') }, say);
if (part === 'peers') {
  const found = await besideOthers();
  if (asJson) process.stdout.write(`${JSON.stringify(found)}\n`);
  process.exit();
}
const requests = of('requests');
const searches = async (): Promise<Record<string, number>> => {
  const found = await searchWaits(requests, say);
  say(`ms of p50 / worst of a search in a file of ${requests} requests (goal: under 100)`);
  for (const [question, { p50, worst }] of Object.entries(found)) {
    say(`${p50.toFixed(1).padStart(7)} / ${worst.toFixed(1)}  ${question}`);
  }
  return Object.fromEntries(
    Object.entries(found).map(([question, { worst }]) => [
      `search ${question}`,
      Number(worst.toFixed(1)),
    ]),
  );
};
if (part === 'search') {
  const found = await searches();
  if (asJson) process.stdout.write(`${JSON.stringify(found)}\n`);
  process.exit();
}
const seconds = of('seconds');
const logCosts = async (): Promise<Record<string, number>> => {
  const asked = { perSecond: 1000, seconds };
  const { perSecond, lag, waited, run, cores } = smoke
    ? await logRate({ ...asked, everyMs: 2000 }, say)
    : await logRate(asked, say);
  say(
    `${perSecond.toFixed(0).padStart(7)}  events a second into the log for ${seconds} s, SQLite with fsync (goal: 1000); lag at the end ${lag.toFixed(1)} s (goal: under 60), at most ${waited.toFixed(1)} s; a run of the sequencer at most ${run.toFixed(1)} s; ${cores.toFixed(2)} cores`,
  );
  const rates = await enrolmentRates(rounds, smoke ? 3 : 20);
  say(
    `${rates.without.toFixed(0).padStart(7)}  enrolments per second without a log, SQLite with fsync, no HTTP, 8 in flight`,
  );
  say(`${rates.with.toFixed(0).padStart(7)}  with one, the work of its sequencer included`);
  say(`${rates.ratio.toFixed(2).padStart(7)}  ratio\n`);
  return {
    logEventsPerSecond: Math.round(perSecond),
    logLagSeconds: Number(lag.toFixed(1)),
    'enrolments with a log / without': Number(rates.ratio.toFixed(2)),
  };
};
/** Counted, so of one run it is what it always is. */
const units = async (): Promise<Record<string, number>> => {
  const { recorder } = await import('../support/dynamodb.ts');
  const { enrolmentUnits, itemsIn, withLog, withoutLog } = await import(
    '../support/write-units.ts'
  );
  say('What an enrolment writes to DynamoDB');
  for (const line of withoutLog(await enrolmentUnits(recorder(), { isLogged: false }))) {
    say(`         ${line}`);
  }
  const logged = await enrolmentUnits(recorder(), { isLogged: true });
  say(`         ${withLog(logged)} (goals: at most 12 items, 32 write units of the table)`);
  return {
    'items of an enrolment with a log': itemsIn(logged),
    'write units of an enrolment with a log': logged.units + logged.deleted.table,
  };
};
const overDynamoDb = async (work: () => Promise<void>): Promise<void> => {
  const local = await startDynamoDbLocal();
  if (!local) return say('NOT RUN: bench over DynamoDB Local (Java 17 is missing)');
  // Where the SDK finds it; set before the SDK is first used.
  Object.assign(process.env, local.env);
  await work();
  await local.stop();
};
if (part === 'log') {
  const found = await logCosts();
  await overDynamoDb(async () => void Object.assign(found, await units()));
  if (asJson) process.stdout.write(`${JSON.stringify(found)}\n`);
  process.exit();
}
const verifies = async (): Promise<Record<string, number>> => {
  const [events, records] = [of('events'), of('records')];
  const found: Record<string, number> = {};
  const measure = async (what: string, all: number, take: (count: number) => Promise<Taken>) => {
    const [tenth, whole] = [await take(all / 10), await take(all)];
    for (const [count, { peakMB, seconds }] of [
      [all / 10, tenth],
      [all, whole],
    ] as const) {
      say(
        `${peakMB.toFixed(0).padStart(7)}  MB at most of ${what} of ${count}, in ${seconds.toFixed(1)} s`,
      );
    }
    const ratio = whole.peakMB / tenth.peakMB;
    say(`${ratio.toFixed(2).padStart(7)}  times the memory for ten times as many`);
    found[`memory of ${what}`] = Number(ratio.toFixed(2));
  };
  await measure('log verify, events', events, (count) => logMemory(count, say));
  await measure('log verify --records, challenges', records, recordsMemory);
  return found;
};
if (part === 'verify') {
  const found = await verifies();
  if (asJson) process.stdout.write(`${JSON.stringify(found)}\n`);
  process.exit();
}
const beside = async (): Promise<Record<string, number>> => {
  const { answering, silent, ratio } = await besideSilence(smoke ? 1 : 5, smoke ? 40 : 400);
  say('ms of p99 at an endpoint, beside another whose validator outside is asked all the time');
  say(
    `${answering.toFixed(1).padStart(7)}  while that answers\n${silent.toFixed(1).padStart(7)}  while it is silent`,
  );
  say(`${ratio.toFixed(2).padStart(7)}  ratio\n`);
  return { 'p99 beside a silent validator / an answering one': Number(ratio.toFixed(2)) };
};
if (part === 'outside') {
  const found = await beside();
  if (asJson) process.stdout.write(`${JSON.stringify(found)}\n`);
  // What still waits for the silent one is not waited for.
  process.exit();
}
type Environment = Readonly<Record<string, string>>;
type Signer = { readonly certificate: Certificate; readonly key: ClientKey };
const us = (value: number): string => value.toFixed(0).padStart(7);

/** Devices with keys of their own; making them is slow. */
const devices: Signer[] = [];
for (let i = 0; i < (smoke ? 20 : 100); i++) {
  const key = await generateKey({ type: 'RSA', bits: 2048 });
  const certificate = await selfSigned(key, parseName('CN=bench'), Date.now(), random);
  devices.push({ certificate, key });
}

/** CPU microseconds of one enrolment through the whole application, no socket, memory store. Every
 * device is new to its CA. */
async function enrolmentCpu(caBits: 2048 | 3072): Promise<number> {
  const results: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const lab = await makeLab({ caKey: `rsa:${caBits}` });
    const messages: Bytes[] = [];
    for (const signer of devices) {
      const challenge = await lab.challenge();
      messages.push((await enrolment(lab, { challenge, key: signer.key, signer })).message);
    }
    const before = process.cpuUsage();
    for (const message of messages) await lab.operate(message);
    const { user, system } = process.cpuUsage(before);
    // The first round warms up.
    if (round > 0) results.push((user + system) / messages.length);
  }
  return median(results);
}

const report: Record<string, number> = {};
say(`Node ${process.version}, ${process.platform}-${process.arch}${smoke ? ', smoke' : ''}\n`);
for (const caBits of [2048, 3072] as const) {
  say(
    `CPU of one enrolment, CA key RSA-${caBits} in software (microseconds, user and system, all threads)`,
  );
  let floor = 0;
  for (const { name, count, work } of denominator(caBits)) {
    const each = cpuMicroseconds(work, runs);
    floor += each * count;
    say(`${us(each * count)}  ${count} x ${name}`);
  }
  const spent = await enrolmentCpu(caBits);
  say(`${us(floor)}  the cryptography it needs`);
  say(`${us(spent)}  the enrolment`);
  say(`${(spent / floor).toFixed(2).padStart(7)}  ratio (goal: at most 2)\n`);
  report[`cpuRatioRsa${caBits}`] = Number((spent / floor).toFixed(2));
}
const crls = spawnSync(
  process.execPath,
  ['--expose-gc', join(import.meta.dirname, 'crl.ts'), smoke ? '2000' : '100000'],
  { encoding: 'utf8' },
);
if (crls.status !== 0) throw new Error(crls.stderr);
const crl = JSON.parse(crls.stdout) as Record<string, number>;
say(
  `${String(crl.ms).padStart(7)}  ms for a CRL of ${crl.entries} entries, ${crl.octets} octets: CPU ${crl.cpuMs} ms, RSS ${crl.rssMB} MB, ${crl.grewMB} MB of it for the CRL; served in ${crl.servedMs} ms\n`,
);
Object.assign(report, { crlMs: crl.ms, crlRssMB: crl.rssMB });

const installed = await commandCosts(smoke ? 3 : 25);
say('CPU of a command of the installed release, times that of `node -e 0` of the same `node`');
for (const [words, { ms, ratio }] of Object.entries(installed)) {
  say(`${ratio.toFixed(2).padStart(7)}  scepter ${words}: ${ms.toFixed(0)} ms (goal: under 300)`);
  report[`command ${words}`] = Number(ratio.toFixed(2));
}
say('');

const throughput = async (store: string, envOf = async (): Promise<Environment> => ({})) => {
  for (const inFlight of [1, 8]) {
    const { perSecond, p50, p99 } = await overHttp(smoke ? 60 : 1500, inFlight, await envOf());
    say(
      `${perSecond.toFixed(0).padStart(7)}  enrolments per second over HTTP, ${store}, ${inFlight} in flight; p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`,
    );
    report[`enrolmentsPerSecond ${store} ${inFlight}`] = Math.round(perSecond);
  }
};
const waits = async (name: string, store: Store) => {
  const found = await latencies(store, smoke ? 40 : 400);
  const each = steps.map(
    (step) => `${step} ${found[step].p50.toFixed(1)} / ${found[step].p99.toFixed(1)}`,
  );
  say(`         ${name}, ms of p50 / p99: ${each.join(', ')}`);
  for (const step of steps) report[`${step} ${name}`] = Number(found[step].p50.toFixed(2));
};

const waitsOfPeople = await folderWaits(smoke ? 5000 : 1_000_000, say);
say(
  `ms of p50 / worst, in a data folder of ${smoke ? 5000 : 1_000_000} transactions (goal: under 100)`,
);
for (const [question, { p50, worst }] of Object.entries(waitsOfPeople)) {
  say(`${p50.toFixed(1).padStart(7)} / ${worst.toFixed(1)}  ${question}`);
  report[`folder ${question}`] = Number(worst.toFixed(1));
}

Object.assign(report, await searches());

await throughput('SQLite');
const file = new SqliteStore(join(temporary('bench'), 'scepter.db'));
await waits('SQLite', file);
file.close();
Object.assign(report, await logCosts());
Object.assign(report, await verifies());
Object.assign(report, await beside());
Object.assign(report, await besideOthers());

await overDynamoDb(async () => {
  const { freshStore, freshTable, tableEnv } = await import('../support/dynamodb.ts');
  await throughput('DynamoDB Local', async () => tableEnv(await freshTable()));
  await waits('DynamoDB Local', (await freshStore()).store);
  Object.assign(report, await units());
  workers();
});

/** Only Linux says what another process has taken. */
function workers(): void {
  if (process.platform !== 'linux') {
    say('not measured here: the Worker (this is no Linux)');
    return;
  }
  const file = join(import.meta.dirname, 'worker.ts');
  const run = spawnSync(process.execPath, [file, smoke ? '50' : '400'], { encoding: 'utf8' });
  const [line = ''] = run.stdout.split('\n');
  if (run.status !== 0 || line === '') throw new Error(run.stderr + run.stdout);
  const { node, worker, first, firstOfEmpty, size } = JSON.parse(line) as BesideNode;
  say('\nCPU of one enrolment, DynamoDB Local and KMS emulator (microseconds, by /proc)');
  say(`${us(node)}  plain Node\n${us(worker)}  workerd`);
  say(`${(worker / node).toFixed(2).padStart(7)}  ratio`);
  const ms = (value: number) => value.toFixed(0);
  say(
    `${ms(first - firstOfEmpty).padStart(7)}  ms of start-up (goal: under 100): ${ms(first)} ms to the first answer, ${ms(firstOfEmpty)} ms of an empty Worker; the fastest of 7`,
  );
  say(`         ${size} (goal: at most 1 MB gzipped)`);
  report['workerd/Node CPU'] = Number((worker / node).toFixed(2));
  report.workerStartMs = Math.round(first - firstOfEmpty);
}
if (asJson) process.stdout.write(`${JSON.stringify(report)}\n`);
