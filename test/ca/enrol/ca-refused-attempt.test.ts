// A refusal beside an attempt of the same request. The lease of the attempt is over, and yet its process may
// still be signing: whoever was refused must not be issued a certificate by it afterwards. So the refusal
// ends the attempt, or loses to it.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Bytes, hex } from '../../../lib/base/bytes.ts';
import { LEASE_MS } from '../../../lib/base/limits.ts';
import type { RegisterReason } from '../../../lib/base/words.ts';
import { decide } from '../../../lib/ca/approve/decide.ts';
import { revoke } from '../../../lib/ca/revoke/revoke.ts';
import type { Kind, Records } from '../../../lib/ports/records/records.ts';

import type { Store } from '../../../lib/ports/store.ts';
import type { CertRepResult } from '../../../lib/protocol/scep/client/client.ts';
import { readCertificate } from '../../../lib/x509/certificate.ts';
import { checkCa } from '../../support/check-ca.ts';
import { deviceKey, memorySigner } from '../../support/keys.ts';
import { type LabOptions, makeLab } from '../../support/lab.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { type EnrolOptions, enrolment, type Sent } from '../../support/messages.ts';

type Gate = { readonly reached: Promise<void>; readonly open: () => void };

/** Two processes over one store; the slow one can be stopped where it signs, or between two reads. */
async function world(options: LabOptions = {}, slowOptions: LabOptions = options) {
  const store = new MemoryStore();
  let gate: { readonly tell: () => void; readonly opened: Promise<void> } | undefined;
  let between:
    | { readonly before: readonly Kind[]; readonly happens: () => Promise<unknown> }
    | undefined;
  const slowly: Store = {
    write: (actions) => store.write(actions),
    list: (query) => store.list(query),
    read: async (keys) => {
      const { before = [], happens } = between ?? {};
      const late = keys.filter(({ kind }) => before.includes(kind));
      if (late.length === 0) return store.read(keys);
      between = undefined;
      const early = await store.read(keys.filter((key) => !late.includes(key)));
      await happens?.();
      return [...early, ...(await store.read(late))];
    },
  };
  const signer = {
    ...memorySigner,
    sign: async (...args: Parameters<typeof memorySigner.sign>) => {
      const here = gate;
      gate = undefined;
      here?.tell();
      await here?.opened;
      return memorySigner.sign(...args);
    },
  };
  const key = { down: false };
  const failing = {
    ...memorySigner,
    sign: async (...args: Parameters<typeof memorySigner.sign>) => {
      if (key.down) throw new Error('the CA key is down');
      return memorySigner.sign(...args);
    },
  };
  const fast = await makeLab({ store, signer: failing, ...options });
  const slow = await makeLab({ store: slowly, signer, ...slowOptions, now: fast.clock.at });
  const delivered: Bytes[] = [];
  const send = async (lab: typeof fast, sent: Sent, path?: string): Promise<CertRepResult> => {
    const answer = await sent.read(await lab.operate(sent.message, path));
    if (answer.pkiStatus === 'SUCCESS') delivered.push(...answer.certificates);
    return answer;
  };
  const all = <K extends Kind>(kind: K) =>
    store
      .dump()
      .filter((row) => row.kind === kind)
      .map(({ record }) => record as Records[K]);
  const transactions = () => all('transaction').sort((x, y) => (x.id < y.id ? -1 : 1));
  return {
    lab: fast,
    ask: (ask: EnrolOptions) => enrolment(fast, ask),
    fast: (sent: Sent, path?: string) => send(fast, sent, path),
    slow: (sent: Sent, path?: string) => send(slow, sent, path),
    wait: (ms: number) => {
      for (const { clock } of [fast, slow]) clock.at += ms;
    },
    /** An attempt of the fast one is left behind, and its lease is over. */
    left: async (sent: Sent) => {
      key.down = true;
      await assert.rejects(fast.operate(sent.message), /HTTP 503/);
      key.down = false;
      for (const { clock } of [fast, slow]) clock.at += LEASE_MS;
    },
    /** The next signature of the slow process waits for the gate. */
    stopAtSigning: (): Gate => {
      const reached = Promise.withResolvers<void>();
      const opened = Promise.withResolvers<void>();
      gate = { tell: reached.resolve, opened: opened.promise };
      return { reached: reached.promise, open: opened.resolve };
    },
    /** This happens in the middle of the slow process's next read of such records, before them. */
    between: (before: readonly Kind[], happens: () => Promise<unknown>) => {
      between = { before, happens };
    },
    revoke: async (certificate: Bytes, reason: RegisterReason) => {
      const serial = hex(readCertificate(certificate).serial);
      const actor = { kind: 'admin', id: 'somebody' } as const;
      assert.equal(await revoke(fast.deps, { ca: 'default', serial, reason, actor }), 'done');
    },
    all,
    transactions,
    states: () => transactions().map(({ state }) => state),
    check: () => checkCa(store.dump(), delivered),
  };
}

type World = Awaited<ReturnType<typeof world>>;

const codeOf = (answer: CertRepResult): string =>
  answer.pkiStatus === 'FAILURE' ? (answer.text ?? '').slice(0, 8) : answer.pkiStatus;

/** The slow process gets to its signature, and its lease runs out there. */
async function stuck(w: World, sent: Sent, path?: string) {
  const gate = w.stopAtSigning();
  const answer = w.slow(sent, path);
  await Promise.race([gate.reached, answer.then((said) => assert.fail(JSON.stringify(said)))]);
  w.wait(LEASE_MS);
  return {
    /** It goes on. */
    ends: async () => {
      gate.open();
      return answer;
    },
  };
}

async function enrolled(w: World, name: string, ask: EnrolOptions = {}) {
  const key = await deviceKey(name);
  const challenge = await w.lab.challenge();
  const answer = await w.fast(await w.ask({ challenge, key, ...ask }));
  assert.ok(answer.pkiStatus === 'SUCCESS', JSON.stringify(answer));
  const [der = new Uint8Array(0)] = answer.certificates;
  w.wait(1000);
  return { der, signer: { key, certificate: readCertificate(der) } };
}

describe('a request is refused while its lapsed attempt is still being signed', () => {
  test('a renewal of a certificate that has been revoked since: its attempt issues nothing', async () => {
    const w = await world();
    const { der, signer } = await enrolled(w, 'beside a');
    const key = await deviceKey('beside b');
    const sent = await w.ask({ signer, key, messageType: 'RenewalReq' });
    const attempt = await stuck(w, sent);
    // For this reason its renewals go on.
    await w.revoke(der, 'superseded');
    assert.equal(codeOf(await w.fast(sent)), 'SCEP-323');
    assert.equal(codeOf(await attempt.ends()), 'SCEP-323');
    assert.deepEqual(w.states(), ['revoked', 'voided', 'refused', 'refused']);
    w.check();
  });

  test('a renewal that a validator allows no longer', async () => {
    let allow = true;
    const w = await world({
      validators: { v: { validate: async () => (allow ? { allow } : { allow, note: 'left' }) } },
      authorize: { renew: ['v'] },
    });
    const { signer } = await enrolled(w, 'beside a');
    const key = await deviceKey('beside b');
    const sent = await w.ask({ signer, key, messageType: 'RenewalReq' });
    const attempt = await stuck(w, sent);
    allow = false;
    assert.equal(codeOf(await w.fast(sent)), 'SCEP-331');
    assert.equal(codeOf(await attempt.ends()), 'SCEP-331');
    assert.ok(!w.states().includes('intended'));
    w.check();
    // The renewal that was given back does not count.
    allow = true;
    assert.equal((await w.fast(sent)).pkiStatus, 'SUCCESS');
    w.check();
  });

  test('an enrolment that a validator allows no longer: the use of its challenge is there again', async () => {
    let allow = true;
    const w = await world({
      validators: { v: { validate: async () => (allow ? { allow } : { allow, note: 'left' }) } },
      authorize: { enrol: ['challenge', 'v'] },
    });
    const challenge = await w.lab.challenge();
    const sent = await w.ask({ challenge });
    const attempt = await stuck(w, sent);
    allow = false;
    assert.equal(codeOf(await w.fast(sent)), 'SCEP-331');
    assert.equal(codeOf(await attempt.ends()), 'SCEP-331');
    w.check();
    allow = true;
    const other = await w.ask({ challenge, key: await deviceKey('beside b') });
    assert.equal((await w.fast(other)).pkiStatus, 'SUCCESS');
    w.check();
  });

  test('a key that has gone to other names since', async () => {
    const config = {
      profiles: { brief: { validity: '30d' } },
      endpoints: { default: { ca: 'default' }, brief: { ca: 'default', profile: 'brief' } },
    };
    const w = await world({ config });
    const { der, signer } = await enrolled(w, 'beside a');
    // The key stays with the longer certificate, so that the attempt does not hold it.
    const { key } = signer;
    const sent = await w.ask({ key, challenge: await w.lab.challenge({ endpoint: 'brief' }) });
    const attempt = await stuck(w, sent, '/scep/brief');
    await w.revoke(der, 'cessationOfOperation');
    const other = { key, subject: 'CN=other', challenge: await w.lab.challenge() };
    assert.equal((await w.fast(await w.ask(other))).pkiStatus, 'SUCCESS');
    assert.equal(codeOf(await w.fast(sent, '/scep/brief')), 'SCEP-341');
    assert.equal(codeOf(await attempt.ends()), 'SCEP-341');
    w.check();
  });

  test('an approved one whose time is over: it expires, and its attempt issues nothing', async () => {
    const w = await world({ endpoint: { approval: 'always', pendingTtl: '5m' } });
    const sent = await w.ask({ challenge: await w.lab.challenge() });
    assert.equal((await w.fast(sent)).pkiStatus, 'PENDING');
    const [pending] = w.transactions();
    await decide(w.lab.deps, pending?.id ?? '', 'approved', { by: 'somebody' });
    const attempt = await stuck(w, sent);
    w.wait(300_000);
    assert.equal(codeOf(await w.fast(sent)), 'SCEP-352');
    assert.equal(codeOf(await attempt.ends()), 'SCEP-352');
    assert.deepEqual(w.states(), ['expired']);
    w.check();
  });

  test('an approved renewal of a certificate that has been revoked since: it is denied', async () => {
    const w = await world({ endpoint: { approval: 'always' } });
    const approved = async (sent: Sent) => {
      assert.equal((await w.fast(sent)).pkiStatus, 'PENDING');
      const { id = '' } = w.transactions().find(({ state }) => state === 'pending') ?? {};
      await decide(w.lab.deps, id, 'approved', { by: 'somebody' });
    };
    const key = await deviceKey('beside a');
    const first = await w.ask({ challenge: await w.lab.challenge(), key });
    await approved(first);
    const answer = await w.fast(first);
    assert.ok(answer.pkiStatus === 'SUCCESS');
    const [der = new Uint8Array(0)] = answer.certificates;
    const signer = { key, certificate: readCertificate(der) };
    w.wait(1000);
    const next = await deviceKey('beside b');
    const sent = await w.ask({ signer, key: next, messageType: 'RenewalReq' });
    await approved(sent);
    const attempt = await stuck(w, sent);
    await w.revoke(der, 'superseded');
    assert.equal(codeOf(await w.fast(sent)), 'SCEP-323');
    assert.equal(codeOf(await attempt.ends()), 'SCEP-323');
    assert.deepEqual(w.states(), ['revoked', 'denied']);
    w.check();
  });
});

describe('a request is under way under its other identity', () => {
  test('a request under way as a renewal whose certificate has been revoked since becomes an enrolment, and nothing else', async () => {
    const w = await world({ endpoint: { namesPerKey: 'any' } });
    const { der, signer } = await enrolled(w, 'beside a');
    const key = await deviceKey('beside b');
    const sent = await w.ask({ signer, key, challenge: await w.lab.challenge() });
    const attempt = await stuck(w, sent);
    await w.revoke(der, 'superseded');
    const given = await w.fast(sent);
    assert.equal(given.pkiStatus, 'SUCCESS');
    assert.deepEqual(await attempt.ends(), given);
    assert.deepEqual(w.states(), ['revoked', 'voided', 'issued']);
  });

  test('a request under way as a renewal, which needs no approver, waits for one as an enrolment, and nothing is issued', async () => {
    const w = await world({ endpoint: { approval: 'firstEnrolment' } });
    const key = await deviceKey('beside a');
    const first = await w.ask({ challenge: await w.lab.challenge(), key });
    assert.equal((await w.fast(first)).pkiStatus, 'PENDING');
    await decide(w.lab.deps, w.transactions()[0]?.id ?? '', 'approved', { by: 'somebody' });
    const answer = await w.fast(first);
    assert.ok(answer.pkiStatus === 'SUCCESS');
    const [der = new Uint8Array(0)] = answer.certificates;
    const signer = { key, certificate: readCertificate(der) };
    w.wait(1000);
    const next = await deviceKey('beside b');
    const sent = await w.ask({ signer, key: next, challenge: await w.lab.challenge() });
    const attempt = await stuck(w, sent);
    await w.revoke(der, 'superseded');
    assert.equal((await w.fast(sent)).pkiStatus, 'PENDING');
    assert.equal((await attempt.ends()).pkiStatus, 'PENDING');
    assert.deepEqual(w.states(), ['revoked', 'voided', 'pending']);
    w.check();
  });

  test('a request under way as an enrolment gets that certificate, though its signer may be renewed again by then', async () => {
    const w = await world({ endpoint: { namesPerKey: 'any' } });
    const { der, signer } = await enrolled(w, 'beside a');
    await w.revoke(der, 'certificateHold');
    const key = await deviceKey('beside b');
    const sent = await w.ask({ signer, key, challenge: await w.lab.challenge() });
    const attempt = await stuck(w, sent);
    await w.revoke(der, 'removeFromCRL');
    w.wait(-LEASE_MS);
    await assert.rejects(w.fast(sent), /HTTP 503/);
    w.wait(LEASE_MS);
    const given = await w.fast(sent);
    assert.equal(given.pkiStatus, 'SUCCESS');
    assert.deepEqual(await attempt.ends(), given);
    assert.deepEqual(w.states(), ['issued', 'voided', 'issued']);
  });
});

describe('between two reads', () => {
  test('the same renewal begins and its certificate is revoked: nobody is refused what it makes', async () => {
    const w = await world();
    const { der, signer } = await enrolled(w, 'beside a');
    const key = await deviceKey('beside b');
    const sent = await w.ask({ signer, key, messageType: 'RenewalReq' });
    let given: CertRepResult | undefined;
    w.between(['certificate'], async () => {
      given = await w.fast(sent);
      await w.revoke(der, 'superseded');
    });
    const answer = await w.slow(sent);
    assert.equal(answer.pkiStatus, 'SUCCESS');
    assert.deepEqual(answer, given);
    w.check();
  });

  test('the same renewal begins and lapses: what it held goes back before it is refused', async () => {
    const validator = { validate: async () => ({ allow: false as const, note: 'left' }) };
    for (const namesPerKey of ['one', 'any'] as const) {
      const endpoint = { namesPerKey };
      const refusing = { validators: { v: validator }, authorize: { renew: ['v'] }, endpoint };
      const w = await world({ endpoint }, refusing);
      const { signer } = await enrolled(w, 'beside a');
      const key = await deviceKey('beside b');
      const sent = await w.ask({ signer, key, messageType: 'RenewalReq' });
      w.between(['request'], () => w.left(sent));
      assert.equal(codeOf(await w.slow(sent)), 'SCEP-331');
      assert.deepEqual(w.states(), ['issued', 'voided', 'refused']);
      const [renewed] = w.all('certificate').filter(({ state }) => state === 'issued');
      assert.deepEqual(renewed?.successors, {});
      if (namesPerKey === 'one') w.check();
    }
  });

  for (const uses of [1, 2]) {
    test(`the same enrolment begins and lapses, and waits for an approver now: one use of ${uses} is taken`, async () => {
      const endpoint = { namesPerKey: 'any' } as const;
      const w = await world({ endpoint }, { endpoint: { ...endpoint, approval: 'always' } });
      const sent = await w.ask({ challenge: await w.lab.challenge({ uses }) });
      w.between(['request'], () => w.left(sent));
      assert.equal((await w.slow(sent)).pkiStatus, 'PENDING');
      assert.deepEqual(w.states(), ['voided', 'pending']);
      const [challenge] = w.all('challenge');
      assert.equal(challenge?.usesLeft, uses - 1);
      assert.deepEqual(Object.keys(challenge.open), [w.transactions()[1]?.id]);
      w.check();
    });
  }

  test('the same enrolment begins and lapses, and is a renewal now: the use of its challenge goes back', async () => {
    const w = await world({ endpoint: { namesPerKey: 'any' } });
    const { der, signer } = await enrolled(w, 'beside a');
    await w.revoke(der, 'certificateHold');
    const challenge = await w.lab.challenge({ uses: 2 });
    const sent = await w.ask({ signer, key: await deviceKey('beside b'), challenge });
    w.between(['request', 'certificate'], async () => {
      await w.left(sent);
      await w.revoke(der, 'removeFromCRL');
    });
    assert.equal((await w.slow(sent)).pkiStatus, 'SUCCESS');
    assert.deepEqual(w.states(), ['issued', 'voided', 'issued']);
    const [, record] = w.all('challenge').sort((x, y) => (x.id < y.id ? -1 : 1));
    assert.equal(record?.usesLeft, 2);
    assert.deepEqual(record.open, {});
  });

  test('the same renewal begins and lapses, and waits for an approver now', async () => {
    const w = await world({}, { endpoint: { approval: 'always' } });
    const { signer } = await enrolled(w, 'beside a');
    const key = await deviceKey('beside b');
    const sent = await w.ask({ signer, key, messageType: 'RenewalReq' });
    w.between(['request'], () => w.left(sent));
    assert.equal((await w.slow(sent)).pkiStatus, 'PENDING');
    assert.deepEqual(w.states(), ['issued', 'voided', 'pending']);
    w.check();
  });
});
