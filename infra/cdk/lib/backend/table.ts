// The table, as `lib/adapters/aws/dynamodb/table.ts` defines it: the functions check it when they start and
// refuse any other.

import { RemovalPolicy } from 'aws-cdk-lib';
import {
  AttributeType,
  Billing,
  ProjectionType,
  StreamViewType,
  TableEncryptionV2,
  TableV2,
} from 'aws-cdk-lib/aws-dynamodb';
import type { Construct } from 'constructs';
import { tableDefinition, ttlAttribute } from '../../../../lib/adapters/aws/dynamodb/table.ts';
import type { BackendProps } from '../props.ts';

const { STRING } = AttributeType;

function keysOf(schema: readonly { AttributeName?: string | undefined }[]) {
  const [partition, sort] = schema.map(({ AttributeName: name = '' }) => ({ name, type: STRING }));
  if (!partition) throw new TypeError('a table without a partition key');
  return { partitionKey: partition, ...(sort ? { sortKey: sort } : {}) };
}

export function makeTable(scope: Construct, props: BackendProps): TableV2 {
  const { tableKey, tableClass, deletionProtection = true } = props;
  const { maxReadRequestUnits = 4000, maxWriteRequestUnits = 1000 } = props;
  const caps = { maxReadRequestUnits, maxWriteRequestUnits };
  const { warmReadRequestUnits: read, warmWriteRequestUnits: write } = props;
  const warmThroughput =
    read === undefined || write === undefined
      ? undefined
      : { readUnitsPerSecond: read, writeUnitsPerSecond: write };
  return new TableV2(scope, 'Table', {
    ...keysOf(tableDefinition.KeySchema),
    globalSecondaryIndexes: tableDefinition.GlobalSecondaryIndexes.map(
      ({ IndexName, KeySchema }) => ({
        indexName: IndexName,
        ...keysOf(KeySchema),
        projectionType: ProjectionType.KEYS_ONLY,
        ...caps,
        warmThroughput,
      }),
    ),
    timeToLiveAttribute: ttlAttribute,
    // The sequencer of the logs follows it.
    dynamoStream: StreamViewType.KEYS_ONLY,
    billing: Billing.onDemand(caps),
    warmThroughput,
    tableClass,
    encryption: tableKey
      ? TableEncryptionV2.customerManagedKey(tableKey)
      : TableEncryptionV2.dynamoOwnedKey(),
    pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
    deletionProtection,
    removalPolicy: RemovalPolicy.RETAIN,
  });
}
