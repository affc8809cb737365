// Amazon S3: the configuration of a deployment, as an object that is named by its SHA-256; and how any object is asked
// for (`files.ts`).

import { type Bytes, equal, fromHex, fromUtf8, hex } from '../../../base/bytes.ts';
import { MAX_CONFIG_OCTETS } from '../../../base/limits.ts';
import { hash } from '../../../crypto/native.ts';
import type { AwsConnection } from '../aws.ts';
import { type AwsRefusal, askSigned, type HttpTarget, refusalText } from '../signed.ts';

/** Refusals that are temporary, beside all of 5xx. */
export const passing = new Set([
  'ConditionalRequestConflict',
  'OperationAborted',
  'RequestTimeout',
  'TooManyRequests',
]);

/** S3 refuses an object that is not there like one that may not be read, to whoever may not list the bucket. */
const remedies: Readonly<Record<string, string>> = {
  AccessDenied: 'it is not there, or the policy of this role does not allow s3:GetObject on it',
  NoSuchBucket: 'it was deleted, or is in another region',
};

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
    throw new Error(`${titleOf(place)}: ${refusalText(error, remedies)}`, { cause: error });
  });
  const digest = hash('SHA-256', octets);
  if (equal(digest, place.digest)) return fromUtf8(octets);
  throw new Error(
    `${titleOf(place)} has other octets than its name says (their SHA-256 is ${hex(digest)}): somebody has written over it; delete it, and deploy again`,
  );
}

const titleOf = ({ bucket, key }: Place): string => `the object "${key}" of the bucket "${bucket}"`;

const read = (place: Place, { connection, endpoint }: S3Access): Promise<Bytes> =>
  askSigned({
    ...{ service: 's3', connection, passing, explain },
    targetOf: (table) => targetOf(place, table, endpoint),
    // A path of S3 is signed as it is.
    uriEscapePath: false,
    maxOctets: MAX_CONFIG_OCTETS,
  });

/**
 * Of AWS a bucket has a name of its own, under the domain of the partition; of an emulator, which has no such names,
 * a path.
 */
export function targetOf(
  { bucket, key }: Pick<Place, 'bucket' | 'key'>,
  table: URL,
  endpoint?: string,
): HttpTarget {
  const path = endpoint === undefined ? `/${key}` : `/${bucket}/${key}`;
  const { protocol, hostname, port, host } = new URL(
    endpoint ?? table.href.replace('//dynamodb.', `//${bucket}.s3.`),
  );
  return {
    ...{ method: 'GET', protocol, hostname, path, query: {}, headers: { host } },
    ...(port === '' ? {} : { port: Number(port) }),
  };
}

/** S3 says it in XML. */
export function explain(octets: Bytes): AwsRefusal {
  const xml = new TextDecoder().decode(octets.subarray(0, 4096));
  const [, code] = /<Code>([\w.]+)<\/Code>/.exec(xml) ?? [];
  const [, message = ''] = /<Message>([^<]*)<\/Message>/.exec(xml) ?? [];
  return { code, message };
}
