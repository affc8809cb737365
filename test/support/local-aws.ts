// As much of AWS as a deployment needs, on this machine and without an account: DynamoDB Local with a
// table, the KMS emulator with the keys that seal and that sign the logs, and buckets. Everything is in memory and ends with it.

import {
  CreateAliasCommand,
  CreateKeyCommand,
  type CreateKeyCommandInput,
} from '@aws-sdk/client-kms';
import { makeDynamoDbClient as dynamoClient } from '../../lib/adapters/aws/dynamodb/calls.ts';
import { createTable } from '../../lib/adapters/aws/dynamodb/table.ts';
import { makeKmsClient as kmsClient } from '../../lib/adapters/aws/kms/calls.ts';
import { startDynamoDbLocal } from './dynamodb-local.ts';
import { startKmsEmulator } from './kms-emulator.ts';
import { startS3Emulator } from './s3-emulator.ts';

const region = 'eu-central-1';
const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
const table = 'scepter';
const sealing = 'alias/scepter/dev/sealing';
const ofLogs = 'alias/scepter/dev/log';

export type LocalAws = {
  /** What a process needs to find and use it. */
  readonly env: Readonly<Record<string, string>>;
  /** Which part of it has ended, once one has. */
  readonly ended: Promise<string>;
  stop(): Promise<void>;
};

/** @throws {Error} with what is missing on this machine */
export async function startLocalAws(): Promise<LocalAws> {
  const local = await startDynamoDbLocal();
  if (local === undefined) throw new Error('Java 17 or later is missing: install a headless JRE');
  const [kms, s3] = await Promise.all([startKmsEmulator({ region }), startS3Emulator()]);
  const stop = async (): Promise<void> => {
    await Promise.all([local.stop(), kms.stop(), s3.stop()]);
  };
  try {
    const { AWS_ENDPOINT_URL_DYNAMODB: endpoint = '' } = local.env;
    const dynamo = dynamoClient({ endpoint, region, credentials });
    await createTable(dynamo, table);
    dynamo.destroy();
    const client = kmsClient({ endpoint: kms.url, region, credentials });
    const made = async (AliasName: string, input: CreateKeyCommandInput): Promise<void> => {
      const { KeyMetadata } = await client.send(new CreateKeyCommand(input));
      const TargetKeyId = KeyMetadata?.KeyId;
      await client.send(new CreateAliasCommand({ AliasName, TargetKeyId }));
    };
    await made(sealing, { Description: 'seals' });
    await made(ofLogs, { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
    client.destroy();
  } catch (error) {
    await stop();
    throw error;
  }
  const settings = {
    SCEPTER_TABLE: table,
    SCEPTER_DEPLOYMENT: 'dev',
    SCEPTER_SEALING_KEY: sealing,
    SCEPTER_LOG_KEY: ofLogs,
  };
  const ended = Promise.race([
    local.ended.then(() => 'DynamoDB Local'),
    kms.ended.then(() => 'the KMS emulator'),
  ]);
  return { ended, env: { ...local.env, ...kms.env, ...s3.env, ...settings }, stop };
}
