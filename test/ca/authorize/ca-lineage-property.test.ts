// Whatever devices, people and clocks do, in whatever order: a lineage never has more than three good
// certificates or four renewals in its window, and nothing is renewed after a person has revoked or
// suspended a certificate that was in use. `SLOW=1` goes on for longer; a failure names its seed.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hex } from '../../../lib/base/bytes.ts';
import { LEASE_MS, SWEEP_AFTER_MS } from '../../../lib/base/limits.ts';
import { revocationReasons } from '../../../lib/base/words.ts';
import { windowOf } from '../../../lib/ca/authorize/lineage.ts';
import { sweep } from '../../../lib/ca/jobs.ts';
import { revoke } from '../../../lib/ca/revoke/revoke.ts';
import { revokeWithRenewals } from '../../../lib/ca/revoke/revoke-renewals.ts';
import type { CertificateRecord } from '../../../lib/ports/records/certificate.ts';
import { readCertificate } from '../../../lib/x509/certificate.ts';
import { deviceKey } from '../../support/keys.ts';
import { enrolment, type Sent } from '../../support/messages.ts';
import { Chance } from '../../support/seeded.ts';
import { type held as enrolled, HOUR, type World, world } from '../../support/world.ts';

const DAY = 24 * HOUR;
const admin = { kind: 'admin', id: 'somebody' } as const;
const keys = await Promise.all([0, 1, 2, 3].map((i) => deviceKey(`lineage property ${i}`)));
type Held = Awaited<ReturnType<typeof enrolled>>;
/** A request, and the key that it is for. */
type Asked = { readonly sent: Sent; readonly key: Held['key'] };

// All are for the same few keys, which keyCompromise would end altogether.
const reasons = revocationReasons.filter((reason) => reason !== 'keyCompromise');

const weights = {
  renew: 40,
  twoAtOnce: 6,
  repeat: 8,
  lose: 8,
  lapse: 6,
  sweep: 8,
  revoke: 4,
  hold: 5,
  release: 7,
  revokeAll: 1,
  moment: 8,
  days: 5,
  ahead: 2,
  back: 3,
  enrol: 1,
} as const;

class Life {
  readonly w: World;
  readonly #chance: Chance;
  readonly #held: Held[] = [];
  readonly #sent: Asked[] = [];
  readonly done = new Map<string, number>();
  #requests = 0;
  /** The furthest the clock has been: what has expired by then has been seen to expire. */
  #furthest = 0;
  /** When each was first seen on record, by the clock. */
  readonly #seen = new Map<string, number>();
  readonly #given = new Set<string>();
  /** By root: certificates that were in use when a person revoked or suspended them. */
  readonly #ended = new Map<string, Set<string>>();

  constructor(w: World, chance: Chance) {
    this.w = w;
    this.#chance = chance;
  }

  async begin(): Promise<void> {
    await this.#enrol();
    this.look();
  }

  async act(): Promise<void> {
    const { w } = this;
    const { clock } = w.lab;
    const act = this.#chance.weighted(weights);
    const before = this.done.get(act) ?? 0;
    this.done.set(act, before + 1);
    switch (act) {
      case 'enrol':
        await this.#enrol();
        break;
      case 'renew':
        await this.#send(await this.#renewal());
        break;
      case 'twoAtOnce': {
        const two = [await this.#renewal(), await this.#renewal()];
        await Promise.all(two.map((asked) => this.#send(asked)));
        break;
      }
      case 'repeat': {
        const asked = this.#latest(this.#sent);
        if (asked) await this.#send(asked);
        break;
      }
      case 'lose':
        w.key.down = true;
        await this.#send(await this.#renewal());
        w.key.down = false;
        break;
      case 'lapse':
        clock.at += LEASE_MS;
        break;
      case 'sweep':
        clock.at += LEASE_MS + SWEEP_AFTER_MS;
        await sweep(w.lab.deps);
        break;
      case 'revoke':
        await this.#withdraw(this.#chance.pick(reasons) ?? 'unspecified');
        break;
      case 'hold':
        await this.#withdraw('certificateHold');
        break;
      case 'release':
        await this.#release();
        break;
      case 'revokeAll':
        await this.#revokeAll();
        break;
      case 'moment':
        clock.at += this.#chance.below(2 * HOUR);
        break;
      case 'days':
        clock.at += this.#chance.below(12 * DAY);
        break;
      case 'ahead':
        clock.at += this.#chance.below(40 * DAY);
        break;
      case 'back':
        clock.at -= this.#chance.below(40 * DAY);
    }
    this.look();
  }

  #latest<T>(list: readonly T[]): T | undefined {
    return this.#chance.pick(this.#chance.happens(0.7) ? list.slice(-3) : list);
  }

  /** A request of its own, signed mostly by a good certificate, and mostly by one of the latest. */
  async #renewal(): Promise<Asked> {
    const records = this.#records();
    const good = this.#held.filter(({ certificate: { serial, notAfter } }) => {
      const { state } = records.get(hex(serial)) ?? {};
      return state === 'issued' && notAfter > this.w.lab.clock.at;
    });
    if (good.length === 0) await this.#enrol();
    const signer = this.#latest(this.#chance.happens(0.9) && good.length > 0 ? good : this.#held);
    const key = this.#chance.pick(keys);
    assert.ok(signer && key);
    const challenge = `stale ${this.#requests++}`;
    const messageType = 'RenewalReq';
    const sent = await enrolment(this.w.lab, { signer, key, challenge, messageType });
    this.#sent.push({ sent, key });
    return { sent, key };
  }

  async #enrol(): Promise<void> {
    const key = this.#chance.pick(keys);
    assert.ok(key);
    const challenge = await this.w.lab.challenge();
    await this.#send({ sent: await enrolment(this.w.lab, { key, challenge }), key });
  }

  async #send({ sent, key }: Asked): Promise<void> {
    try {
      const answer = await this.w.send(sent);
      if (answer.pkiStatus !== 'SUCCESS') return;
      const [der = new Uint8Array(0)] = answer.certificates;
      this.#held.push({ key, certificate: readCertificate(der) });
    } catch (error) {
      assert.match(String(error), /HTTP 503/);
    }
  }

  /** All certificates on record, by serial number. */
  #records(): Map<string, CertificateRecord> {
    return new Map(this.w.certificates().map((one) => [one.serial, one]));
  }

  /** The good ones or the held ones, those that a person may know of. */
  #known(...states: CertificateRecord['state'][]): CertificateRecord | undefined {
    return this.#latest(this.w.certificates().filter(({ state }) => states.includes(state)));
  }

  /** In use: nobody has seen what renews it in use. */
  #isInUse({ successors }: CertificateRecord): boolean {
    const records = this.#records();
    return Object.keys(successors).every((serial) => !records.get(serial)?.confirmed);
  }

  async #withdraw(reason: (typeof reasons)[number] | 'certificateHold'): Promise<void> {
    const one = this.#known('issued', 'held');
    if (!one) return;
    const inUse = this.#isInUse(one);
    const said = await revoke(this.w.lab.deps, {
      ca: 'default',
      serial: one.serial,
      reason,
      actor: admin,
    });
    const goesOn = reason === 'superseded' && Object.keys(one.successors).length > 0;
    if (said !== 'done' || !inUse) return;
    if (goesOn) this.#ended.get(one.lineage.root)?.delete(one.serial);
    else this.#end(one);
  }

  #end({ serial, lineage }: CertificateRecord): void {
    const by = this.#ended.get(lineage.root) ?? new Set();
    this.#ended.set(lineage.root, by.add(serial));
  }

  async #release(): Promise<void> {
    const one = this.#known('held');
    if (!one) return;
    const { deps } = this.w.lab;
    assert.equal(
      await revoke(deps, {
        ca: 'default',
        serial: one.serial,
        reason: 'removeFromCRL',
        actor: admin,
      }),
      'done',
    );
    this.#ended.get(one.lineage.root)?.delete(one.serial);
  }

  async #revokeAll(): Promise<void> {
    const one = this.#known('issued', 'held', 'revoked');
    if (!one) return;
    const { serial, lineage } = one;
    const all = { ca: 'default', serial, reason: 'unspecified', actor: admin } as const;
    assert.equal(typeof (await revokeWithRenewals(this.w.lab.deps, all)), 'object');
    this.#end(one);
    const good = this.w
      .certificates()
      .filter(
        ({ state, notAfter, lineage: { root } }) =>
          root === lineage.root && state === 'issued' && notAfter > this.#furthest,
      );
    assert.deepEqual(good, [], 'nothing good is left');
  }

  /** What must be true at every moment. */
  look(): void {
    const { clock } = this.w.lab;
    this.#furthest = Math.max(this.#furthest, clock.at);
    const standing = this.w.certificates().filter(({ state }) => state !== 'voided');
    for (const one of standing) {
      if (!this.#seen.has(one.serial)) this.#seen.set(one.serial, clock.at);
      if (one.state === 'intended' || this.#given.has(one.serial)) continue;
      this.#given.add(one.serial);
      const by = this.#ended.get(one.lineage.root);
      assert.ok(!by?.size, `${one.serial} was given out after ${[...(by ?? [])]} had ended it`);
    }
    for (const [root, members] of Map.groupBy(standing, ({ lineage }) => lineage.root)) {
      const good = members.filter(
        ({ state, notAfter }) => state === 'issued' && notAfter > this.#furthest,
      );
      assert.ok(good.length <= 3, `${root} has ${good.length} good certificates`);
      const superseded = members.filter(
        ({ supersededBy, notAfter }) => supersededBy !== undefined && notAfter > this.#furthest,
      );
      assert.ok(superseded.length <= 12, `${root} has ${superseded.length} superseded ones`);
      const renewals = members.filter(({ serial }) => serial !== root);
      for (const { serial, notBefore, notAfter } of renewals) {
        const to = this.#seen.get(serial) ?? Number.NaN;
        const from = to - windowOf(notBefore, notAfter);
        const within = renewals.filter((one) => {
          const at = this.#seen.get(one.serial) ?? Number.NaN;
          return at > from && at <= to;
        });
        assert.ok(within.length <= 4, `${root} was renewed ${within.length} times`);
      }
    }
  }
}

const slow = process.env.SLOW === '1';
const seeds = Array.from({ length: slow ? 60 : 6 }, (_, i) => `lineage ${i}`);

describe('renew, lose, repeat, revoke, hold, release, supersede, void, lapse, and clocks that jump:', () => {
  const reached = new Map<string, number>();
  for (const seed of seeds) {
    const chance = new Chance(seed);
    const validity = chance.pick(['365d', '60d', '6d']) ?? '60d';
    const supersede = chance.pick([undefined, 'used', '7d']);
    const how = supersede === undefined ? '' : `, supersede: ${supersede}`;
    test(`a lineage stays within its bounds, ${validity}${how}, seed "${seed}"`, async () => {
      const w = await world({
        caKey: 'ec:P-256',
        now: 1_900_000_000_000,
        random: chance.fork('random').octets,
        endpoint: { profile: 'some', ...(supersede === undefined ? {} : { renew: { supersede } }) },
        config: { profiles: { some: { validity } } },
      });
      const life = new Life(w, chance);
      await life.begin();
      for (let i = 0; i < 200; i++) await life.act();
      w.check(400 * DAY);
      for (const { state, supersededBy, confirmed } of w.certificates()) {
        const what = supersededBy === undefined ? state : 'superseded';
        reached.set(what, (reached.get(what) ?? 0) + 1);
        if (confirmed) reached.set('renewed', (reached.get('renewed') ?? 0) + 1);
      }
    });
  }

  test('the run says something: each of these has happened', () => {
    for (const what of ['renewed', 'superseded', 'voided', 'revoked', 'issued']) {
      assert.ok(reached.get(what), `none was ${what}`);
    }
  });
});
