// AWS Lambda: SCEP, CRLs and certificates of CAs, probes. The one function that opens RA keys.

import { deviceSecrets } from '../lib/config/endpoint/endpoint.ts';
import { makeDeviceApp } from '../lib/http/app.ts';
import { readOriginSecrets } from './config/static-secrets.ts';
import { kept } from './kept.ts';
import { openService } from './lambda/aws.ts';
import { handling, log, serveEvents } from './lambda/instance.ts';

const app = kept(async () => {
  const deps = await openService(log, undefined, deviceSecrets);
  // A CA that cannot be loaded does not delay the others; its own requests are answered 503.
  await Promise.allSettled([...deps.config.cas.keys()].map((id) => deps.cas.of(id)));
  return makeDeviceApp(deps);
}, log);

const originSecrets = kept(() => readOriginSecrets(), log);

export const handler = handling(serveEvents(app, log, originSecrets));

// Lambda starts a process before it gives it a request, and with more CPU: so the start is done now.
await Promise.allSettled([app(), originSecrets()]);
