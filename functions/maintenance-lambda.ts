// AWS Lambda, called by a schedule every minute: all that has to be done when nobody asks. It signs
// CRLs and opens no RA key.

import { log, openAws } from './aws.ts';
import { kept } from './instance.ts';
import { doAll } from './upkeep.ts';

const deps = kept(() => openAws({ caKeys: true, raKeys: false }), log);

/** Fails when a job did, after all have ended. What called it, and with which event, is all the same. */
export const handler = async (): Promise<void> => doAll(await deps());
