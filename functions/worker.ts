// Cloudflare Workers: the whole service in one isolate, its records and keys at AWS by HTTPS.

import { jsonLog, systemClock } from '../lib/adapters/system.ts';
import { ConfigError } from '../lib/config/error.ts';
import { makeApp } from '../lib/http/app.ts';
import { unavailable } from '../lib/http/respond.ts';
import { readAwsSettings, readEnv } from './env.ts';
import { kept } from './kept.ts';
import { openService } from './lambda/aws.ts';
import { doMinutely } from './upkeep.ts';
import { awsConnection } from './worker/connection.ts';
import {
  broken,
  cached,
  connectionFrom,
  type EdgeCache,
  type RateLimit,
  refusal,
  tokensOf,
  warnOfPlainUrl,
} from './worker/edge.ts';

type Bindings = { readonly FLOODS?: RateLimit };
type Context = { waitUntil(work: Promise<unknown>): void };
declare const caches: { readonly default: EdgeCache };

/** Workers Logs takes lines of JSON apart. */
const log = jsonLog((line) => console.log(line), systemClock);

const service = kept(async ({ FLOODS: floods }: Bindings) => {
  if (!floods) throw new ConfigError(['the binding FLOODS is missing in wrangler.jsonc']);
  const deps = await openService(log, awsConnection(readAwsSettings(), log));
  const { adminToken, plainHttp } = readEnv();
  warnOfPlainUrl(deps.config, plainHttp, log);
  return { app: makeApp({ ...deps, tokens: tokensOf(adminToken) }), deps };
}, log);

async function answer(request: Request, bindings: Bindings, context: Context): Promise<Response> {
  const { FLOODS: floods } = bindings;
  const { plainHttp } = readEnv();
  // Floods are counted before a start too, because each failed start asks AWS anew.
  const refused = floods && (await refusal(request, { floods, plainHttp, log }));
  if (refused) return refused;
  const ready = await service(bindings).catch(() => undefined);
  if (!ready) return unavailable();
  const ask = () => ready.app.fetch(request, connectionFrom(request));
  return cached(request, caches.default, (work) => context.waitUntil(work), ask);
}

export default {
  fetch(request: Request, bindings: Bindings, context: Context): Promise<Response> {
    const answered = answer(request, bindings, context).catch(broken(log));
    // A device that hangs up does not stop its request; a repeat or the sweeper ends what an isolate left.
    context.waitUntil(answered);
    return answered;
  },
  async scheduled(_event: unknown, bindings: Bindings): Promise<void> {
    await doMinutely((await service(bindings)).deps);
  },
};
