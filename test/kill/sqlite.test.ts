// Kills over SQLite: what was acknowledged is in the file, whenever the process went.

import { join } from 'node:path';
import { dumpSqlite } from '../history/stores.ts';
import { killScenarios } from './scenarios.ts';

killScenarios('SQLite', async () => ({
  env: {},
  rows: async (dataDir) => dumpSqlite(join(dataDir, 'scepter.db')),
}));
