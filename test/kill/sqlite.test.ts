// Kills over SQLite: what was acknowledged is in the file, whenever the process went.

import { join } from 'node:path';
import { dumpSqlite } from '../history/stores.ts';
import { killUnderLoad } from './load.ts';
import { type KillStore, killScenarios } from './scenarios.ts';

const open = async (): Promise<KillStore> => ({
  env: {},
  rows: async (dataDir) => dumpSqlite(join(dataDir, 'scepter.db')),
});

killScenarios('SQLite', open);
killUnderLoad('SQLite', open);
