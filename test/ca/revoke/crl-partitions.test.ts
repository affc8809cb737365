// A CA whose certificates are spread over several CRLs (RFC 5280 §5.2.5): each certificate names one, that one
// tells of it and no other does, for as long as the CA serves.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { tag } from '../../../lib/asn1/reader.ts';
import { sequence, tlv } from '../../../lib/asn1/writer.ts';
import { fromBase64, hex } from '../../../lib/base/bytes.ts';
import { MAX_PARTITION_ENTRIES } from '../../../lib/base/limits.ts';
import { disagreements } from '../../../lib/ca/authority/as-made.ts';
import { restoreCa } from '../../../lib/ca/authority/restore.ts';
import { caStatus } from '../../../lib/ca/authority/status.ts';
import { Draft, View } from '../../../lib/ca/record/unit-of-work.ts';
import { goOnFrom, readPublished } from '../../../lib/ca/revoke/after-restore.ts';
import { crlNamesOf, partitionFor } from '../../../lib/ca/revoke/partitions.ts';
import {
  askForCrl,
  CRL_LOOK_MS,
  keepCrls,
  publishCrls,
} from '../../../lib/ca/revoke/publish-crl.ts';
import { raisePartitions } from '../../../lib/ca/revoke/raise-partitions.ts';
import { rebuildRegisters } from '../../../lib/ca/revoke/rebuild-register.ts';
import { list, loadRegister, readRegister } from '../../../lib/ca/revoke/register.ts';
import { revoke } from '../../../lib/ca/revoke/revoke.ts';
import { revokeSigned } from '../../../lib/ca/revoke/revoke-signed.ts';
import { measured } from '../../../lib/cli/plan/prices.ts';
import type { Config } from '../../../lib/config/config.ts';
import { readCertificate } from '../../../lib/x509/certificate.ts';
import { readCrlHead } from '../../../lib/x509/crl-head.ts';
import { crlEntries, describeCrlEntry } from '../../../lib/x509/describe/describe.ts';
import { type Lab, makeLab, operatorOf } from '../../support/lab.ts';
import { MemoryCrls } from '../../support/memory-store.ts';
import { got, held, keys, type World, world } from '../../support/world.ts';

const operator = { kind: 'admin', id: 'operator' } as const;
const configOf = (crlPartitions: number) => ({
  cas: { default: { subject: 'CN=Lab CA,O=Lab', key: 'ec:P-256' as const, crlPartitions } },
});
const partitioned = (count = 4) => world({ config: configOf(count) });

const recordOf = async ({ deps }: Lab) => {
  const view = new View(deps.store);
  await view.load([{ kind: 'authority', key: 'default' }]);
  return view.get('authority', 'default') ?? assert.fail();
};
const issuerOf = ({ deps }: Lab) => deps.cas.issuer('default');
const keep = async ({ lab }: World) => keepCrls(lab.deps, await issuerOf(lab));
const revoked = (der: Uint8Array<ArrayBuffer>) =>
  crlEntries(der).map((entry) => describeCrlEntry(entry).serial);
const crlAt = async (lab: Lab, url: string) => {
  const response = await lab.fetch(new URL(url).pathname);
  assert.equal(response.status, 200, url);
  return new Uint8Array(await response.arrayBuffer());
};
const urlIn = ({ der }: { der: Uint8Array }): string =>
  /http:\/\/[ -~]+?\.crl/.exec(Buffer.from(der).toString('latin1'))?.[0] ?? assert.fail();

/** Certificates of so many devices, each with the partition in its record. */
async function fleet(w: World, count: number) {
  const names = Array.from({ length: count }, (_, at) => `partition ${at}`);
  const devices = [];
  for (const [at, key] of (await keys(...names)).entries()) {
    const { certificate } = await held(w, key, `CN=device-${at}`);
    const serial = hex(certificate.serial);
    const record = w.certificates().find((one) => one.serial === serial) ?? assert.fail();
    devices.push({ key, certificate, serial, record, url: urlIn(certificate) });
  }
  return devices;
}

describe('a CA with partitions', () => {
  test('a certificate names the CRL that SHA-256 of its serial number draws, and its record says so', async () => {
    const w = await partitioned();
    for (const { certificate, record, url } of await fleet(w, 6)) {
      const digest = createHash('sha256').update(certificate.serial).digest('hex');
      const partition = `1-${BigInt(`0x${digest}`) % 4n}`;
      assert.equal(record.partition, partition);
      assert.equal(url, `http://scep.test/crl/default/${partition}.crl`);
    }
    const { ra } = w.lab.announced;
    assert.equal(urlIn(ra), 'http://scep.test/crl/default.crl');
  });

  test('a revoked certificate stands in the CRL that it names, and in no other', async () => {
    const w = await partitioned();
    const devices = await fleet(w, 5);
    for (const { serial } of devices) {
      const asked = { ca: 'default', serial, reason: 'superseded', actor: operator } as const;
      assert.equal(await revoke(w.lab.deps, asked), 'done');
    }
    await keep(w);
    for (const name of crlNamesOf(await recordOf(w.lab))) {
      const url = `http://scep.test/crl/${name}.crl`;
      const der = await crlAt(w.lab, url);
      assert.deepEqual(readCrlHead(der)?.distributionPoint, [url]);
      assert.deepEqual(
        revoked(der),
        devices
          .filter((one) => one.url === url)
          .map(({ serial }) => serial)
          .sort(),
      );
    }
  });

  test('each CRL has a number of its own: only what has changed is published again', async () => {
    const w = await partitioned();
    const before = await keep(w);
    const [device = assert.fail()] = await fleet(w, 1);
    const { serial, record } = device;
    await revoke(w.lab.deps, { ca: 'default', serial, reason: 'superseded', actor: operator });
    const after = await keep(w);
    const names = crlNamesOf(await recordOf(w.lab));
    for (const [at, name] of names.entries()) {
      const raised = name === `default/${record.partition}` ? 1 : 0;
      assert.equal(after[at]?.number, (before[at]?.number ?? 0) + raised, name);
    }
    const events = w.events().filter(({ type }) => type === 'crl.published');
    assert.equal(events.at(-1)?.partition, record.partition);
    await askForCrl(w.lab.deps, 'default', { kind: 'admin', id: 'operator' });
    const asked = await keep(w);
    assert.deepEqual(
      asked.map(({ number }) => number),
      after.map(({ number }) => number + 1),
    );
    w.lab.clock.at = (asked[0].thisUpdate + asked[0].nextUpdate) / 2;
    assert.ok((await keep(w)).every(({ number }, at) => number === (asked[at]?.number ?? 0) + 1));
  });

  test('a CRL that has not changed is asked for every ten minutes, and at once when it has', async () => {
    const w = await partitioned();
    await keep(w);
    const names = crlNamesOf(await recordOf(w.lab));
    const asked = async (): Promise<number> => {
      w.lab.calls.length = 0;
      await keep(w);
      return w.lab.calls.filter((call) => call === 'crls.newest').length;
    };
    w.lab.clock.at += CRL_LOOK_MS;
    assert.equal(await asked(), names.length);
    assert.equal(measured.partition.gets, 60_000 / CRL_LOOK_MS);
    for (let minute = 1; minute < CRL_LOOK_MS / 60_000; minute++) {
      w.lab.clock.at += 60_000;
      assert.equal(await asked(), 0, `minute ${minute}`);
    }
    const [device = assert.fail()] = await fleet(w, 1);
    const { serial } = device;
    await revoke(w.lab.deps, { ca: 'default', serial, reason: 'superseded', actor: operator });
    assert.ok((await asked()) > 0);
    w.lab.clock.at += 60_000;
    assert.equal(await asked(), names.length - 1);
  });

  test('a path that names no CRL of the CA is not found, and reads no record of its own', async () => {
    const w = await partitioned();
    for (const path of ['/crl/default/1-4.crl', '/crl/default/2-0.crl', '/crl/default/1-04.crl']) {
      w.lab.calls.length = 0;
      assert.equal((await w.lab.fetch(path)).status, 404, path);
      assert.ok(!w.lab.calls.some((call) => call.startsWith('crls.')), path);
    }
    assert.equal((await w.lab.fetch('/crl/other/1-0.crl')).status, 404);
    assert.equal((await w.lab.fetch('/crl/default/1-3.crl')).status, 200);
  });

  test('GetCRL answers with the CRL of the certificate that it asks about', async () => {
    const w = await partitioned();
    const [one = assert.fail(), ...others] = await fleet(w, 6);
    const other = others.find(({ url }) => url !== one.url) ?? assert.fail();
    for (const about of [one, other]) {
      const answer = await w.ask({
        messageType: 'GetCRL',
        key: one.key,
        signer: { certificate: one.certificate, key: one.key },
        plaintext: sequence(about.certificate.issuer, tlv(tag.integer, about.certificate.serial)),
      });
      assert.ok(answer.pkiStatus === 'SUCCESS', JSON.stringify(answer));
      assert.deepEqual(answer.crls, [await crlAt(w.lab, about.url)]);
    }
  });

  test('a renewal may name another CRL than the certificate that it supersedes, which stays where it was', async () => {
    const w = await partitioned(16);
    const [{ key, certificate } = assert.fail()] = await fleet(w, 1);
    const [next = assert.fail()] = await keys('partition next');
    const signer = { certificate, key };
    const renewed = got(
      await w.ask({ messageType: 'RenewalReq', signer, key: next, subject: 'CN=device-0' }),
    );
    const { serial } = readCertificate(renewed);
    const partitions = (await issuerOf(w.lab)).partitions;
    assert.equal(
      w.certificates().find((one) => one.serial === hex(serial))?.partition,
      partitionFor({ partitions }, serial),
    );
  });

  test('the register of a partition goes over many pages, and loses nothing', async () => {
    const w = await partitioned(2);
    const serials = Array.from(
      { length: 3 * MAX_PARTITION_ENTRIES + 2 },
      (_, at) => `40${at.toString(16).padStart(30, '0')}`,
    );
    for (const serial of serials) {
      const view = new View(w.store);
      const certificate = { ca: 'default', serial, partition: '1-1', notAfter: w.lab.clock.at };
      await loadRegister(view, [certificate]);
      const draft = new Draft(view);
      list(draft, certificate, 'superseded', 5);
      assert.equal(await w.lab.deps.store.write(draft.actions), 'done');
    }
    const found = await readRegister(w.lab.deps.store, 'default/1-1', 0);
    assert.deepEqual(
      found.revoked.map(({ serial }) => hex(serial)),
      [...serials].sort(),
    );
    assert.deepEqual((await readRegister(w.lab.deps.store, 'default', 0)).revoked, []);
  });

  test('status tells of a partition whose CRL ends, is missing, or whose register was cut back', async () => {
    const crls = new MemoryCrls();
    const w = await world({ config: configOf(3), crls });
    const warningsOf = async () => (await caStatus(w.lab.deps, 'default')).warnings;
    assert.deepEqual(await warningsOf(), []);
    const [device = assert.fail()] = await fleet(w, 1);
    const { serial, record } = device;
    await revoke(w.lab.deps, { ca: 'default', serial, reason: 'superseded', actor: operator });
    await keep(w);
    const rows = w.store.dump().filter(({ kind }) => kind === 'register');
    assert.deepEqual(
      rows.map(({ key }) => key),
      [`default/${record.partition}`],
    );
    const [row = assert.fail()] = rows;
    await w.store.write([{ do: 'delete', kind: 'register', key: row.key, rev: row.rev }]);
    assert.match(
      (await warningsOf()).join(),
      /a part of the register .* run "scepter crl rebuild default"/,
    );
    w.lab.clock.at += 11 * 86_400_000;
    assert.match((await warningsOf()).join(), /its CRL and 3 more ended on /);
  });

  test('an altered register of one partition stops its CRL alone, and is rebuilt', async () => {
    const w = await partitioned(2);
    const devices = await fleet(w, 8);
    const of = (partition: string) =>
      devices.find(({ record }) => record.partition === partition) ?? assert.fail();
    const [spoilt, other] = [of('1-0'), of('1-1')];
    const gone = ({ serial }: { readonly serial: string }) =>
      revoke(w.lab.deps, { ca: 'default', serial, reason: 'superseded', actor: operator });
    await gone(spoilt);
    await keep(w);
    await w.forge('register', () => ({ entries: {}, changes: 9 }));
    await gone(other);
    const issuer = await issuerOf(w.lab);
    await assert.rejects(keepCrls(w.lab.deps, issuer), /crl rebuild default/);
    assert.deepEqual(revoked(await crlAt(w.lab, other.url)), [other.serial]);
    const { warnings } = await caStatus(w.lab.deps, 'default');
    assert.match(warnings.join(), /crl rebuild default/);
    assert.deepEqual(await rebuildRegisters(w.lab.deps, issuer, operator), ['1-0']);
    await publishCrls(w.lab.deps, issuer, { actor: operator });
    assert.deepEqual(revoked(await crlAt(w.lab, spoilt.url)), [spoilt.serial]);
    assert.deepEqual(await rebuildRegisters(w.lab.deps, issuer, operator), []);
  });

  test('the CRL of another partition is not served in place of one, although the CA has signed it', async () => {
    const crls = new MemoryCrls();
    const w = await world({ config: configOf(2), crls });
    const other = (await crls.newest('default/1-1')) ?? assert.fail();
    await crls.publish('default/1-0', { ...other, number: 999 });
    const fresh = await makeLab({
      ...{ config: configOf(2), crls, store: w.store, now: w.lab.clock.at },
      uninitialised: ['default'],
    });
    assert.equal(await fresh.deps.crls.newest('default/1-0'), undefined);
    assert.ok(
      fresh.log.some(({ event, key }) => event === 'record.altered' && key === 'default/1-0'),
    );
    const [, first] = await keepCrls(fresh.deps, await issuerOf(fresh));
    assert.deepEqual(readCrlHead(first?.der ?? other.der)?.distributionPoint, [
      'http://scep.test/crl/default/1-0.crl',
    ]);
  });

  test('a certificate without a record is revoked in the CRL that the certificate names', async () => {
    const w = await partitioned();
    const [{ certificate, serial, url } = assert.fail()] = await fleet(w, 1);
    const row = w.store.dump().find(({ kind }) => kind === 'certificate') ?? assert.fail();
    await w.store.write([{ do: 'delete', kind: 'certificate', key: row.key, rev: row.rev }]);
    const asked = { ca: 'default', certificate, reason: 'superseded', actor: operator } as const;
    assert.equal(typeof (await revokeSigned(w.lab.deps, asked)), 'object');
    const { ra } = w.lab.announced;
    const ofRa = { ...asked, certificate: ra, reason: 'keyCompromise' } as const;
    assert.equal(typeof (await revokeSigned(w.lab.deps, ofRa)), 'object');
    await keep(w);
    assert.deepEqual(revoked(await crlAt(w.lab, url)), [serial]);
    assert.deepEqual(revoked(await crlAt(w.lab, 'http://scep.test/crl/default.crl')), [
      hex(ra.serial),
    ]);
  });

  test('a backup goes on from the CRLs that were published since, each above its number', async () => {
    const w = await partitioned(2);
    const devices = await fleet(w, 4);
    const issuer = await issuerOf(w.lab);
    const before = await keep(w);
    const old = w.store.dump();
    for (const { serial } of devices) {
      await revoke(w.lab.deps, { ca: 'default', serial, reason: 'superseded', actor: operator });
    }
    const since = await keep(w);
    const published = new Map();
    for (const { der } of since) {
      const one = (await readPublished(issuer, der)) ?? assert.fail();
      published.set(one.name, one);
    }
    assert.deepEqual([...published.keys()], crlNamesOf(await recordOf(w.lab)));
    // The store as it was, and its CRLs.
    const crls = new MemoryCrls();
    const back = await makeLab({
      ...{ config: configOf(2), crls, now: w.lab.clock.at },
      uninitialised: ['default'],
    });
    for (const { kind, key, record } of old) {
      await back.unguarded.write([{ do: 'put', kind, key, rev: 0, record } as never]);
    }
    const names = [...published.keys()];
    for (const [at, crl] of before.entries()) await back.deps.crls.publish(names[at] ?? '', crl);
    const told = await goOnFrom(operatorOf(back.deps), await issuerOf(back), published, operator);
    assert.deepEqual([...told.revoked].sort(), devices.map(({ serial }) => serial).sort());
    for (const [at, name] of names.entries()) {
      const crl = (await back.deps.crls.newest(name)) ?? assert.fail();
      assert.ok(crl.number > (since[at]?.number ?? 0), name);
      assert.deepEqual(revoked(crl.der), revoked(since[at]?.der ?? assert.fail()), name);
    }
  });

  test('an altered record of the CA gets its partitions back from its signed CRLs alone', async () => {
    const w = await partitioned(3);
    const { chain } = await recordOf(w.lab);
    const evil = [{ generation: 1, count: 1, base: 'http://evil.example' }];
    await w.forge('authority', () => ({ partitions: evil }));
    const own = readCertificate(fromBase64(chain[0] ?? ''));
    const done = await restoreCa(w.lab.deps, { id: 'default' }, [own], {
      key: undefined,
      actor: operator,
    });
    assert.equal(done.kind, 'done');
    const { partitions } = await recordOf(w.lab);
    assert.deepEqual(partitions, [{ generation: 1, count: 3, base: 'http://scep.test' }]);
  });
});

describe('a CA gets more partitions', () => {
  const raised = (w: World, crlPartitions: number, filesUrl: string) => {
    const config: Config = { ...w.lab.config, filesUrl };
    return raisePartitions({ ...w.lab.deps, config }, { id: 'default', crlPartitions }, operator);
  };

  test('new certificates name the new generation, and those before stay in theirs', async () => {
    const w = await partitioned(2);
    const [old = assert.fail()] = await fleet(w, 1);
    const next = { generation: 2, count: 3, base: 'http://new.example' };
    assert.deepEqual(await raised(w, 3, 'http://new.example'), next);
    assert.deepEqual(await raised(w, 3, 'http://new.example'), next, 'asked again');
    w.lab.deps.cas.reload();
    await keep(w);
    const [key = assert.fail()] = await keys('generation 2');
    const { certificate } = await held(w, key, 'CN=later');
    assert.match(urlIn(certificate), /^http:\/\/new\.example\/crl\/default\/2-[0-2]\.crl$/);
    for (const serial of [old.serial, hex(certificate.serial)]) {
      await revoke(w.lab.deps, { ca: 'default', serial, reason: 'superseded', actor: operator });
    }
    await keep(w);
    assert.deepEqual(revoked(await crlAt(w.lab, old.url)), [old.serial]);
    assert.deepEqual(revoked(await crlAt(w.lab, urlIn(certificate))), [hex(certificate.serial)]);
    // The CA's own tells of RA certificates under both names.
    assert.deepEqual(
      readCrlHead(await crlAt(w.lab, 'http://scep.test/crl/default.crl'))?.distributionPoint,
      ['http://scep.test/crl/default.crl', 'http://new.example/crl/default.crl'],
    );
  });

  test('fewer are refused, and so is a CA that was made without', async () => {
    const w = await partitioned(4);
    await assert.rejects(raised(w, 3, 'http://scep.test'), /crlPartitions: must be 4 or more/);
    const plain = await world();
    await assert.rejects(raised(plain, 4, 'http://scep.test'), /was made without partitions/);
    assert.equal((await recordOf(plain.lab)).partitions, undefined);
    const head = readCrlHead((await keep(plain))[0].der);
    assert.deepEqual(head?.distributionPoint, []);
  });

  test('what the configuration says otherwise is told, with the command that carries it out', async () => {
    const w = await partitioned(4);
    const said = async (count: number | undefined, filesUrl = 'http://scep.test') => {
      const made = w.lab.config.cas.get('default') ?? assert.fail();
      const cas = new Map([['default', { ...made, crlPartitions: count }]]);
      const found = await disagreements({
        ...w.lab.deps,
        config: { ...w.lab.config, cas, filesUrl },
      });
      return found.map((one) => one.said).join('; ');
    };
    assert.equal(await said(4), '');
    assert.match(
      await said(8),
      /has 8 crlPartitions, and it has 4: run "scepter crl partition default"/,
    );
    assert.match(await said(2), /has the crlPartitions "2", and it was made with "4"/);
    assert.match(await said(undefined), /has the crlPartitions "none", and it was made with "4"/);
    assert.match(
      await said(4, 'http://b.example'),
      /names? CRLs at http:\/\/scep\.test, .*run "scepter crl partition/,
    );
  });
});
