// The text that a start prints: where to enrol, the CA's fingerprint, and a command to try at once.

import { hex } from '../../lib/base/bytes.ts';
import { createChallenge } from '../../lib/ca/challenge/challenges.ts';
import { hash } from '../../lib/crypto/native.ts';
import type { Env } from '../env.ts';
import type { Embedded } from './embedded.ts';

export async function banner(env: Env, { deps, made }: Embedded): Promise<string> {
  const { publicUrl, cas, endpoints } = deps.config;
  const lines = [`Scepter is ready at ${publicUrl}, ${whereabouts(env)}`, ''];
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
    lines.push(`  SHA-256      ${hex(hash('SHA-256', ca.certificate.der))}`);
  }
  const endpoint = endpoints.get('default');
  if (endpoint?.enrol.authorize.includes('challenge')) {
    const wanted = {
      binding: { names: [] },
      uses: 1,
      ttlMs: endpoint.challengeTtlMs,
    };
    const challenge = await createChallenge(deps, endpoint, wanted, { actor: { kind: 'system' } });
    lines.push(
      `  Challenge    ${challenge.challenge}   one use, until ${new Date(challenge.expiresAt).toISOString()}`,
      '',
      'Enrol a first device:',
      `  npx scepter enrol --url ${publicUrl}/scep --challenge ${challenge.challenge} --subject CN=device-1 --out device-1`,
    );
  }
  if (env.sealingKey === undefined) {
    lines.push(
      '',
      'The keys of this CA are files in that folder, not in an HSM: for trying out, not for production.',
    );
  }
  return `${lines.join('\n')}\n`;
}

function whereabouts({ dataDir, table, sealingKey }: Env): string {
  if (table === undefined && sealingKey === undefined) return `data in ${dataDir}`;
  const records = table ? `the DynamoDB table ${table}` : dataDir;
  return `records in ${records}, keys in ${sealingKey ? 'AWS KMS' : dataDir}`;
}
