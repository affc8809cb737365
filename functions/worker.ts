// Cloudflare Workers: the whole service in one isolate, its records and keys at AWS by HTTPS.

import { jsonLog, systemClock } from '../lib/adapters/system.ts';
import { ConfigError } from '../lib/config.ts';
import { makeApp } from '../lib/http/app.ts';
import { unavailable } from '../lib/http/respond.ts';
import { openAws } from './aws.ts';
import {
  broken,
  cached,
  connectionFrom,
  type EdgeCache,
  type RateLimit,
  refusal,
  tokensOf,
  warnOfPlainUrl,
} from './edge.ts';
import { readAwsConnection, readEnv } from './env.ts';
import { kept } from './kept.ts';
import { doAll } from './upkeep.ts';

type Bindings = { readonly FLOODS?: RateLimit };
type Context = { waitUntil(work: Promise<unknown>): void };
declare const caches: { readonly default: EdgeCache };

/** Workers Logs takes lines of JSON apart. */
const log = jsonLog((line) => console.log(line), systemClock);

const service = kept(async ({ FLOODS: floods }: Bindings) => {
  if (!floods) throw new ConfigError(['the binding FLOODS is missing in wrangler.jsonc']);
  const deps = await openAws({ caKeys: true, raKeys: true }, log, readAwsConnection());
  const { adminToken, plainHttp } = readEnv();
  warnOfPlainUrl(deps.config, plainHttp, log);
  return { app: makeApp({ ...deps, tokens: tokensOf(adminToken) }), deps };
}, log);

async function answer(request: Request, bindings: Bindings, context: Context): Promise<Response> {
  const { FLOODS: floods } = bindings;
  const { plainHttp } = readEnv();
  // Before a start, too: each that fails asks AWS anew.
  const refused = floods && (await refusal(request, { floods, plainHttp, log }));
  if (refused) return refused;
  const ready = await service(bindings).catch(() => undefined);
  if (!ready) return unavailable();
  const hold = (work: Promise<void>) => context.waitUntil(work);
  const ask = () => ready.app.fetch(request, connectionFrom(request));
  return cached(request, caches.default, hold, ask);
}

export default {
  fetch(request: Request, bindings: Bindings, context: Context): Promise<Response> {
    const answered = answer(request, bindings, context).catch(broken(log));
    // A device that hangs up ends nothing that it has begun. What this does not hold is made good later.
    context.waitUntil(answered);
    return answered;
  },
  async scheduled(_event: unknown, bindings: Bindings): Promise<void> {
    await doAll((await service(bindings)).deps);
  },
};
