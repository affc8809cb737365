// Tables of DynamoDB Local for tests: a fresh one each, and a look at everything in it that the
// adapter could not take because it never scans.

import {
  type ConsumedCapacity,
  DeleteTableCommand,
  type DynamoDBClient,
  paginateScan,
} from '@aws-sdk/client-dynamodb';
import type { RetryQuota, Timer } from '../../lib/adapters/aws/aws.ts';
import { makeDynamoDbClient } from '../../lib/adapters/aws/dynamodb/calls.ts';
import { DynamoStore } from '../../lib/adapters/aws/dynamodb/dynamodb.ts';
import { type Item, rowOf } from '../../lib/adapters/aws/dynamodb/items.ts';
import { createTable } from '../../lib/adapters/aws/dynamodb/table.ts';
import type { Row } from '../../lib/ports/store.ts';
import { faultyClient } from './dynamodb-faults.ts';
import { startS3Emulator } from './s3-emulator.ts';
import { patient } from './timers.ts';

if (!process.env.AWS_ENDPOINT_URL_DYNAMODB) throw new Error('run me with npm run test:dynamodb');

/** Of the tests themselves: makes tables and looks into them. */
export const outside = makeDynamoDbClient();

/** Tables that a process has at once: DynamoDB Local takes the longer for a new one, the more there are. */
const MAX_TABLES = 30;
let tables = 0;
const nameOf = (number: number): string => `scepter-test-${process.pid}-${number}`;

/** A new table that is checked and empty. The one that was made `MAX_TABLES` before it is dropped. */
export async function freshTable(): Promise<string> {
  const number = tables++;
  await createTable(outside, nameOf(number));
  if (number >= MAX_TABLES) {
    await outside.send(new DeleteTableCommand({ TableName: nameOf(number - MAX_TABLES) }));
  }
  return nameOf(number);
}

export const s3 = await startS3Emulator();

/** What a process needs to keep its records in this table, and its files in buckets of that name. */
export const tableEnv = (table: string): Readonly<Record<string, string>> => ({
  ...s3.env,
  SCEPTER_TABLE: table,
  SCEPTER_FILES: table,
  SCEPTER_LOGS: `${table}-logs`,
});

/** A store over a new table. */
export async function freshStore(
  client: DynamoDBClient = makeDynamoDbClient(),
  time: Timer = patient,
  quota?: RetryQuota,
) {
  const table = await freshTable();
  return { table, store: new DynamoStore(client, table, time, quota), rows: () => rowsOf(table) };
}

export async function itemsOf(table: string): Promise<Item[]> {
  const items: Item[] = [];
  const pages = paginateScan({ client: outside }, { TableName: table, ConsistentRead: true });
  for await (const page of pages) items.push(...(page.Items ?? []));
  return items;
}

/** Every record of the table. */
export const rowsOf = async (table: string): Promise<Row[]> =>
  (await itemsOf(table)).map(rowOf).filter((row): row is Row => row.record !== undefined);

export type Recorded = {
  readonly name: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly consumed: readonly ConsumedCapacity[];
};

/** A client that notes every command and what DynamoDB counts for it. */
export function recorder(): { client: DynamoDBClient; commands: Recorded[] } {
  const client = faultyClient(() => undefined);
  const commands: Recorded[] = [];
  client.middlewareStack.add(
    (next, { commandName = '' }) =>
      async (args) => {
        const input = { ...args.input, ReturnConsumedCapacity: 'INDEXES' };
        const result = await next({ ...args, input });
        const { ConsumedCapacity = [] } = result.output as {
          ConsumedCapacity?: ConsumedCapacity | ConsumedCapacity[];
        };
        commands.push({
          name: commandName.replace(/Command$/, ''),
          input,
          consumed: [ConsumedCapacity].flat(),
        });
        return result;
      },
    { step: 'initialize' },
  );
  return { client, commands };
}
