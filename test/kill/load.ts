// SIGKILL of the real server at moments that nobody chose, while many devices enrol at once, so that
// it also comes in the middle of a commit. What a device was given is on record and is what it is given
// again; whoever was not answered gets his certificate from the next server.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Bytes, base64, equal, fromBase64 } from '../../lib/base/bytes.ts';
import { LEASE_MS } from '../../lib/base/limits.ts';
import { generateKey, readCaCertificates } from '../../lib/protocol/scep/client/client.ts';
import { checkCa } from '../support/check-ca.ts';
import type { Lab } from '../support/lab.ts';
import { enrolment, type Sent } from '../support/messages.ts';
import { freePort, startServer, temporary } from '../support/process.ts';
import { Chance } from '../support/seeded.ts';
import { Service } from './process.ts';
import type { KillStore } from './scenarios.ts';

const KILLS = 10;
const DEVICES = 250;
const AT_ONCE = 8;
/** At most so many certificates are given out, and so many milliseconds pass then, before a kill. */
const ANSWERS = 25;
const MOMENT_MS = 20;

const config = {
  publicUrl: 'http://kill.test',
  cas: { default: { subject: 'CN=Kill CA', key: 'ec:P-256' } },
  endpoints: { default: { ca: 'default' } },
};

type Enrolment = { readonly sent: Sent; given?: Bytes | undefined };

/** Devices with a challenge each, ready to send. */
async function prepare(service: Service): Promise<Enrolment[]> {
  await service.start();
  const bag = fromBase64(String(await service.order({ do: 'bag' })));
  const lab = {
    announced: readCaCertificates(bag),
    clock: { now: () => Date.now() },
  } as unknown as Lab;
  const enrolments: Enrolment[] = [];
  for (let i = 0; i < DEVICES; i++) {
    const challenge = String(await service.order({ do: 'challenge', endpoint: 'default' }));
    const key = await generateKey({ type: 'EC', curve: 'P-256' });
    enrolments.push({ sent: await enrolment(lab, { challenge, key, subject: `CN=load-${i}` }) });
  }
  await service.stop();
  return enrolments;
}

async function certificateOf(sent: Sent, answer: Bytes): Promise<Bytes> {
  const result = await sent.read(answer);
  assert.ok(result.pkiStatus === 'SUCCESS', JSON.stringify(result));
  const [der] = result.certificates;
  assert.ok(der);
  return der;
}

/** One server's life under load. @returns how many certificates it gave out */
async function live(
  waiting: Enrolment[],
  store: Record<string, string>,
  chance: Chance,
): Promise<number> {
  const port = String(await freePort());
  const env = { ...store, PORT: port, SCEPTER_CONFIG: JSON.stringify(config) };
  const { child } = await startServer(env);
  const url = `http://127.0.0.1:${port}/scep?operation=PKIOperation`;
  const ended = new Promise((resolve) => child.once('close', resolve));
  const enough = 1 + chance.below(ANSWERS);
  const moment = chance.below(MOMENT_MS);
  let given = 0;
  const device = async () => {
    for (let one = waiting.shift(); one && !child.killed; one = waiting.shift()) {
      const reply = await fetch(url, { method: 'POST', body: one.sent.message })
        .then(async (response) => [response.status, await response.arrayBuffer()] as const)
        // The server died over it.
        .catch(() => undefined);
      if (!reply) return;
      assert.equal(reply[0], 200);
      one.given = await certificateOf(one.sent, new Uint8Array(reply[1]));
      if (++given === enough) setTimeout(() => child.kill('SIGKILL'), moment);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, device));
  child.kill('SIGKILL');
  await ended;
  return given;
}

export function killUnderLoad(name: string, open: () => Promise<KillStore>): void {
  test(`killed under load, ${name}: nothing that was given out is lost, nobody loses his challenge`, async (t) => {
    const seed = process.env.SCEPTER_KILL_SEED ?? String(Date.now());
    t.diagnostic(`SCEPTER_KILL_SEED=${seed}`);
    const chance = new Chance(seed);
    const dataDir = temporary('kill-load');
    const { env, rows } = await open();
    const enrolments = await prepare(new Service(dataDir, config, env));
    const waiting = [...enrolments];
    let given = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      given += await live(waiting, { ...env, SCEPTER_DATA_DIR: dataDir }, chance);
    }
    const left = enrolments.filter((one) => !one.given).length;
    t.diagnostic(`${KILLS} kills, ${given} certificates given out, ${left} devices not answered`);
    assert.ok(given >= KILLS, 'every server gave out one at least');

    const service = new Service(dataDir, config, env);
    await service.start();
    await service.order({ do: 'pass', ms: LEASE_MS });
    const delivered: Bytes[] = [];
    for (const { sent, given: before } of enrolments) {
      const message = base64(sent.message);
      const answer = await service.order({ do: 'operate', endpoint: 'default', message });
      assert.equal(typeof answer, 'string', `an answer, not ${String(answer)}`);
      const der = await certificateOf(sent, fromBase64(String(answer)));
      assert.ok(!before || equal(before, der), 'the certificate that it had');
      delivered.push(der);
    }
    await service.stop();
    checkCa(await rows(dataDir), delivered, LEASE_MS);
  });
}
