// Secrets of a deployment, found where its environment says: those that the endpoints of the configuration refer to,
// and what CloudFront shows.

import type { AwsConnection } from '../../lib/adapters/aws/aws.ts';
import { type Bytes, utf8 } from '../../lib/base/bytes.ts';
import type { Config } from '../../lib/config/config.ts';
import { type Endpoint, everySecret } from '../../lib/config/endpoint/endpoint.ts';
import {
  type Secrets,
  type SecretUse,
  secretProblems,
  variableOf,
} from '../../lib/config/endpoint/enrolment.ts';
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

/** Those that a process has to know of an endpoint. */
export type Uses = (endpoint: Endpoint) => readonly SecretUse[];

/**
 * What the configuration's references stand for, where a variable may name a secret by its ARN.
 * @throws {Error} with a sentence for one that cannot be read
 */
export async function lookUpSecrets(
  { endpoints }: Endpoints,
  uses: Uses,
  connection?: AwsConnection,
): Promise<Secrets> {
  const env = readEnv();
  const names = [...endpoints.values()].flatMap(uses).map(({ reference }) => variableOf(reference));
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
  { endpoints }: Endpoints,
  uses: Uses = everySecret,
  read: Secrets = readVariable,
): ReadonlyMap<string, Bytes> {
  const used = [...endpoints.values()].flatMap(uses);
  const problems = secretProblems(used, read);
  if (problems.length > 0) throw new ConfigError(problems);
  return new Map(
    used.map(({ reference }) => [
      reference,
      hash('SHA-256', utf8(read(variableOf(reference)) ?? '')),
    ]),
  );
}
