// Certificates that the CA has signed and that have no record which could be believed: those of its RA,
// and those whose record was changed or lost. Their revocation rests on the signature alone.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { base64, hex } from '../../../lib/base/bytes.ts';
import { rotateRa } from '../../../lib/ca/authority/rotation.ts';
import { caStatus } from '../../../lib/ca/authority/status.ts';
import { keyHash } from '../../../lib/ca/record/keys.ts';
import { keepCrls } from '../../../lib/ca/revoke/publish-crl.ts';
import { type Certificate, readCertificate } from '../../../lib/x509/certificate.ts';
import { crlEntries, describeCrlEntry } from '../../../lib/x509/describe/describe.ts';
import { call } from '../../support/api.ts';
import { openTerminal } from '../../support/cli.ts';
import { held, keys, refusedWith, type World, world } from '../../support/world.ts';

const operator = { kind: 'admin', id: 'operator' } as const;
const serialOf = ({ serial }: Pick<Certificate, 'serial'>): string => hex(serial);

async function withdraw(
  w: World,
  { der }: Pick<Certificate, 'der'>,
  reason: string,
  once?: string,
) {
  const body = { certificate: base64(der), reason };
  const headers = once === undefined ? {} : { 'idempotency-key': once };
  const { status, json } = await call(w.lab, 'POST', '/certificates/default/revoke', {
    body,
    headers,
  });
  return { status, json, said: [status, json.detail ?? json.revocationReason] };
}

/** What the next CRL lists: reasons by serial number. */
async function listed(w: World): Promise<Record<string, string>> {
  const [crl] = await keepCrls(w.lab.deps, await w.lab.deps.cas.issuer('default'));
  const entries = crlEntries(crl.der).map(describeCrlEntry);
  return Object.fromEntries(entries.map(({ serial, reason = 'unspecified' }) => [serial, reason]));
}

const raOf = async (w: World, state: string): Promise<Certificate> => {
  const { generations } = await caStatus(w.lab.deps, 'default');
  const found = generations.find((generation) => generation.state === state);
  assert.ok(found, state);
  return found.certificate;
};

describe('an RA certificate', () => {
  test('an RA certificate that is announced is revoked for keyCompromise at once, and for nothing else', async () => {
    const w = await world();
    const { ra } = w.lab.announced;
    const refused = await withdraw(w, ra, 'superseded');
    assert.equal(refused.status, 409);
    assert.match(
      String(refused.json.detail),
      /take the next steps of "scepter ca rotate-ra" first/,
    );
    assert.deepEqual(await listed(w), {});
    const { status, json } = await withdraw(w, ra, 'keyCompromise');
    assert.deepEqual([status, json.generation], [200, { id: 1, state: 'current' }]);
    assert.deepEqual(await listed(w), { [serialOf(ra)]: 'keyCompromise' });
    const again = await withdraw(w, ra, 'keyCompromise');
    assert.deepEqual([again.status, again.json.unchanged], [200, true]);
    const [warning] = (await caStatus(w.lab.deps, 'default')).warnings;
    assert.equal(warning, 'the key of its RA generation 1 is compromised: replace it now');
    for (const step of ['prepare', 'activate', 'retire'] as const) {
      await rotateRa(w.lab.deps, 'default', { step, force: true, actor: operator });
    }
    const after = (await caStatus(w.lab.deps, 'default')).warnings;
    assert.ok(!after.some((one) => one.includes('generation 1 ')), after.join());
    const types = w.events().map(({ type }) => type);
    for (const type of ['key.blocked', 'certificate.revoked'])
      assert.ok(types.includes(type), type);
  });

  test('an RA certificate is used no more once the steps that its revocation names were run as they stand', async () => {
    const prepares = { prepared: 2, current: 1 } as const;
    for (const [state, generation] of Object.entries(prepares)) {
      const w = await world();
      if (state === 'prepared') {
        await rotateRa(w.lab.deps, 'default', { step: 'prepare', force: true, actor: operator });
      }
      const terminal = await openTerminal(w.lab);
      try {
        const number = serialOf(await raOf(w, state));
        const { err } = await terminal.run(['cert', 'revoke', number, '--reason', 'keyCompromise']);
        const named = [...err.matchAll(/^ {2}scepter (ca rotate-ra .*)$/gm)];
        assert.ok(named.length > 0, err);
        for (const [, line = ''] of named) {
          const { code, err: why } = await terminal.run(line.split(' '));
          assert.equal(code, 0, why);
        }
        const { generations } = await caStatus(w.lab.deps, 'default');
        assert.equal(generations.find(({ id }) => id === generation)?.state, 'retired');
      } finally {
        await terminal.close();
      }
    }
  });

  test('an RA certificate is revoked for any reason once another has taken its place', async () => {
    const w = await world();
    for (const step of ['prepare', 'activate'] as const) {
      await rotateRa(w.lab.deps, 'default', { step, force: true, actor: operator });
    }
    const previous = await raOf(w, 'previous');
    const { status, json } = await withdraw(w, previous, 'superseded');
    assert.deepEqual([status, json.generation], [200, { id: 1, state: 'previous' }]);
    await rotateRa(w.lab.deps, 'default', { step: 'retire', force: true, actor: operator });
    assert.deepEqual(await listed(w), { [serialOf(previous)]: 'superseded' });
    assert.equal((await withdraw(w, await raOf(w, 'current'), 'certificateHold')).status, 409);
  });
});

describe('a certificate whose record another hand has changed', () => {
  /** Its record says nothing that counts. */
  async function spoilt() {
    const w = await world();
    const [key, next] = await keys('spoilt', 'spoilt, later');
    assert.ok(key && next);
    const signer = await held(w, key);
    await w.forge('certificate', () => ({ notAfter: 9e12 }));
    return { w, key, next, signer, certificate: signer.certificate };
  }

  test('a certificate whose record was changed renews nothing, and is revoked by its octets, once', async () => {
    const { w, next, signer, certificate } = await spoilt();
    refusedWith('SCEP-321', await w.ask({ signer, key: next, messageType: 'RenewalReq' }));
    const serial = serialOf(certificate);
    const plain = { body: { reason: 'unspecified' } };
    const path = `/certificates/default/${serial}/revoke`;
    assert.equal((await call(w.lab, 'POST', path, plain)).status, 409);
    const once = await withdraw(w, certificate, 'privilegeWithdrawn', 'a');
    assert.deepEqual(once.said, [200, 'privilegeWithdrawn']);
    assert.deepEqual((await withdraw(w, certificate, 'privilegeWithdrawn', 'a')).json, once.json);
    assert.deepEqual(await listed(w), { [serial]: 'privilegeWithdrawn' });
    assert.equal((await withdraw(w, certificate, 'superseded')).json.unchanged, true);
    const revoked = w.events().filter(({ type }) => type === 'certificate.revoked');
    assert.deepEqual(
      revoked.map((event) => event.serial),
      [serial],
    );
  });

  test('a certificate whose record was changed has its compromised key blocked, also when it was revoked before', async () => {
    const { w, key, certificate } = await spoilt();
    await withdraw(w, certificate, 'superseded');
    assert.equal((await withdraw(w, certificate, 'keyCompromise')).status, 200);
    assert.deepEqual(await listed(w), { [serialOf(certificate)]: 'keyCompromise' });
    refusedWith('SCEP-343', await w.ask({ key, challenge: await w.lab.challenge() }));
    const [blocked] = w.store.dump().filter(({ kind }) => kind === 'blockedKey');
    assert.equal(blocked?.key, keyHash(key.spki));
    const again = await withdraw(w, certificate, 'superseded');
    assert.deepEqual(again.said, [200, 'keyCompromise']);
    assert.equal(again.json.unchanged, true);
  });

  test('a certificate whose record was changed is held, held no more, and revoked from a hold', async () => {
    const { w, certificate } = await spoilt();
    const serial = serialOf(certificate);
    const steps = [
      ['removeFromCRL', [200, 'removeFromCRL'], {}],
      ['certificateHold', [200, 'certificateHold'], { [serial]: 'certificateHold' }],
      ['certificateHold', [200, 'certificateHold'], { [serial]: 'certificateHold' }],
      ['removeFromCRL', [200, 'removeFromCRL'], {}],
      ['certificateHold', [200, 'certificateHold'], { [serial]: 'certificateHold' }],
      ['superseded', [200, 'superseded'], { [serial]: 'superseded' }],
      ['removeFromCRL', [409, 'the certificate is revoked'], { [serial]: 'superseded' }],
    ] as const;
    for (const [reason, said, entries] of steps) {
      assert.deepEqual((await withdraw(w, certificate, reason)).said, said, reason);
      assert.deepEqual(await listed(w), entries, reason);
    }
  });
});

test('a certificate with a good record is revoked by that, whoever sends its octets', async () => {
  const w = await world();
  const [key] = await keys('recorded');
  assert.ok(key);
  const { certificate } = await held(w, key);
  assert.deepEqual((await withdraw(w, certificate, 'superseded')).said, [200, 'superseded']);
  assert.equal(w.certificates()[0]?.revocationReason, 'superseded');
  assert.deepEqual((await withdraw(w, certificate, 'unspecified')).said, [200, 'superseded']);
  w.check();
});

test('what this CA has not signed, its own certificate, and what is none, are a 422', async () => {
  const w = await world();
  const cas = { default: { subject: 'CN=Another CA', key: 'rsa:2048' } } as const;
  const other = await world({ config: { cas } });
  const own = (await w.lab.deps.cas.issuer('default')).certificate;
  const foreign = other.lab.announced.ra;
  const forged = Uint8Array.from(w.lab.announced.ra.der);
  forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
  const cases = [
    [own, /is of the key of the CA itself/],
    [foreign, /was not signed by this CA/],
    [readCertificate(forged), /was not signed by this CA/],
    [{ der: new Uint8Array(7) }, /certificate: must be a certificate/],
  ] as const;
  for (const [certificate, said] of cases) {
    const { status, json } = await withdraw(w, certificate, 'keyCompromise');
    assert.equal(status, 422);
    assert.match(String(json.detail), said);
  }
  assert.deepEqual(await listed(w), {});
  const body = { certificate: base64(own.der), reason: 'superseded' };
  assert.equal((await call(w.lab, 'POST', '/certificates/nowhere/revoke', { body })).status, 404);
});
