// What a start tells people, on standard output: where to enrol, the CA's fingerprint, and a command to try at
// once. Machines have the same in the log, and in production nothing else is printed.

import { join } from 'node:path';
import { iso, visible } from '../../lib/base/text.ts';
import { createChallenge } from '../../lib/ca/challenge/challenges.ts';
import type { Log } from '../../lib/ports/log.ts';
import { fingerprint } from '../../lib/x509/certificate.ts';
import type { Env } from '../env.ts';
import { announce } from './cautions.ts';
import { setUp } from './command.ts';
import type { Embedded } from './embedded.ts';

type Started = {
  readonly env: Env;
  readonly embedded: Embedded;
  /** The URL at which this machine finds the server. */
  readonly address: string;
};

/** @param json one line for programs instead of a page for people */
export async function say(
  { log, ...started }: Started & { readonly log: Log },
  json: boolean,
): Promise<void> {
  const { env, embedded, address } = started;
  const { publicUrl } = embedded.deps.config;
  const warned = await announce({ env, address, log }, publicUrl);
  for (const id of embedded.deps.config.cas.keys()) {
    const ca = await embedded.deps.cas.of(id).catch(() => undefined);
    if (ca)
      log({
        event: 'server.ca',
        severity: 'info',
        ca: id,
        sha256: fingerprint(ca.certificate.der),
      });
  }
  const ready = { publicUrl, address, at: whereabouts(env) };
  log({ event: 'server.ready', severity: 'info', ...ready });
  if (json) process.stdout.write(`${visible(JSON.stringify(ready))}\n`);
  if (json || env.production) return;
  process.stdout.write(await banner(started, warned));
}

async function banner(started: Started, warned: readonly string[]): Promise<string> {
  const { env, embedded, address } = started;
  const { deps, made } = embedded;
  const { publicUrl, cas, endpoints } = deps.config;
  const lines = [`Scepter is ready at ${publicUrl}, ${whereabouts(env)}`, ''];
  if (address !== publicUrl) lines.push(`  listens at   ${address}`);
  for (const { id, legacy, enrol } of endpoints.values()) {
    const on = Object.entries(legacy).flatMap(([name, value]) => (value ? [name] : []));
    const warning = on.length > 0 ? `   accepts ${on.join(', ')}: for old devices only` : '';
    lines.push(`  SCEP URL     ${publicUrl}/scep${id === 'default' ? '' : `/${id}`}${warning}`);
    if (enrol.staticChallenge) {
      lines.push('               static challenge: whoever knows this one secret can enrol here');
    }
  }
  for (const id of cas.keys()) {
    const ca = await deps.cas.of(id).catch((error: Error) => error);
    if (ca instanceof Error) {
      lines.push(`  CA           ${id} cannot be used: ${ca.message}`);
      continue;
    }
    lines.push(
      `  CA           ${publicUrl}/aia/${id}.cer${made.includes(id) ? '   made just now' : ''}`,
    );
    lines.push(`  SHA-256      ${fingerprint(ca.certificate.der)}`);
  }
  lines.push(...(await firstSteps(started)), ...warned.flatMap((sentence) => ['', sentence]));
  if (env.sealingKey === undefined) {
    lines.push(
      '',
      'The keys of this CA are files in that folder, not in an HSM: for trying out, not for production.',
    );
  }
  return `${lines.join('\n')}\n`;
}

/** The first start has made a challenge for one device; later ones say how to make another. */
async function firstSteps({ env, embedded, address }: Started): Promise<string[]> {
  const { deps, made } = embedded;
  const endpoint = deps.config.endpoints.get('default');
  if (!endpoint?.enrol.authorize.includes('challenge')) return [];
  const subject = 'CN=device-1';
  const enrol = `scepter enrol --url ${deps.config.publicUrl}/scep`;
  const device = `--subject ${subject} --out device-1`;
  const heading = ['', 'Enrol a first device, from another terminal in this folder:', ...setUp()];
  if (env.config !== undefined || !made.includes(endpoint.ca)) {
    return [
      ...heading,
      `  scepter challenge create${asking(env, address)} --subject ${subject} |`,
      `    ${enrol} --challenge-stdin ${device}`,
    ];
  }
  const binding = { subject, names: [] };
  const wanted = { binding, uses: 1, ttlMs: endpoint.challengeTtlMs };
  const maker = { actor: { kind: 'system' } } as const;
  const { challenge, expiresAt } = await createChallenge(deps, endpoint, wanted, maker);
  return [
    `  Challenge    ${challenge}   one use, for ${subject}, until ${iso(expiresAt)}`,
    ...heading,
    `  ${enrol} --challenge ${challenge} ${device}`,
  ];
}

/** The options with which our command finds this server, where it would look for another. */
function asking({ dataDir, defaults }: Env, address: string): string {
  // A folder remembers its server.
  return defaults.dataDir ? '' : ` --url ${address} --token-file ${join(dataDir, 'token')}`;
}

function whereabouts({ dataDir, table, sealingKey }: Env): string {
  if (table === undefined && sealingKey === undefined) return `data in ${dataDir}`;
  const records = table ? `the DynamoDB table ${table}` : dataDir;
  return `records in ${records}, keys in ${sealingKey ? 'AWS KMS' : dataDir}`;
}
