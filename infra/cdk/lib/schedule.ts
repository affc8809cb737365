// What calls the functions that nobody asks: upkeep every minute, and the sequencer of the logs every minute and when
// something waits for it.

import { Duration } from 'aws-cdk-lib';
import type { ITableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction as LambdaTarget } from 'aws-cdk-lib/aws-events-targets';
import {
  EventSourceMapping,
  FilterCriteria,
  FilterRule,
  type Function as LambdaFunction,
  StartingPosition,
} from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import { pkOf } from '../../../lib/adapters/aws/dynamodb/items.ts';
import type { BackendProps } from './props.ts';

type Called = {
  readonly maintenance: LambdaFunction;
  readonly sequencer: LambdaFunction;
  readonly table: ITableV2;
};

export function makeSchedule(
  scope: Construct,
  { deployment = 'scepter' }: BackendProps,
  { maintenance, sequencer, table }: Called,
): void {
  new Rule(scope, 'EveryMinute', {
    description: `Scepter ${deployment}: upkeep, CRLs and logs`,
    schedule: Schedule.rate(Duration.minutes(1)),
    targets: [maintenance, sequencer].map(
      (of) => new LambdaTarget(of, { retryAttempts: 0, maxEventAge: Duration.minutes(1) }),
    ),
  });
  new EventSourceMapping(scope, 'Waiting', {
    target: sequencer,
    eventSourceArn: table.tableStreamArn,
    startingPosition: StartingPosition.LATEST,
    filters: [
      FilterCriteria.filter({
        eventName: FilterRule.isEqual('INSERT'),
        dynamodb: {
          Keys: { pk: { S: FilterRule.beginsWith(pkOf({ kind: 'unlogged', key: '' })) } },
        },
      }),
    ],
    // A run takes all that waits, whatever its batch has: the larger a batch, the fewer runs.
    batchSize: 10_000,
    maxBatchingWindow: Duration.seconds(20),
    // A run that failed is made up by the next of the schedule.
    retryAttempts: 0,
    maxRecordAge: Duration.minutes(1),
  });
}
