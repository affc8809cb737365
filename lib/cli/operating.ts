// What only an operator does, such as making a token or changing a key: on the store and the keys themselves with
// the rights of whoever runs the command, or through the server that has them.

import { CliError, type Io } from './io.ts';

/** For the help of such commands. */
export const where = `
Where a server's records are a table: with the environment of the functions (SCEPTER_CONFIG, SCEPTER_TABLE,
SCEPTER_FILES, SCEPTER_LOGS, SCEPTER_LOG_KEY, SCEPTER_SEALING_KEY, SCEPTER_DEPLOYMENT) and your own AWS
credentials. Otherwise through the running server, with a token of the role admin; or, while none runs, on
SCEPTER_DATA_DIR itself.
`;

export async function operating<T>(io: Io, work: (io: Io) => Promise<T>): Promise<T> {
  const found = await io.operator();
  if (found.ask) {
    try {
      return await work({ ...io, own: found });
    } finally {
      found.close();
    }
  }
  const { hint } = found;
  try {
    return await work(io);
  } catch (error) {
    if (hint === undefined || !(error instanceof CliError && error.exit === 'remote')) throw error;
    throw new CliError('remote', `${error.message} (${hint})`);
  }
}
