// Events (audit notes 4.2): each thing that happens is told once, in the write that makes it so, in a
// form that never changes; and nothing that is stored or logged holds a secret.

import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { jsonLog } from '../../lib/adapters/system.ts';
import { type Bytes, base64, concat, hex, utf8 } from '../../lib/base/bytes.ts';
import { canonicalText, type Json } from '../../lib/base/json.ts';
import { LEASE_MS, REFUSAL_PLACES_MS, SWEEP_AFTER_MS } from '../../lib/base/limits.ts';
import { type EventType, eventTypes, macPurposes } from '../../lib/base/words.ts';
import { decide } from '../../lib/ca/approve/decide.ts';
import { makeLink } from '../../lib/ca/approve/link.ts';
import { importChain } from '../../lib/ca/authority/import-chain.ts';
import { requestCa } from '../../lib/ca/authority/init-ca.ts';
import { initMacKeys } from '../../lib/ca/authority/mac-keys.ts';
import { retireCa } from '../../lib/ca/authority/retire.ts';
import { rotateRa } from '../../lib/ca/authority/rotation.ts';
import { revokeChallenge } from '../../lib/ca/challenge/challenge-list.ts';
import { removeDevice } from '../../lib/ca/devices/device-list.ts';
import { importRows } from '../../lib/ca/devices/import.ts';
import { sweep } from '../../lib/ca/jobs.ts';
import { Access } from '../../lib/ca/log/access.ts';
import { tellConfiguration } from '../../lib/ca/log/configuration.ts';
import { forgetTransaction } from '../../lib/ca/log/forget.ts';
import { recoverLog } from '../../lib/ca/log/recover.ts';
import { sequenceAll } from '../../lib/ca/log/sequence.ts';
import { Draft, View } from '../../lib/ca/record/unit-of-work.ts';
import { publishCrl } from '../../lib/ca/revoke/publish-crl.ts';
import { revoke } from '../../lib/ca/revoke/revoke.ts';
import { makeEvent } from '../../lib/events/event.ts';
import { readCertificate } from '../../lib/x509/certificate.ts';
import { tokenOf } from '../support/api.ts';
import { deviceKey, memoryMacKeys, memoryRaKeys } from '../support/keys.ts';
import type { LabOptions } from '../support/lab.ts';
import { memoryLogs, waitingIn } from '../support/log.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { enrolment, random } from '../support/messages.ts';
import { got, HOUR, held, keys, type World, world } from '../support/world.ts';

type Told = Readonly<Record<string, unknown>> & { readonly type: EventType };
const told = (w: World): Told[] => w.events() as unknown as Told[];

/** The types of the events since the last look. */
function since(w: World): () => string[] {
  let seen = 0;
  return () => {
    const types = told(w).map(({ type }) => type);
    const fresh = types.slice(seen);
    seen = types.length;
    return fresh;
  };
}

const sessions: Record<string, () => Promise<World>> = {
  'a CA and its enrolments': async () => {
    const w = await world();
    const next = since(w);
    assert.deepEqual(next(), ['ca.key.created', 'ca.created', 'ca.ra.current', 'crl.published']);
    const [a, b, c] = await keys('event a', 'event b', 'event c');
    assert.ok(a && b && c);
    const signer = await held(w, a);
    const issued = ['certificate.intended', 'certificate.issued'];
    assert.deepEqual(next(), ['challenge.created', ...issued]);
    got(await w.ask({ signer, key: b, messageType: 'RenewalReq' }));
    assert.deepEqual(next(), issued);
    got(await w.ask({ signer, key: c, messageType: 'RenewalReq' }));
    assert.deepEqual(next().sort(), [...issued, 'certificate.superseded'].sort());
    const admin = { kind: 'admin', id: 'somebody' } as const;
    const serial = hex(signer.certificate.serial);
    const reasons = ['certificateHold', 'removeFromCRL', 'superseded', 'keyCompromise'] as const;
    for (const reason of reasons) {
      assert.equal(
        await revoke(w.lab.deps, { ca: 'default', serial, reason, actor: admin }),
        'done',
      );
    }
    const hold = ['certificate.held', 'certificate.released'];
    const raised = ['key.blocked', 'certificate.reasonRaised'];
    assert.deepEqual(next(), [...hold, 'certificate.revoked', ...raised]);
    return w;
  },
  'the keys and the chain of a CA': async () => {
    const w = await world();
    const next = since(w);
    next();
    const actor = { kind: 'admin', id: 'somebody' } as const;
    for (const type of ['ca.ra.prepared', 'ca.ra.current', 'ca.ra.retired']) {
      assert.equal((await rotateRa(w.lab.deps, 'default', { actor, force: true })).kind, 'done');
      assert.deepEqual(next(), [type]);
    }
    const authority = w.lab.config.cas.get('default');
    const { certificate } = await w.lab.deps.cas.of('default');
    assert.ok(authority);
    const imported = await importChain(w.lab.deps, authority, [certificate], { actor });
    assert.equal(imported.kind, 'done');
    assert.deepEqual(next(), ['ca.chainImported']);
    return w;
  },
  'a CA that is retired': async () => {
    const w = await world();
    const next = since(w);
    next();
    const { config } = w.lab;
    const without = { ...w.lab.deps, config: { ...config, cas: new Map() } };
    await retireCa(without, 'default', { kind: 'admin', id: 'somebody' });
    assert.deepEqual(next(), ['ca.retired']);
    return w;
  },
  'the MAC keys of a deployment': async () => {
    const w = await world();
    const next = since(w);
    next();
    const make = async (id: string) => ({ id, sealed: random(32) });
    assert.equal(
      (await initMacKeys(w.lab.deps, make, { kind: 'system' })).length,
      macPurposes.length,
    );
    assert.deepEqual(
      next(),
      macPurposes.map(() => 'admin.acted'),
    );
    return w;
  },
  'a challenge that is misused': async () => {
    const w = await world();
    const challenge = await w.lab.challenge({ subject: 'CN=right' });
    const next = since(w);
    next();
    await w.ask({ challenge: 'nobody made this challenge' });
    await w.ask({ plaintext: random(64) });
    assert.deepEqual(next(), ['request.refused'], 'only strangers who proved a key have an event');
    for (let i = 0; i < 9; i++) await w.ask({ challenge, subject: `CN=wrong ${i}` });
    const both = ['challenge.refused', 'request.refused'];
    assert.deepEqual(next().sort(), Array(9).fill(both).flat().sort());
    got(await w.ask({ challenge, subject: 'CN=right' }));
    w.lab.clock.at += REFUSAL_PLACES_MS;
    next();
    await w.ask({ challenge, subject: 'CN=right,O=Test' });
    assert.deepEqual(next(), ['challenge.reused', 'challenge.locked', 'request.refused']);
    const decoy = await w.lab.challenge({ decoy: true });
    next();
    await w.ask({ challenge: decoy });
    assert.deepEqual(next(), ['challenge.decoyUsed', 'request.refused']);
    return w;
  },
  'requests that wait': async () => {
    const w = await world({ endpoint: { approval: 'always', pendingTtl: '2h' } });
    const next = since(w);
    const [a, b, c] = await keys('event wait a', 'event wait b', 'event wait c');
    assert.ok(a && b && c);
    for (const [key, verdict, code] of [
      [a, 'approved', 'request.approved'],
      [b, 'denied', 'request.denied'],
    ] as const) {
      await w.ask({ challenge: await w.lab.challenge(), key });
      next();
      const waiting = w.transactions().find(({ state }) => state === 'pending');
      const said = { by: 'somebody', reason: 'because' };
      await decide(w.lab.deps, waiting?.id ?? '', verdict, said);
      assert.deepEqual(next(), [code]);
    }
    const sent = await enrolment(w.lab, { challenge: await w.lab.challenge(), key: c });
    await w.send(sent);
    await w.send(sent);
    assert.deepEqual(next(), ['challenge.created', 'request.pending']);
    got(await w.poll({ key: a }));
    assert.deepEqual(next(), ['certificate.intended', 'certificate.issued']);
    w.lab.clock.at += 2 * HOUR;
    await w.send(sent);
    await sweep(w.lab.deps);
    assert.deepEqual(next(), ['request.expired']);
    return w;
  },
  'two approvers': async () => {
    const w = await world({ endpoint: { approval: 'always', approvers: 2 } });
    const next = since(w);
    await w.ask({ challenge: await w.lab.challenge() });
    next();
    const [waiting] = w.transactions();
    const wanted = { person: 'alice', ttlMs: HOUR, actor: { kind: 'admin', id: 'a' } } as const;
    await makeLink(w.lab.deps, waiting?.id ?? '', wanted);
    assert.deepEqual(next(), ['link.created']);
    for (const by of ['alice', 'bernard']) {
      await decide(w.lab.deps, waiting?.id ?? '', 'approved', { by });
    }
    assert.deepEqual(next(), ['request.voted', 'request.approved']);
    return w;
  },
  'an attempt that is given up': async () => {
    const w = await world();
    const next = since(w);
    await w.stuck(await enrolment(w.lab, { challenge: await w.lab.challenge() }));
    next();
    w.lab.clock.at += LEASE_MS + SWEEP_AFTER_MS;
    await sweep(w.lab.deps);
    await sweep(w.lab.deps);
    assert.deepEqual(next(), ['certificate.voided']);
    return w;
  },
  'a challenge that is revoked': async () => {
    const w = await world();
    await w.lab.challenge();
    const next = since(w);
    const [challenge] = w.challenges();
    await revokeChallenge(w.lab.deps, challenge?.id ?? '', undefined, { kind: 'admin', id: 'a' });
    assert.deepEqual(next().slice(-1), ['challenge.revoked']);
    return w;
  },
  'a device list': async () => {
    const w = await world();
    const next = since(w);
    next();
    const actor = { kind: 'admin', id: 'a' } as const;
    const rows = [{ serial: 'C02' }];
    const asked = { list: 'vpn', rows, restore: false, dryRun: false, actor };
    await importRows(w.lab.deps, asked);
    await importRows(w.lab.deps, asked);
    await removeDevice(w.lab.deps, 'vpn', 'c02', { actor, reason: 'stolen' });
    assert.deepEqual(next(), ['devices.imported', 'devices.removed']);
    return w;
  },
  'a log that goes on': async () => {
    const { logs: kept, files } = memoryLogs(new MemoryStore());
    const w = await world({ logs: kept });
    const logs = { ...kept, waiting: waitingIn(w.lab.unguarded) };
    const deps = { ...w.lab.deps, logs };
    await sequenceAll(deps);
    const next = since(w);
    await recoverLog(deps, 'default', { kind: 'admin', id: 'a' });
    files.files.clear();
    await recoverLog(deps, 'default', { kind: 'admin', id: 'a' });
    assert.deepEqual(next().slice(-2), ['log.recovered', 'log.recovered']);
    return w;
  },
  'a configuration that changes': async () => {
    const w = await world();
    const next = since(w);
    next();
    const { deps, config } = w.lab;
    for (const digest of [config.digest, config.digest, 'cc', config.digest]) {
      await tellConfiguration({ ...deps, config: { ...config, digest } });
    }
    const digests = told(w).flatMap((one) =>
      one.type === 'config.applied' ? [one.configHash] : [],
    );
    assert.deepEqual(digests, [config.digest, 'cc', config.digest]);
    return w;
  },
  'a caller who reads, and one who is refused': async () => {
    const w = await world();
    const next = since(w);
    next();
    const access = new Access(w.lab.deps);
    const caller = { kind: 'admin', id: 'somebody' } as const;
    await access.read(caller, { token: 'hash', source: '', what: 'GET /events' });
    await access.refused(caller, { source: '', what: '403: GET /tokens' });
    assert.deepEqual(next(), ['admin.read', 'admin.refused']);
    return w;
  },
  'a Transaction that is forgotten': async () => {
    const w = await world();
    got(await w.ask({ challenge: await w.lab.challenge() }));
    const next = since(w);
    next();
    const transaction = String(told(w).find((one) => one.transaction)?.transaction);
    await forgetTransaction(w.lab.deps, transaction, { kind: 'admin', id: 'a' });
    assert.deepEqual(next(), ['log.forgotten']);
    return w;
  },
  'a release gate': async () => {
    let verdict: 'release' | 'refuse' = 'release';
    const gate = { validate: async () => ({ allow: true as const }), notify: async () => verdict };
    const options: LabOptions = {
      validators: { gate },
      authorize: { enrol: ['challenge', 'gate'] },
    };
    const w = await world(options);
    const next = since(w);
    await w.ask({ challenge: await w.lab.challenge() });
    assert.deepEqual(next().slice(-3), [
      'certificate.intended',
      'certificate.signed',
      'certificate.issued',
    ]);
    verdict = 'refuse';
    await w.ask({ challenge: await w.lab.challenge() });
    assert.deepEqual(next().slice(-2), ['certificate.signed', 'certificate.revoked']);
    return w;
  },
  'what a key signs beside certificates of devices': async () => {
    const w = await world();
    const next = since(w);
    next();
    const { deps } = w.lab;
    const ca = await deps.cas.of('default');
    const publish = (crlSigner = deps.crlSigner) =>
      publishCrl({ ...deps, crlSigner }, ca, { actor: { kind: 'system' } });
    await publish({
      ...deps.crlSigner,
      sign: async (...args) => {
        await publish();
        return { ...(await deps.crlSigner.sign(...args)), requests: { kms: ['a request'] } };
      },
    });
    assert.deepEqual(next(), ['crl.published', 'crl.discarded']);
    await requestCa(deps, { ...(deps.config.cas.get('default') ?? assert.fail()), id: 'below' });
    assert.deepEqual(next(), ['ca.key.created', 'ca.request.signed']);
    return w;
  },
};

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** Milliseconds since 1970 in the first ten digits of a ULID. */
const timeOf = (ulid: string): number =>
  [...ulid.slice(0, 10)].reduce((ms, digit) => ms * 32 + alphabet.indexOf(digit), 0);

describe('events', () => {
  const written = new Set<string>();
  for (const [name, session] of Object.entries(sessions)) {
    test(`${name}: each told once; canonical, salted`, async () => {
      const w = await session();
      const rows = w.store.dump();
      const events = rows.filter(({ kind }) => kind === 'event');
      const salts = new Set<string>();
      for (const { key, rev, record } of events) {
        const { body } = record as { body: string };
        const event = JSON.parse(body) as Told & Record<string, string>;
        assert.equal(canonicalText(event as Json), body, 'stored as it will be hashed');
        const isForgotten = event.personalHash !== undefined && !('personal' in record);
        assert.equal(rev, isForgotten ? 2 : 1, 'never changed, but for what is forgotten');
        assert.equal(event.v, 1);
        assert.equal(event.id, key);
        assert.match(key, /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/);
        assert.equal(new Date(timeOf(key)).toISOString(), event.time);
        assert.match(String(event.salt), /^[0-9a-f]{24}$/);
        salts.add(String(event.salt));
        assert.ok(eventTypes.includes(event.type));
        written.add(event.type);
      }
      assert.equal(salts.size, events.length);
      w.check();
    });
  }

  test('every type that the code writes has been written above', () => {
    const files = globSync('lib/{ca,http,protocol}/**/*.ts', {
      cwd: `${import.meta.dirname}/../..`,
    });
    const source = files
      .map((file) => readFileSync(`${import.meta.dirname}/../../${file}`, 'utf8'))
      .join('\n');
    // As a value: the operational log has names of the same form, under `event:`.
    const values = [...source.matchAll(/(?<!event: )'([a-z]+(?:\.[a-zA-Z]+)+)'/g)].map(
      ([, value = '']) => value,
    );
    const types = values.filter((value) => (eventTypes as readonly string[]).includes(value));
    assert.deepEqual([...new Set(types)].sort(), [...written].sort());
    assert.deepEqual([...written].sort(), [...eventTypes].sort(), 'no type without its user');
  });

  test('an event of the same thing at the same time is another event', () => {
    const fields = { type: 'admin.acted', actor: { kind: 'system' } } as const;
    const events = Array.from({ length: 1000 }, () => makeEvent(1, random(34), fields));
    assert.equal(new Set(events.map(({ id }) => id)).size, 1000);
    assert.equal(new Set(events.map(({ body }) => body)).size, 1000);
    const later = makeEvent(2, new Uint8Array(34), fields);
    assert.ok(
      events.every(({ id }) => id < later.id),
      'ids sort by time',
    );
  });

  test('events of one write keep their order, also where the random octets are all ones', () => {
    const draft = new Draft(new View(new MemoryStore()));
    const ones = (count: number) => new Uint8Array(count).fill(0xff).fill(0xfe, 0, 1);
    const types = ['ca.key.created', 'ca.created', 'ca.ra.current', 'admin.acted'] as const;
    for (const type of types) draft.event(1, ones, { type, actor: { kind: 'system' } });
    const bodies = draft.actions.flatMap((action) =>
      action.do === 'put' && action.kind === 'event' ? [action] : [],
    );
    const inOrder = bodies.toSorted((a, b) => (a.key < b.key ? -1 : 1));
    assert.deepEqual(
      inOrder.map(({ record }) => (JSON.parse(record.body) as Told).type),
      types,
    );
  });

  test('the events of a device with long names have less than 1,024 octets', async () => {
    const w = await world();
    const id = '2b8c5f1e-9a3d-4c7b-8e21-5f6a7d8c9b0a';
    const subject = `CN=${id},OU=Managed Devices,O=Example Corporation,C=NL`;
    const names = [`dns:${id}.devices.example.com`, `uri:IntuneDeviceId://${id}`];
    got(await w.ask({ challenge: await w.lab.challenge({ subject, names }), subject }));
    const bodies = w.store
      .dump()
      .flatMap(({ kind, record }) => (kind === 'event' ? [(record as { body: string }).body] : []));
    const sizes = bodies.map((body) => utf8(body).length);
    assert.ok(Math.max(...sizes) < 1024, `${sizes}`);
  });

  test('one that cannot be told in Unicode is not written at all', () => {
    const fields = { type: 'request.denied', actor: { kind: 'admin' }, note: '\ud800' } as const;
    assert.throws(() => makeEvent(1, random(34), fields), TypeError);
  });
});

/** Types of the audit notes 4.2, and ours for them; those of ours that tell it, or why none does. */
const audit: Record<string, readonly EventType[] | string> = {
  'ca.key.created': ['ca.key.created'],
  'ca.key.scheduled_deletion': 'made in KMS by an operator, and told of by CloudTrail',
  'ca.key.rotated': 'a CA keeps its key: another key is another CA',

  'ca.cert.issued': ['ca.created', 'ca.request.signed', 'ca.chainImported'],
  'ca.cert.rolled': ['ca.ra.prepared', 'ca.ra.current', 'ca.ra.retired'],
  'profile.created': ['config.applied'],
  'profile.updated': ['config.applied'],
  'profile.retired': ['config.applied'],
  'challenge.issued': ['challenge.created'],
  'challenge.used': ['request.pending', 'certificate.intended'],
  'challenge.expired': 'a condition, checked whenever it matters; nothing happens at that time',
  'challenge.refused': [
    'challenge.refused',
    'challenge.reused',
    'challenge.decoyUsed',
    'challenge.locked',
  ],
  'scep.request.received': ['request.pending', 'certificate.intended', 'request.refused'],
  'scep.request.rejected': ['request.refused', 'request.denied', 'request.expired'],
  'scep.request.pending': ['request.pending'],
  'scep.request.approved': ['request.voted', 'request.approved'],
  'cert.issued': ['certificate.intended', 'certificate.signed', 'certificate.issued'],
  'cert.renewed': ['certificate.issued', 'certificate.superseded'],
  'cert.delivered': 'SCEP has no confirmation (RFC 8894 §7.4)',
  'cert.revoked': [
    'certificate.revoked',
    'certificate.held',
    'certificate.released',
    'certificate.reasonRaised',
    'key.blocked',
  ],
  'cert.expired': 'a date in the certificate; nothing happens at that time',
  'crl.signed': ['crl.published', 'crl.discarded'],
  'ocsp.signed': 'comes with OCSP',
  'admin.login': 'comes with the console: a token logs nobody in',
  'admin.login_failed': ['admin.refused'],
  'admin.action': ['admin.acted', 'admin.read'],
  'config.changed': ['config.applied'],
  'deploy.started': ['config.applied'],
  'intune.validated': 'comes with Intune',
  'intune.notified': 'comes with Intune',
  'intune.failed': 'comes with Intune',
  'audit.checkpoint': 'the signed checkpoint itself',
  'audit.exported': 'comes with the roles of the console',
  'audit.verified': 'whoever verifies needs nothing of the service',
  'audit.verify_failed': 'whoever verifies needs nothing of the service',
};

test('every type that auditors ask for has one here, or a reason why there is nothing to tell', () => {
  for (const [asked, ours] of Object.entries(audit)) {
    if (typeof ours === 'string') continue;
    for (const type of ours) assert.ok(eventTypes.includes(type), asked);
  }
  // And nothing here that none of them asks for, but for what an attempt, a challenge, a device list, the end of a CA or a log adds.
  const added: readonly EventType[] = [
    'certificate.voided',
    'challenge.revoked',
    'link.created',
    'devices.imported',
    'devices.removed',
    'ca.retired',
    'log.recovered',
    'log.forgotten',
  ];
  const known = new Set([...Object.values(audit).flat(), ...added]);
  assert.deepEqual(
    eventTypes.filter((type) => !known.has(type)),
    [],
  );
});

test('no record, event or log line of a varied session holds a challenge, a password or a key', async () => {
  const w = await world({ endpoint: { approval: 'always' } });
  const secrets = new Map<string, string>();
  const challengeOf = async (what: string): Promise<string> => {
    const challenge = await w.lab.challenge({ uses: 2 });
    secrets.set(`challenge of ${what}`, challenge);
    return challenge;
  };
  const [a, b] = await keys('secret a', 'secret b');
  const ec = await deviceKey('secret ec', { type: 'EC', curve: 'P-256' });
  assert.ok(a && b);
  const api = (path: string, init: RequestInit) =>
    w.lab.fetch(`/api/v1${path}`, {
      headers: { authorization: `Bearer ${w.lab.adminToken}` },
      ...init,
    });
  secrets.set('admin token', w.lab.adminToken);
  const created = await api('/challenges', {
    method: 'POST',
    body: '{"subject":"CN=device-1,O=Test"}',
  });
  const { challenge: byApi } = (await created.json()) as { challenge: string };
  secrets.set('challenge of the API', byApi);
  const wrong = 'mistyped: correct horse battery staple';
  secrets.set('a challengePassword that is none', wrong);

  const token = await tokenOf(w.lab.deps.store, 'approver');
  const headers = { authorization: `Bearer ${token}` };
  secrets.set('token of an approver', token);
  const approveAll = async () => {
    for (const { id, state } of w.transactions()) {
      if (state === 'pending')
        await api(`/transactions/${id}/approve`, { method: 'POST', body: '{}', headers });
    }
  };
  const forEc = await challengeOf('an EC client');
  await w.ask({ challenge: byApi, key: a });
  await w.ask({ challenge: forEc, key: ec });
  await w.ask({ challenge: wrong, key: b });
  await w.ask({ challenge: wrong, key: b, names: ['dns:x.example'] });
  const pending = JSON.stringify(w.store.dump());
  await approveAll();
  const signer = { key: a, certificate: readCertificate(got(await w.poll({ key: a }))) };
  got(await w.poll({ key: ec, challenge: forEc }));
  // A renewal with a password that nobody asked for.
  w.lab.clock.at += 1000;
  await w.ask({ signer, key: b, messageType: 'RenewalReq', challenge: wrong });
  await approveAll();
  const stuck = await enrolment(w.lab, {
    challenge: await challengeOf('a broken attempt'),
    key: b,
  });
  await w.send(stuck);
  await approveAll();
  await w.stuck(stuck);
  await api('/transactions', { headers: { authorization: 'Bearer wrong-token-of-somebody' } });
  secrets.set('a token that is none', 'wrong-token-of-somebody');
  await w.lab.fetch('/scep?operation=PKIOperation', { method: 'POST', body: utf8(byApi) });

  const lines: string[] = [];
  const log = jsonLog((line) => lines.push(line), w.lab.clock);
  for (const entry of w.lab.log) log(entry);
  assert.ok(lines.some((line) => line.includes('http.outage')));
  const everything = [pending, JSON.stringify(w.store.dump()), ...lines].join('\n');
  const ra = await memoryRaKeys.unseal(utf8('ra default'), { ca: 'default', purpose: 'ra' });
  const octets = new Map([
    ...privateParts('device a', a.pkcs8),
    ...privateParts('device b', b.pkcs8),
    ...privateParts('the EC client', ec.pkcs8),
    ...privateParts('the RA', ra),
    ...(await Promise.all(
      macPurposes.map(
        async (purpose) =>
          [`the ${purpose} MAC key`, (await memoryMacKeys.live(purpose))[0].key] as const,
      ),
    )),
    ...[...secrets].map(([name, text]) => [name, utf8(text)] as const),
  ]);
  for (const [name, text] of secrets) assert.ok(!everything.includes(text), name);
  for (const [name, secret] of octets) assert.ok(!holds(everything, secret), name);
  assert.ok(holds(everything, a.spki), 'the probe finds what is there: the key in a CSR');
});

/** The numbers of a PKCS#8 key that are private. */
function privateParts(name: string, pkcs8: Bytes): (readonly [string, Bytes])[] {
  const jwk = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' }).export({
    format: 'jwk',
  });
  return (['d', 'p', 'q'] as const).flatMap((part) => {
    const value = jwk[part];
    const octets = value === undefined ? undefined : concat([Buffer.from(value, 'base64url')]);
    return octets ? [[`${part} of ${name}`, octets] as const] : [];
  });
}

/** Whether the text has these octets, or their second half, in hexadecimal or base 64. */
function holds(text: string, octets: Bytes): boolean {
  return [octets, octets.slice(octets.length / 2)].some((part) => {
    // Base 64 has three forms, by where the octets begin in what is encoded.
    const forms = [0, 1, 2].map((shift) => {
      const padded = concat([new Uint8Array(shift), part]);
      return base64(padded.subarray(0, padded.length - (padded.length % 3))).slice(shift && 4);
    });
    return [hex(part), ...forms].some((form) => {
      assert.ok(form.length > 8, 'long enough to be told from chance');
      return text.includes(form);
    });
  });
}
