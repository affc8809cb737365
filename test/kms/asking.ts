// Short words for what the checks of KMS ask for.

import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import {
  CreateKeyCommand,
  type CreateKeyCommandInput,
  DecryptCommand,
  EncryptCommand,
  type KMSClient,
  type MessageType,
  SignCommand,
  type SigningAlgorithmSpec,
} from '@aws-sdk/client-kms';
export type Check = (kms: KMSClient) => Promise<void>;

export const symmetric = async (kms: KMSClient): Promise<string> => make(kms, {});
export const signing = (kms: KMSClient, KeySpec: CreateKeyCommandInput['KeySpec'] = 'RSA_2048') =>
  make(kms, { KeySpec, KeyUsage: 'SIGN_VERIFY' });

export async function make(kms: KMSClient, input: CreateKeyCommandInput): Promise<string> {
  const { KeyMetadata } = await kms.send(new CreateKeyCommand(input));
  assert.ok(KeyMetadata?.Arn);
  return KeyMetadata.Arn;
}

export const refuses = (work: Promise<unknown>, name: string): Promise<void> =>
  assert.rejects(work, (error: Error) => {
    assert.equal(error.name, name);
    return true;
  });

export const message = Buffer.from('a TBSCertificate');
export const nodeDigest = (algorithm: string): string => `sha${algorithm.slice(-3)}`;
export const digest = (algorithm: string, octets: Uint8Array = message): Buffer =>
  hash(nodeDigest(algorithm), octets, 'buffer');

export async function sign(
  kms: KMSClient,
  KeyId: string,
  SigningAlgorithm: SigningAlgorithmSpec,
  MessageType: MessageType,
  octets: Uint8Array = message,
): Promise<Uint8Array> {
  const Message = MessageType === 'RAW' ? octets : digest(SigningAlgorithm, octets);
  const command = new SignCommand({ KeyId, SigningAlgorithm, MessageType, Message });
  const reply = await kms.send(command);
  assert.equal(reply.KeyId, KeyId);
  assert.equal(reply.SigningAlgorithm, SigningAlgorithm);
  assert.ok(reply.Signature);
  return reply.Signature;
}

export const rsaAlgorithms = [
  'RSASSA_PKCS1_V1_5_SHA_256',
  'RSASSA_PKCS1_V1_5_SHA_384',
  'RSASSA_PKCS1_V1_5_SHA_512',
] as const;

export const EncryptionContext = { deployment: 'here', ca: 'default', purpose: 'ra' };
export async function sealed(kms: KMSClient, KeyId: string) {
  const Plaintext = Buffer.from('a secret');
  const command = new EncryptCommand({ KeyId, Plaintext, EncryptionContext });
  const { CiphertextBlob = new Uint8Array() } = await kms.send(command);
  return CiphertextBlob;
}
export const open = (
  kms: KMSClient,
  CiphertextBlob: Uint8Array,
  context: Record<string, string> | undefined = EncryptionContext,
  KeyId?: string,
) =>
  kms.send(
    new DecryptCommand({
      CiphertextBlob,
      ...(context ? { EncryptionContext: context } : {}),
      ...(KeyId ? { KeyId } : {}),
    }),
  );
