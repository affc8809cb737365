// The DynamoDB table as data, for whoever makes it (infrastructure, tests), and the look at it that
// a start takes: anything wrong is said in one sentence before the first request comes.

import {
  CreateTableCommand,
  type CreateTableCommandInput,
  DescribeTableCommand,
  type DynamoDBClient,
  type KeySchemaElement,
  type TableDescription,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import { STORE_CALL_MS, STORE_WRITE_MS } from '../../../base/limits.ts';
import { repeated, systemTimer } from '../aws.ts';
import { makeDynamoDbClient, passes } from './calls.ts';
import { devices, due, type Index, places, subjects } from './items.ts';

const indexes: readonly Index[] = [places, due, subjects, devices];

const keySchema = (partition: string, sort?: string): KeySchemaElement[] => [
  { AttributeName: partition, KeyType: 'HASH' },
  ...(sort === undefined ? [] : [{ AttributeName: sort, KeyType: 'RANGE' } as const]),
];

/** Everything but the name. */
export const tableDefinition = {
  BillingMode: 'PAY_PER_REQUEST',
  KeySchema: keySchema('pk'),
  AttributeDefinitions: ['pk', ...indexes.flatMap(({ place, sort }) => [place, sort])].map(
    (AttributeName) => ({ AttributeName, AttributeType: 'S' as const }),
  ),
  GlobalSecondaryIndexes: indexes.map(({ name, place, sort }) => ({
    IndexName: name,
    KeySchema: keySchema(place, sort),
    Projection: { ProjectionType: 'KEYS_ONLY' },
  })),
} satisfies Omit<CreateTableCommandInput, 'TableName'>;

/** Seconds since 1970 after which DynamoDB may delete an item. Nothing decides by it. */
export const ttlAttribute = 'ttl';

/** For development and tests; production tables are made by the infrastructure. */
export async function createTable(client: DynamoDBClient, table: string): Promise<void> {
  await client.send(new CreateTableCommand({ ...tableDefinition, TableName: table }));
  for (;;) {
    const { Table } = await client.send(new DescribeTableCommand({ TableName: table }));
    if (Table && !problemOf(Table)) break;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const TimeToLiveSpecification = { AttributeName: ttlAttribute, Enabled: true };
  await client.send(new UpdateTimeToLiveCommand({ TableName: table, TimeToLiveSpecification }));
}

/** @throws {Error} with a sentence when the table cannot be used as it is, or not be reached */
export async function checkTable(client: DynamoDBClient, table: string): Promise<void> {
  let found: TableDescription | undefined;
  try {
    found = await describe(client, table);
  } catch (error) {
    const region = await client.config.region().catch(() => undefined);
    throw new Error(`the DynamoDB table "${table}" ${troubleOf(error, region)}`, { cause: error });
  }
  const problem = found && problemOf(found);
  if (problem) throw new Error(`the DynamoDB table "${table}" ${problem}`);
}

/** What is not as it should be in production. */
export async function tableWarnings(table: string): Promise<readonly string[]> {
  const client = makeDynamoDbClient();
  try {
    const found = await describe(client, table);
    return found?.DeletionProtectionEnabled === false
      ? ['its deletion protection is off, and whoever may delete tables can delete it']
      : [];
  } finally {
    client.destroy();
  }
}

/** Retried for a while, because requests wait for the start that reads this. */
async function describe(
  client: DynamoDBClient,
  table: string,
): Promise<TableDescription | undefined> {
  const command = new DescribeTableCommand({ TableName: table });
  const deadline = systemTimer.now() + STORE_WRITE_MS;
  const { Table } = await repeated(systemTimer, deadline, passes, () =>
    client.send(command, { abortSignal: systemTimer.limit(STORE_CALL_MS) }),
  );
  return Table;
}

function problemOf({
  TableStatus,
  KeySchema,
  AttributeDefinitions,
  GlobalSecondaryIndexes = [],
}: TableDescription): string | undefined {
  const types = new Map(
    AttributeDefinitions?.map(({ AttributeName, AttributeType }) => [AttributeName, AttributeType]),
  );
  const printed = (schema: readonly KeySchemaElement[] = []): string =>
    schema
      .map(({ AttributeName = '' }) => `${AttributeName} (${types.get(AttributeName)})`)
      .join(', ');
  const wanted = (schema: readonly KeySchemaElement[]): string =>
    schema.map(({ AttributeName }) => `${AttributeName} (S)`).join(', ');
  const { KeySchema: own, GlobalSecondaryIndexes: ours } = tableDefinition;
  if (printed(KeySchema) !== wanted(own)) {
    return `has the key ${printed(KeySchema)} and not ${wanted(own)}: name a table that was made for Scepter`;
  }
  if (TableStatus !== 'ACTIVE' && TableStatus !== 'UPDATING') {
    return `is ${TableStatus} and not ACTIVE: wait until it is`;
  }
  for (const { IndexName, KeySchema: keys } of ours) {
    const index = GlobalSecondaryIndexes.find((one) => one.IndexName === IndexName);
    if (!index) {
      return `has no index "${IndexName}": add it with the keys ${wanted(keys)}, KEYS_ONLY`;
    }
    if (printed(index.KeySchema) !== wanted(keys)) {
      return `has an index "${IndexName}" with the keys ${printed(index.KeySchema)} and not ${wanted(keys)}: delete it and add it again`;
    }
    if (index.IndexStatus !== 'ACTIVE' && index.IndexStatus !== 'UPDATING') {
      return `has an index "${IndexName}" that is ${index.IndexStatus} and not ACTIVE: wait until it is`;
    }
  }
  return undefined;
}

function troubleOf(error: unknown, region: string | undefined): string {
  if (region === undefined) return 'cannot be reached without a region: set AWS_REGION';
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  switch (name) {
    case 'ResourceNotFoundException':
      return `does not exist in ${region} for these credentials: make it, or set SCEPTER_TABLE or AWS_REGION`;
    case 'CredentialsProviderError':
      return 'cannot be reached without AWS credentials: give this process a role or set AWS_PROFILE';
    case 'AccessDeniedException':
    case 'UnrecognizedClientException':
    case 'InvalidSignatureException':
    case 'ExpiredTokenException':
      return `may not be used with these AWS credentials: ${message}`;
    default:
      return `cannot be reached in ${region}: ${message || name}`;
  }
}
