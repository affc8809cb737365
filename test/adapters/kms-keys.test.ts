// Keys in KMS, by the real SDK over HTTP: the adapter's calls, how it reads the answers, and its sentences
// when no answer comes.

import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { describe, test } from 'node:test';
import {
  CreateAliasCommand,
  DescribeKeyCommand,
  DisableKeyCommand,
  EncryptCommand,
  ScheduleKeyDeletionCommand,
} from '@aws-sdk/client-kms';
import { RETRIES, RETRIES_BACK } from '../../lib/adapters/aws/aws.ts';
import { makeKmsClient } from '../../lib/adapters/aws/kms/calls.ts';
import { KmsKeys } from '../../lib/adapters/aws/kms/kms-keys.ts';
import { scan } from '../../lib/asn1/reader.ts';
import { type Bytes, concat, equal, utf8 } from '../../lib/base/bytes.ts';
import { Outage } from '../../lib/base/errors.ts';
import { KMS_REQUEST_MS, MAC_RELOAD_MS } from '../../lib/base/limits.ts';
import { macPurposes } from '../../lib/base/words.ts';
import { digests, type KeySpec, type SigningAlgorithm } from '../../lib/crypto/algorithms.ts';
import { readPublicKey, verifySignature } from '../../lib/x509/public-key.ts';
import { type Kms, openKms } from '../support/kms.ts';
import { type KmsFault, passingFaults } from '../support/kms-emulator.ts';
import { awaitingSilence, impatient } from '../support/timers.ts';

const rsa: KeySpec = { type: 'RSA', bits: 2048 };
const sha256: SigningAlgorithm = { kind: 'RSASSA-PKCS1-v1_5', digest: 'SHA-256' };
const tbs = utf8('a TBSCertificate');
const ra = { ca: 'default', purpose: 'ra' } as const;

const outage = (work: Promise<unknown>, pattern: RegExp): Promise<void> =>
  assert.rejects(work, (error: Error) => {
    assert.ok(error instanceof Outage, String(error));
    assert.match(error.message, pattern);
    return true;
  });

async function verified(
  keys: KmsKeys,
  reference: string,
  algorithm: SigningAlgorithm,
  octets: Bytes = tbs,
): Promise<boolean> {
  const key = readPublicKey(scan(await keys.signer.publicKey(reference)));
  assert.ok(key);
  const scheme = { kind: algorithm.kind, digest: digests[algorithm.digest] };
  const { octets: signature } = await keys.signer.sign(reference, algorithm, octets);
  return verifySignature(key, scheme, octets, signature);
}

describe('CA keys', () => {
  const specs: [string, KeySpec, SigningAlgorithm[]][] = [
    ['RSA_2048', rsa, [sha256, { ...sha256, digest: 'SHA-384' }, { ...sha256, digest: 'SHA-512' }]],
    ['RSA_3072', { type: 'RSA', bits: 3072 }, [sha256]],
    ['ECC_NIST_P256', { type: 'EC', curve: 'P-256' }, [{ kind: 'ECDSA', digest: 'SHA-256' }]],
    ['ECC_NIST_P384', { type: 'EC', curve: 'P-384' }, [{ kind: 'ECDSA', digest: 'SHA-384' }]],
  ];
  for (const [name, spec, algorithms] of specs) {
    test(`${name}: made, found by its ARN, signs digests that verify`, async () => {
      const kms = await openKms();
      const from = kms.emulator.calls.length;
      const reference = await kms.keys().signer.create('default', spec);
      assert.match(reference, /^arn:aws:kms:eu-central-1:111122223333:key\//);
      const [made] = kms.emulator.calls.slice(from);
      assert.deepEqual(made?.conditions, {
        'kms:KeySpec': name,
        'kms:KeyUsage': 'SIGN_VERIFY',
        'aws:RequestTag/scepter:deployment': 'test',
        'aws:RequestTag/scepter:ca': 'default',
      });
      // Another instance, which has not made it.
      const keys = kms.keys();
      for (const algorithm of algorithms) assert.ok(await verified(keys, reference, algorithm));
      const signed = kms.emulator.calls.filter(({ action }) => action === 'kms:Sign');
      const kind = spec.type === 'RSA' ? 'RSASSA_PKCS1_V1_5' : 'ECDSA';
      assert.deepEqual(
        signed.map(({ resource, conditions }) => [resource, conditions]),
        algorithms.map(({ digest }) => [
          reference,
          {
            'kms:SigningAlgorithm': `${kind}_${digest.replace('-', '_')}`,
            'kms:MessageType': 'DIGEST',
          },
        ]),
      );
    });
  }

  test('a multi-Region key is called in the own region, whatever region its ARN names; others are not', async () => {
    const kms = await openKms();
    const elsewhere = async (MultiRegion: boolean) => {
      const spec = { KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY', MultiRegion } as const;
      const arn = await kms.make(spec);
      return arn.replace(':eu-central-1:', ':us-west-2:');
    };
    assert.ok(await verified(kms.keys(), await elsewhere(true), sha256));
    await outage(
      verified(kms.keys(), await elsewhere(false), sha256),
      /NotFoundException.*name a key that is in this region/,
    );
  });

  test('a TBSCertList of more octets than KMS takes is signed', async () => {
    const kms = await openKms();
    const keys = kms.keys();
    const reference = await keys.signer.create('default', rsa);
    assert.ok(await verified(keys, reference, sha256, new Uint8Array(1_000_000)));
  });

  test('a public key is asked for once per instance, however many callers want it at once', async () => {
    const kms = await openKms();
    const reference = await kms.keys().signer.create('default', rsa);
    const { signer } = kms.keys();
    const from = kms.emulator.calls.length;
    kms.emulator.arm((_, at) => (at === 0 ? 'denied' : undefined));
    await outage(signer.publicKey(reference), /AccessDeniedException/);
    const all = await Promise.all(Array.from({ length: 9 }, () => signer.publicKey(reference)));
    assert.ok(all.every((spki) => equal(spki, all[0] ?? new Uint8Array())));
    assert.deepEqual(kms.since(from), ['GetPublicKey', 'GetPublicKey']);
  });

  test('a key that KMS has made is waited for until all of KMS knows it', async () => {
    const kms = await openKms();
    const from = kms.emulator.calls.length;
    kms.emulator.arm((_, at) => (at === 1 || at === 2 ? 'not known yet' : undefined));
    await kms.keys().signer.create('default', rsa);
    const get = 'GetPublicKey';
    assert.deepEqual(kms.since(from), ['CreateKey', get, get, get]);
  });

  test('CreateKey is made again when KMS was too busy, never when it may have made a key', async () => {
    const kms = await openKms();
    for (const [fault, calls] of [
      ['throttled', 3],
      ['lost after', 1],
      ['internal error after', 1],
    ] as const) {
      const from = kms.emulator.calls.length;
      kms.emulator.arm((_, at) => (at === 0 ? fault : undefined));
      const making = kms.keys().signer.create('default', rsa);
      if (calls === 1)
        await outage(making, /^KMS CreateKey of a key for the CA "default" failed: /);
      else await making;
      assert.equal(kms.since(from).length, calls, fault);
    }
  });

  test('an existing key is adopted by id, ARN or alias; its reference is the ARN', async () => {
    const kms = await openKms();
    const arn = await kms.make({ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' });
    const id = arn.split('/').at(-1) ?? '';
    const alias = { AliasName: 'alias/our-ca', TargetKeyId: id };
    await kms.client.send(new CreateAliasCommand(alias));
    for (const name of [id, arn, 'alias/our-ca']) {
      const keys = kms.keys();
      assert.equal(await keys.adopt(name, rsa), arn);
      assert.ok(await verified(keys, arn, sha256));
    }
  });

  test('a key that cannot be a CA key is not adopted; the sentence says why and what to do', async () => {
    const kms = await openKms();
    const refused = (key: string, spec: KeySpec, pattern: RegExp) =>
      outage(kms.keys().adopt(key, spec), pattern);
    const key = await kms.make({ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' });
    await refused(
      kms.sealingKey,
      rsa,
      /cannot be a CA's: its usage is ENCRYPT_DECRYPT and not SIGN_VERIFY: name another$/,
    );
    await refused(
      key,
      { type: 'RSA', bits: 3072 },
      /its spec is RSA_2048 and the configuration has RSA_3072: name another, or change that$/,
    );
    await refused(
      key.replace('111122223333', '444455556666'),
      rsa,
      /^KMS DescribeKey with the key arn:\S+ failed: AccessDeniedException, .*: allow it in the policy/,
    );
    await refused(
      'alias/none',
      rsa,
      /NotFoundException, Alias .*: name a key that is in this region/,
    );
    await kms.client.send(new DisableKeyCommand({ KeyId: key }));
    await refused(key, rsa, /its state is Disabled and not Enabled: enable it, or name another$/);
  });

  test('a key of another account than the sealing key is not adopted, though KMS would let us', async () => {
    const [kms, other] = [await openKms(), await openKms()];
    const theirs = await other.make({ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' });
    // What the other KMS says of its key, with the number of another account in it.
    const client = makeKmsClient({
      endpoint: kms.emulator.url,
      region: 'eu-central-1',
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    });
    client.middlewareStack.add(
      (next) => async (args) => {
        if ((args.input as { KeyId?: string }).KeyId !== theirs) return next(args);
        const { KeyMetadata } = await other.client.send(new DescribeKeyCommand({ KeyId: theirs }));
        const output = { KeyMetadata: { ...KeyMetadata, AWSAccountId: '444455556666' } };
        return { output, response: {} } as never;
      },
      { step: 'initialize' },
    );
    const settings = {
      deployment: 'test',
      sealingKey: kms.sealingKey,
      readMacKeys: async () => [],
    };
    await outage(
      new KmsKeys(settings, client).adopt(theirs, rsa),
      /it is of the account 444455556666 and the sealing key of 111122223333: name one of that$/,
    );
    client.destroy();
  });

  test('a record that names something other than a CA key is an Outage that says so', async () => {
    const kms = await openKms();
    const sealing = await kms.make({ KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' });
    await outage(
      kms.keys().signer.publicKey(sealing),
      /cannot sign here: its usage is ENCRYPT_DECRYPT and its spec RSA_2048: restore the CA's record, or name another key of the logs$/,
    );
    await outage(
      kms.keys().signer.sign(kms.sealingKey, sha256, tbs),
      /^KMS Sign with the key arn:\S+ failed: InvalidKeyUsageException, .*: name a key of the right usage/,
    );
  });
});

describe('RA keys', () => {
  test('KMS makes an RA key pair whose halves fit and whose seal names deployment, CA and purpose', async () => {
    const kms = await openKms();
    const from = kms.emulator.calls.length;
    const { spki, sealed } = await kms.keys().raKeys.generate(ra);
    const pkcs8 = await kms.keys().raKeys.unseal(sealed, ra);
    const key = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' });
    assert.ok(createPublicKey(key).export({ format: 'der', type: 'spki' }).equals(spki));
    const context = {
      'kms:EncryptionContext:deployment': 'test',
      'kms:EncryptionContext:ca': 'default',
      'kms:EncryptionContext:purpose': 'ra',
    };
    assert.deepEqual(
      kms.emulator.calls.slice(from).map(({ caller: _caller, ...call }) => call),
      [
        {
          action: 'kms:GenerateDataKeyPairWithoutPlaintext',
          resource: kms.sealingKey,
          conditions: { 'kms:DataKeyPairSpec': 'RSA_2048', ...context },
        },
        { action: 'kms:Decrypt', resource: kms.sealingKey, conditions: context },
      ],
    );
  });

  test('an RA key is opened once per instance, however many callers want it at once', async () => {
    const kms = await openKms();
    const { sealed } = await kms.keys().raKeys.generate(ra);
    const { raKeys } = kms.keys();
    const from = kms.emulator.calls.length;
    kms.emulator.arm((_, at) => (at === 0 ? 'denied' : undefined));
    await outage(raKeys.unseal(sealed, ra), /AccessDenied/);
    const all = await Promise.all(Array.from({ length: 9 }, () => raKeys.unseal(sealed, ra)));
    assert.ok(all.every((pkcs8) => equal(pkcs8, all[0] ?? new Uint8Array())));
    await raKeys.unseal(concat([sealed]), ra);
    assert.deepEqual(kms.since(from), ['Decrypt', 'Decrypt']);
  });

  test('a key sealed for another CA, deployment or purpose, or a damaged one, does not open', async () => {
    const kms = await openKms();
    const keys = kms.keys();
    const { sealed } = await keys.raKeys.generate(ra);
    const foreign =
      /^KMS Decrypt of the RA key of the CA "\w+" with the key arn:\S+ failed: InvalidCiphertextException, .*: it is damaged, or was sealed for another deployment, CA or purpose: restore the record/;
    await outage(keys.raKeys.unseal(sealed, { ...ra, ca: 'other' }), foreign);
    await outage(kms.keys({ deployment: 'other' }).raKeys.unseal(sealed, ra), foreign);
    const mac = await keys.makeMacKey('pending');
    await outage(keys.raKeys.unseal(mac.sealed, ra), foreign);
    const damaged = concat([sealed]);
    damaged[200] = (damaged[200] ?? 0) ^ 1;
    await outage(keys.raKeys.unseal(damaged, ra), foreign);
    await outage(keys.raKeys.unseal(sealed.subarray(0, 100), ra), foreign);
    await keys.raKeys.unseal(sealed, ra);
  });

  test('a key that another sealing key has sealed does not open', async () => {
    const kms = await openKms();
    const { sealed } = await kms.keys({ sealingKey: await kms.make() }).raKeys.generate(ra);
    await outage(
      kms.keys().raKeys.unseal(sealed, ra),
      /IncorrectKeyException, .*: it was sealed with another key: name that one as the sealing key$/,
    );
  });

  test('other octets sealed for an RA key are not taken for one', async () => {
    const kms = await openKms();
    const [ec, small] = [
      generateKeyPairSync('ec', { namedCurve: 'P-256' }),
      generateKeyPairSync('rsa', { modulusLength: 1024 }),
    ].map(({ privateKey }) => privateKey.export({ format: 'der', type: 'pkcs8' }));
    for (const Plaintext of [ec, small, Buffer.from('text')]) {
      const EncryptionContext = { deployment: 'test', ...ra };
      const { CiphertextBlob = new Uint8Array() } = await kms.client.send(
        new EncryptCommand({ KeyId: kms.sealingKey, Plaintext, EncryptionContext }),
      );
      await outage(
        kms.keys().raKeys.unseal(concat([CiphertextBlob]), ra),
        /gave something else than such a key: restore the record$/,
      );
    }
  });
});

describe('MAC keys', () => {
  test('each purpose has its own MAC key of 32 octets, and one sealed for a purpose opens for no other', async () => {
    const kms = await openKms();
    await kms.initMacKeys(kms.keys());
    const { macKeys } = kms.keys();
    const from = kms.emulator.calls.length;
    const live = await Promise.all(macPurposes.map((purpose) => macKeys.live(purpose)));
    assert.equal(new Set(live.map(([{ key }]) => key.join())).size, macPurposes.length);
    for (const [{ id, key }] of live) {
      assert.match(id, /^[0-9a-f]{8}$/);
      assert.equal(key.length, 32);
    }
    assert.deepEqual(
      kms.emulator.calls.slice(from).map(({ action, conditions }) => [action, conditions]),
      macPurposes.map((purpose) => [
        'kms:Decrypt',
        {
          'kms:EncryptionContext:deployment': 'test',
          'kms:EncryptionContext:purpose': `mac-${purpose}`,
        },
      ]),
    );
    kms.onRecord.set('approval', kms.onRecord.get('pending') ?? []);
    await outage(
      kms.keys().macKeys.live('approval'),
      /^KMS Decrypt of the MAC key for "approval" .*InvalidCiphertextException/,
    );
  });

  test('MAC keys are read again after a while, and only new ones are opened', async () => {
    const kms = await openKms();
    let at = 0;
    const { macKeys } = kms.keys({}, { ...impatient(), now: () => at });
    await kms.initMacKeys(kms.keys());
    const before = await macKeys.live('challenge');
    const next = await kms.keys().makeMacKey('challenge');
    const [old] = kms.onRecord.get('challenge') ?? [];
    assert.ok(old);
    kms.onRecord.set('challenge', [next, old]);
    const from = kms.emulator.calls.length;
    at = MAC_RELOAD_MS - 1;
    assert.equal(await macKeys.live('challenge'), before);
    at = MAC_RELOAD_MS;
    const after = await Promise.all([macKeys.live('challenge'), macKeys.live('challenge')]);
    for (const keys of after)
      assert.deepEqual(
        keys.map(({ id }) => id),
        [next.id, old.id],
      );
    assert.deepEqual(kms.since(from), ['Decrypt']);
  });

  test('missing MAC keys, or a record of something else, are an Outage that says so', async () => {
    const kms = await openKms();
    await outage(
      kms.keys().macKeys.live('pending'),
      /^the MAC key for "pending" is not on record: run "scepter ca init", or, if it was removed, "scepter ca mac-keys --restore FILE"$/,
    );
    const EncryptionContext = { deployment: 'test', purpose: 'mac-pending' };
    const Plaintext = new Uint8Array(16);
    const { CiphertextBlob = new Uint8Array() } = await kms.client.send(
      new EncryptCommand({ KeyId: kms.sealingKey, Plaintext, EncryptionContext }),
    );
    kms.onRecord.set('pending', [{ id: 'short', sealed: concat([CiphertextBlob]) }]);
    await outage(kms.keys().macKeys.live('pending'), /gave something else than such a key/);
  });

  test('a record of MAC keys that could not be read is read again with the next request', async () => {
    const kms = await openKms();
    await kms.initMacKeys(kms.keys());
    let down = true;
    const readMacKeys = async () => {
      if (down) throw new Outage('the table is down');
      return kms.onRecord.get('challenge') ?? [];
    };
    const { macKeys } = kms.keys({ readMacKeys });
    await outage(macKeys.live('challenge'), /^the table is down$/);
    down = false;
    assert.equal((await macKeys.live('challenge')).length, 1);
  });
});

describe('trouble', () => {
  const asked: [string, (kms: Kms, keys: KmsKeys) => Promise<() => Promise<unknown>>][] = [
    [
      'Sign',
      async (kms, keys) => {
        const key = await kms.make({ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' });
        return () => keys.signer.sign(key, sha256, tbs);
      },
    ],
    [
      'GetPublicKey',
      async (kms, keys) => {
        const key = await kms.make({ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' });
        return () => keys.signer.publicKey(key);
      },
    ],
    [
      'Decrypt',
      async (_kms, keys) => {
        const { sealed } = await keys.raKeys.generate(ra);
        return () => keys.raKeys.unseal(sealed, ra);
      },
    ],
  ];
  for (const [name, prepare] of asked) {
    test(`${name}: what passes is not seen, whatever it is`, async () => {
      const kms = await openKms();
      const keys = kms.keys();
      for (const fault of passingFaults) {
        const ask = await prepare(kms, keys);
        const from = kms.emulator.calls.length;
        kms.emulator.arm((_, at) => (at === 0 ? fault : undefined));
        await ask();
        assert.deepEqual(kms.since(from), [name, name], fault);
      }
    });

    test(`${name}: what lasts is an Outage when the time is over; then it works again`, async () => {
      for (const fault of ['throttled', 'internal error', 'lost after'] as const) {
        const kms = await openKms();
        const time = impatient();
        const ask = await prepare(kms, kms.keys({}, time));
        const from = { calls: kms.emulator.calls.length, at: time.now() };
        kms.emulator.arm(() => fault);
        await outage(ask(), new RegExp(`^KMS ${name} .*failed: .*, tried \\d+ times`));
        const [tries, waited] = [kms.since(from.calls).length, time.now() - from.at];
        assert.ok(
          tries > 5 && waited > KMS_REQUEST_MS / 2 && waited <= KMS_REQUEST_MS,
          `${waited}`,
        );
        kms.emulator.disarm();
        await ask();
        await kms.stop();
      }
    });
  }

  test('a signature names the request of each try that was answered, and counts the others', async () => {
    const kms = await openKms();
    const key = await kms.make({ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' });
    const { signer } = kms.keys({}, awaitingSilence);
    const signed = async (fault?: KmsFault) => {
      const from = kms.emulator.trail.length;
      kms.emulator.arm((_, at) => (at === 0 ? fault : undefined));
      const { requests } = await signer.sign(key, sha256, tbs);
      const known = kms.emulator.trail.slice(from).map(({ requestID }) => requestID);
      return { requests, known };
    };
    for (const fault of [
      undefined,
      'throttled',
      'internal error',
      'internal error after',
    ] as const) {
      const { requests, known } = await signed(fault);
      assert.deepEqual(requests, { kms: known }, fault);
      assert.equal(known.length, fault ? 2 : 1);
    }
    for (const fault of ['lost before', 'silent before', 'lost after', 'silent after'] as const) {
      const { requests, known } = await signed(fault);
      assert.deepEqual(requests, { kms: known.slice(-1), unanswered: 1 }, fault);
      assert.equal(known.length, fault.endsWith('after') ? 2 : 1);
    }
  });

  test('waits between tries differ, so that callers that were throttled together spread out', async () => {
    const kms = await openKms();
    const key = await kms.make({ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' });
    const waits: number[] = [];
    const time = { ...impatient(), sleep: async (ms: number) => void waits.push(ms) };
    kms.emulator.arm((_, at) => (at < 12 ? 'throttled' : undefined));
    await kms.keys({}, time).signer.sign(key, sha256, tbs);
    assert.equal(waits.length, 12);
    assert.equal(new Set(waits).size, 12);
    for (const [tries, ms] of waits.entries()) assert.ok(ms <= Math.min(400, 20 * 2 ** tries));
  });

  test('while KMS throttles all, callers are told at once, until it answers again', async () => {
    const kms = await openKms();
    const key = await kms.make({ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' });
    const { signer } = kms.keys({}, impatient());
    const tries = async (): Promise<number> => {
      const from = kms.emulator.calls.length;
      await outage(signer.sign(key, sha256, tbs), /ThrottlingException/);
      return kms.since(from).length;
    };
    kms.emulator.arm(() => 'throttled');
    let repeated = 0;
    for (let call = 0; call < 10; call++) repeated += (await tries()) - 1;
    // One is taken and not used where the time is over.
    assert.ok(repeated <= RETRIES && repeated > RETRIES / 2, `${repeated}`);
    assert.equal(await tries(), 1);
    kms.emulator.disarm();
    for (let call = 0; call < 1 / RETRIES_BACK; call++) await signer.sign(key, sha256, tbs);
    kms.emulator.arm(() => 'throttled');
    assert.equal(await tries(), 2);
    // What failed in another way was not KMS's wish to be asked less.
    const from = kms.emulator.calls.length;
    kms.emulator.arm((_, at) => (at === 0 ? 'internal error' : undefined));
    await signer.sign(key, sha256, tbs);
    assert.equal(kms.since(from).length, 2);
  });

  test('KMS is asked again when it does not answer', async () => {
    const kms = await openKms();
    const key = await kms.make({ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' });
    const from = kms.emulator.calls.length;
    kms.emulator.arm((_, at) => (at === 0 ? 'silent after' : undefined));
    await kms.keys({}, awaitingSilence).signer.sign(key, sha256, tbs);
    assert.deepEqual(kms.since(from), ['Sign', 'Sign']);
  });

  type Trouble = [string, (kms: Kms, key: string) => Promise<unknown>, RegExp];
  const armed = (fault: KmsFault) => async (kms: Kms) => kms.emulator.arm(() => fault);
  const lasting: Trouble[] = [
    [
      'throttled',
      armed('throttled'),
      /^KMS Sign with the key arn:\S+ failed: ThrottlingException, Rate exceeded, request [\w-]+, tried \d+ times: raise the account's quota of KMS requests, or let others make fewer$/,
    ],
    [
      'denied',
      armed('denied'),
      /^KMS Sign with the key arn:\S+ failed: AccessDeniedException, [^:]+: allow it in the policy of this process's role and in the key's own$/,
    ],
    [
      'disabled',
      (kms, KeyId) => kms.client.send(new DisableKeyCommand({ KeyId })),
      /DisabledException, arn:\S+ is disabled\., request [\w-]+: enable the key$/,
    ],
    [
      'pending deletion',
      (kms, KeyId) => kms.client.send(new ScheduleKeyDeletionCommand({ KeyId })),
      /KMSInvalidStateException, arn:\S+ is pending deletion\., request [\w-]+: bring the key back: cancel its deletion, then enable it$/,
    ],
    [
      'not there',
      (kms) => kms.stop(),
      /^KMS Sign with the key arn:\S+ failed: no answer in eu-central-1, .*ECONNREFUSED.*, tried \d+ times: see the route to KMS, AWS_REGION and AWS_ENDPOINT_URL_KMS$/,
    ],
  ];
  for (const [what, happens, sentence] of lasting) {
    test(`${what}: a sentence that names the key, what KMS said and what to do`, async () => {
      const kms = await openKms();
      const key = await kms.make({ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' });
      const { signer } = kms.keys({}, impatient());
      await happens(kms, key);
      const from = kms.emulator.calls.length;
      await outage(signer.sign(key, sha256, tbs), sentence);
      // A refusal is not asked for twice.
      if (!/tried/.test(sentence.source)) assert.deepEqual(kms.since(from), ['Sign']);
    });
  }

  test('missing credentials are an Outage at once, without a call', async () => {
    const kms = await openKms();
    const key = await kms.make({ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' });
    const none = Object.assign(new Error('Could not load credentials from any providers'), {
      name: 'CredentialsProviderError',
    });
    const { url: endpoint, region } = kms.emulator;
    const client = makeKmsClient({ endpoint, region, credentials: () => Promise.reject(none) });
    const settings = {
      deployment: 'test',
      sealingKey: kms.sealingKey,
      readMacKeys: async () => [],
    };
    const from = kms.emulator.calls.length;
    await outage(
      new KmsKeys(settings, client).signer.sign(key, sha256, tbs),
      /failed: CredentialsProviderError, Could not load .*: give this process a role, or set AWS_PROFILE$/,
    );
    assert.deepEqual(kms.since(from), []);
  });
});
