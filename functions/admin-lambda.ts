// AWS Lambda: the admin API and its documentation. It uses no key of a CA or RA; a CRL that somebody
// wants to be published is asked of the maintenance function.

import { makeAdminApp } from '../lib/http/app.ts';
import { openAws } from './aws.ts';
import { log, serveEvents } from './instance.ts';
import { kept } from './kept.ts';

const app = kept(
  async () => makeAdminApp(await openAws({ caKeys: false, raKeys: false }, log)),
  log,
);

export const handler = serveEvents(app, log);

await app().catch(() => undefined);
