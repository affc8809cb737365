// What KMS does about signatures: RAW and DIGEST, limits, mismatches.

import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import {
  type CreateKeyCommandInput,
  GenerateDataKeyPairWithoutPlaintextCommand,
  GenerateDataKeyWithoutPlaintextCommand,
  GetPublicKeyCommand,
  type KMSClient,
  type MessageType,
  SignCommand,
  type SigningAlgorithmSpec,
  VerifyCommand,
} from '@aws-sdk/client-kms';
import {
  type Check,
  digest,
  message,
  nodeDigest,
  refuses,
  rsaAlgorithms,
  sealed,
  sign,
  signing,
  symmetric,
} from './asking.ts';

/** By node:crypto, with the key that GetPublicKey gives. */
async function verifies(
  kms: KMSClient,
  KeyId: string,
  algorithm: string,
  signature: Uint8Array,
  octets: Uint8Array = message,
): Promise<boolean> {
  const { PublicKey } = await kms.send(new GetPublicKeyCommand({ KeyId }));
  assert.ok(PublicKey);
  const key = createPublicKey({ key: Buffer.from(PublicKey), format: 'der', type: 'spki' });
  return verify(nodeDigest(algorithm), octets, key, signature);
}

const signs =
  (KeySpec: CreateKeyCommandInput['KeySpec'], type: MessageType, ...all: SigningAlgorithmSpec[]) =>
  async (kms: KMSClient): Promise<void> => {
    const key = await signing(kms, KeySpec);
    for (const algorithm of all) {
      const signature = await sign(kms, key, algorithm, type);
      assert.ok(await verifies(kms, key, algorithm, signature), algorithm);
    }
  };
export const signatureChecks: Readonly<Record<string, Check>> = {
  'RAW, RSA: a signature over the message': signs('RSA_2048', 'RAW', ...rsaAlgorithms),
  'RAW, P-256: a signature over the message': signs('ECC_NIST_P256', 'RAW', 'ECDSA_SHA_256'),
  'RAW, P-384: a signature over the message': signs('ECC_NIST_P384', 'RAW', 'ECDSA_SHA_384'),
  'DIGEST, RSA: a signature over the message of that digest': signs(
    'RSA_2048',
    'DIGEST',
    ...rsaAlgorithms,
  ),
  'DIGEST, P-256: a signature over the message of that digest': signs(
    'ECC_NIST_P256',
    'DIGEST',
    'ECDSA_SHA_256',
  ),
  'DIGEST, P-384: a signature over the message of that digest': signs(
    'ECC_NIST_P384',
    'DIGEST',
    'ECDSA_SHA_384',
  ),
  'RAW takes 4,096 octets and no more': async (kms) => {
    const KeyId = await signing(kms);
    const [algorithm] = rsaAlgorithms;
    const most = Buffer.alloc(4096, 1);
    const signature = await sign(kms, KeyId, algorithm, 'RAW', most);
    assert.ok(await verifies(kms, KeyId, algorithm, signature, most));
    const more = sign(kms, KeyId, algorithm, 'RAW', Buffer.alloc(4097, 1));
    await refuses(more, 'ValidationException');
  },
  'DIGEST takes that of a message of any length': async (kms) => {
    const KeyId = await signing(kms);
    const [algorithm] = rsaAlgorithms;
    const long = Buffer.alloc(100_000, 1);
    const signature = await sign(kms, KeyId, algorithm, 'DIGEST', long);
    assert.ok(await verifies(kms, KeyId, algorithm, signature, long));
  },
  'a digest of another length is refused': async (kms) => {
    const KeyId = await signing(kms);
    const [SigningAlgorithm] = rsaAlgorithms;
    const Message = digest('SHA_384');
    const command = new SignCommand({ KeyId, SigningAlgorithm, Message, MessageType: 'DIGEST' });
    await refuses(kms.send(command), 'ValidationException');
  },
  'an algorithm of another type of key is refused': async (kms) => {
    const key = await signing(kms);
    await refuses(sign(kms, key, 'ECDSA_SHA_256', 'RAW'), 'InvalidKeyUsageException');
    const curve = await signing(kms, 'ECC_NIST_P384');
    await refuses(sign(kms, curve, 'ECDSA_SHA_256', 'RAW'), 'InvalidKeyUsageException');
  },
  'a key that seals does not sign': async (kms) => {
    await refuses(
      sign(kms, await symmetric(kms), rsaAlgorithms[0], 'RAW'),
      'InvalidKeyUsageException',
    );
  },
  'a key that signs does not seal': async (kms) => {
    await refuses(sealed(kms, await signing(kms)), 'InvalidKeyUsageException');
  },
  'a key that signs makes no data keys': async (kms) => {
    const KeyId = await signing(kms);
    const command = new GenerateDataKeyWithoutPlaintextCommand({ KeyId, NumberOfBytes: 32 });
    await refuses(kms.send(command), 'InvalidKeyUsageException');
  },
  'a key that signs makes no data key pairs': async (kms) => {
    const KeyId = await signing(kms);
    const input = { KeyId, KeyPairSpec: 'RSA_2048' } as const;
    const command = new GenerateDataKeyPairWithoutPlaintextCommand(input);
    await refuses(kms.send(command), 'InvalidKeyUsageException');
  },
  'Verify, RAW: of what was signed as a digest, and of nothing else': async (kms) => {
    for (const [spec, SigningAlgorithm] of [
      ['RSA_2048', rsaAlgorithms[0]],
      ['ECC_NIST_P256', 'ECDSA_SHA_256'],
    ] as const) {
      const KeyId = await signing(kms, spec);
      const Signature = await sign(kms, KeyId, SigningAlgorithm, 'DIGEST');
      const told = { KeyId, SigningAlgorithm, Signature };
      const good = await kms.send(new VerifyCommand({ ...told, Message: message }));
      assert.equal(good.SignatureValid, true);
      const other = new VerifyCommand({ ...told, Message: Buffer.from('another') });
      await refuses(kms.send(other), 'KMSInvalidSignatureException');
    }
  },
  'Verify, DIGEST: of what was signed RAW, and of nothing else': async (kms) => {
    for (const [spec, SigningAlgorithm] of [
      ['RSA_2048', rsaAlgorithms[0]],
      ['ECC_NIST_P256', 'ECDSA_SHA_256'],
    ] as const) {
      const KeyId = await signing(kms, spec);
      const Signature = await sign(kms, KeyId, SigningAlgorithm, 'RAW');
      const told = { KeyId, SigningAlgorithm, Signature, MessageType: 'DIGEST' } as const;
      const Message = digest(SigningAlgorithm);
      assert.equal((await kms.send(new VerifyCommand({ ...told, Message }))).SignatureValid, true);
      const other = new VerifyCommand({ ...told, Message: Buffer.alloc(Message.length) });
      await refuses(kms.send(other), 'KMSInvalidSignatureException');
    }
  },
};
