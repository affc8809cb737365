// AWS Lambda: SCEP, CRLs and certificates of CAs, probes. The one function that opens RA keys.

import { makeDeviceApp } from '../lib/http/app.ts';
import { openAws } from './aws.ts';
import { readEnv } from './env.ts';
import { log, serveEvents } from './instance.ts';
import { kept } from './kept.ts';

const app = kept(async () => {
  const deps = await openAws({ caKeys: true, raKeys: true }, log);
  // One in trouble keeps no other waiting: who asks for it is told.
  await Promise.allSettled([...deps.config.cas.keys()].map((id) => deps.cas.of(id)));
  return makeDeviceApp(deps);
}, log);

export const handler = serveEvents(app, log, readEnv().originSecrets);

// Lambda starts a process before it hands it a request, and with more of a processor.
await app().catch(() => undefined);
