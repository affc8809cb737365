// AWS Lambda, called by a schedule every minute: all that has to be done when nobody asks. It signs
// CRLs and opens no RA key.

import { openAws } from './aws.ts';
import { log } from './instance.ts';
import { kept } from './kept.ts';
import { doAll } from './upkeep.ts';

const deps = kept(() => openAws({ caKeys: true, raKeys: false }, log), log);

/** Fails when a job did, after all have ended. What called it, and with which event, is all the same. */
export const handler = async (): Promise<void> => doAll(await deps());
