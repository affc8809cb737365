// AWS Lambda: the admin API and its documentation. It uses no key of a CA or RA; to publish a CRL it leaves
// a wish that the maintenance function carries out.

import { makeAdminApp } from '../lib/http/app.ts';
import { kept } from './kept.ts';
import { openAdministration } from './lambda/aws.ts';
import { handling, log, serveEvents } from './lambda/instance.ts';

const app = kept(async () => makeAdminApp(await openAdministration(log)), log);

export const handler = handling(serveEvents(app, log));

await app().catch(() => undefined);
