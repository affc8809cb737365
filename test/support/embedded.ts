// The data folder of a server, opened and closed by this process: what a start makes or finds, for tests
// that are not about the process.

import { loadConfig } from '../../functions/config/default-config.ts';
import { readEnv } from '../../functions/env.ts';
import { openEmbedded } from '../../functions/node/embedded.ts';

/** @param given the environment of the server @throws what a start would end with */
export async function starts(given: Readonly<Record<string, string>>): Promise<void> {
  const env = readEnv(given);
  const { close } = await openEmbedded(env, await loadConfig(env), () => {});
  close();
}
