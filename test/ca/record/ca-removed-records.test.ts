// What somebody who can write the table removes: what the CA has signed tells that it was there, so that
// no revocation that stood in a CRL is forgotten, and the command that is named ends the outage.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { hex, pem } from '../../../lib/base/bytes.ts';
import { initCa, requestCa } from '../../../lib/ca/authority/init-ca.ts';
import { caStatus } from '../../../lib/ca/authority/status.ts';
import { View } from '../../../lib/ca/record/unit-of-work.ts';
import { keepCrls } from '../../../lib/ca/revoke/publish-crl.ts';
import { shardOf } from '../../../lib/ca/revoke/register.ts';
import { revoke } from '../../../lib/ca/revoke/revoke.ts';
import type { Key } from '../../../lib/ports/store.ts';
import { describeCrl } from '../../../lib/x509/describe/describe.ts';
import { openTerminal, type Terminal } from '../../support/cli.ts';
import { deviceKey } from '../../support/keys.ts';
import { held, type World, world } from '../../support/world.ts';

const admin = { kind: 'admin', id: 'somebody' } as const;
const closing: Terminal[] = [];
after(() => Promise.all(closing.map((terminal) => terminal.close())));

async function remove({ lab }: World, key: Key): Promise<void> {
  const view = new View(lab.deps.store);
  await view.load([key]);
  const rev = view.rev(key.kind, key.key);
  assert.ok(rev > 0, `${key.kind} ${key.key}`);
  assert.equal(await lab.deps.store.write([{ ...key, do: 'delete', rev }]), 'done');
}

async function open() {
  const w = await world();
  const terminal = await openTerminal(w.lab);
  closing.push(terminal);
  const { certificate } = await held(w, await deviceKey('removed records'));
  const serial = hex(certificate.serial);
  const publish = async () => {
    const [{ der }] = await keepCrls(w.lab.deps, await w.lab.deps.cas.issuer('default'));
    return describeCrl(der).revoked.map((one) => one.serial);
  };
  const warnings = async () => (await caStatus(w.lab.deps, 'default')).warnings.join();
  const shard = { kind: 'register', key: shardOf('default', serial) } as const;
  return { w, terminal, serial, publish, warnings, shard };
}

describe('a register of revocations that was removed', () => {
  test('a removed register takes no revocation out of the CRL: none comes of it until it is rebuilt', async () => {
    const { w, terminal, serial, publish, warnings, shard } = await open();
    await revoke(w.lab.deps, { ca: 'default', serial, reason: 'keyCompromise', actor: admin });
    assert.deepEqual(await publish(), [serial]);
    assert.equal(await warnings(), '');
    await remove(w, shard);
    const said =
      /register of revocations.* was removed by another hand: run "scepter crl rebuild default"/;
    await assert.rejects(publish(), said);
    assert.match(await warnings(), said);
    const { code, out, err } = await terminal.run(['crl', 'rebuild', 'default', '--json']);
    assert.equal(code, 0, err);
    assert.deepEqual(JSON.parse(out).rebuilt, [serial.at(-1)]);
    assert.deepEqual(await publish(), [serial]);
    assert.equal(await warnings(), '');
  });

  test('a removed register is rebuilt also where others were revoked since, and a CRL has come of that', async () => {
    const { w, terminal, serial, shard } = await open();
    await revoke(w.lab.deps, { ca: 'default', serial, reason: 'keyCompromise', actor: admin });
    await remove(w, shard);
    const { out } = await terminal.run(['crl', 'rebuild', 'default', '--json']);
    assert.deepEqual(JSON.parse(out).rebuilt, [serial.at(-1)]);
  });

  test('a removed register that told only of a hold that is over is begun anew', async () => {
    const { w, terminal, serial, publish, shard } = await open();
    await revoke(w.lab.deps, { ca: 'default', serial, reason: 'certificateHold', actor: admin });
    await revoke(w.lab.deps, { ca: 'default', serial, reason: 'removeFromCRL', actor: admin });
    assert.deepEqual(await publish(), []);
    await remove(w, shard);
    await assert.rejects(publish(), /run "scepter crl rebuild default"/);
    const { code, err } = await terminal.run(['crl', 'rebuild', 'default']);
    assert.equal(code, 0, err);
    assert.deepEqual(await publish(), []);
  });
});

describe('a CA whose record was removed', () => {
  test('a CA whose record was removed is not made anew: the next start, and ca init, name what brings it back', async () => {
    const { w, terminal, publish } = await open();
    const { deps } = w.lab;
    await publish();
    const authority = deps.config.cas.get('default') ?? assert.fail();
    const { certificate, keyReference } = await deps.cas.issuer('default');
    await remove(w, { kind: 'authority', key: 'default' });
    const said =
      /was removed by another hand: run "scepter ca restore default --chain FILE --key KEY"/;
    await assert.rejects(initCa(deps, authority), said);
    await assert.rejects(requestCa(deps, authority), said);
    const { code, err } = await terminal.run(['ca', 'init', 'default']);
    assert.equal(code, 1, err);
    assert.match(err, said);
    const args = ['ca', 'restore', 'default', '--chain', '-', '--key', keyReference];
    const restored = await terminal.run(args, { stdin: pem('CERTIFICATE', certificate.der) });
    assert.equal(restored.code, 0, restored.err);
    assert.equal(await initCa(deps, authority), 'exists');
  });
});
