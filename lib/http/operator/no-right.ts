// The answer of a process that may not do what only an operator does.

import { HttpFailure } from '../../base/errors.ts';

export const noRight = (): HttpFailure =>
  new HttpFailure(
    409,
    'this server has no right to do that: run the command with SCEPTER_TABLE, SCEPTER_FILES, SCEPTER_LOGS, SCEPTER_LOG_KEY, SCEPTER_DEPLOYMENT, SCEPTER_SEALING_KEY and SCEPTER_CONFIG, as the server has them, and your own AWS credentials',
  );
