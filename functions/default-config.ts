// The configuration: the document that SCEPTER_CONFIG names, or the embedded default.

import { readFile } from 'node:fs/promises';
import { type Config, type ConfigDocument, ConfigError, checkConfig } from '../lib/config.ts';
import type { Env } from './env.ts';

/** @throws {ConfigError} with sentences that name what is wrong */
export async function loadConfig({ config, host, port, loopback }: Env): Promise<Config> {
  if (config === undefined) return checkConfig(embeddedDefault(host, port, loopback));
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

function embeddedDefault(host: string, port: number, loopback: boolean): ConfigDocument {
  const legacy = { ca: 'default', legacy: { sha1: true, des3: true, des: true } };
  return {
    publicUrl: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    cas: { default: { subject: 'CN=Scepter CA,O=Scepter' } },
    endpoints: { default: { ca: 'default' }, ...(loopback ? { legacy } : {}) },
  };
}
