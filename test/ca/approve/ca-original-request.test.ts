// The CSR as it came: kept sealed, told only once its challenge can never be used again, and never with a secret that
// others may have.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Bytes, base64, fromBase64, hex, utf8 } from '../../../lib/base/bytes.ts';
import { type TransactionState, transactionStates } from '../../../lib/base/words.ts';
import { sweep } from '../../../lib/ca/jobs.ts';
import type { Validator } from '../../../lib/ports/validator.ts';
import { readCertificationRequest, redact } from '../../../lib/x509/csr.ts';
import { verifySignature } from '../../../lib/x509/public-key.ts';
import * as api from '../../support/api.ts';
import { deviceKey } from '../../support/keys.ts';
import type { LabOptions } from '../../support/lab.ts';
import { type EnrolOptions, enrolment } from '../../support/messages.ts';
import { got, HOUR, held, type World, world } from '../../support/world.ts';

/** Every text in it, however deep; of those that are base64 or hexadecimal what they stand for, too. */
function* octetsIn(value: unknown): Generator<Bytes> {
  if (typeof value === 'string') {
    yield utf8(value);
    for (const part of value.split('.')) {
      if (/^[A-Za-z0-9+/]+={0,2}$/.test(part) && part.length % 4 === 0) yield fromBase64(part);
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, member] of Object.entries(value)) {
      yield utf8(name);
      yield* octetsIn(member);
    }
  }
}

const isIn = (secret: string, records: readonly unknown[]): boolean =>
  [...octetsIn(records)].some((octets) => hex(octets).includes(hex(utf8(secret))));

const csrOf = (w: World, id: string, more: api.Asked = {}) =>
  api.call(w.lab, 'GET', `/transactions/${id}/request`, more);

const decide = (w: World, id: string, verdict: string) =>
  api.ok(w.lab, 'POST', `/transactions/${id}/${verdict}`, { body: {} });

const only = (w: World) => {
  const [one, ...others] = w.transactions();
  assert.ok(one);
  assert.equal(others.length, 0);
  return one;
};

type Scenario = {
  readonly options?: LabOptions;
  readonly wanted?: EnrolOptions;
  /** What happens to it; a challenge comes with it each time. */
  readonly run: (w: World, ask: () => Promise<unknown>) => Promise<unknown>;
};

const waits: LabOptions = { endpoint: { approval: 'always' } };
const gated = (verdict: () => 'release' | 'refuse'): LabOptions => {
  const gate: Validator = {
    validate: async () => ({ allow: true }),
    notify: async () => verdict(),
  };
  return { validators: { gate }, authorize: { enrol: ['challenge', 'gate'] } };
};
const isDown = (): never => {
  throw new Error('the gate is down');
};
const approved = async (w: World, ask: () => Promise<unknown>) => {
  await ask();
  return decide(w, only(w).id, 'approve');
};

/** How a request comes to each state. */
const ways: Readonly<Record<TransactionState, Scenario>> = {
  pending: { options: waits, run: (_w, ask) => ask() },
  approved: { options: waits, run: approved },
  denied: {
    options: waits,
    run: async (w, ask) => {
      await ask();
      await decide(w, only(w).id, 'deny');
    },
  },
  expired: {
    options: waits,
    run: async (w, ask) => {
      await ask();
      w.lab.clock.at += 10_000 * HOUR;
      await sweep(w.lab.deps);
    },
  },
  intended: {
    run: async (w, ask) => {
      w.key.down = true;
      await assert.rejects(ask());
    },
  },
  voided: {
    run: async (w, ask) => {
      w.key.down = true;
      await assert.rejects(ask());
      w.lab.clock.at += 2 * HOUR;
      await sweep(w.lab.deps);
    },
  },
  signed: { options: gated(isDown), run: async (_w, ask) => assert.rejects(ask()) },
  issued: { run: (_w, ask) => ask() },
  revoked: { options: gated(() => 'refuse'), run: (_w, ask) => ask() },
  refused: { wanted: { subject: 'CN=another' }, run: (_w, ask) => ask() },
};

describe('the request as it came', () => {
  for (const state of transactionStates) {
    test(`of a request that is ${state} no record has its challenge in clear, and nobody is told it unless it is issued`, async () => {
      const { options = {}, wanted, run } = ways[state];
      const w = await world(options);
      const key = await deviceKey('as it came', { type: 'EC', curve: 'P-256' });
      const challenge = await w.lab.challenge({ subject: 'CN=device-1,O=Test' });
      const sent = await enrolment(w.lab, { key, challenge, ...wanted });
      await run(w, () => w.send(sent));
      assert.equal(only(w).state, state);
      assert.ok(isIn('device-1', w.store.dump()), 'what is in clear is found');
      assert.ok(isIn(challenge, [{ csr: base64(sent.request.plaintext) }]));
      assert.ok(!isIn(challenge, w.store.dump()));
      const kept = ['pending', 'approved', 'intended', 'signed', 'issued', 'revoked'];
      assert.equal(only(w).sealedChallenge !== undefined, kept.includes(state));
      const told = await csrOf(w, only(w).id);
      if (state === 'issued') {
        assert.equal(told.json.csr, base64(sent.request.plaintext));
      } else {
        assert.deepEqual(told.json, { withheld: 'notIssued' });
      }
      await w.check();
    });
  }

  test('it is whole, with the signature that proves the key; an approved one that waited and one that was revoked, too', async () => {
    const w = await world(waits);
    const sent = await enrolment(w.lab, { challenge: await w.lab.challenge() });
    await w.send(sent);
    const { id } = only(w);
    await decide(w, id, 'approve');
    got(await w.poll());
    const told = await csrOf(w, id);
    const der = fromBase64(String(told.json.csr));
    assert.deepEqual(der, sent.request.plaintext);
    const { publicKey, scheme, info, signature } = readCertificationRequest(der);
    assert.ok(publicKey && scheme);
    assert.ok(await verifySignature(publicKey, scheme, info, signature));
    const path = `/certificates/default/${only(w).serial}/revoke`;
    await api.ok(w.lab, 'POST', path, { body: { reason: 'superseded' } });
    assert.equal(only(w).state, 'revoked');
    assert.equal((await csrOf(w, id)).json.csr, base64(der));
  });

  test('only an auditor is told', async () => {
    const w = await world();
    await held(w, await deviceKey());
    const { id } = only(w);
    for (const role of ['approver', 'challenger'] as const) {
      const { status } = await csrOf(w, id, { token: await api.tokenOf(w.lab.deps.store, role) });
      assert.equal(status, 403, role);
    }
    const { status } = await csrOf(w, id, {
      token: await api.tokenOf(w.lab.deps.store, 'auditor'),
    });
    assert.equal(status, 200);
    assert.equal((await csrOf(w, '01ARZ3NDEKTSV4RRFFQ69G5FAV')).status, 404);
  });

  test('a request without a challenge is told as it is kept', async () => {
    const w = await world();
    const device = await held(w, await deviceKey('first'));
    const sent = await enrolment(w.lab, { key: await deviceKey('second'), signer: device });
    got(await w.send(sent));
    const renewal = w.transactions().find(({ renews }) => renews !== undefined);
    const told = await csrOf(w, renewal?.id ?? '');
    assert.equal(told.json.csr, base64(sent.request.plaintext));
  });

  test('a secret that others may have is not kept: one for several uses, a static one, one of another system', async () => {
    const secret = 'a-secret-of-many-devices';
    const lets: Validator = { validate: async () => ({ allow: true }) };
    const several = await world();
    const staticChallenge = { secret: 'env:SECRET', subject: { CN: 'device-*' } };
    const fixed = await world({
      endpoint: { enrol: { authorize: ['staticChallenge'], staticChallenge } },
      staticSecrets: { 'env:SECRET': secret },
    });
    const foreign = await world({ validators: { mdm: lets }, authorize: { renew: ['mdm'] } });
    const device = await held(foreign, await deviceKey('first'));
    const cases: readonly (readonly [World, EnrolOptions])[] = [
      [several, { challenge: await several.lab.challenge({ uses: 2 }) }],
      [fixed, { challenge: secret }],
      [foreign, { challenge: secret, key: await deviceKey('second'), signer: device }],
    ];
    for (const [w, wanted] of cases) {
      const sent = await enrolment(w.lab, wanted);
      got(await w.send(sent));
      const { transactionID } = sent.request;
      const one = w.transactions().find((its) => its.transactionIDs.includes(transactionID));
      assert.equal(one?.sealedChallenge, undefined);
      assert.deepEqual((await csrOf(w, one?.id ?? '')).json, { withheld: 'secret' });
      const { csr } = await api.ok(w.lab, 'GET', `/transactions/${one?.id}`);
      const kept = redact(readCertificationRequest(sent.request.plaintext));
      assert.equal(csr, base64(kept));
    }
  });

  test('a challenge that came along with a renewal is told once it is spent, revoked or expired, and as long as its record is whole', async () => {
    const ends: readonly ((w: World, challenge: string, id: string) => Promise<unknown>)[] = [
      async (w, challenge) => got(await w.ask({ challenge, key: await deviceKey('third') })),
      (w, _challenge, id) => api.ok(w.lab, 'DELETE', `/challenges/${id}`),
      async (w) => {
        w.lab.clock.at += 2 * HOUR;
      },
    ];
    for (const end of ends) {
      const w = await world();
      const device = await held(w, await deviceKey('first'));
      const challenge = await w.lab.challenge();
      const id = w.challenges().find(({ usesLeft }) => usesLeft === 1)?.id ?? '';
      const key = await deviceKey('second');
      const sent = await enrolment(w.lab, { challenge, key, signer: device });
      got(await w.send(sent));
      const renewal = w.transactions().find(({ renews }) => renews !== undefined)?.id ?? '';
      assert.deepEqual((await csrOf(w, renewal)).json, { withheld: 'live' });
      await end(w, challenge, id);
      assert.equal((await csrOf(w, renewal)).json.csr, base64(sent.request.plaintext));
    }
  });

  test('whoever changes the record of a challenge is not told what it was', async () => {
    const w = await world();
    await held(w, await deviceKey());
    await w.forge('challenge', () => ({ usesLeft: 0, uses: 0 }));
    assert.deepEqual((await csrOf(w, only(w).id)).json, { withheld: 'live' });
  });

  test('a holder that may give its use back keeps the challenge secret', async () => {
    const w = await world();
    const device = await held(w, await deviceKey('first'));
    const challenge = await w.lab.challenge();
    const key = await deviceKey('second');
    const sent = await enrolment(w.lab, { challenge, key, signer: device });
    got(await w.send(sent));
    const renewal = w.transactions().find(({ renews }) => renews !== undefined)?.id ?? '';
    await w.stuck(await enrolment(w.lab, { challenge, key: await deviceKey('third') }));
    assert.deepEqual((await csrOf(w, renewal)).json, { withheld: 'live' });
  });
});
