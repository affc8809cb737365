// Each function of a deployment writes what its policy in infra/policies allows, kind by kind and action by
// action, and its policy allows no write that it never makes. Each is led to every place in its bundle
// that writes a record; so a new kind of record, or a new write of one, has to be allowed here first.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { integer, sequence } from '../../lib/asn1/writer.ts';
import { base64, fromBase64, fromUtf8, hex, utf8 } from '../../lib/base/bytes.ts';
import { MAX_REGISTER_ENTRIES, MINUTELY_MS, SWEEP_AFTER_MS } from '../../lib/base/limits.ts';
import { importChain } from '../../lib/ca/authority/import-chain.ts';
import { initCa, requestCa } from '../../lib/ca/authority/init-ca.ts';
import { backUpMacKeys, initMacKeys, restoreMacKeys } from '../../lib/ca/authority/mac-keys.ts';
import { restoreCa } from '../../lib/ca/authority/restore.ts';
import { lookAtRetiring, retireCa } from '../../lib/ca/authority/retire.ts';
import { rotateRa } from '../../lib/ca/authority/rotation.ts';
import { recoverLog } from '../../lib/ca/log/recover.ts';
import { listTokens, makeToken, revokeToken } from '../../lib/ca/record/tokens.ts';
import { Draft, View } from '../../lib/ca/record/unit-of-work.ts';
import { publishCrl } from '../../lib/ca/revoke/publish-crl.ts';
import { raisePartitions } from '../../lib/ca/revoke/raise-partitions.ts';
import { rebuildRegisters } from '../../lib/ca/revoke/rebuild-register.ts';
import { entriesIn } from '../../lib/events/tiles.ts';
import type { RegisterPage, RegisterShard } from '../../lib/ports/records/register.ts';
import type { Action, Row } from '../../lib/ports/store.ts';
import type { RevocationOrder, Validator } from '../../lib/ports/validator.ts';
import { type Certificate, readCertificate } from '../../lib/x509/certificate.ts';
import {
  type Deployed,
  deployed,
  does,
  functions,
  kinds,
  type LogFile,
  logFiles,
  logsArn,
  may,
  ofFiles,
  ofLogs,
  type Role,
  refused,
  roles,
  sites,
  tableArn,
  writes,
  wrote,
} from '../support/deployed.ts';
import { itemsOf } from '../support/dynamodb.ts';
import { makeSigner, signed } from '../support/jws.ts';
import { deviceKey } from '../support/keys.ts';
import type { LabOptions } from '../support/lab.ts';
import { sitesIn } from '../support/write-sites.ts';

const HOUR = 3_600_000;
const somebody = { kind: 'admin', id: 'somebody' } as const;

const [a, b, c, d] = await Promise.all(
  ['permissions a', 'permissions b', 'permissions c', 'permissions d'].map((name) =>
    deviceKey(name),
  ),
);
assert.ok(a && b && c && d);
const serialOf = ({ serial }: { readonly serial: Uint8Array<ArrayBuffer> }): string => hex(serial);

const empty: RegisterShard = { changes: 0, pages: 0, entries: {} };

/** Each shard of a CA's register is full: the next entry begins a new page. */
async function fillRegister({ lab }: Deployed): Promise<void> {
  const entry = { at: lab.clock.at, reason: 'superseded', notAfter: lab.clock.at + HOUR } as const;
  for (const digit of '0123456789abcdef') {
    const serials = Array.from({ length: MAX_REGISTER_ENTRIES }, (_, i) => `${4e14 + i}${digit}`);
    const entries: RegisterPage['entries'] = Object.fromEntries(serials.map((one) => [one, entry]));
    const key = { kind: 'register', key: `default/${digit}` } as const;
    const [row] = await lab.deps.store.read([key]);
    const { changes, pages, entries: own } = (row as Row<'register'> | undefined)?.record ?? empty;
    const record = { changes: changes + serials.length, pages, entries: { ...own, ...entries } };
    await lab.deps.store.write([{ do: 'put', ...key, rev: row?.rev ?? 0, record }]);
  }
}

/** What the attempt under way has taken is as before it: so a batch read may see it that was made as it began. */
async function forget({ lab, transactions }: Deployed): Promise<void> {
  const [{ ca, undo } = assert.fail('no attempt')] = await transactions('intended');
  const { store } = lab.deps;
  const [certificate] = await store.read([{ kind: 'certificate', key: `${ca}/${undo.signer}` }]);
  if (certificate) {
    const { key, rev, record } = certificate as Row<'certificate'>;
    const before = { ...record, successors: {} };
    await store.write([{ do: 'put', kind: 'certificate', key, rev, record: before }]);
  }
  const [owner] = await store.read([{ kind: 'keyOwner', key: undo.keyOwner?.key ?? '' }]);
  if (owner && undo.keyOwner?.previous) {
    const { key, rev } = owner;
    const record = undo.keyOwner.previous;
    await store.write([{ do: 'put', kind: 'keyOwner', key, rev, record }]);
  }
}

test('scep enrols and renews, and takes the place of attempts that lapsed', async () => {
  const w = await deployed({
    config: {
      cas: { default: { subject: 'CN=Lab CA,O=Lab', key: 'rsa:2048' } },
      profiles: { brief: { validity: '30d' } },
      endpoints: { default: { ca: 'default' }, brief: { ca: 'default', profile: 'brief' } },
    },
  });
  await fillRegister(w);
  const first = {
    key: a,
    certificate: await w.enrolled({ challenge: await w.lab.challenge(), key: a }),
  };
  // The key is certified until later.
  const brief = await w.lab.challenge({ endpoint: 'brief' });
  await w.enrolled({ challenge: brief, key: a }, '/scep/brief');
  // Two renewals: the first, which is not used, is superseded.
  for (const key of [b, c]) {
    await w.enrolled({ signer: first, key, messageType: 'RenewalReq' });
  }
  // An attempt on a challenge lapses, and another request takes its use; so do the same key's.
  const shared = await w.lab.challenge();
  await w.stuck({ challenge: shared, key: d, subject: 'CN=device-2,O=Test' });
  await w.enrolled({ challenge: shared, key: await deviceKey('permissions e') });
  const other = { challenge: await w.lab.challenge(), key: d, subject: 'CN=device-2,O=Test' };
  const owner = { key: d, certificate: await w.enrolled(other) };
  const again = { ...other, challenge: await w.lab.challenge() };
  await w.stuck(again);
  await w.enrolled({ challenge: again.challenge, key: await deviceKey('permissions f') });
  // A renewal lapses: its signer's list of successors is as before.
  const renewal = { signer: owner, messageType: 'RenewalReq', subject: other.subject } as const;
  await w.stuck({ ...renewal, key: await deviceKey('permissions g') });
  await w.enrolled({ ...renewal, key: await deviceKey('permissions g') });
  // Attempts whose end rests on records that do not tell of them.
  const third = { ...other, challenge: await w.lab.challenge() };
  await w.stuck(third);
  await forget(w);
  await w.enrolled({ challenge: third.challenge, key: await deviceKey('permissions h') });
  await w.stuck({ ...renewal, key: await deviceKey('permissions i') });
  await forget(w);
  const { certificate } = owner;
  await w.admin('POST', `/certificates/default/${serialOf(certificate)}/revoke`, {
    reason: 'cessationOfOperation',
  });
  const refusal = await w.ask({ ...renewal, key: await deviceKey('permissions i') });
  assert.equal(refusal.pkiStatus, 'FAILURE');
});

test('scep takes turns of a CA that issues so many a second', async () => {
  const w = await deployed({
    config: {
      cas: { default: { subject: 'CN=Lab CA,O=Lab', key: 'rsa:2048', issuancesPerSecond: 0.5 } },
    },
  });
  await w.enrolled({ challenge: await w.lab.challenge(), key: a });
  // As strongSwan calls it.
  const transactionID = 'A'.repeat(40);
  const waits = await w.ask({ challenge: await w.lab.challenge(), key: b, transactionID });
  assert.equal(waits.pkiStatus, 'PENDING');
  w.lab.clock.at += 2000;
  assert.equal((await w.poll({ key: b, transactionID })).pkiStatus, 'SUCCESS');
});

test('scep counts a refused request against its challenge', async () => {
  const w = await deployed();
  const challenge = await w.lab.challenge({ subject: 'CN=right' });
  assert.equal((await w.ask({ challenge, subject: 'CN=wrong' })).pkiStatus, 'FAILURE');
});

test('scep makes the record of a signed challenge with its first use, or the first refusal', async () => {
  const caller = makeSigner('caller');
  const names = { dns: 'any' } as const;
  const signedChallenge = { keys: { caller: { publicKey: caller.publicKey, names } } };
  const w = await deployed({
    endpoint: { enrol: { authorize: ['signedChallenge'], signedChallenge } },
  });
  const iat = Math.floor(w.lab.clock.at / 1000);
  const of = (jti: string) => signed(caller, { aud: 'default', iat, exp: iat + 3600, jti });
  await w.enrolled({ challenge: of('the-used-one'), key: a });
  assert.equal(
    (await w.ask({ challenge: of('the-refused-one'), key: b, names: ['ip:10.0.0.1'] })).pkiStatus,
    'FAILURE',
  );
});

test('scep notes which certificate has signed a query, and maintenance supersedes what was renewed', async () => {
  const w = await deployed({ endpoint: { renew: { supersede: '7d' } } });
  await fillRegister(w);
  const [ca = assert.fail('no CA')] = w.lab.announced.chain;
  const queried = async (signer: { readonly key: typeof a; readonly certificate: Certificate }) => {
    const plaintext = sequence(ca.subject, integer(signer.certificate.serial));
    const answer = await w.ask({ messageType: 'GetCert', signer, key: signer.key, plaintext });
    assert.equal(answer.pkiStatus, 'SUCCESS');
  };
  const old = {
    key: a,
    certificate: await w.enrolled({ challenge: await w.lab.challenge(), key: a }),
  };
  const wanted = { signer: old, key: b, messageType: 'RenewalReq' } as const;
  const renewal = { key: b, certificate: await w.enrolled(wanted) };
  for (const signer of [old, renewal]) await queried(signer);
  await w.upkeep();
  const issued = await w.transactions('issued');
  assert.ok(issued.every(({ supersedeAt }) => supersedeAt === undefined));
  assert.equal(issued.length, 2);
});

test('scep records what waits for an approver, follows its polls, issues it, and ends it', async () => {
  const w = await deployed({ endpoint: { approval: 'newSubject', pendingTtl: '1h' } });
  const wanted = { challenge: await w.lab.challenge(), key: a };
  assert.equal((await w.ask(wanted)).pkiStatus, 'PENDING');
  assert.equal((await w.ask({ ...wanted, transactionID: 'another' })).pkiStatus, 'PENDING');
  const [waiting] = await w.transactions('pending');
  await w.admin('POST', `/transactions/${waiting?.id}/approve`, { reason: 'because' });
  const answer = await w.poll({ key: a });
  assert.ok(answer.pkiStatus === 'SUCCESS');
  // One request that was not decided, and one that was denied.
  const late = { challenge: await w.lab.challenge(), key: b, subject: 'CN=device-2,O=Test' };
  assert.equal((await w.ask(late)).pkiStatus, 'PENDING');
  w.lab.clock.at += 2 * HOUR;
  assert.equal((await w.poll({ key: b, subject: late.subject })).pkiStatus, 'FAILURE');
  const denied = { challenge: await w.lab.challenge(), key: c, subject: 'CN=device-3,O=Test' };
  assert.equal((await w.ask(denied)).pkiStatus, 'PENDING');
  const [next] = await w.transactions('pending');
  await w.admin('POST', `/transactions/${next?.id}/deny`, { reason: 'because' });
  await w.admin('POST', `/transactions/${next?.id}/forget`);
  await w.admin('GET', '/events');
  await assert.rejects(
    w.admin('GET', '/events', undefined, { authorization: 'Bearer of nobody at all' }),
  );
});

test('admin makes a decision link, and takes the votes of two persons', async () => {
  const decisionUrl = 'https://approve.example.com';
  const endpoints = { default: { ca: 'default', approval: 'always', approvers: 2 } } as const;
  const w = await deployed({ config: { decisionUrl, endpoints } });
  const wanted = { challenge: await w.lab.challenge(), key: a };
  assert.equal((await w.ask(wanted)).pkiStatus, 'PENDING');
  const [waiting] = await w.transactions('pending');
  const path = `/transactions/${waiting?.id}`;
  const { url } = await w.admin('POST', `${path}/link`, { person: 'alice' });
  const link = new URL(String(url)).searchParams.get('link') ?? '';
  const form = new URLSearchParams({ link, verdict: 'approve' });
  assert.equal((await w.decide({ origin: decisionUrl }, form)).status, 200);
  await w.admin('POST', `${path}/approve`, {});
  await w.enrolled(wanted);
});

test('scep notes that a device has its certificate when its renewal waits for an approver', async () => {
  const w = await deployed({ endpoint: { approval: 'always' } });
  const wanted = { challenge: await w.lab.challenge(), key: a };
  assert.equal((await w.ask(wanted)).pkiStatus, 'PENDING');
  const [waiting] = await w.transactions('pending');
  await w.admin('POST', `/transactions/${waiting?.id}/approve`, {});
  const signer = { key: a, certificate: await w.enrolled(wanted) };
  const renewal = await w.ask({ signer, key: b, messageType: 'RenewalReq' });
  assert.equal(renewal.pkiStatus, 'PENDING');
});

/** A release gate that answers as it is told. */
function gated() {
  const gate = { answer: 'release' as 'release' | 'refuse' | 'silent' };
  const validator: Validator = {
    validate: async () => ({ allow: true }),
    notify: async () => {
      if (gate.answer === 'silent') throw new Error('the gate is away');
      return gate.answer;
    },
  };
  const options = {
    validators: { gate: validator },
    authorize: { enrol: ['challenge', 'gate'] },
    endpoint: { approval: 'newSubject' },
  } satisfies LabOptions;
  return { gate, options };
}

test('scep and maintenance release through a gate, or revoke what the gate refuses', async () => {
  const { gate, options } = gated();
  const w = await deployed(options);
  await fillRegister(w);
  const through = async (name: string, answer: typeof gate.answer) => {
    gate.answer = answer;
    const key = await deviceKey(`permissions gate ${name}`);
    const wanted = { challenge: await w.lab.challenge(), key, subject: `CN=${name},O=Test` };
    assert.equal((await w.ask(wanted)).pkiStatus, 'PENDING');
    const [waiting] = await w.transactions('pending');
    await w.admin('POST', `/transactions/${waiting?.id}/approve`, {});
    return wanted;
  };
  await w.enrolled(await through('one', 'release'));
  assert.equal((await w.ask(await through('two', 'refuse'))).pkiStatus, 'FAILURE');
  // The sweeper asks the gate that was away.
  for (const [name, answer] of [
    ['three', 'release'],
    ['four', 'refuse'],
  ] as const) {
    // Whichever shard the refusal before has fallen into, the next one needs a page.
    await fillRegister(w);
    const wanted = await through(name, 'silent');
    await assert.rejects(w.ask(wanted));
    gate.answer = answer;
    w.lab.clock.at += MINUTELY_MS;
    await w.upkeep();
  }
  assert.deepEqual(await w.transactions('signed'), []);
  assert.equal((await w.transactions('revoked')).length, 2);
});

test('maintenance revokes what a validator orders, and stops the renewal of it', async () => {
  const orders: RevocationOrder[] = [];
  const mdm: Validator = {
    validate: async () => ({ allow: true }),
    revocations: { take: async () => orders, report: async () => {} },
  };
  const w = await deployed({
    validators: { mdm },
    authorize: { enrol: ['challenge', 'mdm'], renew: ['mdm'] },
  });
  await fillRegister(w);
  const signer = {
    key: a,
    certificate: await w.enrolled({ challenge: await w.lab.challenge(), key: a }),
  };
  await w.enrolled({ signer, key: b, messageType: 'RenewalReq' });
  const serial = serialOf(signer.certificate);
  orders.push({ context: 'one', serial, issuer: 'CN=Lab CA,O=Lab' });
  await w.upkeep();
  const [revoked] = await w.transactions('revoked');
  assert.equal(revoked?.serial, serial);
});

test('maintenance gives back what abandoned attempts held, and expires what was not approved', async () => {
  const w = await deployed();
  const kept = { challenge: await w.lab.challenge(), key: a };
  const signer = { key: a, certificate: await w.enrolled(kept) };
  await w.stuck({ challenge: await w.lab.challenge(), key: a });
  await w.stuck({ challenge: await w.lab.challenge(), key: b });
  await w.stuck({ signer, key: c, messageType: 'RenewalReq' });
  w.lab.clock.at += SWEEP_AFTER_MS;
  await w.upkeep();
  assert.equal((await w.transactions('voided')).length, 3);
  assert.deepEqual(await w.transactions('intended'), []);
  for (const wanted of [
    { challenge: await w.lab.challenge(), key: a },
    { signer, key: d, messageType: 'RenewalReq' },
  ] as const) {
    await w.stuck(wanted);
    await forget(w);
    w.lab.clock.at += SWEEP_AFTER_MS;
    await w.upkeep();
    assert.deepEqual(await w.transactions('intended'), []);
  }

  const approving = await deployed({ endpoint: { approval: 'always', pendingTtl: '2h' } });
  for (const key of [a, b]) {
    const wanted = { challenge: await approving.lab.challenge(), key };
    assert.equal((await approving.ask(wanted)).pkiStatus, 'PENDING');
  }
  approving.lab.clock.at += 3 * HOUR;
  await approving.upkeep();
  assert.equal((await approving.transactions('expired')).length, 2);
});

test('maintenance tells a webhook of what waits, and marks it', async () => {
  const told: string[] = [];
  const hook: Validator = {
    validate: () => assert.fail('it was asked'),
    waiting: async ({ id }) => {
      told.push(id);
    },
  };
  const url = 'https://hooks.example.com/';
  const w = await deployed({
    config: { validators: { hook: { kind: 'webhook', url, secret: 'env:HOOK' } } },
    endpoint: { approval: 'always', approvalNotice: ['hook'] },
    validators: { hook },
  });
  const wanted = { challenge: await w.lab.challenge(), key: a };
  assert.equal((await w.ask(wanted)).pkiStatus, 'PENDING');
  await w.upkeep();
  const [waiting] = await w.transactions('pending');
  assert.deepEqual(told, [waiting?.id]);
  assert.equal(waiting?.untold, undefined);
});

test('admin makes and revokes challenges, imports and removes devices, revokes certificates, and asks for CRLs', async () => {
  const w = await deployed();
  await fillRegister(w);
  const made = await w.admin('POST', '/challenges', {}, { 'idempotency-key': 'one' });
  await w.admin('DELETE', `/challenges/${made.id}`);
  await w.admin('POST', '/devices', { list: 'vpn', rows: [{ serial: 'C02', name: ['a'] }] });
  await w.admin('DELETE', '/devices/C02?list=vpn');
  const good = await w.enrolled({ challenge: await w.lab.challenge(), key: a });
  for (const reason of ['certificateHold', 'removeFromCRL', 'keyCompromise']) {
    await w.admin('POST', `/certificates/default/${serialOf(good)}/revoke`, { reason });
  }
  const old = {
    key: c,
    certificate: await w.enrolled({ challenge: await w.lab.challenge(), key: c }),
  };
  await w.enrolled({ signer: old, key: d, messageType: 'RenewalReq' });
  const revoking = `/certificates/default/${serialOf(old.certificate)}/revoke`;
  await w.admin('POST', revoking, { reason: 'unspecified' });
  const plain = await w.enrolled({ challenge: await w.lab.challenge(), key: b });
  const idempotent = { 'idempotency-key': 'two' };
  const path = `/certificates/default/${serialOf(plain)}/revoke`;
  await w.admin('POST', path, { reason: 'superseded' }, idempotent);
  await w.admin('POST', '/crls/default/publish', {}, { 'idempotency-key': 'three' });
  const ra = { certificate: base64(w.lab.announced.ra.der), reason: 'keyCompromise' };
  await w.admin('POST', '/certificates/default/revoke', ra, { 'idempotency-key': 'four' });
  await w.upkeep();
});

test('scep and admin try a write with what they may write anyway', async () => {
  const w = await deployed();
  assert.equal(await w.isReady(), true);
  const { store, warnings } = await w.admin('GET', '/status');
  assert.deepEqual([store, warnings], [{ reachable: true, writable: true }, []]);
  const tried = (await itemsOf(w.table)).filter(({ pk }) => pk?.S?.endsWith('#tried'));
  assert.deepEqual(tried, [{ pk: { S: 'transaction#tried' } }]);
});

test('the operator makes CAs, keys and tokens, and ends tokens', async () => {
  const w = await deployed({
    config: {
      cas: {
        default: { subject: 'CN=Lab CA,O=Lab', key: 'rsa:2048' },
        second: { subject: 'CN=Second CA,O=Lab', key: 'rsa:2048' },
        third: { subject: 'CN=Third CA,O=Lab', key: 'rsa:2048', crlPartitions: 2 },
      },
    },
    uninitialised: ['second', 'third'],
  });
  const deps = w.operator();
  const authority = (id: string) => deps.config.cas.get(id) ?? assert.fail(id);
  await does('operator', async () => {
    await initMacKeys(deps, async (purpose) => ({ id: purpose, sealed: utf8(purpose) }), somebody);
    assert.equal(await initCa(deps, authority('second')), 'done');
    await requestCa(deps, authority('third'));
    const raised = await raisePartitions(deps, { id: 'third', crlPartitions: 3 }, somebody);
    assert.equal(raised.generation, 2);
    for (const step of ['prepare', 'activate', 'retire'] as const) {
      await rotateRa(deps, 'second', { step, force: true, actor: somebody });
    }
    const [{ record } = assert.fail('no CA')] = await deps.store.read([
      { kind: 'authority', key: 'second' },
    ]);
    const own = readCertificate(
      fromBase64(record && 'chain' in record ? (record.chain[0] ?? '') : ''),
    );
    assert.equal(
      (await importChain(deps, authority('second'), [own], { actor: somebody })).kind,
      'done',
    );
    const name = 'portal';
    const by = { actor: somebody };
    // The name of an expired token is free.
    const over = { name, roles: ['auditor'], expiresAt: deps.clock.now() } as const;
    assert.ok(await makeToken(deps, over, by));
    assert.ok(await makeToken(deps, { name, roles: ['auditor'] }, by));
    const { tokens } = await listTokens(deps, { limit: 9 });
    assert.ok(tokens.some((token) => token.name === name));
    assert.equal((await revokeToken(deps, { name }, by))?.name, name);
    const named = new Map([...deps.config.cas].filter(([id]) => id !== 'second'));
    const without = { ...deps, config: { ...deps.config, cas: named } };
    assert.equal((await lookAtRetiring(without, 'second')).valid, 0);
    await retireCa(without, 'second', somebody);
  });
  // The list of CAs, which somebody has removed, is made again.
  const [list] = await w.setup.read([{ kind: 'authorities', key: 'all' }]);
  const gone = { do: 'delete', kind: 'authorities', key: 'all', rev: list?.rev ?? 0 } as const;
  assert.equal(await w.setup.write([gone]), 'done');
  await does('operator', async () => {
    assert.equal(await initCa(deps, authority('default')), 'exists');
  });
});

test('challenges are made for MDMs, and nothing else is', async () => {
  const secret = 'a password of 16 octets';
  const account = { user: 'mdm', password: 'env:MDM', subject: { CN: 'device-*' } };
  const jamf = { user: 'mdm', password: 'env:MDM', subject: { CN: '{serialNumber}' } };
  const w = await deployed({
    endpoint: { ndes: { accounts: [account], charset: 'utf-8' }, jamf },
    staticSecrets: { 'env:MDM': secret },
  });
  const headers = { authorization: `Basic ${base64(utf8(`mdm:${secret}`))}` };
  const page = await (await w.mdm('/certsrv/mscep_admin/', { headers })).text();
  const [, challenge = ''] = /password is: <B> (\w+) </.exec(page) ?? [];
  await w.enrolled({ challenge, key: a, subject: 'CN=device-1' });
  const answer = await w.mdm('/hooks/jamf/default', {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({
      webhook: { webhookEvent: 'SCEPChallenge' },
      event: { device: { serialNumber: 'C02' } },
    }),
  });
  await w.enrolled({ challenge: await answer.text(), key: b, subject: 'CN=C02' });
});

test('the operator repairs altered records', async () => {
  const w = await deployed();
  const chain = [w.lab.announced.chain[0] ?? assert.fail('no chain')];
  const forged = async (kind: 'authority' | 'register' | 'registerPage', key: string) => {
    const [row] = await w.setup.read([{ kind, key }]);
    const record = { nonsense: true };
    const put = { do: 'put', kind, key, rev: row?.rev ?? 0, record } as unknown as Action;
    assert.equal(await w.setup.write([put]), 'done');
  };
  const deps = w.operator();
  const authority = deps.config.cas.get('default') ?? assert.fail();
  const issuer = await deps.cas.issuer('default');
  // What was published with a high number, and entries of more than one page.
  const [thisUpdate, nextUpdate] = [w.lab.clock.at, w.lab.clock.at + HOUR];
  const der = utf8('x'.repeat(4000));
  await w.files.publish('default', { number: 100, der, thisUpdate, nextUpdate, changes: 0 });
  const entry = { at: thisUpdate, reason: 'superseded', notAfter: nextUpdate } as const;
  const serials = Array.from({ length: MAX_REGISTER_ENTRIES + 1 }, (_, i) => `${4e14 + i}0`);
  const entries: RegisterPage['entries'] = Object.fromEntries(serials.map((one) => [one, entry]));
  const key = 'default/0/0';
  await w.lab.deps.store.write([
    { do: 'put', kind: 'registerPage', key, rev: 0, record: { entries } },
  ]);
  for (const page of ['default/0/1', 'default/1/0']) await forged('registerPage', page);
  await forged('register', 'default/0');
  await does('operator', async () => {
    assert.deepEqual(await rebuildRegisters(deps, issuer, somebody), ['0', '1']);
    const { number } = await publishCrl(deps, issuer, { actor: somebody });
    assert.ok(number > 100);
    const backup = await backUpMacKeys(deps.store);
    assert.deepEqual(backup, {});
    const keys = [{ id: 'one', sealedKey: 'AAAA' }];
    assert.deepEqual(
      await restoreMacKeys({ ...deps, reload: () => {} }, { pending: keys }, somebody),
      ['pending'],
    );
  });
  await forged('authority', 'default');
  await does('operator', async () => {
    const options = { key: 'ca default rsa2048', actor: somebody };
    assert.equal((await restoreCa(deps, authority, chain, options)).kind, 'done');
  });
});

test('the sequencer puts what happened into the logs, and the operator recovers them', async () => {
  const w = await deployed();
  const { clock, random } = w.lab.deps;
  const happen = async (count: number): Promise<void> => {
    const draft = new Draft(new View(w.lab.deps.store));
    const type = 'crl.published';
    for (let i = 0; i < count; i++) {
      draft.event(clock.now(), random, { type, actor: { kind: 'system' }, ca: 'default' });
    }
    assert.equal(await w.lab.deps.store.write(draft.actions), 'done');
  };
  await w.sequence();
  for (let i = 0; i < 3; i++) await happen(90);
  await w.sequence();
  const deps = w.operator();
  const recovered = () => does('operator', () => recoverLog(deps, 'default', somebody));
  // What is in the log, and waits again, as in a table that was restored.
  const bundle = (await w.logFiles.read('default/tile/entries/000')) ?? assert.fail('no entries');
  const { id } = JSON.parse(fromUtf8(entriesIn(bundle)[0] ?? utf8('')));
  const record = { log: 'default', events: [id] };
  const again = { do: 'put', kind: 'unlogged', key: `default/${id}`, rev: 0, record } as const;
  assert.equal(await w.lab.deps.store.write([again]), 'done');
  assert.deepEqual((await recovered())?.lost, []);
  await w.logFiles.remove('default/checkpoint');
  assert.equal((await recovered())?.name, 'default.2');
  await w.sequence();
});

test('no function was refused a call by its policy', () => {
  assert.deepEqual([...refused], []);
});

/** Places that are in a bundle and that its function never comes to: `file function`, and why. */
const unreached: Readonly<Record<Role, Readonly<Record<string, readonly string[]>>>> = {
  scep: {},
  maintenance: {
    'a function of its own puts events into the logs': [
      'lib/ca/log/sequence.ts oneStep',
      'lib/ca/log/sequence.ts publish',
    ],
    'nobody outside says that a key is compromised': ['lib/ca/revoke/revoke.ts blockKey'],
  },
  challenges: {},
  sequencer: {
    'it removes files there, and no record': ['lib/ca/log/sequence.ts publish'],
  },
  operator: {
    'a command says nothing about itself under an Idempotency-Key, and its own token is in no store':
      ['lib/ca/record/idempotency.ts -', 'lib/ca/record/token-use.ts useOf'],
    'a command lets itself in, and reads nothing by the API that is told of': [
      'lib/ca/log/access.ts -',
    ],
    'only a data folder has a token file': ['functions/node/admin-token.ts record'],
  },
  admin: {
    'policy test judges a request by the code that would issue, and stops before it writes': [
      'lib/ca/enrol/rollback.ts endAttempt',
      'lib/ca/enrol/rollback.ts voidTransaction',
      'lib/ca/enrol/issue.ts commit',
      'lib/ca/enrol/issue.ts takeWhatItHolds',
      'lib/ca/enrol/issue.ts putAttempt',
      'lib/ca/enrol/issued-subjects.ts noteSubject',
      'lib/ca/approve/pending.ts close',
      'lib/ca/approve/pending.ts followPolls',
      'lib/ca/approve/pending.ts pend',
      'lib/ca/approve/release.ts settle',
      'lib/ca/challenge/use.ts useChallenge',
      'lib/ca/approve/turns.ts lease',
    ],
  },
};

for (const role of roles) {
  test(`${role} has been led to every place of its bundle that writes a record`, async () => {
    const known = await sitesIn(functions[role]);
    const been = sites.get(role) ?? new Set();
    assert.ok(
      known.size >= (role === 'sequencer' || role === 'challenges' ? 1 : 6),
      `${known.size} places`,
    );
    const never = Object.values(unreached[role]).flat();
    const isNever = (site: string) => never.includes(site.split(' ').slice(0, 2).join(' '));
    assert.deepEqual(
      [...known].filter((site) => !been.has(site) && !isNever(site)),
      [],
      'places to lead it to',
    );
    assert.deepEqual([...been].filter(isNever), [], 'not reached, and yet');
    assert.deepEqual(
      [...been].filter((site) => !known.has(site)),
      [],
      'not in the bundle',
    );
  });
}

const asked = (action: string, key: string) => ({
  action,
  resource: tableArn,
  context: { 'dynamodb:LeadingKeys': [key] },
});
/** All writes that a policy allows, for every kind of record, and for unknown kinds. */
const allowedTo = (name: Role | 'worker'): string[] =>
  writes
    .flatMap((action) => [...kinds, 'unheard'].map((kind) => ({ action, kind })))
    .filter(({ action, kind }) => may(name, asked(action, `${kind}#x`)))
    .map(({ action, kind }) => `${action} ${kind}`)
    .concat(
      (['crl', 'aia'] as const)
        .filter((folder) => may(name, ofFiles('PutObject', folder)))
        .map((folder) => `s3:PutObject ${folder}`),
      (['PutObject', 'DeleteObject'] as const).flatMap((action) =>
        (Object.keys(logFiles) as LogFile[])
          .filter((file) => may(name, ofLogs(action, file)))
          .map((file) => `s3:${action} ${file}`),
      ),
    )
    .sort();

for (const role of roles) {
  test(`the policy of ${role} allows the writes that were made, and no other`, () => {
    assert.deepEqual(allowedTo(role), [...(wrote.get(role) ?? [])].sort());
  });
}

test('the policies of a Worker allow the writes of the functions that it stands for', () => {
  const all = (['scep', 'admin', 'maintenance', 'sequencer', 'challenges'] as const).flatMap(
    (role) => [...(wrote.get(role) ?? [])],
  );
  assert.deepEqual(allowedTo('worker'), [...new Set(all)].sort());
});

test('no role may end a version of what is in the logs, its lock, or what keeps it', () => {
  const ofVersion = ['DeleteObjectVersion', 'PutObjectRetention', 'PutObjectLegalHold'];
  const ofBucket = ['PutBucketVersioning', 'PutBucketObjectLockConfiguration', 'DeleteBucket'];
  for (const name of [...roles, 'worker'] as const) {
    for (const action of [...ofVersion, 'BypassGovernanceRetention', ...ofBucket]) {
      for (const resource of [logsArn, ofLogs('GetObject', 'entries').resource]) {
        const asked = { action: `s3:${action}`, resource, context: {} };
        assert.equal(may(name, asked), false, `${name} ${action} ${resource}`);
      }
    }
  }
});

test('no role may change or delete a written event', () => {
  for (const name of [...roles, 'worker'] as const) {
    for (const action of ['dynamodb:UpdateItem', 'dynamodb:DeleteItem']) {
      assert.equal(may(name, asked(action, 'event#x')), false, `${name} ${action}`);
    }
  }
});
