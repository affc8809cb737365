// SIGKILL at every call that the pipeline makes to the store and the CA key, before it and, of a write, after it
// has taken effect, of a real process over a real store; after a call that changes nothing is before the next. Whoever was not answered asks again; then
// there is one certificate, and everything that is on record must be true.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sequence } from '../../lib/asn1/writer.ts';
import { type Bytes, base64, fromBase64, hex } from '../../lib/base/bytes.ts';
import { LEASE_MS } from '../../lib/base/limits.ts';
import type { ConfigDocument } from '../../lib/config/config.ts';
import type { Row } from '../../lib/ports/store.ts';
import {
  type ClientKey,
  generateKey,
  readCaCertificates,
} from '../../lib/protocol/scep/client/client.ts';
import { type Certificate, readCertificate } from '../../lib/x509/certificate.ts';
import { parseName } from '../../lib/x509/names/name.ts';
import { checkCa } from '../support/check-ca.ts';
import type { Lab } from '../support/lab.ts';
import { type EnrolOptions, enrolment } from '../support/messages.ts';
import { temporary } from '../support/process.ts';
import { died, Service } from './process.ts';

const config = {
  publicUrl: 'http://kill.test',
  cas: { default: { subject: 'CN=Kill CA', key: 'ec:P-256' } },
  endpoints: {
    default: { ca: 'default' },
    waiting: { ca: 'default', approval: 'always' },
  },
} as const satisfies ConfigDocument;

type Endpoint = 'default' | 'waiting';

/** A service and devices that ask until they are answered. */
class World {
  readonly service: Service;
  readonly delivered: Bytes[] = [];
  deaths = 0;
  #lab: Lab | undefined;

  constructor(service: Service) {
    this.service = service;
  }

  async start(): Promise<void> {
    await this.service.start();
    const announced = readCaCertificates(
      fromBase64(String(await this.service.order({ do: 'bag' }))),
    );
    // What building a message takes of a lab.
    this.#lab = { announced, clock: { now: () => Date.now() } } as unknown as Lab;
  }

  async message(options: EnrolOptions) {
    if (!this.#lab) throw new Error('not started');
    return enrolment(this.#lab, options);
  }

  async challenge(endpoint: Endpoint): Promise<string> {
    return String(await this.service.order({ do: 'challenge', endpoint }));
  }

  /** An order, given until it is obeyed. */
  async insist(order: Parameters<Service['order']>[0]): Promise<unknown> {
    for (let tries = 0; tries < 4; tries++) {
      const answer = await this.service.order(order);
      if (answer !== died) return answer;
      this.deaths++;
    }
    throw new Error('four tries, no answer');
  }

  /** Sends the same message until there is a CertRep, leases running out in between. */
  async send(endpoint: Endpoint, options: EnrolOptions) {
    const sent = await this.message(options);
    for (let tries = 0; tries < 4; tries++) {
      const order = { do: 'operate', endpoint, message: base64(sent.message) } as const;
      const answer = await this.service.order(order);
      if (typeof answer === 'string') {
        const result = await sent.read(fromBase64(answer));
        if (result.pkiStatus === 'SUCCESS') this.delivered.push(...result.certificates);
        return result;
      }
      if (answer === died) this.deaths++;
      else assert.equal(answer, 503);
      await this.service.order({ do: 'pass', ms: LEASE_MS });
    }
    throw new Error('four tries, no answer');
  }

  async certificate(endpoint: Endpoint, options: EnrolOptions): Promise<Certificate> {
    const answer = await this.send(endpoint, options);
    assert.ok(answer.pkiStatus === 'SUCCESS', JSON.stringify(answer));
    return readCertificate(answer.certificates[0] ?? new Uint8Array(0));
  }

  poll(key: ClientKey) {
    const subject = parseName('CN=device-1,O=Test');
    const plaintext = sequence(this.#lab?.announced.ra.subject ?? subject, subject);
    return this.certificate('waiting', { key, messageType: 'CertPoll', plaintext });
  }
}

type Scenario = {
  readonly name: string;
  /** Without kills: gives what the other part needs. */
  prepare(world: World, key: ClientKey): Promise<unknown>;
  /** With kills: must come to its end. */
  run(world: World, key: ClientKey, prepared: never): Promise<void>;
};

const scenarios: readonly Scenario[] = [
  {
    name: 'enrol',
    prepare: (world) => world.challenge('default'),
    run: async (world, key, challenge: string) => {
      await world.certificate('default', { key, challenge });
    },
  },
  {
    name: 'pend, approve, poll',
    prepare: (world) => world.challenge('waiting'),
    run: async (world, key, challenge: string) => {
      const answer = await world.send('waiting', { key, challenge });
      assert.equal(answer.pkiStatus, 'PENDING');
      const said = await world.insist({ do: 'decide', verdict: 'approved' });
      assert.ok(said === 'done' || said === 'approved', String(said));
      await world.poll(key);
    },
  },
  {
    name: 'renew',
    prepare: async (world, key) => {
      const challenge = await world.challenge('default');
      return world.certificate('default', { key, challenge });
    },
    run: async (world, key, certificate: Certificate) => {
      await world.certificate('default', { key, signer: { certificate, key } });
    },
  },
  {
    name: 'revoke, and ask again',
    prepare: async (world, key) => {
      const challenge = await world.challenge('default');
      const certificate = await world.certificate('default', { key, challenge });
      return { challenge, serial: hex(certificate.serial) };
    },
    run: async (world, key, { challenge, serial }: { challenge: string; serial: string }) => {
      const said = await world.insist({ do: 'revoke', serial });
      assert.ok(said === 'done' || said === 'unchanged', String(said));
      const answer = await world.send('default', { key, challenge });
      assert.equal(answer.pkiStatus, 'FAILURE');
    },
  },
];

/** Of a run: how many calls it made, and which of them were writes. */
type Made = { readonly calls: number; readonly writes: readonly number[] };

export type KillStore = {
  /** The environment that points the service to the store, and to its keys. */
  readonly env: Readonly<Record<string, string>>;
  /** Every record, once nobody has the store open. */
  rows(dataDir: string): Promise<readonly Row[]>;
};

export type KillOptions = {
  /** Every service is new, and has opened no key when it gets its request. */
  readonly cold: boolean;
  /** Names of scenarios; all if absent. */
  readonly only?: readonly string[];
};

export function killScenarios(
  name: string,
  open: (document: ConfigDocument) => Promise<KillStore>,
  { cold, only }: KillOptions = { cold: false },
): void {
  describe(`killed at every call: ${name}`, () => {
    for (const { name: scenario, prepare, run } of scenarios) {
      if (only?.includes(scenario) === false) continue;
      test(scenario, async (t) => {
        const dataDir = temporary('kill');
        const { env, rows } = await open(config);
        const world = new World(new Service(dataDir, config, env));
        t.after(() => world.service.kill());
        await world.start();
        const once = async (at: number | undefined, when: 'before' | 'after') => {
          const key = await generateKey({ type: 'RSA', bits: 2048 });
          const prepared = (await prepare(world, key)) as never;
          world.deaths = 0;
          if (cold) {
            await world.service.stop();
            await world.service.start();
          }
          await world.service.order({ do: 'arm', when, ...(at === undefined ? {} : { at }) });
          await run(world, key, prepared);
          const { calls, writes } = (await world.service.order({ do: 'calls' })) as Made;
          await world.service.order({ do: 'arm', when });
          return { calls, writes, deaths: world.deaths };
        };
        const { calls, writes, deaths } = await once(undefined, 'before');
        assert.ok(
          calls >= (cold ? 9 : 4) && writes.length > 0 && deaths === 0,
          `${calls} calls in a good run`,
        );
        const changes = (at: number) => writes.includes(at) || at === calls - 1;
        t.diagnostic(
          `${calls} calls, a kill before each, and after each of ${writes.length} writes`,
        );
        for (let at = 0; at < calls; at++) {
          for (const when of changes(at) ? (['before', 'after'] as const) : (['before'] as const)) {
            const killed = await once(at, when).catch((cause) => {
              throw new Error(`killed ${when} call ${at}: ${cause}`, { cause });
            });
            assert.equal(killed.deaths, 1, `killed ${when} call ${at}`);
          }
        }
        await world.service.order({ do: 'pass', ms: 2 * 60 * 60 * 1000 });
        await world.service.order({ do: 'sweep' });
        await world.service.stop();
        checkCa(await rows(dataDir), world.delivered, 2 * 60 * 60 * 1000);
      });
    }
  });
}
