// Keys in the KMS emulator for tests: an emulator each, with a sealing key, and adapters over it.

import assert from 'node:assert/strict';
import { after } from 'node:test';
import { CreateKeyCommand, type CreateKeyCommandInput } from '@aws-sdk/client-kms';
import type { Timer } from '../../lib/adapters/aws/aws.ts';
import { makeKmsClient } from '../../lib/adapters/aws/kms/calls.ts';
import { KmsKeys, type KmsSettings } from '../../lib/adapters/aws/kms/kms-keys.ts';
import { type MacPurpose, macPurposes } from '../../lib/base/words.ts';
import type { SealedMacKey } from '../../lib/ports/mac-keys.ts';
import { type KmsEmulator, startKmsEmulator } from './kms-emulator.ts';
import { patient } from './timers.ts';

const running = new Set<KmsEmulator>();
after(() => Promise.all([...running].map((emulator) => emulator.stop())));

const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };

/** A key that signs checkpoints. */
export const ofLogs = { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' } as const;

export type Kms = Awaited<ReturnType<typeof openKms>>;

export async function openKms() {
  const emulator = await startKmsEmulator();
  running.add(emulator);
  const client = makeKmsClient({ endpoint: emulator.url, region: emulator.region, credentials });
  /** @returns the ARN */
  const make = async (input: CreateKeyCommandInput = {}): Promise<string> => {
    const { KeyMetadata } = await client.send(new CreateKeyCommand(input));
    assert.ok(KeyMetadata?.Arn);
    return KeyMetadata.Arn;
  };
  const sealingKey = await make();
  /** What is on record of MAC keys. */
  const onRecord = new Map<MacPurpose, readonly SealedMacKey[]>();
  const readMacKeys = async (purpose: MacPurpose) => onRecord.get(purpose) ?? [];
  return {
    emulator,
    client,
    sealingKey,
    make,
    onRecord,
    /** What a process needs to have its keys in it, with a key of the logs that is new. */
    env: async (): Promise<Readonly<Record<string, string>>> => ({
      ...emulator.env,
      SCEPTER_DEPLOYMENT: 'test',
      SCEPTER_SEALING_KEY: sealingKey,
      SCEPTER_LOG_KEY: await make(ofLogs),
    }),
    /** An instance: it has asked KMS for nothing yet. */
    keys: (settings: Partial<KmsSettings> = {}, time: Timer = patient): KmsKeys =>
      new KmsKeys({ deployment: 'test', sealingKey, readMacKeys, ...settings }, client, time),
    /** Makes the MAC keys and puts them on record. */
    initMacKeys: async (keys: KmsKeys): Promise<void> => {
      for (const purpose of macPurposes) onRecord.set(purpose, [await keys.makeMacKey(purpose)]);
    },
    /** Names of the calls since then, without `kms:`. */
    since: (from: number): string[] =>
      emulator.calls.slice(from).map(({ action }) => action.replace('kms:', '')),
    stop: async (): Promise<void> => {
      running.delete(emulator);
      client.destroy();
      await emulator.stop();
    },
  };
}
