// The CRLs of a CA with partitions, while somebody writes the table who has no key of ours, while runs of upkeep are
// cut off, and while the clock is wrong: each certificate that was revoked stays told of by the CRL that it names.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { tag } from '../../../lib/asn1/reader.ts';
import { sequence, tlv } from '../../../lib/asn1/writer.ts';
import { fromBase64, hex } from '../../../lib/base/bytes.ts';
import { CaCertificates } from '../../../lib/ca/authority/ca-certificates.ts';
import { restoreCa } from '../../../lib/ca/authority/restore.ts';
import { View } from '../../../lib/ca/record/unit-of-work.ts';
import { crlNamesOf } from '../../../lib/ca/revoke/partitions.ts';
import {
  askForCrl,
  CRL_LOOK_MS,
  keepCrls,
  publishCrl,
} from '../../../lib/ca/revoke/publish-crl.ts';
import { raisePartitions } from '../../../lib/ca/revoke/raise-partitions.ts';
import { revoke } from '../../../lib/ca/revoke/revoke.ts';
import { revokeSigned } from '../../../lib/ca/revoke/revoke-signed.ts';
import { readCertificate } from '../../../lib/x509/certificate.ts';
import { crlEntries, describeCrlEntry } from '../../../lib/x509/describe/describe.ts';
import { type Lab, makeLab } from '../../support/lab.ts';
import { MemoryCrls } from '../../support/memory-store.ts';
import { held, keys, type World, world } from '../../support/world.ts';

const operator = { kind: 'admin', id: 'operator' } as const;
const configOf = (crlPartitions: number) => ({
  cas: { default: { subject: 'CN=Lab CA,O=Lab', key: 'ec:P-256' as const, crlPartitions } },
});

async function partitioned(count: number) {
  const crls = new MemoryCrls();
  return { crls, ...(await world({ config: configOf(count), crls })) };
}

const recordOf = async ({ deps }: Lab) => {
  const view = new View(deps.store);
  await view.load([{ kind: 'authority', key: 'default' }]);
  return view.get('authority', 'default') ?? assert.fail();
};
const issuerOf = ({ deps }: Lab) => deps.cas.issuer('default');
const revoked = (der: Uint8Array<ArrayBuffer>) =>
  crlEntries(der).map((entry) => describeCrlEntry(entry).serial);

/** Devices until each partition has one, by partition. */
async function oneOfEach(w: World, count: number) {
  const found = new Map<string, Awaited<ReturnType<typeof device>>>();
  for (let at = 0; found.size < count; at++) {
    const one = await device(w, at);
    found.set(one.partition, one);
  }
  return found;
}

async function device(w: World, at: number) {
  const [key = assert.fail()] = await keys(`attacked ${at}`);
  const { certificate } = await held(w, key, `CN=device-${at}`);
  const serial = hex(certificate.serial);
  const record = w.certificates().find((one) => one.serial === serial) ?? assert.fail();
  return { key, certificate, serial, partition: record.partition ?? assert.fail() };
}

describe('CRLs that were asked for', () => {
  for (const [by, aheadMs] of [
    ['', 0],
    [', asked by a clock that is years ahead', 3 * 365 * 86_400_000],
  ] as const) {
    test(`each is published once, however often a run is cut off before its end${by}`, async () => {
      const w = await partitioned(5);
      const { deps, clock } = w.lab;
      const issuer = await issuerOf(w.lab);
      const before = await keepCrls(deps, issuer);
      clock.at += 3_600_000;
      const asking = { ...clock, now: () => clock.at + aheadMs };
      await askForCrl({ ...deps, clock: asking }, 'default', operator);
      let runs = 0;
      for (; runs < 9; runs++) {
        clock.at += 60_000;
        let left = 2;
        const crlSigner = {
          sign: (...args: Parameters<typeof deps.crlSigner.sign>) => {
            if (left-- <= 0) throw new Error('the run is over');
            return deps.crlSigner.sign(...args);
          },
        };
        if (await keepCrls({ ...deps, crlSigner }, issuer).catch(() => undefined)) break;
      }
      assert.equal(runs, 2);
      const numbers = (await keepCrls(deps, issuer)).map(({ number }) => number);
      assert.deepEqual(
        numbers,
        before.map(({ number }) => number + 1),
      );
    });
  }

  test('one whose register was altered has no other published again and again', async () => {
    const w = await partitioned(2);
    const { deps, clock } = w.lab;
    const issuer = await issuerOf(w.lab);
    const [[partition, { serial }] = assert.fail()] = await oneOfEach(w, 2);
    await revoke(deps, { ca: 'default', serial, reason: 'superseded', actor: operator });
    const before = await keepCrls(deps, issuer);
    await w.forge('register', () => ({ changes: 9 }));
    clock.at += 60_000;
    await askForCrl(deps, 'default', operator);
    for (let run = 0; run < 5; run++) {
      clock.at += 60_000;
      await assert.rejects(keepCrls(deps, issuer), /crl rebuild default/);
    }
    for (const [at, name] of crlNamesOf(await recordOf(w.lab)).entries()) {
      const raised = name === `default/${partition}` ? 0 : 1;
      const { number } = (await deps.crls.newest(name)) ?? assert.fail();
      assert.equal(number, (before[at]?.number ?? 0) + raised, name);
    }
  });
});

describe('a CRL that another hand has spoilt', () => {
  test('is replaced within ten minutes, although the process that makes it remembers the good one', async () => {
    const w = await partitioned(2);
    const issuer = await issuerOf(w.lab);
    const [, good = assert.fail()] = await keepCrls(w.lab.deps, issuer);
    const der = good.der.slice();
    der[der.length - 1] = (der.at(-1) ?? 0) ^ 1;
    await w.crls.publish('default/1-0', { ...good, der, number: good.number + 7 });
    assert.equal((await w.lab.deps.crls.newest('default/1-0'))?.number, good.number);
    w.lab.clock.at += CRL_LOOK_MS;
    await keepCrls(w.lab.deps, issuer);
    const fresh = await makeLab({
      ...{ config: configOf(2), crls: w.crls, store: w.store, now: w.lab.clock.at },
      uninitialised: ['default'],
    });
    assert.equal((await fresh.fetch('/crl/default/1-0.crl')).status, 200);
  });
});

describe('an earlier CRL that another hand has put back', () => {
  /** Two CRLs of the partition of a device: before it was revoked, and after. */
  async function revokedOnce() {
    const w = await partitioned(2);
    const issuer = await issuerOf(w.lab);
    const { partition, serial } = await device(w, 0);
    const name = `default/${partition}`;
    await keepCrls(w.lab.deps, issuer);
    const early = (await w.crls.newest(name)) ?? assert.fail();
    w.lab.clock.at += 60_000;
    await revoke(w.lab.deps, { ca: 'default', serial, reason: 'superseded', actor: operator });
    await keepCrls(w.lab.deps, issuer);
    const { number } = (await w.lab.deps.crls.newest(name)) ?? assert.fail();
    w.crls.forget(name);
    await w.crls.publish(name, early);
    return { ...w, issuer, name, serial, number };
  }

  test('is not given out by an instance that has seen a later one, and the next run goes on from that', async () => {
    const { lab, crls, issuer, name, serial, number } = await revokedOnce();
    lab.clock.at += CRL_LOOK_MS;
    const told = await lab.deps.crls.newest(name);
    assert.deepEqual(told && revoked(told.der), [serial]);
    await keepCrls(lab.deps, issuer);
    const stored = (await crls.newest(name)) ?? assert.fail();
    assert.deepEqual([stored.number, revoked(stored.der)], [number + 1, [serial]]);
  });

  for (const [title, isRemoved] of [
    [
      'together with the register of that time is an outage, and no CRL without the revocation',
      false,
    ],
    ['and removed altogether, like its register, is the same outage', true],
  ] as const)
    test(title, async () => {
      const { lab, store, crls, issuer, name, serial } = await revokedOnce();
      if (isRemoved) crls.forget(name);
      for (const { kind, key, rev } of store.dump()) {
        if (kind === 'register') await store.write([{ do: 'delete', kind, key, rev }]);
      }
      lab.clock.at += CRL_LOOK_MS;
      await assert.rejects(
        keepCrls(lab.deps, issuer),
        /was removed by another hand: run "scepter crl rebuild/,
      );
      const told = await lab.deps.crls.newest(name);
      assert.deepEqual(told && revoked(told.der), [serial]);
    });

  test('gives way to what an operator publishes after a restore, whatever number that has', async () => {
    const { lab, crls, store, issuer, name, number } = await revokedOnce();
    const fresh = await makeLab({
      ...{ config: configOf(2), crls, store, now: lab.clock.at + 60_000 },
      uninitialised: ['default'],
    });
    await publishCrl(fresh.deps, issuer, { name, actor: operator });
    const after = (await crls.newest(name)) ?? assert.fail();
    assert.ok(after.number <= number);
    assert.deepEqual((await lab.deps.crls.newest(name))?.der, after.der);
  });
});

describe('a CA whose record was altered and some of whose CRLs were removed', () => {
  /** Restored without the CRLs of these partitions. */
  async function restored(count: number, removed: readonly string[]) {
    const w = await partitioned(count);
    const devices = await oneOfEach(w, count);
    const { chain } = await recordOf(w.lab);
    await w.forge('authority', () => ({ partitions: [] }));
    for (const name of removed) w.crls.forget(name);
    const lab = await makeLab({
      ...{ config: configOf(count), crls: w.crls, store: w.store, now: w.lab.clock.at },
      uninitialised: ['default'],
    });
    const own = readCertificate(fromBase64(chain[0] ?? ''));
    const done = await restoreCa(lab.deps, { id: 'default' }, [own], {
      key: undefined,
      actor: operator,
    });
    assert.equal(done.kind, 'done');
    return { ...w, lab, devices };
  }

  test('a generation of which nothing is left but records of its certificates keeps its number', async () => {
    const w = await partitioned(2);
    const old = await device(w, 0);
    const config = {
      ...w.lab.config,
      publicUrl: 'http://new.example',
      filesUrl: 'http://new.example',
    };
    const next = { id: 'default', crlPartitions: 3 };
    await raisePartitions({ ...w.lab.deps, config }, next, operator);
    w.lab.deps.cas.reload();
    await keepCrls(w.lab.deps, await issuerOf(w.lab));
    const late = await device(w, 1);
    const { chain } = await recordOf(w.lab);
    await w.forge('authority', () => ({ partitions: [] }));
    for (const name of ['default/1-0', 'default/1-1', 'default/2-2']) w.crls.forget(name);
    const lab = await makeLab({
      config: { ...configOf(3), publicUrl: 'http://new.example' },
      ...{ crls: w.crls, store: w.store, now: w.lab.clock.at, uninitialised: ['default'] },
    });
    const own = readCertificate(fromBase64(chain[0] ?? ''));
    await restoreCa(lab.deps, { id: 'default' }, [own], { key: undefined, actor: operator });
    assert.deepEqual((await recordOf(lab)).partitions, [
      // Its URL is the next one's: nothing that was signed says another.
      { generation: 1, count: 3, base: 'http://new.example' },
      { generation: 2, count: 3, base: 'http://new.example' },
    ]);
    for (const { serial } of [old, late]) {
      await revoke(lab.deps, { ca: 'default', serial, reason: 'superseded', actor: operator });
    }
    await keepCrls(lab.deps, await issuerOf(lab));
    for (const { partition, serial } of [old, late]) {
      const crl = await lab.deps.crls.newest(`default/${partition}`);
      assert.deepEqual(crl && revoked(crl.der), [serial], partition);
    }
  });

  test('a certificate is not revoked in silence that names a CRL which nobody publishes', async () => {
    const w = await partitioned(4);
    const devices = await oneOfEach(w, 4);
    const { certificate } = devices.get('1-3') ?? assert.fail();
    for (const { kind, key, rev } of w.store.dump()) {
      if (kind === 'certificate') await w.store.write([{ do: 'delete', kind, key, rev }]);
    }
    const partitions = [{ generation: 1, count: 3, base: 'http://scep.test' }];
    await w.bend('authority', () => ({ partitions }));
    const about = { ca: 'default', reason: 'superseded', actor: operator } as const;
    await assert.rejects(
      revokeSigned(w.lab.deps, { ...about, certificate }),
      /names the CRL default\/1-3, .* run "scepter crl partition default"/,
    );
  });

  const gone: readonly (readonly [string, readonly string[]])[] = [
    ['the last', ['default/1-3']],
    ['the first', ['default/1-0']],
    ['all of its partitions', [0, 1, 2, 3].map((at) => `default/1-${at}`)],
    ['its own', ['default']],
  ];
  for (const [title, removed] of gone) {
    test(`${title}: what is revoked afterwards stands in the CRL that it names`, async () => {
      const { lab, devices } = await restored(4, removed);
      const { deps } = lab;
      for (const [at, { certificate, serial }] of [...devices.values()].entries()) {
        const about = { ca: 'default', reason: 'superseded', actor: operator } as const;
        if (at % 2 === 0) await revoke(deps, { ...about, serial });
        else await revokeSigned(deps, { ...about, certificate });
      }
      await keepCrls(deps, await issuerOf(lab));
      for (const [partition, { serial }] of devices) {
        const crl = await deps.crls.newest(`default/${partition}`);
        assert.deepEqual(crl && revoked(crl.der), [serial], partition);
      }
    });
  }

  test('a certificate without a record is revoked in the CRL that it names, too', async () => {
    const w = await restored(4, ['default/1-3']);
    for (const { kind, key, rev } of w.store.dump()) {
      if (kind === 'certificate') await w.store.write([{ do: 'delete', kind, key, rev }]);
    }
    for (const { certificate } of w.devices.values()) {
      const about = { ca: 'default', reason: 'superseded', actor: operator } as const;
      await revokeSigned(w.lab.deps, { ...about, certificate });
    }
    await keepCrls(w.lab.deps, await issuerOf(w.lab));
    for (const [partition, { serial }] of w.devices) {
      const crl = await w.lab.deps.crls.newest(`default/${partition}`);
      assert.deepEqual(crl && revoked(crl.der), [serial], partition);
    }
  });
});

describe('a certificate whose record was removed', () => {
  test('GetCRL still answers with the CRL that it names', async () => {
    const w = await partitioned(4);
    const [about = assert.fail(), asking = assert.fail()] = [...(await oneOfEach(w, 4)).values()];
    await revoke(w.lab.deps, {
      ...{ ca: 'default', serial: about.serial, reason: 'superseded', actor: operator },
    });
    await keepCrls(w.lab.deps, await issuerOf(w.lab));
    const row = w.store
      .dump()
      .find(({ kind, key }) => kind === 'certificate' && key.endsWith(about.serial));
    if (!row) assert.fail();
    await w.store.write([{ do: 'delete', kind: 'certificate', key: row.key, rev: row.rev }]);
    const answer = await w.ask({
      messageType: 'GetCRL',
      key: asking.key,
      signer: { certificate: asking.certificate, key: asking.key },
      plaintext: sequence(about.certificate.issuer, tlv(tag.integer, about.certificate.serial)),
    });
    assert.ok(answer.pkiStatus === 'SUCCESS', JSON.stringify(answer));
    assert.deepEqual(
      answer.crls.map((der) => revoked(der)),
      [[about.serial]],
    );
  });
});

describe('a stranger who asks for CRLs that are not there', () => {
  test('costs one read in ten seconds, and takes from an instance nothing that it has, while the store is down', async () => {
    const w = await partitioned(2);
    const { clock, config } = w.lab;
    let [reads, isDown] = [0, false];
    const store = {
      ...w.lab.deps.store,
      read: async (asked: Parameters<typeof w.store.read>[0]) => {
        reads++;
        if (isDown) throw new Error('the store is down');
        return w.lab.deps.store.read(asked);
      },
    };
    const cas = new CaCertificates({ config, store, clock });
    await cas.certificate('default');
    for (let at = 0; at < 20; at++)
      assert.equal(await cas.hasCrl('default', `default/9-${at}`), false);
    assert.equal(reads, 2);
    isDown = true;
    clock.at += 60_000;
    await assert.rejects(cas.hasCrl('default', 'default/9-9'));
    assert.equal((await cas.certificate('default')).der.length > 0, true);
    assert.equal(await cas.hasCrl('default', 'default/1-1'), true);
  });
});
