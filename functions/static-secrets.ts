// The static challenges of the configuration, found where its references say.

import { type Bytes, utf8 } from '../lib/base/bytes.ts';
import type { Config } from '../lib/config/config.ts';
import { type Secrets, secretProblems, variableOf } from '../lib/config/enrolment.ts';
import { ConfigError } from '../lib/config/error.ts';
import { hash } from '../lib/crypto/native.ts';
import { readVariable } from './env.ts';

/**
 * What the static challenges of the endpoints refer to, as its SHA-256: nothing here needs to know it.
 * @throws {ConfigError} with a sentence for each that is not there or too short
 */
export function readStaticSecrets(
  { endpoints }: Pick<Config, 'endpoints'>,
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
