// What somebody who can write the table tries, one forgery at a time, and the command that ends each outage
// that it can make.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { base64, hex, pem, utf8 } from '../../../lib/base/bytes.ts';
import { EXPIRED_ENTRY_MS, MAX_REGISTER_ENTRIES, RA_RELOAD_MS } from '../../../lib/base/limits.ts';
import { doIfDue } from '../../../lib/ca/record/lease.ts';
import { tokenHash } from '../../../lib/ca/record/tokens.ts';
import { Draft, View } from '../../../lib/ca/record/unit-of-work.ts';
import { keepCrls, publishCrl } from '../../../lib/ca/revoke/publish-crl.ts';
import { enter, readRegister, shardOf } from '../../../lib/ca/revoke/register.ts';
import { revoke } from '../../../lib/ca/revoke/revoke.ts';
import type { CertificateRecord } from '../../../lib/ports/records/certificate.ts';
import type { Kind, Records } from '../../../lib/ports/records/records.ts';
import type { AuthorityRecord } from '../../../lib/ports/records/registry.ts';
import type { Action } from '../../../lib/ports/store.ts';
import { readCertificate } from '../../../lib/x509/certificate.ts';
import { describeCrl } from '../../../lib/x509/describe/describe.ts';
import { openTerminal } from '../../support/cli.ts';
import { eventIn } from '../../support/event-in.ts';
import { deviceKey } from '../../support/keys.ts';
import { type Lab, type LabOptions, makeLab } from '../../support/lab.ts';
import { MemoryCrls, MemoryStore } from '../../support/memory-store.ts';
import { enrolment } from '../../support/messages.ts';
import { held, refusedWith, type World, world } from '../../support/world.ts';

const day = 86_400_000;
const admin = { kind: 'admin', id: 'somebody' } as const;
const closing: (() => Promise<void>)[] = [];
after(() => Promise.all(closing.map((close) => close())));

/** A row as whoever has no MAC key would write it. */
async function forge<K extends Kind>(store: MemoryStore, kind: K, key: string, record: object) {
  const rev = store.dump().find((row) => row.kind === kind && row.key === key)?.rev ?? 0;
  assert.equal(
    await store.write([{ do: 'put', kind, key, rev, record } as unknown as Action]),
    'done',
  );
}

async function open(options: LabOptions = {}) {
  const [store, crls] = [new MemoryStore(), new MemoryCrls()];
  const lab = await makeLab({ store, crls, ...options });
  const terminal = await openTerminal(lab);
  closing.push(() => terminal.close());
  const stored = <K extends Kind>(kind: K, key: string): Records[K] =>
    (store.dump().find((row) => row.kind === kind && row.key === key) ?? assert.fail(key))
      .record as Records[K];
  const run = (line: string, stdin?: string) =>
    terminal.run(line.split(' '), stdin === undefined ? {} : { stdin });
  return { lab, store, crls, stored, run };
}

const altered = (lab: Lab): string[] =>
  lab.log.flatMap(({ event, kind }) => (event === 'record.altered' ? [String(kind)] : []));

async function issued(lab: Lab, name: string): Promise<string> {
  const key = await deviceKey(`repair ${name}`);
  const sent = await enrolment(lab, {
    key,
    challenge: await lab.challenge(),
    subject: `CN=${name}`,
  });
  const answer = await sent.read(await lab.operate(sent.message));
  assert.ok(answer.pkiStatus === 'SUCCESS');
  return hex(readCertificate(answer.certificates[0] ?? new Uint8Array(0)).serial);
}

const listed = (der: Uint8Array<ArrayBuffer>): string[] =>
  describeCrl(der).revoked.map(({ serial, reason }) => `${serial} ${reason}`);

describe('a forged token', () => {
  test('a forged token with the role admin lets nobody in, and neither does a role that was added', async () => {
    const { lab, store, stored } = await open();
    const token = 'forged'.padEnd(43, 'x');
    await forge(store, 'token', tokenHash(token), { name: 'mallory', roles: ['admin'] });
    const cas = (bearer: string) =>
      lab.fetch('/api/v1/cas', { headers: { authorization: `Bearer ${bearer}` } });
    assert.equal((await cas(token)).status, 401);
    assert.equal((await cas(lab.adminToken)).status, 200);
    const own = stored('token', tokenHash(lab.adminToken));
    await forge(store, 'token', tokenHash(token), own);
    assert.equal((await cas(token)).status, 401, "another's record under its own key");
    assert.deepEqual(altered(lab), ['token', 'token']);
  });

  test('a forged token in the place of a good one ends that, and the operator makes another', async () => {
    const { lab, store, run } = await open();
    await forge(store, 'token', tokenHash(lab.adminToken), { name: 'test', roles: [] });
    assert.equal((await run('ca show')).code, 4);
    const { code, out } = await run('token create --name next --role admin --json');
    assert.equal(code, 0);
    const headers = { authorization: `Bearer ${JSON.parse(out).token}` };
    assert.equal((await lab.fetch('/api/v1/cas', { headers })).status, 200);
  });
});

describe('a challenge whose uses were changed', () => {
  for (const [what, usesLeft] of [
    ['to a million', 1_000_000],
    ['to one more than it has', 3],
    ['below nothing', -1],
    ['to half of one', 0.5],
  ] as const) {
    test(`${what} is used no more`, async () => {
      const w = await world();
      const challenge = await w.lab.challenge({ uses: 2 });
      await w.forge('challenge', () => ({ usesLeft }));
      refusedWith('SCEP-302', await w.ask({ challenge }));
      assert.ok(w.lab.log.some(({ event }) => event === 'challenge.tampered'));
      assert.deepEqual(w.certificates(), []);
    });
  }
});

describe('a certificate whose record was changed', () => {
  const renewing = async (w: World, signer: Awaited<ReturnType<typeof held>>, path = '/scep') => {
    const key = await deviceKey('repair renewed');
    const sent = await enrolment(w.lab, { signer, key, messageType: 'RenewalReq' });
    return w.send(sent, path);
  };
  const forgeries: [string, (record: CertificateRecord) => Partial<CertificateRecord>, string][] = [
    ['notAfter', ({ notAfter }) => ({ notAfter: notAfter + 3650 * day }), '/scep'],
    ['endpoint', () => ({ endpoint: 'other' }), '/scep/other'],
    ['state', () => ({ state: 'issued' }), '/scep'],
  ];
  for (const [field, change, path] of forgeries) {
    test(`a certificate whose record was changed in its ${field} renews nothing`, async () => {
      const w = await world();
      const signer = await held(w, await deviceKey('repair forged'));
      const serial = hex(signer.certificate.serial);
      if (field === 'state')
        await revoke(w.lab.deps, { ca: 'default', serial, reason: 'superseded', actor: admin });
      if (field === 'notAfter') w.lab.clock.at = signer.certificate.notAfter + day;
      await w.forge('certificate', change);
      refusedWith('SCEP-321', await renewing(w, signer, path));
      assert.ok(altered(w.lab).includes('certificate'));
    });
  }

  test('a record under a good MAC, too, lets a certificate live no longer than what the CA signed', async () => {
    const w = await world();
    const signer = await held(w, await deviceKey('repair longer'));
    await w.bend('certificate', ({ notAfter }) => ({ notAfter: notAfter + 3650 * day }));
    w.lab.clock.at = signer.certificate.notAfter + day;
    refusedWith('SCEP-322', await renewing(w, signer));
  });
});

describe('a lease until the end of time', () => {
  test('a lease until the end of time keeps no job from being done', async () => {
    const { lab, store } = await open();
    await forge(store, 'lease', 'job', { until: lab.clock.at + 1000 });
    const job = { name: 'job', everyMs: 1000, limitMs: 1000, run: async () => ({ done: 1 }) };
    assert.deepEqual(await doIfDue(lab.deps, job), { done: 1 });
    assert.equal(await doIfDue(lab.deps, job), undefined);
  });
});

describe('a CRL that was changed', () => {
  test('after its number was changed to 2^53, the next CRL is published all the same, with the next number', async () => {
    const { lab, crls } = await open();
    const serial = await issued(lab, 'crl');
    const before = (await lab.deps.crls.newest('default')) ?? assert.fail();
    await crls.publish('default', { ...before, number: 2 ** 53 });
    await revoke(lab.deps, { ca: 'default', serial, reason: 'keyCompromise', actor: admin });
    const [{ number, der }] = await keepCrls(lab.deps, await lab.deps.cas.of('default'));
    assert.equal(number, before.number + 1);
    assert.deepEqual(listed(der), [`${serial} keyCompromise`]);
    assert.equal((await crls.newest('default'))?.number, number);
  });

  test('after what it says it has was changed, the next CRL is published at once', async () => {
    const { lab, crls } = await open();
    const before = (await lab.deps.crls.newest('default')) ?? assert.fail();
    const serial = await issued(lab, 'changes');
    await revoke(lab.deps, { ca: 'default', serial, reason: 'superseded', actor: admin });
    await crls.publish('default', { ...before, number: before.number + 5, changes: 1 });
    const [{ der }] = await keepCrls(lab.deps, await lab.deps.cas.of('default'));
    assert.deepEqual(listed(der), [`${serial} superseded`]);
    assert.ok(altered(lab).includes('crl'));
  });

  test('after its octets were changed, the last good CRL is given out, and none by an instance that never saw it', async () => {
    const { lab, store, crls } = await open();
    const before = (await lab.deps.crls.newest('default')) ?? assert.fail();
    const der = before.der.slice();
    der[der.length - 1] = (der[der.length - 1] ?? 0) ^ 1;
    await crls.publish('default', { ...before, der, number: before.number + 1 });
    assert.deepEqual((await lab.deps.crls.newest('default'))?.der, before.der);
    lab.clock.at += day;
    const response = await lab.fetch('/crl/default.crl');
    assert.deepEqual(new Uint8Array(await response.arrayBuffer()), before.der);
    // One that starts now has nothing to give out until the next is signed, whose number is higher.
    const fresh = await makeLab({ store, crls, now: lab.clock.at });
    assert.equal((await fresh.fetch('/crl/default.crl')).status, 200);
    const after = (await fresh.deps.crls.newest('default')) ?? assert.fail();
    assert.ok(after.number > before.number);
    assert.ok(!altered(fresh).includes('crl'), 'what it published holds');
  });
});

describe('a register of revocations that was changed', () => {
  /** The shard of this serial number, with a full page before what is entered now. */
  async function fill(lab: Lab, serial: string): Promise<string[]> {
    const view = new View(lab.deps.store);
    await view.load([{ kind: 'register', key: shardOf('default', serial) }]);
    const serials = Array.from({ length: MAX_REGISTER_ENTRIES }, (_, i) => {
      return `40${i.toString(16).padStart(29, '0')}${serial.at(-1)}`;
    });
    const certificate = {
      ca: 'default',
      notAfter: lab.clock.at + day,
    } as CertificateRecord<'issued'>;
    await view.load(serials.map((one) => ({ kind: 'certificate', key: `default/${one}` })));
    const full = new Draft(view);
    for (const one of serials)
      enter(full, { ...certificate, serial: one }, { reason: 'superseded', at: lab.clock.at });
    const shard = full.actions.filter(({ kind }) => kind === 'register');
    assert.equal(await lab.deps.store.write(shard), 'done');
    return serials;
  }

  for (const what of ['head', 'page', 'page that is in the way'] as const) {
    test(`no CRL comes of a register that was changed in its ${what}, until it is rebuilt with everything that was revoked`, async () => {
      const { lab, store, stored, run } = await open();
      const serial = await issued(lab, 'listed');
      const digit = serial.at(-1);
      const filled = await fill(lab, serial);
      const ca = await lab.deps.cas.of('default');
      await keepCrls(lab.deps, ca);
      await revoke(lab.deps, { ca: 'default', serial, reason: 'keyCompromise', actor: admin });
      const expected = (await readRegister(lab.deps.store, 'default', 0)).revoked.length;
      assert.equal(expected, filled.length + 1);
      const before = await lab.deps.crls.newest('default');
      if (what === 'head') {
        const head = stored('register', `default/${digit}`);
        await forge(store, 'register', `default/${digit}`, { ...head, entries: {}, pages: 0 });
      } else {
        const page = `default/${digit}/${what === 'page' ? 0 : 1}`;
        await forge(store, 'registerPage', page, { entries: {} });
      }
      if (what !== 'page that is in the way') {
        await assert.rejects(
          keepCrls(lab.deps, ca),
          /was changed by another hand: run "scepter crl rebuild default"$/,
        );
        assert.deepEqual((await lab.deps.crls.newest('default'))?.der, before?.der);
      }
      const { code, out, err } = await run('crl rebuild default --json');
      assert.equal(code, 0, err);
      assert.deepEqual(JSON.parse(out).rebuilt, [digit]);
      const told = store.dump().flatMap(({ kind, record }) => {
        return kind === 'event' ? [eventIn(record)] : [];
      });
      const note = `rebuilt the register of revocations default/${digit}`;
      assert.deepEqual(
        told.filter((event) => event.note === note).map(({ type, ca: about }) => [type, about]),
        [['admin.acted', 'default']],
      );
      const { der, number } = (await lab.deps.crls.newest('default')) ?? assert.fail();
      assert.ok(number > (before?.number ?? 0));
      assert.deepEqual(
        new Set(listed(der).map((entry) => entry.split(' ')[0])),
        new Set([...filled, serial]),
      );
      assert.ok(listed(der).includes(`${serial} keyCompromise`));
      assert.deepEqual(JSON.parse((await run('crl rebuild --json')).out).rebuilt, []);
      assert.match((await run('crl rebuild')).err, /the register held/);
    });
  }

  test('a rebuild removes more pages in the way of the next than one write takes', async () => {
    const { lab, store, run } = await open();
    const [serial, other] = [await issued(lab, 'first'), await issued(lab, 'second')];
    const digit = serial.at(-1) ?? '';
    await fill(lab, serial);
    for (let page = 0; page < 250; page++) {
      await forge(store, 'registerPage', `default/${digit}/${page}`, { entries: {} });
    }
    const ends = revoke(lab.deps, { ca: 'default', serial, reason: 'superseded', actor: admin });
    await assert.rejects(ends, /was changed by another hand: run "scepter crl rebuild default"$/);
    const { code, err } = await run('crl rebuild default');
    assert.equal(code, 0, err);
    for (const one of [serial, other]) {
      assert.equal(
        await revoke(lab.deps, { ca: 'default', serial: one, reason: 'superseded', actor: admin }),
        'done',
      );
    }
    assert.ok(!store.dump().some(({ key }) => key === `default/${digit}/249`));
    await keepCrls(lab.deps, await lab.deps.cas.of('default'));
  });

  test('a hold that is over is not listed again when a spoilt register is rebuilt', async () => {
    const { lab, store, run } = await open();
    const serial = await issued(lab, 'released');
    await revoke(lab.deps, { ca: 'default', serial, reason: 'certificateHold', actor: admin });
    await keepCrls(lab.deps, await lab.deps.cas.of('default'));
    await revoke(lab.deps, { ca: 'default', serial, reason: 'removeFromCRL', actor: admin });
    await forge(store, 'register', `default/${serial.at(-1)}`, { nonsense: true });
    assert.equal((await run('crl rebuild')).code, 0);
    const { der } = (await lab.deps.crls.newest('default')) ?? assert.fail();
    assert.deepEqual(listed(der), []);
  });

  test('what only the last CRL says of a certificate is listed until that certificate ends, not its CA', async () => {
    const { lab, store, stored, run } = await open();
    const serial = await issued(lab, 'brought back');
    const key = `default/${serial}`;
    const before = stored('certificate', key);
    await revoke(lab.deps, { ca: 'default', serial, reason: 'keyCompromise', actor: admin });
    const ca = await lab.deps.cas.of('default');
    await keepCrls(lab.deps, ca);
    const { rev } = store.dump().find((row) => row.key === key) ?? assert.fail();
    const put = { do: 'put', kind: 'certificate', key, rev, record: before } as const;
    assert.equal(await lab.deps.store.write([put]), 'done');
    await forge(store, 'register', `default/${serial.at(-1)}`, { nonsense: true });
    assert.equal((await run('crl rebuild')).code, 0);
    const crl = async () => (await lab.deps.crls.newest('default')) ?? assert.fail();
    assert.deepEqual(listed((await crl()).der), [`${serial} keyCompromise`]);
    lab.clock.at = before.notAfter + EXPIRED_ENTRY_MS + day;
    const entries: number[] = [];
    for (let i = 0; i < 2; i++) {
      await publishCrl(lab.deps, ca, { actor: admin });
      entries.push(listed((await crl()).der).length);
    }
    assert.deepEqual(entries, [1, 0], 'RFC 5280 §3.3: one CRL more');
  });
});

describe('a number of a CRL that has been published', () => {
  test('the next CRL has a higher one, and those after it count on', async () => {
    const { lab, run } = await open();
    const ca = await lab.deps.cas.of('default');
    const numberOf = async () => (await lab.deps.crls.newest('default'))?.number;
    const { code, out, err } = await run('ca crl-floor 5000 --json');
    assert.equal(code, 0, err);
    assert.equal(JSON.parse(out).number, 5001);
    assert.equal(await numberOf(), 5001);
    await publishCrl(lab.deps, ca, { actor: admin });
    assert.match((await run('ca crl-floor 7')).out, /^CRL 5003, next by /);
    assert.equal(await numberOf(), 5003);
  });

  test('a publisher that meets another one at work gives no CRL below it', async () => {
    const { lab } = await open();
    const ca = await lab.deps.cas.of('default');
    const made = await Promise.all(
      [0, 900, 0, 900, 0].map((above) => publishCrl(lab.deps, ca, { actor: admin, above })),
    );
    for (const at of [1, 3]) assert.ok((made[at]?.number ?? 0) > 900);
    assert.ok(((await lab.deps.crls.newest('default'))?.number ?? 0) > 900);
  });

  for (const text of ['-1', 'many', '1e3', String(2 ** 52 + 1), '9'.repeat(400)]) {
    test(`${text.slice(0, 20)} is refused as a CRL number: exit 2, and nothing is published`, async () => {
      const { lab, run } = await open();
      const before = await lab.deps.crls.newest('default');
      const { code, err } = await run(`ca crl-floor -- ${text}`);
      assert.equal(code, 2, err);
      assert.match(err, /must be a whole number up to 4503599627370496/);
      assert.equal((await lab.deps.crls.newest('default'))?.number, before?.number);
    });
  }
});

describe('a CA whose record was changed', () => {
  const two = {
    config: {
      cas: {
        default: { subject: 'CN=Lab CA,O=Lab', key: 'rsa:2048' },
        second: { subject: 'CN=Second CA,O=Lab', key: 'ec:P-256' },
      },
      endpoints: { default: { ca: 'default' }, second: { ca: 'second' } },
    },
  } as const;
  const chainOf = async (lab: Lab, id = 'default') =>
    pem('CERTIFICATE', (await lab.deps.cas.of(id)).certificate.der);
  const serving = async (lab: Lab) => {
    lab.clock.at += RA_RELOAD_MS;
    return (await lab.fetch('/scep?operation=GetCACert')).status;
  };

  test("nobody is answered after the record was changed to another CA's key and chain, until it is restored", async () => {
    const { lab, store, stored, run } = await open(two);
    const chain = await chainOf(lab);
    const before = stored('authority', 'default');
    const { keyReference, chain: foreign } = stored('authority', 'second');
    await forge(store, 'authority', 'default', { ...before, keyReference, chain: foreign });
    assert.equal(await serving(lab), 503);
    const said = lab.log.findLast(({ event }) => event === 'http.outage')?.detail;
    assert.match(
      String(said),
      /authority default was changed by another hand, or SCEPTER_DATA_DIR is not the folder of its keys: run "scepter ca restore default --chain FILE"$/,
    );
    const shown = await run('ca show default --json');
    assert.match(JSON.parse(shown.out).warnings.join(), /scepter ca restore default --chain FILE/);
    // The key that stands there is another CA's: the operator names the right one.
    const wrong = await run('ca restore default --chain -', chain);
    assert.equal(wrong.code, 6);
    assert.match(wrong.err, /none of the certificates is of the CA's key/);
    const args = [
      'ca',
      'restore',
      'default',
      '--chain',
      '-',
      '--key',
      before.keyReference,
      '--json',
    ];
    const terminal = await openTerminal(lab);
    closing.push(() => terminal.close());
    const { code, out, err } = await terminal.run(args, { stdin: chain });
    assert.equal(code, 0, err);
    assert.equal(await serving(lab), 200);
    const { keyReference: now, generations } = stored('authority', 'default');
    assert.deepEqual([now, generations], [before.keyReference, before.generations]);
    assert.deepEqual(
      JSON.parse(out).ra.map(({ state }: { state: string }) => state),
      ['current'],
    );
    const again = await terminal.run(args, { stdin: chain });
    assert.equal(again.code, 1);
    assert.match(again.err, /holds: there is nothing to restore/);
    assert.equal((await issued(lab, 'restored')).length, 32);
  });

  test('RA generations that the CA did not certify, or whose key does not open, are not kept', async () => {
    const { lab, store, stored, run } = await open(two);
    const chain = await chainOf(lab);
    const before = stored('authority', 'default');
    const [own] = before.generations;
    const [foreign] = stored('authority', 'second').generations;
    const generations = [
      { ...foreign, id: 7 },
      { ...own, id: 8, sealedKey: base64(utf8('ra second')) },
      { ...own, id: 'nine' },
      'nonsense',
    ];
    await forge(store, 'authority', 'default', { ...before, generations });
    const { code, err } = await run('ca restore default --chain -', chain);
    assert.equal(code, 0, err);
    assert.match(err, /no RA key could be kept: a new one was made/);
    const after: AuthorityRecord = stored('authority', 'default');
    assert.deepEqual(
      after.generations.map(({ id, state }) => [id, state]),
      [[1, 'current']],
    );
    assert.notEqual(after.generations[0]?.certificate, own?.certificate);
    assert.equal(await serving(lab), 200);
  });

  test('the operator names the key where the record was changed to nothing, or removed', async () => {
    const { lab, store, stored, run } = await open(two);
    const chain = await chainOf(lab, 'second');
    const { keyReference } = stored('authority', 'second');
    await forge(store, 'authority', 'second', { nonsense: [] });
    const { code, err } = await run('ca restore second --chain -', chain);
    assert.equal(code, 1);
    assert.match(err, /nothing says which key the CA "second" has: name it with --key/);
    const terminal = await openTerminal(lab);
    closing.push(() => terminal.close());
    const args = ['ca', 'restore', 'second', '--chain', '-', '--key', keyReference];
    assert.equal((await terminal.run(args, { stdin: chain })).code, 0);
    assert.equal(await serving(lab), 200);
  });
});
