// What a start asks of services that it calls once: the request is signed and sent with what the client of the table
// has loaded anyway. The SDK's own client of S3 would be a third of a function more, and fetch, which nothing else of a
// start calls, takes longer to load.

import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SignatureV4 } from '@smithy/signature-v4';
import type { Bytes } from '../../base/bytes.ts';
import { START_READ_MS, STORE_CALL_MS } from '../../base/limits.ts';
import { type AwsConnection, clientConfig, isPassing, repeated, systemTimer } from './aws.ts';

export type HttpTarget = Parameters<DynamoDBClient['config']['requestHandler']['handle']>[0];

/** A refusal, as the service says it. */
export type AwsRefusal = { readonly code: string | undefined; readonly message: string };

type Asked = {
  /** Its name in a signature. */
  readonly service: string;
  /** Another than the table's, if it is in one. */
  readonly region?: string | undefined;
  /** By default what the SDK finds in the process's environment. */
  readonly connection: AwsConnection | undefined;
  /** @param table where the table would be, at AWS */
  readonly targetOf: (table: URL, region: string) => HttpTarget;
  readonly uriEscapePath?: boolean;
  /** Of the answer. */
  readonly maxOctets: number;
  /** Refusals that are temporary, beside all of 5xx. */
  readonly passing: ReadonlySet<string>;
  readonly explain: (answer: Bytes) => AwsRefusal;
};

/** @throws {Error} that `told` understands; its name is the refusal's code */
export async function askSigned({
  service,
  region: elsewhere,
  connection,
  targetOf,
  uriEscapePath = true,
  maxOctets,
  passing,
  explain,
}: Asked): Promise<Bytes> {
  // It is asked for no record: it knows who this process is, where it is, and how to send.
  const client = new DynamoDBClient(clientConfig('dynamodb', connection));
  const { credentials, sha256, requestHandler, streamCollector } = client.config;
  const here = await client.config.region();
  // Without an endpoint of its own: where the table would be.
  const { url } = client.config.endpointProvider({ Region: here });
  const region = elsewhere ?? here;
  const target = targetOf(url, region);
  const signer = new SignatureV4({ service, credentials, region, sha256, uriEscapePath });
  const once = async (): Promise<Bytes> => {
    const signed = await signer.sign(target);
    const abortSignal = systemTimer.limit(STORE_CALL_MS);
    return unlessAborted(abortSignal, async () => {
      const { response } = await requestHandler.handle(signed, { abortSignal });
      if (Number(response.headers['content-length'] ?? 0) > maxOctets) {
        throw refusal(413, 'TooLong', `it has more than ${maxOctets} octets`);
      }
      const octets = Uint8Array.from(await streamCollector(response.body));
      if (response.statusCode === 200) return octets;
      const { code = `HTTP ${response.statusCode}`, message } = explain(octets);
      throw refusal(response.statusCode, code, message);
    });
  };
  const deadline = systemTimer.now() + START_READ_MS;
  try {
    return await repeated(systemTimer, deadline, (error) => isPassing(error, passing), once);
  } finally {
    client.destroy();
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
