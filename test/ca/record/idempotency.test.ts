// Idempotency-Key: done once and answered the same each time, whichever call fails and however,
// whatever happens in between, and however many ask at once.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sequence } from '../../../lib/asn1/writer.ts';
import { hex } from '../../../lib/base/bytes.ts';
import { IDEMPOTENCY_MS } from '../../../lib/base/limits.ts';
import { keepCrls } from '../../../lib/ca/revoke/publish-crl.ts';
import type { Records } from '../../../lib/ports/records/records.ts';
import type { Row } from '../../../lib/ports/store.ts';
import { readCertificate } from '../../../lib/x509/certificate.ts';
import { parseName } from '../../../lib/x509/names/name.ts';
import { type Asked, type Body, call, tokenOf } from '../../support/api.ts';
import { checkCa } from '../../support/check-ca.ts';
import { Faults, faultModes } from '../../support/faults.ts';
import { deviceKey, memoryMacKeys } from '../../support/keys.ts';
import { type Lab, type LabOptions, makeLab, putToken } from '../../support/lab.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { enrolment } from '../../support/messages.ts';

type Service = { readonly store: MemoryStore; readonly options: LabOptions; lab: Lab };
type Post = { readonly path: string; readonly body?: unknown };
type Scenario = {
  readonly options?: LabOptions;
  /** What the request is about. */
  readonly prepare: (service: Service) => Promise<Post>;
  /** What may happen before it comes again. */
  readonly meanwhile: (service: Service, answer: Body) => Promise<unknown>;
  /** Of the store: what must have been done exactly once. */
  readonly effects: (rows: readonly Row[]) => number;
  /** The CRL is published by another port: one that fails in between is published once more. */
  readonly more?: true;
};

const events = (type: string) => (rows: readonly Row[]) =>
  rows.filter(({ kind, record }) => {
    return kind === 'event' && JSON.parse((record as Records['event']).body).type === type;
  }).length;
const ofKind = <K extends Row['kind']>(rows: readonly Row[], kind: K): Records[K][] =>
  rows.filter((row) => row.kind === kind).map(({ record }) => record as Records[K]);

const key = await deviceKey('once');
async function enrol({ lab }: Service, challenge: string) {
  const sent = await enrolment(lab, { challenge, key });
  return sent.read(await lab.operate(sent.message));
}
const waiting: Scenario['prepare'] = async (service) => {
  await enrol(service, await service.lab.challenge());
  const [transaction] = ofKind(service.store.dump(), 'transaction');
  return { path: `/transactions/${transaction?.id}`, body: { reason: 'because' } };
};
const approval: LabOptions = { endpoint: { approval: 'always' } };

const scenarios: Readonly<Record<string, Scenario>> = {
  'a challenge': {
    prepare: async () => ({
      path: '/challenges',
      body: { subject: 'CN=device-1,O=Test', san: ['dns:a.example'], uses: 1 },
    }),
    // It is spent, and so is its device.
    meanwhile: async (service, { challenge }) => {
      const answer = await enrol(service, String(challenge));
      assert.equal(answer.pkiStatus, 'SUCCESS');
    },
    effects: events('challenge.created'),
  },
  'an approval': {
    options: approval,
    prepare: async (service) => {
      const { path, body } = await waiting(service);
      return { path: `${path}/approve`, body };
    },
    meanwhile: async ({ lab }) => {
      const plaintext = sequence(lab.announced.ra.subject, parseName('CN=device-1,O=Test'));
      const poll = await enrolment(lab, { messageType: 'CertPoll', plaintext, key });
      const answer = await poll.read(await lab.operate(poll.message));
      assert.equal(answer.pkiStatus, 'SUCCESS');
    },
    effects: events('request.approved'),
  },
  'a denial': {
    options: approval,
    prepare: async (service) => {
      const { path, body } = await waiting(service);
      return { path: `${path}/deny`, body };
    },
    meanwhile: async (service) => enrol(service, await service.lab.challenge()),
    effects: events('request.denied'),
  },
  'a revocation': {
    prepare: async (service) => {
      const answer = await enrol(service, await service.lab.challenge());
      assert.ok(answer.pkiStatus === 'SUCCESS');
      const { serial } = readCertificate(answer.certificates[0] ?? new Uint8Array(0));
      const path = `/certificates/default/${hex(serial)}/revoke`;
      return { path, body: { reason: 'superseded' } };
    },
    meanwhile: async ({ lab }) => call(lab, 'POST', '/crls/default/publish'),
    effects: events('certificate.revoked'),
  },
  'a CRL': {
    prepare: async () => ({ path: '/crls/default/publish' }),
    meanwhile: async ({ lab }) => call(lab, 'POST', '/crls/default/publish'),
    effects: (rows) => events('crl.published')(rows) - 1,
    more: true,
  },
};

async function open(options: LabOptions = {}, store = new MemoryStore()): Promise<Service> {
  return { store, options, lab: await makeLab({ ...options, store }) };
}
const post = ({ lab }: Service, { path, body }: Post, name: string, more: Asked = {}) =>
  call(lab, 'POST', path, {
    ...(body === undefined ? {} : { body }),
    headers: { 'idempotency-key': name },
    ...more,
  });

describe('one store call fails, once for every call and every way', () => {
  for (const [name, { options = {}, prepare, meanwhile, effects, more }] of Object.entries(
    scenarios,
  )) {
    test(name, async () => {
      const good = await faulty(options);
      const asked = await prepare(good.service);
      good.faults.arm(Number.POSITIVE_INFINITY, 'fails before');
      await post(good.service, asked, 'k');
      const { calls } = good.faults;
      assert.ok(calls.length >= 3, 'the token, what is recalled, the effect');
      for (const at of calls.keys()) {
        for (const mode of faultModes) {
          const { service, faults, once } = await faulty(options);
          const again = await prepare(service);
          const before = effects(service.store.dump());
          faults.arm(at, mode);
          let answer = await once(() => post(service, again, 'k'));
          faults.disarm();
          const said = `${calls[at]} ${at} ${mode}`;
          if (answer === 'died' || answer.status === 503) answer = await post(service, again, 'k');
          assert.ok(answer.status < 300, `${said}: ${answer.text}`);
          assert.deepEqual((await post(service, again, 'k')).text, answer.text, said);
          await meanwhile(service, answer.json);
          service.lab.clock.at += IDEMPOTENCY_MS - 1000;
          assert.deepEqual((await post(service, again, 'k')).text, answer.text, said);
          const done = effects(service.store.dump()) - before - (more ? 1 : 0);
          assert.ok(more ? done <= 2 : done === 1, `${said}: done ${done} times`);
          checkCa(service.store.dump());
        }
      }
    });
  }
});

/** A service whose store fails, or which dies and is started again. */
async function faulty(options: LabOptions) {
  const store = new MemoryStore();
  const faults = new Faults();
  const wrapped = { ...options, store: faults.wrapStore(store) };
  const service: Service = { store, options, lab: await makeLab(wrapped) };
  const once = async (ask: () => ReturnType<typeof post>) => {
    const result = await Promise.race([ask(), faults.died]);
    if (result === 'died') {
      faults.disarm();
      service.lab = await makeLab({ ...wrapped, now: service.lab.clock.at });
    }
    return result;
  };
  return { service, faults, once };
}

describe('many at once', () => {
  for (const [name, { options = {}, prepare, effects, more }] of Object.entries(scenarios)) {
    test(`${name}: one effect, one answer`, async () => {
      const store = new MemoryStore({ schedule: () => new Promise(setImmediate) });
      const service = await open(options, store);
      const asked = await prepare(service);
      const before = effects(store.dump());
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => post(service, asked, 'many')),
      );
      assert.deepEqual(
        answers.map(({ status }) => status < 300),
        Array(20).fill(true),
        answers.map(({ text }) => text).join(''),
      );
      const distinct = new Set(answers.map(({ text }) => text));
      const done = effects(store.dump()) - before;
      if (more) assert.ok(done >= 1);
      else assert.deepEqual([distinct.size, done], [1, 1]);
    });
  }
});

describe('a key', () => {
  const challenge = { path: '/challenges', body: { uses: 2 } };

  test('a key tells the same challenge again, which is in no record', async () => {
    const service = await open();
    const first = await post(service, challenge, 'a');
    const again = await post(service, challenge, 'a');
    assert.deepEqual([again.status, again.text], [201, first.text]);
    assert.notEqual((await post(service, challenge, 'b')).json.challenge, first.json.challenge);
    assert.ok(!JSON.stringify(service.store.dump()).includes(String(first.json.challenge)));
    const answer = await enrol(service, String(first.json.challenge));
    assert.equal(answer.pkiStatus, 'SUCCESS');
  });

  test('a key is for one request: for another it is a 422, and nothing is done', async () => {
    const service = await open();
    await post(service, challenge, 'a');
    const before = service.store.dump();
    for (const other of [
      { ...challenge, body: { uses: 3 } },
      { ...challenge, body: { uses: 2, endpoint: 'other' } },
      { path: '/crls/default/publish' },
    ]) {
      const { status, json } = await post(service, other, 'a');
      assert.equal(status, 422);
      assert.equal(json.detail, 'Idempotency-Key: was used for another request');
    }
    assert.deepEqual(service.store.dump(), before);
  });

  test('two requests under one key at once: one is done, the other is a 422', async () => {
    const store = new MemoryStore({ schedule: () => new Promise(setImmediate) });
    const service = await open({}, store);
    const other = { ...challenge, body: { uses: 3 } };
    const asked = [challenge, other, challenge, other, challenge, other];
    const answers = await Promise.all(asked.map((one) => post(service, one, 'a')));
    const done = answers.filter(({ status }) => status === 201);
    assert.deepEqual([done.length, new Set(done.map(({ text }) => text)).size], [3, 1]);
    assert.equal(answers.filter(({ status }) => status === 422).length, 3);
    assert.equal(ofKind(store.dump(), 'challenge').length, 1);
  });

  test('a key of one token is another than the same key of another token', async () => {
    const service = await open();
    const mine = await post(service, challenge, 'a');
    const token = await tokenOf(service.lab.deps.store, 'challenger');
    const theirs = await post(service, challenge, 'a', { token });
    assert.equal(theirs.status, 201);
    assert.notEqual(theirs.json.challenge, mine.json.challenge);
  });

  test('a key is another for each of two tokens of one name: neither is told what the other made', async () => {
    const service = await open();
    const tokens = ['first'.repeat(9), 'second'.repeat(9)];
    const challenges: unknown[] = [];
    for (const token of tokens) {
      await putToken(service.lab.deps.store, token, { name: 'portal', roles: ['challenger'] });
      const { status, json } = await post(service, challenge, 'a', { token });
      assert.equal(status, 201);
      challenges.push(json.challenge);
    }
    assert.equal(new Set(challenges).size, 2);
    const [of = ''] = tokens;
    assert.equal(
      (await post(service, challenge, 'a', { token: of })).json.challenge,
      challenges[0],
    );
  });

  test('a key is free again after its time, and then makes another challenge', async () => {
    const service = await open();
    const first = await post(service, challenge, 'a');
    service.lab.clock.at += IDEMPOTENCY_MS;
    const second = await post(service, challenge, 'a');
    assert.equal(second.status, 201);
    assert.notEqual(second.json.challenge, first.json.challenge);
    assert.equal((await post(service, challenge, 'a')).text, second.text);
  });

  test('a key whose MAC key is gone cannot tell its challenge, and makes no other', async () => {
    const service = await open();
    await post(service, challenge, 'a');
    const live = [{ id: 'later', key: new Uint8Array(32).fill(9) }] as const;
    const { deps } = service.lab;
    const original = memoryMacKeys.live;
    deps.macKeys.live = async (purpose) => (purpose === 'challenge' ? live : original(purpose));
    const { status, json } = await post(service, challenge, 'a');
    deps.macKeys.live = original;
    assert.equal(status, 409);
    assert.match(String(json.detail), /can no longer be told: its MAC key is gone$/);
    assert.equal(ofKind(service.store.dump(), 'challenge').length, 1);
  });

  test('a key is minded also by a process without the key of the CA: published since, nothing is asked for again', async () => {
    const store = new MemoryStore({ schedule: () => new Promise(setImmediate) });
    const service = await open({ adminOnly: true }, store);
    const publish = { path: '/crls/default/publish' };
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => post(service, publish, 'a')),
    );
    assert.ok(answers.every(({ status }) => status === 200));
    assert.equal(new Set(answers.map(({ text }) => text)).size, 1);
    const { deps } = service.lab;
    const [{ number }] = await keepCrls(deps, await deps.cas.issuer('default'));
    assert.equal(number, 2);
    assert.equal((await post(service, publish, 'a')).text, answers[0]?.text);
    assert.deepEqual(ofKind(store.dump(), 'crlRequest'), []);
    assert.equal((await post(service, publish, 'b')).json.number, 2);
    assert.equal(ofKind(store.dump(), 'crlRequest').length, 1);
  });

  test('a key is not used up by a refusal', async () => {
    const service = await open(approval);
    const { path } = await waiting(service);
    const deny = { path: `${path}/deny`, body: {} };
    await call(service.lab, 'POST', `${path}/approve`, { body: {} });
    assert.equal((await post(service, deny, 'a')).status, 409);
    assert.equal((await post(service, challenge, 'a')).status, 201);
  });

  test('a key is 1 to 100 printable ASCII characters', async () => {
    const service = await open();
    for (const name of ['', 'x'.repeat(101), 'caf\u00e9', 'a\tb']) {
      const { status, json } = await post(service, challenge, name);
      assert.equal(status, 422, name);
      assert.match(String(json.detail), /^Idempotency-Key: must be 1 to 100/);
    }
    for (const name of ['x'.repeat(100), '!', '"quoted", and more']) {
      assert.equal((await post(service, challenge, name)).status, 201);
    }
  });

  test('a key tells nothing to a token that has no role any more', async () => {
    const service = await open();
    await post(service, challenge, 'a');
    const token = await tokenOf(service.lab.deps.store, 'auditor');
    assert.equal((await post(service, challenge, 'a', { token })).status, 403);
    assert.equal((await post(service, challenge, 'a', { token: 'wrong'.repeat(9) })).status, 401);
  });
});
