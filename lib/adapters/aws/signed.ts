// What is asked of services beside the table and the keys: the request is signed and sent with what the client of the
// table has loaded anyway. The SDK's own client of S3 would be a third of a function more, and fetch, which nothing else of a
// start calls, takes longer to load.

import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SignatureV4 } from '@smithy/signature-v4';
import type { Bytes } from '../../base/bytes.ts';
import { START_READ_MS, STORE_CALL_MS } from '../../base/limits.ts';
import {
  type AwsConnection,
  clientConfig,
  isPassing,
  repeated,
  systemTimer,
  type Timer,
} from './aws.ts';

export type HttpTarget = Parameters<DynamoDBClient['config']['requestHandler']['handle']>[0];

/** A refusal, as the service says it. */
export type AwsRefusal = { readonly code: string | undefined; readonly message: string };

type ServiceOptions = {
  /** Its name in a signature. */
  readonly service: string;
  /** Another than the table's, if it is in one. */
  readonly region?: string | undefined;
  /** By default what the SDK finds in the process's environment. */
  readonly connection: AwsConnection | undefined;
  readonly uriEscapePath?: boolean;
  readonly explain: (answer: Bytes) => AwsRefusal;
  /** Of one call: milliseconds until its answer is complete. */
  readonly callMs?: number;
  /** For tests. */
  readonly timer?: Timer;
};

/** @param table where the table would be, at AWS */
type TargetOf = (table: URL, region: string) => HttpTarget;

type SignedReply = {
  /** By their names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly octets: Bytes;
};

export class SignedService {
  readonly timer: Timer;
  readonly #options: ServiceOptions;
  /** It is asked for no record: it knows who this process is, where it is, and how to send. */
  readonly #client: DynamoDBClient;

  constructor(options: ServiceOptions) {
    this.#options = options;
    this.#client = new DynamoDBClient(clientConfig('dynamodb', options.connection));
    this.timer = options.timer ?? systemTimer;
  }

  close(): void {
    this.#client.destroy();
  }

  /**
   * One request.
   * @param maxOctets of the answer
   * @throws {Error} that `told` understands, unless it is answered 200 or, without a body, 204; its name is the refusal's code
   */
  async ask(targetOf: TargetOf, maxOctets: number): Promise<SignedReply> {
    const { service, uriEscapePath = true, explain, callMs = STORE_CALL_MS } = this.#options;
    const { credentials, sha256, requestHandler, streamCollector, endpointProvider } =
      this.#client.config;
    const here = await this.#client.config.region();
    const region = this.#options.region ?? here;
    // Without an endpoint of its own: where the table would be.
    const target = targetOf(endpointProvider({ Region: here }).url, region);
    const signer = new SignatureV4({ service, credentials, region, sha256, uriEscapePath });
    const signed = await signer.sign(target);
    const abortSignal = this.timer.limit(callMs);
    return unlessAborted(abortSignal, async () => {
      const { response } = await requestHandler.handle(signed, { abortSignal });
      const { headers, statusCode } = response;
      const length = Number(headers['content-length'] ?? 0);
      if (length > maxOctets) {
        throw refusal(413, 'TooLong', `it has more than ${maxOctets} octets`);
      }
      const octets =
        target.method === 'HEAD'
          ? new Uint8Array(0)
          : Uint8Array.from(await streamCollector(response.body));
      const isWhole = target.method === 'HEAD' || octets.length >= length;
      if (statusCode === 204 || (statusCode === 200 && isWhole)) {
        return { headers, octets };
      }
      const { code = `HTTP ${statusCode}`, message } = explain(octets);
      throw refusal(statusCode, code, message);
    });
  }
}

type Asked = Omit<ServiceOptions, 'callMs' | 'timer'> & {
  readonly targetOf: TargetOf;
  /** Of the answer. */
  readonly maxOctets: number;
  /** Refusals that are temporary, beside all of 5xx. */
  readonly passing: ReadonlySet<string>;
};

/** Asks a service that is asked nothing else. @throws {Error} as `ask`, when it has been asked again while there is time */
export async function askSigned({
  targetOf,
  maxOctets,
  passing,
  ...options
}: Asked): Promise<Bytes> {
  const service = new SignedService(options);
  const once = async () => (await service.ask(targetOf, maxOctets)).octets;
  const deadline = systemTimer.now() + START_READ_MS;
  try {
    return await repeated(systemTimer, deadline, (error) => isPassing(error, passing), once);
  } finally {
    service.close();
  }
}

/** An error that `told` understands. */
const refusal = (httpStatusCode: number, name: string, message: string): Error =>
  Object.assign(new Error(message), { name, $metadata: { httpStatusCode } });

/** Of what could not be read: what was refused, and what to do. */
export function refusalText(error: unknown, remedies: Readonly<Record<string, string>>): string {
  const { name: kind, message } = error instanceof Error ? error : new Error(String(error));
  const said = message === '' || message === kind ? kind : `${kind}: ${message}`;
  return remedies[kind] ? `${said} (${remedies[kind]})` : said;
}

/** An answer that has begun may stop coming: the SDK ends a request only, and not the body of its answer. */
function unlessAborted<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
    work().then(resolve, reject);
  });
}
