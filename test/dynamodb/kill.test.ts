// Kills over DynamoDB Local.

import { killUnderLoad } from '../kill/load.ts';
import { type KillStore, killScenarios } from '../kill/scenarios.ts';
import { freshTable, rowsOf } from '../support/dynamodb.ts';

const open = async (): Promise<KillStore> => {
  const table = await freshTable();
  return { env: { SCEPTER_TABLE: table }, rows: () => rowsOf(table) };
};

killScenarios('DynamoDB Local', open);
killUnderLoad('DynamoDB Local', open);
