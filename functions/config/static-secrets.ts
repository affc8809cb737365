// Secrets of a deployment, found where its environment says: the static challenges of the configuration, and what
// CloudFront shows.

import type { AwsConnection } from '../../lib/adapters/aws/aws.ts';
import { type Bytes, utf8 } from '../../lib/base/bytes.ts';
import type { Config } from '../../lib/config/config.ts';
import { type Secrets, secretProblems, variableOf } from '../../lib/config/endpoint/enrolment.ts';
import { ConfigError } from '../../lib/config/error.ts';
import { hash } from '../../lib/crypto/native.ts';
import { type Env, readEnv, readVariable } from '../env.ts';

type Endpoints = Pick<Config, 'endpoints'>;

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
  { endpoints }: Endpoints,
  connection?: AwsConnection,
): Promise<Secrets> {
  const env = readEnv();
  const names = [...endpoints.values()].flatMap(({ enrol }) =>
    enrol.staticChallenge ? [variableOf(enrol.staticChallenge.secret)] : [],
  );
  const found = new Map<string, string>();
  for (const name of new Set(names)) {
    found.set(name, await secretOf(readVariable(name) ?? '', env, connection));
  }
  return (name) => found.get(name);
}

/**
 * What the static challenges of the endpoints refer to, as its SHA-256: nothing here needs to know it.
 * @throws {ConfigError} with a sentence for each that is not there or too short
 */
export function readStaticSecrets(
  { endpoints }: Endpoints,
  read: Secrets = readVariable,
): ReadonlyMap<string, Bytes> {
  const problems = [...endpoints.values()].flatMap(({ id, enrol }) =>
    secretProblems(id, enrol, read),
  );
  if (problems.length > 0) throw new ConfigError(problems);
  const secrets = new Map<string, Bytes>();
  for (const { enrol } of endpoints.values()) {
    const { secret: reference } = enrol.staticChallenge ?? {};
    if (reference === undefined) continue;
    secrets.set(reference, hash('SHA-256', utf8(read(variableOf(reference)) ?? '')));
  }
  return secrets;
}
