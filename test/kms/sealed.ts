// What KMS does about what it seals: blobs, data keys and key pairs, and their context.

import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import {
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyPairWithoutPlaintextCommand,
  GenerateDataKeyWithoutPlaintextCommand,
} from '@aws-sdk/client-kms';
import { type Check, EncryptionContext, open, refuses, sealed, symmetric } from './asking.ts';

export const sealedChecks: Readonly<Record<string, Check>> = {
  'what is sealed opens with the same context in any order, with and without its key': async (
    kms,
  ) => {
    const KeyId = await symmetric(kms);
    const blob = await sealed(kms, KeyId);
    const { deployment, ca, purpose } = EncryptionContext;
    for (const named of [undefined, KeyId]) {
      const opened = await open(kms, blob, { purpose, ca, deployment }, named);
      assert.equal(Buffer.from(opened.Plaintext ?? []).toString(), 'a secret');
      assert.equal(opened.KeyId, KeyId);
    }
  },
  'it does not open with another context, part of it, more than it, or none': async (kms) => {
    const blob = await sealed(kms, await symmetric(kms));
    const { ca: _ca, ...part } = EncryptionContext;
    for (const other of [
      { ...EncryptionContext, ca: 'other' },
      part,
      { ...EncryptionContext, more: 'x' },
      {},
    ]) {
      await refuses(open(kms, blob, other), 'InvalidCiphertextException');
    }
  },
  'it does not open when a bit of it is another': async (kms) => {
    const KeyId = await symmetric(kms);
    const blob = Buffer.from(await sealed(kms, KeyId));
    const last = blob.length - 1;
    blob[last] = (blob[last] ?? 0) ^ 1;
    await refuses(open(kms, blob, EncryptionContext, KeyId), 'InvalidCiphertextException');
  },
  'what is no sealed blob at all does not open': async (kms) => {
    const KeyId = await symmetric(kms);
    const garbage = Buffer.alloc(150, 7);
    await refuses(open(kms, garbage, EncryptionContext, KeyId), 'InvalidCiphertextException');
  },
  'it does not open with the name of another key': async (kms) => {
    const blob = await sealed(kms, await symmetric(kms));
    const other = await symmetric(kms);
    await refuses(open(kms, blob, EncryptionContext, other), 'IncorrectKeyException');
  },
  'Encrypt takes 4,096 octets and no more': async (kms) => {
    const KeyId = await symmetric(kms);
    await kms.send(new EncryptCommand({ KeyId, Plaintext: Buffer.alloc(4096, 1) }));
    const more = new EncryptCommand({ KeyId, Plaintext: Buffer.alloc(4097, 1) });
    await refuses(kms.send(more), 'ValidationException');
  },
  'a data key of 32 octets, in clear and sealed': async (kms) => {
    const KeyId = await symmetric(kms);
    const input = { KeyId, NumberOfBytes: 32, EncryptionContext };
    const { Plaintext = [], CiphertextBlob = new Uint8Array() } = await kms.send(
      new GenerateDataKeyCommand(input),
    );
    const opened = await open(kms, CiphertextBlob);
    assert.deepEqual([...(opened.Plaintext ?? [])], [...Plaintext]);
    assert.equal(opened.Plaintext?.length, 32);
  },
  'a data key that nobody has seen in clear': async (kms) => {
    const KeyId = await symmetric(kms);
    const input = { KeyId, NumberOfBytes: 32, EncryptionContext };
    const reply = await kms.send(new GenerateDataKeyWithoutPlaintextCommand(input));
    assert.ok(!('Plaintext' in reply) || reply.Plaintext === undefined);
    const opened = await open(kms, reply.CiphertextBlob ?? new Uint8Array());
    assert.equal(opened.Plaintext?.length, 32);
    await refuses(
      open(kms, reply.CiphertextBlob ?? new Uint8Array(), {}),
      'InvalidCiphertextException',
    );
  },
  'a data key needs a spec or a length, and not both': async (kms) => {
    const KeyId = await symmetric(kms);
    for (const more of [{}, { KeySpec: 'AES_256', NumberOfBytes: 32 }] as const) {
      const command = new GenerateDataKeyWithoutPlaintextCommand({ KeyId, ...more });
      await refuses(kms.send(command), 'ValidationException');
    }
  },
  'a key pair: its public half in clear, the other sealed PKCS#8': async (kms) => {
    const KeyId = await symmetric(kms);
    const input = { KeyId, KeyPairSpec: 'RSA_2048', EncryptionContext } as const;
    const made = await kms.send(new GenerateDataKeyPairWithoutPlaintextCommand(input));
    const blob = made.PrivateKeyCiphertextBlob ?? new Uint8Array();
    const { Plaintext = new Uint8Array() } = await open(kms, blob);
    const pkcs8 = { key: Buffer.from(Plaintext), format: 'der', type: 'pkcs8' } as const;
    const spki = createPublicKey(createPrivateKey(pkcs8)).export({ format: 'der', type: 'spki' });
    assert.ok(spki.equals(Buffer.from(made.PublicKey ?? [])));
    assert.equal(
      createPublicKey(createPrivateKey(pkcs8)).asymmetricKeyDetails?.modulusLength,
      2048,
    );
    await refuses(
      open(kms, blob, { ...EncryptionContext, purpose: 'mac' }),
      'InvalidCiphertextException',
    );
  },
};
