// How a deployment stands whose records are a table, by the credentials of its operator: its configuration, its
// table, its CAs and their keys. Nothing is written. The SDK is loaded only where it is used.

import { systemClock } from '../../lib/adapters/system.ts';
import { AnsweringCas } from '../../lib/ca/authority/ca-certificates.ts';
import { statusOf } from '../../lib/ca/authority/status.ts';
import { TriedWrites } from '../../lib/ca/record/written.ts';
import type { Deployed, Deployment } from '../../lib/cli/io.ts';
import type { Env } from '../env.ts';
import { openOperator } from '../node/operator.ts';

/** @returns undefined where the records are in a file */
export const deploymentOf = (env: Env): Deployment | undefined =>
  env.table === undefined
    ? undefined
    : {
        identity: async () => (await import('../../lib/adapters/aws/identity.ts')).callerIdentity(),
        look: () => look(env, env.table ?? ''),
      };

async function look(env: Env, table: string): Promise<Deployed> {
  const { deps, close } = await openOperator(env);
  try {
    const { operator, config } = deps;
    if (!operator) throw new Error('the operator has no keys');
    const keys = {
      signer: operator.signer,
      crlSigner: operator.crlSigner,
      cas: new AnsweringCas({ ...deps, ...operator }),
    };
    // The operator's role may not try a write: the functions do, and say so in the status of the admin API.
    const written = new TriedWrites({ tryWrite: async () => {} }, systemClock);
    const { cas, endpoints } = await statusOf({ ...deps, keys, written });
    if (!cas) throw new Error(`the table ${table} cannot be read: what was printed above says why`);
    const { tableWarnings } = await import('../../lib/adapters/aws/dynamodb/table.ts');
    return {
      records: `the table ${table}, the deployment ${env.deployment}`,
      publicUrl: config.publicUrl,
      filesUrl: config.filesUrl,
      warnings: await tableWarnings(table),
      cas,
      endpoints,
    };
  } finally {
    close();
  }
}
