// The devices of a history and the people around them, each act of which is written down with the
// moment it began and the moment its answer was there. They choose by seed what to do next.

import { sequence } from '../../lib/asn1/writer.ts';
import { type Bytes, hex } from '../../lib/base/bytes.ts';
import { LEASE_MS, MAX_PAGE, SWEEP_AFTER_MS } from '../../lib/base/limits.ts';
import { type RevocationReason, revocationReasons } from '../../lib/base/words.ts';
import { decide } from '../../lib/ca/approve/decide.ts';
import { createChallenge } from '../../lib/ca/challenge/challenges.ts';
import { sweep } from '../../lib/ca/jobs.ts';
import { listTransactions } from '../../lib/ca/query/transactions.ts';
import { certificateIdentity, keyIdentity, requestKey } from '../../lib/ca/record/keys.ts';
import { revoke } from '../../lib/ca/revoke/revoke.ts';
import type {
  CertRepResult,
  ClientKey,
  ClientKeySpec,
} from '../../lib/protocol/scep/client/client.ts';
import { pkiOperation } from '../../lib/protocol/scep/server/pki-operation.ts';
import { type Certificate, readCertificate } from '../../lib/x509/certificate.ts';
import { readCertificationRequest } from '../../lib/x509/csr.ts';
import { parseName } from '../../lib/x509/names/name.ts';
import { deviceKey } from '../support/keys.ts';
import { enrolment, type Sent } from '../support/messages.ts';
import type { Chance } from '../support/seeded.ts';
import type { World } from './world.ts';

export type IssuedChallenge = {
  readonly id: string;
  readonly challenge: string;
  readonly endpoint: string;
  readonly uses: number;
  /** It may run out during the history. */
  readonly short: boolean;
  /** Bound to a subject that no device has. */
  readonly foreign: boolean;
  readonly contenders: Conversation[];
};

/** A request and everything that its device was told about it. */
export type Conversation = {
  readonly number: number;
  readonly device: Device;
  /** Mostly the device's own; another's, to see whose a key is. */
  readonly subject: string;
  readonly endpoint: string;
  readonly key: ClientKey;
  readonly signer: Held | undefined;
  readonly challenge: IssuedChallenge | undefined;
  readonly sent: Sent;
  /** The poll for it, made when it is first needed. */
  readonly poll: () => Promise<Sent>;
  /** The same for two conversations that ask for the same thing. */
  /** As a renewal, where a certificate signed, and as an enrolment. */
  readonly requestHashes: readonly string[];
  readonly begun: number;
  readonly answers: Answer[];
};

export type Answer = {
  readonly begin: number;
  readonly end: number;
  /** The clock, in milliseconds, when the answer was there. */
  readonly at: number;
  readonly polled: boolean;
  readonly pkiStatus: CertRepResult['pkiStatus'];
  /** Of a SUCCESS: serial number and certificate, DER. */
  readonly serial?: string;
  readonly der?: Bytes;
  /** Of a FAILURE: the `SCEP-nnn` of its text. */
  readonly code?: string;
};

export type Held = {
  readonly certificate: Certificate;
  readonly key: ClientKey;
  readonly serial: string;
  readonly endpoint: string;
  readonly subject: string;
};

export type Device = {
  readonly subject: string;
  readonly spec: ClientKeySpec;
  readonly keys: readonly ClientKey[];
  readonly held: Held[];
};

/** Somebody was told that it is done. */
export type Acknowledged = { readonly begin: number; readonly end: number } & (
  | { readonly act: 'approved' | 'denied'; readonly transaction: string }
  | {
      readonly act: 'revoked';
      readonly serial: string;
      /** Absent: it had been revoked before. */
      readonly reason?: RevocationReason;
    }
);

const KEYS = 3;
const weights = {
  enrol: 30,
  repeat: 18,
  renew: 14,
  poll: 10,
  decide: 9,
  revoke: 5,
  sweep: 5,
  clock: 7,
  kill: 2,
} as const;
const endpoints = { default: 5, approving: 3, gated: 2 } as const;

export class Clients {
  readonly world: World;
  readonly chance: Chance;
  readonly devices: readonly Device[];
  readonly conversations: Conversation[] = [];
  #conversations = 0;
  readonly challenges: IssuedChallenge[] = [];
  readonly acknowledged: Acknowledged[] = [];
  readonly done: Record<string, number> = {};
  /** What goes on beside the act that began it. */
  readonly beside: Promise<unknown>[] = [];

  private constructor(world: World, devices: readonly Device[]) {
    this.world = world;
    this.devices = devices;
    this.chance = world.options.chance.fork('clients');
  }

  static async open(world: World, count: number): Promise<Clients> {
    const devices = Array.from({ length: count }, async (_, i): Promise<Device> => {
      // EC devices are the slow ones: their replies are under a password that is stretched. RSA keys
      // are slow to make.
      const spec: ClientKeySpec =
        i % 4 === 0 || i >= 8 ? { type: 'EC', curve: 'P-256' } : { type: 'RSA', bits: 2048 };
      const keys = await Promise.all(
        Array.from({ length: KEYS }, (__, k) => deviceKey(`history ${i}.${k}`, spec)),
      );
      return { subject: `CN=device-${i},O=History`, spec, keys, held: [] };
    });
    return new Clients(world, await Promise.all(devices));
  }

  /** One act, drawn by seed. */
  async act(): Promise<void> {
    const { world, chance } = this;
    const act = chance.weighted(weights);
    this.done[act] = (this.done[act] ?? 0) + 1;
    switch (act) {
      case 'enrol':
        return this.#enrol();
      case 'renew':
        return this.#renew();
      case 'repeat': {
        const conversation = this.#recent(this.conversations);
        if (conversation) await this.send(conversation);
        return;
      }
      case 'poll': {
        const waits = this.conversations.filter(({ endpoint }) => endpoint === 'approving');
        const conversation = this.#recent(waits);
        if (conversation) await this.send(conversation, true);
        return;
      }
      case 'decide':
        return this.#decide();
      case 'revoke':
        return this.#revoke();
      case 'sweep':
        await world.ask(sweep);
        return;
      case 'clock': {
        const move = chance.weighted({ moment: 60, lease: 28, hour: 9, day: 2, week: 1 });
        const moves = { lease: LEASE_MS, hour: SWEEP_AFTER_MS, day: 86_400_000 };
        const ms = { ...moves, moment: chance.below(3000), week: 8 * moves.day };
        world.clock.at += ms[move];
        return;
      }
      case 'kill':
        world.kill();
    }
  }

  /** Mostly one of the last few, so that others are at work on it too. */
  #recent<T>(list: readonly T[]): T | undefined {
    return this.chance.pick(this.chance.happens(0.6) ? list.slice(-6) : list);
  }

  async #enrol(): Promise<void> {
    const { chance } = this;
    const endpoint = chance.weighted(endpoints);
    const known = this.challenges.filter((challenge) => challenge.endpoint === endpoint);
    const challenge =
      (chance.happens(0.35) ? this.#recent(known) : undefined) ?? (await this.#challenge(endpoint));
    if (!challenge) return;
    const device = chance.pick(this.devices) as Device;
    const key = chance.pick(device.keys) as ClientKey;
    const wanted = { subject: device.subject, endpoint, key, challenge, signer: undefined };
    if (chance.happens(0.1)) {
      // The same key for another's name, at the same time, with a challenge of its own.
      const { subject } = chance.pick(this.devices) as Device;
      const other = await this.#challenge(endpoint);
      if (other) this.#aside(() => this.#begin(device, { ...wanted, subject, challenge: other }));
    }
    await this.#begin(device, wanted);
  }

  #aside(act: () => Promise<unknown>): void {
    this.beside.push(this.world.options.turns.run(act));
  }

  async #renew(): Promise<void> {
    const { chance } = this;
    const device = chance.pick(this.devices.filter(({ held }) => held.length > 0));
    const signer = device && this.#recent(device.held);
    if (!device || !signer) return;
    const key = chance.happens(0.3) ? signer.key : (chance.pick(device.keys) as ClientKey);
    const challenge = chance.happens(0.1) ? this.#recent(this.challenges) : undefined;
    const { subject, endpoint } = signer;
    await this.#begin(device, { subject, endpoint, key, challenge, signer });
  }

  async #challenge(endpoint: string): Promise<IssuedChallenge | undefined> {
    const { world, chance } = this;
    const uses = chance.happens(0.65) ? 1 : 2 + chance.below(3);
    const short = chance.happens(0.12);
    const foreign = chance.happens(0.06);
    const binding = foreign ? { subject: 'CN=nobody', names: [] } : { names: [] };
    const wanted = { binding, uses, ttlMs: short ? 30_000 : 365 * 86_400_000 };
    const made = await world.ask((deps) =>
      createChallenge(deps, world.endpoint(endpoint), wanted, { actor: { kind: 'system' } }),
    );
    if (made === 'failed') return undefined;
    const { id, challenge } = made;
    const issued = { id, challenge, endpoint, uses, short, foreign, contenders: [] };
    this.challenges.push(issued);
    return issued;
  }

  async #begin(
    device: Device,
    wanted: Pick<Conversation, 'subject' | 'endpoint' | 'key' | 'signer' | 'challenge'>,
  ): Promise<void> {
    const { world, chance } = this;
    const { subject, key, signer, challenge } = wanted;
    const number = this.#conversations++;
    const { spec } = device;
    // An EC client must send a password even where it authorizes nothing: it keys the reply.
    const password = challenge?.challenge ?? (spec.type === 'EC' ? 'x'.repeat(26) : undefined);
    const common = {
      subject,
      key,
      ...(signer ? { signer } : {}),
      ...(password === undefined ? {} : { challenge: password }),
      // A poll is answered for the newest request of its key and transactionID, which an EC client
      // that has used one twice could not open: it does not know which of its passwords to try.
      transactionID:
        spec.type === 'RSA' && chance.happens(0.4)
          ? `device ${device.subject}`
          : `conversation ${number}`,
    };
    const messageType = signer && chance.happens(0.7) ? 'RenewalReq' : 'PKCSReq';
    const lab = { ...world.lab, clock: { ...world.lab.clock, now: () => world.clock.at } };
    const sent = await enrolment(lab, { ...common, messageType });
    let made: Promise<Sent> | undefined;
    const poll = () => {
      const plaintext = sequence(world.lab.announced.ra.subject, parseName(subject));
      made ??= enrolment(lab, { ...common, messageType: 'CertPoll', plaintext });
      return made;
    };
    const { info } = readCertificationRequest(sent.request.plaintext);
    const identities = [
      ...(signer ? [certificateIdentity(signer.certificate.der)] : []),
      keyIdentity(key.spki),
    ];
    const requestHashes = identities.map((one) => requestKey(wanted.endpoint, one, info));
    const about = { number, device, sent, poll, requestHashes, begun: world.moment() };
    const conversation: Conversation = { ...wanted, ...about, answers: [] };
    this.conversations.push(conversation);
    challenge?.contenders.push(conversation);
    for (let twins = chance.pick([0, 0, 0, 0, 1, 1, 3]) ?? 0; twins > 0; twins--) {
      this.#aside(() => this.send(conversation));
    }
    for (let tries = 1 + chance.below(3); tries > 0; tries--) {
      if ((await this.send(conversation)) !== 'failed') return;
    }
  }

  /** Sends the request, or the poll for it, once. */
  async send(conversation: Conversation, polled = false): Promise<Answer | 'failed'> {
    const { world } = this;
    const { endpoint, device, subject, key } = conversation;
    const { message, read } = polled ? await conversation.poll() : conversation.sent;
    const begin = world.moment();
    const reply = await world.ask((deps) =>
      pkiOperation(deps, world.endpoint(endpoint), { octets: message, client: {} }),
    );
    if (reply === 'failed') return 'failed';
    const result = await read(reply);
    const about = { begin, end: world.moment(), at: world.clock.at, polled };
    let answer: Answer;
    switch (result.pkiStatus) {
      case 'PENDING':
        answer = { ...about, pkiStatus: 'PENDING' };
        break;
      case 'FAILURE':
        answer = { ...about, pkiStatus: 'FAILURE', code: (result.text ?? '').slice(0, 8) };
        break;
      case 'SUCCESS': {
        const [der = new Uint8Array(0)] = result.certificates;
        const certificate = readCertificate(der);
        const serial = hex(certificate.serial);
        answer = { ...about, pkiStatus: 'SUCCESS', serial, der };
        if (!device.held.some((held) => held.serial === serial)) {
          device.held.push({ certificate, key, serial, endpoint, subject });
        }
      }
    }
    conversation.answers.push(answer);
    return answer;
  }

  async #decide(): Promise<void> {
    const { chance } = this;
    const transaction = chance.pick(await this.pending());
    if (transaction === undefined) return;
    await this.decideOn(transaction, chance.happens(0.75) ? 'approved' : 'denied');
  }

  /** Ids of requests that wait for an approver; none when nobody could say. */
  async pending(): Promise<string[]> {
    const query = { endpoint: 'approving', state: 'pending', limit: MAX_PAGE } as const;
    const page = await this.world.ask((deps) => listTransactions(deps, query));
    return page === 'failed' ? [] : page.transactions.map(({ id }) => id);
  }

  async decideOn(transaction: string, act: 'approved' | 'denied'): Promise<void> {
    const { world } = this;
    const begin = world.moment();
    const said = await world.ask((deps) => decide(deps, transaction, act, { by: 'approver' }));
    if (said === 'done') {
      this.acknowledged.push({ act, transaction, begin, end: world.moment() });
    }
  }

  async #revoke(): Promise<void> {
    const { world, chance } = this;
    const held = chance.pick(this.devices.flatMap((device) => device.held));
    if (!held) return;
    const { serial } = held;
    const reason = chance.pick(revocationReasons) ?? 'unspecified';
    const begin = world.moment();
    const said = await world.ask((deps) =>
      revoke(deps, { ca: 'default', serial, reason, actor: { kind: 'admin', id: 'revoker' } }),
    );
    if (said !== 'done' && said !== 'unchanged') return;
    const about = { act: 'revoked', serial, begin, end: world.moment() } as const;
    this.acknowledged.push(said === 'done' ? { ...about, reason } : about);
  }
}
