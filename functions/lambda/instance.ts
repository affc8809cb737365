// A process of Lambda as its caller sees it: a handler of HTTP events, and a log.

import { jsonLog, systemClock } from '../../lib/adapters/system.ts';
import { equalSecret, utf8 } from '../../lib/base/bytes.ts';
import { hash } from '../../lib/crypto/native.ts';
import type { Connection } from '../../lib/http/client.ts';
import { type LambdaReply, replyOf, requestOf } from '../../lib/http/lambda-event.ts';
import { forbidden, unavailable } from '../../lib/http/respond.ts';
import type { Log } from '../../lib/ports/log.ts';

/** Lambda gives an instance one event at a time, with the id by which its own log lines and traces name it. */
let requestId: string | undefined;
const print = jsonLog((line) => process.stdout.write(`${line}\n`), systemClock);

/** CloudWatch takes lines of standard output. */
export const log: Log = (entry) => print({ ...entry, requestId });

type Context = { readonly awsRequestId?: string };

/** A handler in whose time every line of the log has Lambda's request id. */
export const handling =
  <R>(handle: (event: unknown) => Promise<R>) =>
  async (event: unknown, { awsRequestId }: Context = {}): Promise<R> => {
    requestId = awsRequestId;
    try {
      return await handle(event);
    } finally {
      requestId = undefined;
    }
  };

type App = {
  readonly fetch: (request: Request, connection: Connection) => Response | Promise<Response>;
};

const digest = (text: string) => hash('SHA-256', utf8(text));

/** The header that CloudFront adds to every request; without it a request has gone around its web ACL. */
const originHeader = 'x-scepter-origin';

/**
 * The handler of a function that is called by a Function URL, an HTTP API, a REST API or an ALB.
 * @param originSecrets one of which a request must come with; none: nothing is asked for
 * @returns a handler that answers 503 while they cannot be read
 */
export function serveEvents(
  app: () => Promise<App>,
  log: Log,
  originSecrets: () => Promise<readonly string[]> = async () => [],
): (event: unknown) => Promise<LambdaReply> {
  const isFromOrigin = ({ headers }: Request, known: readonly string[]): boolean => {
    const shown = digest(headers.get(originHeader) ?? '');
    return known.length === 0 || known.some((one) => equalSecret(digest(one), shown));
  };
  return async (event) => {
    const { request, connection, damaged } = requestOf(event);
    if (damaged) {
      const detail =
        'a body came as text and has lost octets: a REST API needs the binary media type */*, and no client may call its message text';
      log({ event: 'http.damaged', severity: 'warning', detail });
    }
    const known = await originSecrets().catch(() => undefined);
    if (!known) return replyOf(event, unavailable());
    if (!isFromOrigin(request, known)) return replyOf(event, forbidden());
    const ready = await app().catch(() => undefined);
    // Only a request with a secret has come through CloudFront, and so through the number of proxies.
    const arrived = { ...connection, viaProxies: known.length > 0 };
    return replyOf(event, ready ? await ready.fetch(request, arrived) : unavailable());
  };
}
