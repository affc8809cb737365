// AWS Lambda: pages and hooks from which MDMs get challenges. It makes challenges and nothing else: no key of a CA or RA,
// no certificate and no request is in its reach.

import { makeChallengeApp } from '../lib/http/app.ts';
import { readOriginSecrets } from './config/static-secrets.ts';
import { kept } from './kept.ts';
import { openChallenges } from './lambda/aws.ts';
import { handling, log, serveEvents } from './lambda/instance.ts';

const app = kept(async () => makeChallengeApp(await openChallenges(log)), log);

const originSecrets = kept(() => readOriginSecrets(), log);

export const handler = handling(serveEvents(app, log, originSecrets));

await Promise.allSettled([app(), originSecrets()]);
