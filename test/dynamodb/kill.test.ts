// Kills over DynamoDB Local.

import { killUnderLoad } from '../kill/load.ts';
import { type KillStore, killScenarios } from '../kill/scenarios.ts';
import { freshTable, rowsOf, tableEnv } from '../support/dynamodb.ts';

const open = async (): Promise<KillStore> => {
  const table = await freshTable();
  return { env: tableEnv(table), rows: () => rowsOf(table) };
};

killScenarios('DynamoDB Local', open);
killUnderLoad('DynamoDB Local', open);
