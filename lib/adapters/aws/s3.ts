// Amazon S3: keeps the configuration of a deployment, as an object that is named by its SHA-256. A start reads one
// object, so the request is signed and sent with what the client of the table has loaded anyway: the SDK's own client
// of S3 would be a third of a function more, and fetch, which nothing else of a start calls, takes longer to load.

import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SignatureV4 } from '@smithy/signature-v4';
import { type Bytes, equal, fromHex, fromUtf8, hex } from '../../base/bytes.ts';
import { CONFIG_READ_MS, MAX_CONFIG_OCTETS, STORE_CALL_MS } from '../../base/limits.ts';
import { hash } from '../../crypto/native.ts';
import { type AwsConnection, clientConfig, isPassing, repeated, systemTimer } from './aws.ts';

/** Refusals that are temporary, beside all of 5xx. */
const passing = new Set(['RequestTimeout', 'TooManyRequests']);

/** S3 refuses an object that is not there like one that may not be read, to whoever may not list the bucket. */
const remedies: Readonly<Record<string, string>> = {
  AccessDenied: 'it is not there, or the policy of this role does not allow s3:GetObject on it',
  NoSuchBucket: 'it was deleted, or is in another region',
};

type Target = Parameters<DynamoDBClient['config']['requestHandler']['handle']>[0];

type Place = { readonly bucket: string; readonly key: string; readonly digest: Bytes };

/** @throws {Error} with a sentence */
function placeIn(name: string): Place {
  const [, bucket, key, digest] =
    /^([a-z0-9][a-z0-9-]{1,61}[a-z0-9])\/((?:[\w.-]+\/)*([0-9a-f]{64})(?:\.json)?)$/.exec(name) ??
    [];
  if (bucket && key && digest) return { bucket, key, digest: fromHex(digest) };
  throw new Error(
    `"s3:${name}" must be s3:BUCKET/KEY, and the last part of KEY the SHA-256 of the document: 64 hexadecimal digits, and .json or nothing`,
  );
}

/** How it is reached: by default as the SDK finds it in the process's environment, at AWS. */
export type S3Access = {
  readonly connection?: AwsConnection | undefined;
  /** Another than AWS's, for development. */
  readonly endpoint?: string | undefined;
};

/**
 * The object, if it is what its name says.
 * @param name BUCKET/KEY, of which the last part is the SHA-256 of the octets
 * @throws {Error} with a sentence
 */
export async function readNamedObject(name: string, access: S3Access = {}): Promise<string> {
  const place = placeIn(name);
  const octets = await read(place, access).catch((error: unknown) => {
    const { name: kind, message } = error instanceof Error ? error : new Error(String(error));
    const said = message === '' || message === kind ? kind : `${kind}: ${message}`;
    const advice = remedies[kind] ? ` (${remedies[kind]})` : '';
    throw new Error(`${titleOf(place)}: ${said}${advice}`, { cause: error });
  });
  const digest = hash('SHA-256', octets);
  if (equal(digest, place.digest)) return fromUtf8(octets);
  throw new Error(
    `${titleOf(place)} has other octets than its name says (their SHA-256 is ${hex(digest)}): somebody has written over it; delete it, and deploy again`,
  );
}

const titleOf = ({ bucket, key }: Place): string => `the object "${key}" of the bucket "${bucket}"`;

async function read(place: Place, { connection, endpoint }: S3Access): Promise<Bytes> {
  // It is asked for no record: it knows who this process is, where it is, and how to send.
  const client = new DynamoDBClient(clientConfig('dynamodb', connection));
  const { credentials, region, sha256, requestHandler, streamCollector } = client.config;
  // Without an endpoint of its own: where the table would be.
  const { url } = client.config.endpointProvider({ Region: await region() });
  const target = targetOf(place, url, endpoint);
  const signer = new SignatureV4({
    ...{ service: 's3', credentials, region, sha256 },
    uriEscapePath: false,
  });
  const once = async (): Promise<Bytes> => {
    const signed = await signer.sign(target);
    const abortSignal = systemTimer.limit(STORE_CALL_MS);
    return unlessAborted(abortSignal, async () => {
      const { response } = await requestHandler.handle(signed, { abortSignal });
      if (Number(response.headers['content-length'] ?? 0) > MAX_CONFIG_OCTETS) {
        throw refusal(413, 'TooLong', `it has more than ${MAX_CONFIG_OCTETS} octets`);
      }
      const octets = Uint8Array.from(await streamCollector(response.body));
      if (response.statusCode === 200) return octets;
      throw said(response.statusCode, octets);
    });
  };
  const deadline = systemTimer.now() + CONFIG_READ_MS;
  try {
    return await repeated(systemTimer, deadline, (error) => isPassing(error, passing), once);
  } finally {
    client.destroy();
  }
}

/**
 * Of AWS a bucket has a name of its own, under the domain of the partition; of an emulator, which has no such names,
 * a path.
 */
export function targetOf(
  { bucket, key }: Pick<Place, 'bucket' | 'key'>,
  table: URL,
  endpoint?: string,
): Target {
  const path = endpoint === undefined ? `/${key}` : `/${bucket}/${key}`;
  const { protocol, hostname, port, host } = new URL(
    endpoint ?? table.href.replace('//dynamodb.', `//${bucket}.s3.`),
  );
  return {
    ...{ method: 'GET', protocol, hostname, path, query: {}, headers: { host } },
    ...(port === '' ? {} : { port: Number(port) }),
  };
}

/** An error that `told` understands. */
const refusal = (httpStatusCode: number, name: string, message: string): Error =>
  Object.assign(new Error(message), { name, $metadata: { httpStatusCode } });

/** S3 says it in XML. */
function said(status: number, octets: Uint8Array): Error {
  const xml = new TextDecoder().decode(octets.subarray(0, 4096));
  const [, code = `HTTP ${status}`] = /<Code>([\w.]+)<\/Code>/.exec(xml) ?? [];
  const [, message = ''] = /<Message>([^<]*)<\/Message>/.exec(xml) ?? [];
  return refusal(status, code, message);
}

/** An answer that has begun may stop coming: the SDK ends a request only, and not the body of its answer. */
function unlessAborted<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
    work().then(resolve, reject);
  });
}
