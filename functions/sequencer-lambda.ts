// AWS Lambda: puts what has happened into the logs, and signs their checkpoints. The stream of the table calls it when
// something waits, and a schedule every minute, for what was missed and for the checkpoint of each hour. It has the key
// of the logs, and none of a CA or RA.

import { sequenceAll } from '../lib/ca/log/sequence.ts';
import { kept } from './kept.ts';
import { openSequencer } from './lambda/aws.ts';
import { handling, log } from './lambda/instance.ts';
import { failure } from './upkeep.ts';

const deps = kept(() => openSequencer(log), log);

/** Fails if a log cannot go on, after all others have been gone through. The event is ignored. */
export const handler = handling(async () => {
  const ready = await deps();
  try {
    const measures = await sequenceAll(ready);
    log({ event: 'upkeep.done', severity: 'info', task: 'logs', ...measures });
  } catch (error) {
    log(failure('logs', error));
    throw error;
  }
});
