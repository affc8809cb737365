// Kills over DynamoDB Local.

import { killScenarios } from '../kill/scenarios.ts';
import { freshTable, rowsOf } from '../support/dynamodb.ts';

killScenarios('DynamoDB Local', async () => {
  const table = await freshTable();
  return { env: { SCEPTER_TABLE: table }, rows: () => rowsOf(table) };
});
