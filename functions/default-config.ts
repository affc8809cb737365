// The configuration: the document that SCEPTER_CONFIG names, or the embedded default.

import { readFile } from 'node:fs/promises';
import { type Config, type ConfigDocument, checkConfig } from '../lib/config.ts';
import type { Env } from './env.ts';

/** @throws {ConfigError | Error} with sentences that name what is wrong */
export async function loadConfig({ config, host, port, loopback }: Env): Promise<Config> {
  if (config === undefined) return checkConfig(embeddedDefault(host, port, loopback));
  const text = config.trimStart().startsWith('{') ? config : await readFile(config, 'utf8');
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new Error(
      `SCEPTER_CONFIG is not JSON: ${error instanceof Error ? error.message : error}`,
    );
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
