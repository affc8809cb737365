// AWS Lambda, called by a schedule every minute: runs the periodic jobs. It signs CRLs and opens no RA key.

import { kept } from './kept.ts';
import { openMaintenance } from './lambda/aws.ts';
import { handling, log } from './lambda/instance.ts';
import { doAll } from './upkeep.ts';

const deps = kept(() => openMaintenance(log), log);

/** Fails if a job failed, after all have ended. The event is ignored. */
export const handler = handling(async () => doAll(await deps()));
