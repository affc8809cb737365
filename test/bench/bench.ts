// `npm run bench`: what an enrolment costs, as ratios within one run, because machines differ.
//   --smoke  few iterations: does it still run, not how fast
//   --json   one JSON object on stdout

import { generateKey, selfSigned } from '../../lib/scep/client.ts';
import { parseName } from '../../lib/x509/name.ts';
import { makeLab } from '../support/lab.ts';
import { enrolment, random } from '../support/messages.ts';
import { cpuMicroseconds, denominator } from './denominator.ts';
import { overHttp } from './http.ts';

const smoke = process.argv.includes('--smoke');
const asJson = process.argv.includes('--json');
const runs = smoke ? 40 : 600;
const rounds = smoke ? 1 : 3;
const say = (line: string): void => {
  (asJson ? process.stderr : process.stdout).write(`${line}\n`);
};
const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const us = (value: number): string => value.toFixed(0).padStart(7);

/** CPU microseconds of one enrolment through the whole application, no socket, memory store. */
async function enrolmentCpu(caBits: 2048 | 3072): Promise<number> {
  const lab = await makeLab({ caKey: `rsa:${caBits}` });
  const key = await generateKey({ type: 'RSA', bits: 2048 });
  const signer = {
    certificate: await selfSigned(key, parseName('CN=bench'), lab.clock.now(), random),
    key,
  };
  const prepare = async (count: number) => {
    const messages = [];
    for (let i = 0; i < count; i++) {
      const challenge = await lab.challenge();
      messages.push((await enrolment(lab, { challenge, key, signer })).message);
    }
    return messages;
  };
  for (const message of await prepare(Math.ceil(runs / 4))) await lab.operate(message);
  const results: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const messages = await prepare(runs);
    const before = process.cpuUsage();
    for (const message of messages) await lab.operate(message);
    const { user, system } = process.cpuUsage(before);
    results.push((user + system) / messages.length);
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
  say(`${(spent / floor).toFixed(2).padStart(7)}  ratio (goal: under 4)\n`);
  report[`cpuRatioRsa${caBits}`] = Number((spent / floor).toFixed(2));
}
for (const inFlight of [1, 8]) {
  const { perSecond, p50, p99 } = await overHttp(smoke ? 60 : 1500, inFlight);
  say(
    `${perSecond.toFixed(0).padStart(7)}  enrolments per second over HTTP, SQLite, ${inFlight} in flight; p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`,
  );
  report[`enrolmentsPerSecond${inFlight}`] = Math.round(perSecond);
}
if (asJson) process.stdout.write(`${JSON.stringify(report)}\n`);
