// A deployment on this machine as CloudFormation or Terraform has made it in moto, the table in DynamoDB Local and
// the keys in the KMS emulator, all behind a gate that judges by its policies; and the functions, each with its
// environment and its role.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { CreateTableCommand, type TableDescription } from '@aws-sdk/client-dynamodb';
import { CreateKeyCommand, type KeySpec, type KeyUsageType } from '@aws-sdk/client-kms';
import { unzipSync } from 'fflate';
import { writeFiles } from '../../build/build.ts';
import { makeDynamoDbClient as dynamoClient } from '../../lib/adapters/aws/dynamodb/calls.ts';
import { makeKmsClient as kmsClient } from '../../lib/adapters/aws/kms/calls.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { startDynamoDbLocal } from '../support/dynamodb-local.ts';
import { startKmsEmulator } from '../support/kms-emulator.ts';
import { type LambdaFunction, startFunction } from '../support/lambda-runtime.ts';
import { temporary } from '../support/process.ts';
import { contexts } from './contexts.ts';
import { openGate } from './gate.ts';
import type { Policy } from './iam.ts';
import { withoutRolesAnywhere } from './roles-anywhere.ts';
import { maybe, packages, pathOf, python, templateAt } from './templates.ts';

type Env = Readonly<Record<string, string>>;

type Somebody = {
  readonly arn: string;
  readonly policies: readonly Policy[];
  readonly credentials: Env;
};

/** As `stack.py` and `module.py` print it; names are CloudFormation's logical ids, or like them. */
export type Made = {
  readonly endpoint: string;
  readonly status: string;
  readonly leftOut: readonly string[];
  readonly outputs: Readonly<Record<string, string>>;
  readonly functions: Readonly<
    Record<string, { readonly role: string; readonly handler: string; readonly environment: Env }>
  >;
  readonly roles: Readonly<Record<string, Somebody>>;
  readonly users: Readonly<Record<string, Somebody>>;
  readonly keys: Readonly<
    Record<
      string,
      {
        readonly id: string;
        readonly arn: string;
        readonly policy: Policy;
        readonly spec: KeySpec;
        readonly usage: KeyUsageType;
      }
    >
  >;
  readonly table: TableDescription & { readonly TableName: string; readonly TableArn: string };
};

export type Name = 'scep' | 'admin' | 'maintenance' | 'sequencer' | 'operator';
export type Aws = NonNullable<Awaited<ReturnType<typeof startAws>>>;
export type Stack = NonNullable<Awaited<ReturnType<typeof startStack>>>;

const { account, region } = contexts.httpApi.context;

/** What the construct calls by that name and kind. */
export function one<T>(named: Readonly<Record<string, T>>, name: string, kind: string): T {
  const id = new RegExp(`^(Service|Backend)${name}${kind}`);
  const found = Object.entries(named).filter(([one]) => id.test(one));
  const [[, value] = []] = found;
  if (value === undefined || found.length > 1) throw new Error(`not one ${kind} of ${name}`);
  return value;
}

/** @param logs as `scepter log key --json` has them */
export const keyOf = (logs: unknown, name: string): string => {
  const all = logs as readonly { readonly log: string; readonly verifierKey: string }[];
  const found = all.find(({ log }) => log === name);
  if (!found) throw new Error(`no log ${name}`);
  return found.verifierKey;
};

/** What is made, and what ends moto. */
type Loaded = { readonly made: Made; readonly stop: () => Promise<void> };

/** One of this folder's programs that keep moto, which answers a line with a line. */
export async function startMoto(program: string, ...args: readonly string[]) {
  const child = spawn(join(python, 'python'), [join(import.meta.dirname, program), ...args], {
    env: { ...process.env, MOTO_ACCOUNT_ID: account },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (data) => {
    said += data;
  });
  const ended = once(child, 'close');
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const next = async <T>(): Promise<T> => {
    const { done, value } = await lines.next();
    if (done) throw new Error(`${program} has ended: ${said.slice(-2000)}`);
    return JSON.parse(value) as T;
  };
  return {
    next,
    ask: <T>(): Promise<T> => {
      child.stdin.write('\n');
      return next<T>();
    },
    stop: async (): Promise<void> => {
      child.stdin.end();
      await ended;
    },
  };
}

/** By moto's CloudFormation, which takes every key for a symmetric one: the template says what each is. */
async function load(template: string): Promise<Loaded> {
  const known = withoutRolesAnywhere(template, `${region}:${account}`);
  const { next, stop } = await startMoto('stack.py', known, region);
  const made = await next<Made>();
  const { Resources } = templateAt(template);
  const keys = Object.entries(made.keys).map(([id, key]) => {
    const properties = Resources[id]?.Properties;
    const spec = maybe(properties, 'KeySpec') ?? key.spec;
    return [id, { ...key, spec, usage: maybe(properties, 'KeyUsage') ?? key.usage }];
  });
  return { made: { ...made, keys: Object.fromEntries(keys) }, stop };
}

/**
 * What was made, for everybody that it makes.
 * @param source the path of an app's template, or what has been made already
 * @param deployer access key of somebody who may do everything
 * @returns undefined without Java for DynamoDB Local
 */
export async function startAws(source: string | Loaded, deployer?: string) {
  const dynamo = await startDynamoDbLocal();
  if (!dynamo) return undefined;
  const kms = await startKmsEmulator({ region, account });
  const { made, stop } =
    typeof source !== 'string'
      ? source
      : await load(source).catch(async (error: unknown) => {
          // What is still at work would keep the test from ending.
          await Promise.all([kms.stop(), dynamo.stop()]);
          throw error;
        });
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const { AWS_ENDPOINT_URL_DYNAMODB: endpoint = '' } = dynamo.env;

  const { TableName, TableArn, KeySchema, AttributeDefinitions, BillingModeSummary } = made.table;
  const tables = dynamoClient({ endpoint, region, credentials });
  await tables.send(
    new CreateTableCommand({
      TableName,
      KeySchema,
      AttributeDefinitions,
      BillingMode: BillingModeSummary?.BillingMode,
      GlobalSecondaryIndexes: made.table.GlobalSecondaryIndexes?.map(
        ({ IndexName, KeySchema, Projection }) => ({ IndexName, KeySchema, Projection }),
      ),
    }),
  );
  tables.destroy();
  /** Where the records really are, whoever may do what. */
  const database = { endpoint, region, credentials };

  const client = kmsClient({ endpoint: kms.url, region, credentials });
  const keys = new Map<string, Made['keys'][string]>();
  for (const key of Object.values(made.keys)) {
    const command = new CreateKeyCommand({
      KeySpec: key.spec,
      Policy: JSON.stringify(key.policy),
      KeyUsage: key.usage,
    });
    keys.set((await client.send(command)).KeyMetadata?.KeyId ?? '', key);
  }
  client.destroy();

  const callers = Object.values({ ...made.roles, ...made.users }).map(
    ({ arn, policies, credentials }) =>
      [credentials.AWS_ACCESS_KEY_ID ?? '', { arn, policies }] as const,
  );
  const gate = await openGate({
    deployer,
    callers: new Map(callers),
    tableArn: TableArn,
    keys,
    dynamodb: endpoint,
    kms: kms.url,
    s3: made.endpoint,
  });
  return {
    made,
    gate,
    region,
    database,
    /** Who somebody is for AWS, and where AWS is. */
    as: ({ credentials }: Somebody): Env => ({
      ...credentials,
      AWS_REGION: region,
      AWS_ENDPOINT_URL_DYNAMODB: gate.url,
      AWS_ENDPOINT_URL_KMS: gate.url,
      AWS_ENDPOINT_URL_S3: gate.url,
    }),
    stop: async (): Promise<void> => {
      gate.stop();
      await Promise.all([stop(), kms.stop(), dynamo.stop()]);
    },
  };
}

/** @returns undefined without Java for DynamoDB Local */
export async function startStack(source: string | Loaded = pathOf('httpApi'), deployer?: string) {
  const aws = await startAws(source, deployer);
  if (!aws) return undefined;
  const { made, gate } = aws;
  const roleOf = (name: Name) => one(made.roles, name, 'role');
  const as = (name: Name): Env => aws.as(roleOf(name));
  const running: LambdaFunction[] = [];
  return {
    made,
    gate,
    region,
    database: aws.database,
    roleOf,
    as,
    /** The settings that the template gives a function. */
    settingsOf: (name: Exclude<Name, 'operator'>): Env =>
      one(made.functions, name, 'function').environment,
    start: async (name: Exclude<Name, 'operator'>): Promise<LambdaFunction> => {
      const { role, handler, environment } = one(made.functions, name, 'function');
      if (role !== roleOf(name).arn || handler !== 'index.handler')
        throw new Error(`${name}: ${role}`);
      const folder = join(temporary('infra'), name);
      const files = unzipSync(
        readFileSync(join(packages, `scepter-${name}-lambda-${packageJson.version}.zip`)),
      );
      await writeFiles(
        folder,
        Object.entries(files).map(([file, octets]) => ({ name: file, octets })),
      );
      const started = await startFunction({ folder, env: { ...environment, ...as(name) } });
      running.push(started);
      return started;
    },
    stop: async (): Promise<void> => {
      await Promise.all(running.map((each) => each.stop()));
      await aws.stop();
    },
  };
}
