// Secrets of a deployment, found where its environment says: those that the endpoints of the configuration refer to,
// and what CloudFront shows.

import type { AwsConnection } from '../../lib/adapters/aws/aws.ts';
import { type Bytes, utf8 } from '../../lib/base/bytes.ts';
import { ConfigError } from '../../lib/config/error.ts';
import {
  type Secrets,
  type SecretUse,
  secretProblems,
  variableOf,
} from '../../lib/config/secret.ts';
import { hash } from '../../lib/crypto/native.ts';
import { type Env, readEnv, readVariable } from '../env.ts';

const scheme = 'secretsmanager:';

/** The secret that a variable has, or that it names: what reads that is loaded only where one is named. */
async function secretOf(
  value: string,
  { secretsEndpoint: endpoint }: Pick<Env, 'secretsEndpoint'>,
  connection?: AwsConnection,
): Promise<string> {
  if (!value.startsWith(scheme)) return value;
  const { readSecret } = await import('../../lib/adapters/aws/secrets.ts');
  return readSecret(value.slice(scheme.length), { connection, endpoint });
}

/** What CloudFront shows, and what it showed before. @throws {Error} with a sentence for one that cannot be read */
export const readOriginSecrets = (env = readEnv()): Promise<string[]> =>
  Promise.all(env.originSecrets.map((value) => secretOf(value, env)));

/**
 * What the configuration's references stand for, where a variable may name a secret by its ARN.
 * @throws {Error} with a sentence for one that cannot be read
 */
export async function lookUpSecrets(
  uses: readonly SecretUse[],
  connection?: AwsConnection,
): Promise<Secrets> {
  const env = readEnv();
  const names = uses.map(({ reference }) => variableOf(reference));
  const found = new Map<string, string>();
  for (const name of new Set(names)) {
    found.set(name, await secretOf(readVariable(name) ?? '', env, connection));
  }
  return (name) => found.get(name);
}

/**
 * What the endpoints refer to, each as its SHA-256: nothing here needs to know it.
 * @throws {ConfigError} with a sentence for each that is not there or too short
 */
export function readStaticSecrets(
  uses: readonly SecretUse[],
  read: Secrets = readVariable,
): ReadonlyMap<string, Bytes> {
  const problems = secretProblems(uses, read);
  if (problems.length > 0) throw new ConfigError(problems);
  return new Map(
    uses.map(({ reference }) => [
      reference,
      hash('SHA-256', utf8(read(variableOf(reference)) ?? '')),
    ]),
  );
}
