// A CA with its keys in KMS: what its requests cost there, and what becomes of them when KMS fails,
// refuses, or answers wrongly. After all of it there is one certificate, and only what was verified
// has been given to anybody.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  DisableKeyCommand,
  EnableKeyCommand,
  ScheduleKeyDeletionCommand,
} from '@aws-sdk/client-kms';
import { base64, hex } from '../../../lib/base/bytes.ts';
import { Outage } from '../../../lib/base/errors.ts';
import { LEASE_MS } from '../../../lib/base/limits.ts';
import { decide } from '../../../lib/ca/approve/decide.ts';
import { requestCa } from '../../../lib/ca/authority/init-ca.ts';
import { rotateRa } from '../../../lib/ca/authority/rotation.ts';
import { publishCrl } from '../../../lib/ca/revoke/publish-crl.ts';
import { revoke } from '../../../lib/ca/revoke/revoke.ts';
import type { EventFields } from '../../../lib/events/event.ts';
import { readCertificate } from '../../../lib/x509/certificate.ts';
import { deviceKey } from '../../support/keys.ts';
import { openKms } from '../../support/kms.ts';
import { type KmsFault, passingFaults } from '../../support/kms-emulator.ts';
import { type Instance, type KmsWorld, kmsWorld, twoCas } from '../../support/kms-world.ts';
import { makeLab } from '../../support/lab.ts';
import { awaitingSilence, idleTime, impatient } from '../../support/timers.ts';

const enrolling = async (w: KmsWorld, name = 'kms device', ca = 'default') =>
  w.message({ challenge: await w.lab.challenge({ endpoint: ca }), key: await deviceKey(name) }, ca);
const counted = (calls: readonly string[]): Record<string, number> =>
  Object.fromEntries(
    [...Map.groupBy(calls, (call) => call)].map(([call, all]) => [call, all.length]),
  );

/** 503 with Retry-After, and what the log says of it. */
async function out(instance: Instance, post: ReturnType<Instance['post']>): Promise<string> {
  const before = instance.outages().length;
  const { status, retryAfter } = await post;
  assert.equal(status, 503);
  assert.match(retryAfter ?? '', /^\d+$/);
  const [said = '', ...more] = instance.outages().slice(before);
  assert.deepEqual(more, []);
  return said;
}

describe('what the log has of it', () => {
  const named = (w: KmsWorld) =>
    w.all('event').flatMap(({ body }) => {
      const { type, kms = [] } = JSON.parse(body) as EventFields;
      return kms.map((id) => ({ type, id }));
    });
  const signs = (w: KmsWorld) =>
    w.kms.emulator.trail.flatMap(({ action, requestID }) => (action === 'Sign' ? [requestID] : []));

  test('each Sign is named once, by the event of what it has signed', async () => {
    const w = await kmsWorld(twoCas);
    const instance = w.instance();
    const first = await enrolling(w);
    await w.certificate(first, await instance.post(first));
    const { deps } = w.lab;
    await publishCrl(deps, await deps.cas.of('default'), { actor: { kind: 'system' } });
    await rotateRa(deps, 'default', { actor: { kind: 'admin', id: 'ann' } });
    const authority = deps.config.cas.get('default') ?? assert.fail();
    await requestCa(deps, { ...authority, id: 'below' });
    await requestCa(deps, { ...authority, id: 'below' });
    const ids = named(w).map(({ id }) => id);
    assert.deepEqual([...ids].sort(), [...signs(w)].sort());
    assert.deepEqual(counted(named(w).map(({ type }) => type)), {
      'ca.created': 2,
      'ca.ra.current': 2,
      'ca.ra.prepared': 1,
      'ca.request.signed': 2,
      'certificate.issued': 1,
      // Each CA has one from its first day.
      'crl.published': 3,
    });
  });

  test('a CRL that another publisher has forestalled is named, too', async () => {
    const w = await kmsWorld();
    const { deps } = w.lab;
    const ca = await deps.cas.of('default');
    const publish = (crlSigner = deps.crlSigner) =>
      publishCrl({ ...deps, crlSigner }, ca, { actor: { kind: 'system' } });
    await publish({
      ...deps.crlSigner,
      sign: async (...args) => {
        await publish();
        return deps.crlSigner.sign(...args);
      },
    });
    const { 'crl.published': published, 'crl.discarded': discarded } = counted(
      named(w).map(({ type }) => type),
    );
    assert.deepEqual([published, discarded], [2, 1]);
    assert.deepEqual(
      named(w)
        .map(({ id }) => id)
        .sort(),
      [...signs(w)].sort(),
    );
  });
});

describe('what requests cost', () => {
  test('an enrolment and a renewal are one Sign each; what an instance opens it opens once', async () => {
    const w = await kmsWorld();
    const instance = w.instance();
    const first = await enrolling(w);
    let from = w.kms.emulator.calls.length;
    const der = await w.certificate(first, await instance.post(first));
    // Cold: the CA's public key, its RA key, the MAC keys of registry, challenges, records and evidence.
    assert.deepEqual(counted(w.kms.since(from)), { GetPublicKey: 1, Decrypt: 5, Sign: 1 });
    for (const name of ['kms two', 'kms three']) {
      const sent = await enrolling(w, name);
      from = w.kms.emulator.calls.length;
      const calls = w.lab.calls.length;
      await w.certificate(sent, await instance.post(sent));
      assert.deepEqual(w.kms.since(from), ['Sign']);
      assert.deepEqual(w.lab.calls.slice(calls), ['store.read', 'store.write', 'store.write']);
    }
    const signer = { key: await deviceKey('kms device'), certificate: readCertificate(der) };
    const renewal = await w.message({
      signer,
      key: await deviceKey('kms renewed'),
      messageType: 'RenewalReq',
    });
    from = w.kms.emulator.calls.length;
    await w.certificate(renewal, await instance.post(renewal));
    assert.deepEqual(w.kms.since(from), ['Sign']);
    w.check();
  });

  test('a repeat, a refusal, a poll and what is fetched: nothing', async () => {
    const w = await kmsWorld();
    const instance = w.instance();
    const sent = await enrolling(w);
    await w.certificate(sent, await instance.post(sent));
    const from = w.kms.emulator.calls.length;
    await w.certificate(sent, await instance.post(sent));
    for (const challenge of ['not one of ours', 'X'.repeat(26)]) {
      const refused = await w.message({ challenge });
      const { body } = await instance.post(refused);
      assert.equal((await refused.read(body)).pkiStatus, 'FAILURE');
    }
    for (const path of [
      '/scep?operation=GetCACert',
      '/scep?operation=GetCACaps',
      '/crl/default.crl',
    ]) {
      assert.equal(await instance.get(path), 200);
    }
    assert.deepEqual(w.kms.since(from), []);
  });

  test('100 identical requests at once on a cold instance: every key opened once, one Sign', async () => {
    const w = await kmsWorld();
    const instance = w.instance();
    const sent = await enrolling(w);
    const from = w.kms.emulator.calls.length;
    const time = idleTime(100);
    w.lab.clock.sleep = time.sleep;
    const replies = await Promise.all(
      Array.from({ length: 100 }, () => instance.post(sent).finally(time.leave)),
    );
    const all = new Set<string>();
    for (const reply of replies) all.add(hex(await w.certificate(sent, reply)));
    assert.equal(all.size, 1);
    assert.deepEqual(counted(w.kms.since(from)), { GetPublicKey: 1, Decrypt: 5, Sign: 1 });
    w.check();
  });

  test('a request that an approver allows: one Sign, and its two MAC keys once', async () => {
    const w = await kmsWorld({ endpoint: { approval: 'always' } });
    const [instance, admin] = [w.instance(), w.instance()];
    const sent = await enrolling(w);
    let from = w.kms.emulator.calls.length;
    assert.equal((await sent.read((await instance.post(sent)).body)).pkiStatus, 'PENDING');
    assert.deepEqual(counted(w.kms.since(from)), { GetPublicKey: 1, Decrypt: 6 });
    from = w.kms.emulator.calls.length;
    const [transaction] = w.all('transaction');
    const verdict = await decide(admin.deps, transaction?.id ?? '', 'approved', { by: 'somebody' });
    assert.equal(verdict, 'done');
    const purposes = () =>
      w.kms.emulator.calls
        .slice(from)
        .map(({ conditions }) => conditions['kms:EncryptionContext:purpose']);
    assert.deepEqual(purposes(), ['mac-record', 'mac-approval']);
    from = w.kms.emulator.calls.length;
    await w.certificate(sent, await instance.post(sent));
    assert.deepEqual(purposes(), ['mac-approval', undefined]);
    w.check();
  });

  test('a CA whose key was there already', async () => {
    const kms = await openKms();
    const key = await kms.make({ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' });
    const keys = kms.keys();
    const signer = {
      ...keys.signer,
      create: (_ca: string, spec: Parameters<typeof keys.adopt>[1]) => keys.adopt(key, spec),
    };
    const lab = await makeLab({ signer, raKeys: keys.raKeys });
    assert.equal((await lab.deps.cas.of('default')).keyReference, key);
    assert.ok(!kms.since(0).slice(2).includes('CreateKey'));
  });
});

/** The calls of a cold enrolment, in the order in which they come. */
const coldCalls = ['Decrypt', 'GetPublicKey', 'Decrypt', 'Decrypt', 'Decrypt', 'Decrypt', 'Sign'];

describe('one call fails', () => {
  for (const [at, name] of coldCalls.entries()) {
    test(`call ${at}, ${name}, in a way that passes: the device gets its certificate at its first try`, async () => {
      const w = await kmsWorld();
      for (const fault of passingFaults) {
        const instance = w.instance();
        const sent = await enrolling(w, `kms passing ${fault}`);
        const from = w.kms.emulator.calls.length;
        w.kms.emulator.arm((_, n) => (n === at ? fault : undefined));
        await w.certificate(sent, await instance.post(sent));
        w.kms.emulator.disarm();
        const calls = w.kms.since(from);
        assert.equal(calls[at], name, fault);
        assert.equal(calls.length, coldCalls.length + 1, fault);
      }
      assert.equal(w.all('certificate').length, passingFaults.length);
      w.check();
    });

    test(`call ${at}, ${name}, in a way that lasts: 503, an intent that is replaced, one certificate`, async () => {
      const w = await kmsWorld();
      const lasting: readonly KmsFault[] = [...passingFaults, 'denied'];
      for (const fault of lasting) {
        const instance = w.instance({}, impatient());
        const sent = await enrolling(w, `kms lasting ${fault}`);
        const [certificates, transactions] = [w.all('certificate'), w.all('transaction')];
        w.kms.emulator.arm((_, n) => (n >= at ? fault : undefined));
        const said = await out(instance, instance.post(sent));
        assert.match(
          said,
          new RegExp(`^KMS ${name} .*with the key arn:\\S+ failed: .*: \\w`),
          fault,
        );
        w.kms.emulator.disarm();
        const begun = w.all('transaction').slice(transactions.length);
        assert.deepEqual(
          begun.map(({ state }) => state),
          name === 'Sign' ? ['intended'] : [],
        );
        assert.ok(
          w
            .all('certificate')
            .slice(certificates.length)
            .every(({ der }) => !der),
        );
        w.lab.clock.at += LEASE_MS;
        await w.certificate(sent, await instance.post(sent));
        await w.certificate(sent, await instance.post(sent));
        const states = w
          .all('certificate')
          .slice(certificates.length)
          .map(({ state }) => state);
        assert.deepEqual(states, name === 'Sign' ? ['voided', 'issued'] : ['issued'], fault);
        w.check();
      }
    });
  }

  test('an instance that hangs at KMS while another takes over: both give the same certificate', async () => {
    const w = await kmsWorld();
    const [slow, other] = [w.instance({}, awaitingSilence), w.instance()];
    const sent = await enrolling(w);
    const hangs = new Promise<void>((resolve) => {
      let signs = 0;
      w.kms.emulator.arm(({ action }) => {
        if (action !== 'kms:Sign' || signs++ > 0) return undefined;
        resolve();
        return 'silent after';
      });
    });
    const waiting = slow.post(sent);
    await hangs;
    w.lab.clock.at += LEASE_MS;
    const der = await w.certificate(sent, await other.post(sent));
    assert.deepEqual(await w.certificate(sent, await waiting), der);
    assert.deepEqual(
      w.all('certificate').map(({ state }) => state),
      ['voided', 'issued'],
    );
    w.check();
  });
});

describe('a wrong signature is seen before anybody gets it', () => {
  for (const caKey of ['rsa:2048', 'ec:P-256'] as const) {
    for (const [fault, what] of [
      ['corrupted', 'one bit of it is another'],
      ['mixed up', 'it is one over something else'],
    ] as const) {
      test(`${caKey}, ${what}: 503; the intent is replaced, one certificate`, async () => {
        const w = await kmsWorld({ caKey });
        const instance = w.instance();
        const sent = await enrolling(w);
        w.kms.emulator.arm(({ action }) => (action === 'kms:Sign' ? fault : undefined));
        const said = await out(instance, instance.post(sent));
        assert.equal(said, 'the CA key gave a signature that does not verify');
        assert.ok(w.all('certificate').every(({ state, der }) => state === 'intended' && !der));
        w.kms.emulator.disarm();
        w.lab.clock.at += LEASE_MS;
        await w.certificate(sent, await instance.post(sent));
        w.check();
      });

      test(`${caKey}, of a CRL, ${what}: none is published`, async () => {
        const w = await kmsWorld({ caKey });
        const { deps } = w.instance();
        const ca = await deps.cas.of('default');
        const before = await deps.crls.newest('default');
        w.kms.emulator.arm(() => fault);
        const publishing = publishCrl(deps, ca, { actor: { kind: 'system' } });
        await assert.rejects(publishing, /gave a signature that does not verify/);
        assert.deepEqual(await deps.crls.newest('default'), before);
      });
    }
  }

  for (const [at, what] of [
    [1, "the CA's public key"],
    [2, 'the RA key'],
  ] as const) {
    test(`${what} came with a bit changed: that instance answers 503 and signs nothing`, async () => {
      const w = await kmsWorld();
      const instance = w.instance();
      const sent = await enrolling(w);
      const from = w.kms.emulator.calls.length;
      w.kms.emulator.arm((_, n) => (n === at ? 'corrupted' : undefined));
      await out(instance, instance.post(sent));
      assert.ok(!w.kms.since(from).includes('Sign'));
      await w.certificate(sent, await w.instance().post(sent));
      w.check();
    });
  }
});

describe('keys that may not be used', () => {
  type Trouble = [string, (w: KmsWorld, KeyId: string) => Promise<unknown>, RegExp];
  const troubles: Trouble[] = [
    [
      'disabled',
      (w, KeyId) => w.kms.client.send(new DisableKeyCommand({ KeyId })),
      /DisabledException, .*: enable the key$/,
    ],
    [
      'pending deletion',
      (w, KeyId) => w.kms.client.send(new ScheduleKeyDeletionCommand({ KeyId })),
      /KMSInvalidStateException, .*: bring the key back/,
    ],
    [
      'denied',
      async (w, KeyId) =>
        w.kms.emulator.arm(({ resource }) => (resource === KeyId ? 'denied' : undefined)),
      /AccessDeniedException, .*: allow it in the policy/,
    ],
  ];
  for (const [what, happens, sentence] of troubles) {
    test(`a CA's key is ${what}: 503 at its endpoint, what needs no key goes on, and so does another CA`, async () => {
      const w = await kmsWorld(twoCas);
      const instance = w.instance();
      const kept = await enrolling(w, 'kms before');
      await w.certificate(kept, await instance.post(kept));
      const { keyReference } = w.read('authority', 'default');
      await happens(w, keyReference);
      const sent = await enrolling(w);
      const said = await out(instance, instance.post(sent));
      assert.match(said, sentence);
      assert.ok(said.startsWith(`KMS Sign with the key ${keyReference} failed: `));
      await w.certificate(kept, await instance.post(kept));
      assert.equal(await instance.get('/scep?operation=GetCACert'), 200);
      const serial = hex(readCertificate(w.delivered[0] ?? new Uint8Array()).serial);
      const actor = { kind: 'admin', id: 'somebody' } as const;
      assert.equal(
        await revoke(instance.deps, { ca: 'default', serial, reason: 'keyCompromise', actor }),
        'done',
        'a revocation is recorded, and in the next CRL that can be signed',
      );
      const other = await enrolling(w, 'kms other', 'second');
      await w.certificate(other, await instance.post(other, '/scep/second'));
      w.check();
    });
  }

  test("a CA's key is disabled for hours and enabled again: the challenge still enrols", async () => {
    const w = await kmsWorld();
    const instance = w.instance();
    const sent = await enrolling(w);
    const KeyId = w.read('authority', 'default').keyReference;
    await w.kms.client.send(new DisableKeyCommand({ KeyId }));
    for (let hour = 0; hour < 2; hour++) {
      await out(instance, instance.post(sent));
      w.lab.clock.at += LEASE_MS;
    }
    await w.kms.client.send(new EnableKeyCommand({ KeyId }));
    await w.certificate(sent, await instance.post(sent));
    w.check();
  });

  test('the sealing key is disabled: an instance that has opened its keys goes on, one that starts answers 503', async () => {
    const w = await kmsWorld();
    const warm = w.instance();
    const first = await enrolling(w);
    await w.certificate(first, await warm.post(first));
    await w.kms.client.send(new DisableKeyCommand({ KeyId: w.kms.sealingKey }));
    const second = await enrolling(w, 'kms second');
    await w.certificate(second, await warm.post(second));
    const cold = w.instance();
    const sent = await enrolling(w, 'kms cold');
    assert.match(
      await out(cold, cold.post(sent)),
      /^KMS Decrypt of the MAC key for "registry" with the key arn:\S+ failed: DisabledException, .*: enable the key$/,
    );
    await w.kms.client.send(new EnableKeyCommand({ KeyId: w.kms.sealingKey }));
    await w.certificate(sent, await cold.post(sent));
    w.check();
  });
});

describe('records of CAs and keys that cannot be right', () => {
  type Bent = [string, (w: KmsWorld) => Promise<unknown>, RegExp];
  const sealedWith = (w: KmsWorld, sealedKey: string) =>
    w.bend('authority', 'second', (was) => ({
      ...was,
      generations: was.generations.map((generation) => ({ ...generation, sealedKey })),
    }));
  const foreign =
    /^KMS Decrypt of the RA key of the CA "second" with the key arn:\S+ failed: InvalidCiphertextException, .*: it is damaged, or was sealed for another deployment, CA or purpose: restore the record, or make a new one$/;
  const bent: Bent[] = [
    [
      'the sealed RA key of another CA',
      (w) => sealedWith(w, w.read('authority', 'default').generations[0]?.sealedKey ?? ''),
      foreign,
    ],
    [
      'an RA key sealed for this CA in another deployment',
      async (w) => {
        const { raKeys } = w.kms.keys({ deployment: 'other' });
        const { sealed } = await raKeys.generate({ ca: 'second', purpose: 'ra' });
        await sealedWith(w, base64(sealed));
      },
      foreign,
    ],
    [
      'a MAC key in the place of the RA key',
      (w) => sealedWith(w, w.read('macKeys', 'pending').keys[0]?.sealedKey ?? ''),
      foreign,
    ],
    [
      'an RA key that is no sealed key at all',
      (w) => sealedWith(w, base64(new Uint8Array(99))),
      foreign,
    ],
    [
      'an RA key sealed for it, but not that of its certificate',
      async (w) => {
        const { raKeys } = w.kms.keys();
        const { sealed } = await raKeys.generate({ ca: 'second', purpose: 'ra' });
        await sealedWith(w, base64(sealed));
      },
      /^the key of RA generation 1 does not fit its certificate$/,
    ],
    [
      "the key of another CA as the CA's",
      (w) => {
        const { keyReference } = w.read('authority', 'default');
        return w.bend('authority', 'second', (was) => ({ ...was, keyReference }));
      },
      /^the certificate of the CA "second" is not one of its key$/,
    ],
    [
      "the sealing key as the CA's",
      (w) => {
        const keyReference = w.kms.sealingKey;
        return w.bend('authority', 'second', (was) => ({ ...was, keyReference }));
      },
      /^KMS GetPublicKey with the key arn:\S+ failed: UnsupportedOperationException, /,
    ],
    [
      "a key of another account as the CA's",
      (w) =>
        w.bend('authority', 'second', (was) => ({
          ...was,
          keyReference: was.keyReference.replace('111122223333', '444455556666'),
        })),
      /^KMS GetPublicKey with the key arn:\S+ failed: AccessDeniedException, .*: allow it in the policy/,
    ],
  ];
  for (const [what, happens, sentence] of bent) {
    test(`${what}: that CA answers 503 and says why, the other goes on`, async () => {
      const w = await kmsWorld(twoCas);
      const sent = await enrolling(w, 'kms second', 'second');
      await happens(w);
      const instance = w.instance();
      const from = w.kms.emulator.calls.length;
      assert.match(await out(instance, instance.post(sent, '/scep/second')), sentence);
      assert.equal(await instance.get('/scep/second?operation=GetCACert'), 503);
      assert.ok(!w.kms.since(from).includes('Sign'));
      assert.deepEqual(w.all('certificate'), []);
      const other = await enrolling(w);
      await w.certificate(other, await instance.post(other));
      w.check();
    });
  }

  test('the MAC key of another purpose: 503, and no challenge is lost', async () => {
    const w = await kmsWorld();
    const was = w.read('macKeys', 'challenge');
    const sent = await enrolling(w);
    await w.bend('macKeys', 'challenge', () => w.read('macKeys', 'approval'));
    const instance = w.instance();
    assert.match(
      await out(instance, instance.post(sent)),
      /^KMS Decrypt of the MAC key for "challenge" .*InvalidCiphertextException/,
    );
    await w.bend('macKeys', 'challenge', () => was);
    await w.certificate(sent, await instance.post(sent));
    w.check();
  });

  test('a deployment with another name opens nothing of this one', async () => {
    const w = await kmsWorld();
    const instance = w.instance({ deployment: 'other' });
    const sent = await enrolling(w);
    assert.match(await out(instance, instance.post(sent)), /InvalidCiphertextException/);
    await assert.rejects(instance.deps.macKeys.live('challenge'), Outage);
  });
});
