// The configuration: the document that SCEPTER_CONFIG names, or the embedded default.

import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { type Config, type ConfigDocument, ConfigError, checkConfig } from '../lib/config.ts';
import type { Env } from './env.ts';

/** @throws {ConfigError} with sentences that name what is wrong */
export async function loadConfig(env: Env): Promise<Config> {
  const { config } = env;
  if (config === undefined) return checkConfig(embeddedDefault(env));
  let document: unknown;
  const inline = config.trimStart().startsWith('{');
  try {
    document = JSON.parse(inline ? config : await readFile(config, 'utf8'));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const what = error instanceof SyntaxError ? 'is not JSON' : 'cannot be read';
    throw new ConfigError([`SCEPTER_CONFIG ${what}: ${why}`]);
  }
  return checkConfig(document);
}

/** What certificates point to has to be an address that others can reach. */
function embeddedDefault({ host, port, loopback, localUrl }: Env): ConfigDocument {
  if (port === 0) {
    throw new ConfigError([
      'PORT=0 is no address for certificates to point to: set SCEPTER_CONFIG',
    ]);
  }
  const everywhere = host === '0.0.0.0' || host === '::';
  const legacy = { ca: 'default', legacy: { sha1: true, des3: true, des: true } };
  return {
    publicUrl: everywhere ? `http://${hostname()}:${port}` : localUrl,
    cas: { default: { subject: 'CN=Scepter CA,O=Scepter' } },
    endpoints: { default: { ca: 'default' }, ...(loopback ? { legacy } : {}) },
  };
}
