// The configuration: the document that SCEPTER_CONFIG names, or the embedded default.

import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { AwsConnection } from '../../lib/adapters/aws/aws.ts';
import { errorText } from '../../lib/base/errors.ts';
import { type Config, type ConfigDocument, checkConfig } from '../../lib/config/config.ts';
import { ConfigError } from '../../lib/config/error.ts';
import { parseJsonc } from '../../lib/config/schema.ts';
import type { Secrets } from '../../lib/config/secret.ts';
import { type Env, readVariable } from '../env.ts';

/**
 * Secrets that it refers to are looked up where devices are served: with a table, this may be another function, or the
 * operator, who know none.
 * @throws {ConfigError} with sentences that name what is wrong
 */
export async function loadConfig(env: Env, connection?: AwsConnection): Promise<Config> {
  const { document, secrets } = await readDocument(env, undefined, connection);
  return checkConfig(document, env.table === undefined ? secrets : undefined);
}

type Source = {
  readonly name: string;
  readonly document: unknown;
  /** Of a server that starts here; absent: the document is for another place, where they are looked up. */
  readonly secrets?: Secrets;
};

/**
 * The document that a server with this environment would take, and what people call it.
 * @param file instead of what SCEPTER_CONFIG names
 * @throws {ConfigError}
 */
export async function readDocument(
  env: Env,
  file?: string,
  connection?: AwsConnection,
): Promise<Source> {
  const source = file ?? env.config;
  if (source === undefined) {
    return { name: 'the embedded default', document: embeddedDefault(env), secrets: readVariable };
  }
  const inline = source.trimStart().startsWith('{');
  const name = file ?? (inline ? 'SCEPTER_CONFIG' : `SCEPTER_CONFIG (${source})`);
  try {
    const document = parseJsonc(inline ? source : await textOf(source, env, connection));
    return file === undefined ? { name, document, secrets: readVariable } : { name, document };
  } catch (error) {
    const why = errorText(error);
    const what = error instanceof SyntaxError ? 'is not JSON' : 'cannot be read';
    throw new ConfigError([`${file ?? 'SCEPTER_CONFIG'} ${what}: ${why}`]);
  }
}

/** Of a file, or of an object in S3: what reads that is loaded only where one is named. */
async function textOf(
  source: string,
  { s3Endpoint: endpoint }: Pick<Env, 's3Endpoint'>,
  connection: AwsConnection | undefined,
): Promise<string> {
  if (!source.startsWith('s3:')) return readFile(source, 'utf8');
  const { readNamedObject } = await import('../../lib/adapters/aws/s3/s3.ts');
  return readNamedObject(source.slice('s3:'.length), { connection, endpoint });
}

/** Certificates point to this URL, so others must be able to reach it. */
function embeddedDefault(env: Env): ConfigDocument {
  const { host, port, httpPort, loopback, localUrl, production } = env;
  if (port === 0) {
    throw new ConfigError([
      'PORT=0 gives certificates no address to point to: set another port, or publicUrl in SCEPTER_CONFIG',
    ]);
  }
  const place = new URL(localUrl);
  if (host === '0.0.0.0' || host === '::') place.hostname = hostname();
  // CRLs are fetched over plain http (RFC 5280 §8), where it is spoken.
  if (httpPort !== undefined) Object.assign(place, { protocol: 'http:', port: httpPort });
  const legacy = { ca: 'default', legacy: { sha1: true, des3: true, des: true } };
  return {
    publicUrl: place.origin,
    cas: { default: { subject: 'CN=Scepter CA,O=Scepter' } },
    endpoints: { default: { ca: 'default' }, ...(loopback && !production ? { legacy } : {}) },
  };
}
