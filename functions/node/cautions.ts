// A start, and a configuration that is taken later, warn of addresses in certificates that do not answer, and of
// secrets that cross a network in clear.

import { hostname } from 'node:os';
import type { Log } from '../../lib/ports/log.ts';
import { type Env, isLoopback } from '../env.ts';
import { keepAddresses } from './admin-token.ts';

type Caution = { readonly event: string; readonly detail: string };

type Place = {
  /** The URL at which the server's own machine finds it. */
  readonly address: string;
  /** The machine's name. */
  readonly machine: string;
};

function cautions(
  env: Pick<Env, 'host' | 'loopback' | 'config' | 'tls' | 'httpPort' | 'logKey' | 'sealingKey'>,
  publicUrl: string,
  { address, machine }: Place,
): Caution[] {
  const found: Caution[] = [];
  const add = (event: string, detail: string) => found.push({ event, detail });
  const { protocol, hostname, port } = new URL(publicUrl);
  const isHere = isLoopback(hostname) || [env.host, machine].includes(hostname);
  const listens = env.tls ? String(env.httpPort ?? '') : new URL(address).port || '80';
  if (env.logKey !== undefined && env.sealingKey === undefined) {
    add(
      'start.logKey',
      'SCEPTER_LOG_KEY is set and SCEPTER_SEALING_KEY is not: keys are files, and keys/log.p8 of the data folder signs the logs. Set both to have keys in KMS, or leave it out',
    );
  }
  if (!env.loopback && !env.tls) {
    add(
      'start.plainHttp',
      `HOST is ${env.host}, and this server speaks plain http: tokens of the admin API and challenges cross the network, where anyone on the way can read them. Set SCEPTER_TLS_CERT and SCEPTER_TLS_KEY, put a proxy with TLS before it and set HOST=127.0.0.1, or ask the admin API on this machine only`,
    );
  }
  if (!env.loopback) {
    if (env.config === undefined) {
      add(
        'start.publicUrl',
        `publicUrl is ${publicUrl}, of ${hostname === env.host ? 'HOST' : "this machine's name"} and PORT, and goes into every certificate: set publicUrl in SCEPTER_CONFIG before the first one if devices reach this server by another name`,
      );
    }
    if (isLoopback(hostname)) {
      add(
        'start.publicUrl',
        `publicUrl is ${publicUrl}, which means another machine to every other machine: set the address by which devices reach this one`,
      );
    }
  }
  // Where a proxy stands before it, another port is as it should be.
  if (protocol === 'http:' && isHere && (port || '80') !== listens) {
    add(
      'start.publicUrl',
      `publicUrl is ${publicUrl}, but this server listens at ${address}: certificates point to where nobody answers, unless a proxy on this machine does. Set publicUrl or PORT`,
    );
  }
  return found;
}

type Listening = { readonly env: Env; readonly address: string; readonly log: Log };

/** Commands of the folder know the server by it, and the log says what there is to warn of. @returns its sentences */
export async function announce({ env, address, log }: Listening, publicUrl: string) {
  await keepAddresses(env.dataDir, [address, publicUrl]);
  const found = cautions(env, publicUrl, { address, machine: hostname() });
  for (const { event, detail } of found) log({ event, severity: 'warning', detail });
  return found.map(({ detail }) => detail);
}
