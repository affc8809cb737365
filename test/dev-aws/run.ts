// npm run dev:aws: the production path on one machine, without an account: DynamoDB Local and the KMS
// emulator, a table, a CA made by `scepter ca init`, and the server over both. Everything is in memory
// and ends with it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateAliasCommand, CreateKeyCommand } from '@aws-sdk/client-kms';
import { makeClient as dynamoClient } from '../../lib/adapters/dynamodb-calls.ts';
import { createTable } from '../../lib/adapters/dynamodb-table.ts';
import { makeClient as kmsClient } from '../../lib/adapters/kms-keys-calls.ts';
import { startDynamoDbLocal } from '../support/dynamodb-local.ts';
import { startKmsEmulator } from '../support/kms-emulator.ts';

const root = join(import.meta.dirname, '..', '..');
const region = 'eu-central-1';
const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
const table = 'scepter';
const sealing = 'alias/scepter/dev/sealing';

// A Ctrl-C reaches the server too, and this ends when that has.
let server: ReturnType<typeof start> | undefined;
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => server?.kill('SIGTERM'));

const say = (text: string) => process.stdout.write(`${text}\n`);
say('Starting DynamoDB Local and the KMS emulator ...');
const local = await startDynamoDbLocal().catch((error: unknown) => String(error));
if (local === undefined || typeof local === 'string') {
  const why = local ?? 'Java 17 or later is missing: install a headless JRE';
  say(`NOT RUN: dev:aws (${why.split('\n', 1)[0]})`);
  process.exit(1);
}
const kms = await startKmsEmulator({ region });
const dataDir = await mkdtemp(join(tmpdir(), 'scepter-dev-aws-'));
const settings = {
  ...local.env,
  ...kms.env,
  SCEPTER_TABLE: table,
  SCEPTER_DEPLOYMENT: 'dev',
  SCEPTER_SEALING_KEY: sealing,
  SCEPTER_DATA_DIR: dataDir,
  ...(process.env.PORT ? { PORT: process.env.PORT } : {}),
};
try {
  await deploy(local.env.AWS_ENDPOINT_URL_DYNAMODB);
  say('$ npx scepter ca init');
  if ((await ended(start(['functions/cli.ts', 'ca', 'init']))) !== 0) process.exitCode = 1;
  else {
    say(
      '\nIn another terminal, for every command of the CLI (such as "npx scepter ca rotate-ra"):',
    );
    const set = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
    say(`  export ${set.join(' ')}\n`);
    server = start(['functions/server.ts']);
    process.exitCode = await ended(server);
  }
} finally {
  await local.stop();
  await kms.stop();
  await rm(dataDir, { recursive: true, force: true });
}

/** On this Node, and with nothing of an account that this shell may have. */
function start(args: readonly string[]) {
  const own = Object.entries(process.env).filter(([name]) => !/^(AWS|SCEPTER)_/.test(name));
  const config = process.env.SCEPTER_CONFIG;
  const env = {
    ...Object.fromEntries(own),
    ...(config ? { SCEPTER_CONFIG: config } : {}),
    ...settings,
  };
  return spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'inherit', 'inherit'] });
}

async function ended(child: ReturnType<typeof start>): Promise<number> {
  const [code] = await once(child, 'exit');
  return typeof code === 'number' ? code : 1;
}

/** What infrastructure as code does in an account. */
async function deploy(endpoint: string | undefined): Promise<void> {
  const dynamo = dynamoClient({ ...(endpoint ? { endpoint } : {}), region, credentials });
  await createTable(dynamo, table);
  dynamo.destroy();
  const client = kmsClient({ endpoint: kms.url, region, credentials });
  const { KeyMetadata } = await client.send(new CreateKeyCommand({ Description: 'seals' }));
  const TargetKeyId = KeyMetadata?.KeyId;
  await client.send(new CreateAliasCommand({ AliasName: sealing, TargetKeyId }));
  client.destroy();
}
