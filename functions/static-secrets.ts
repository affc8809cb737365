// The static challenges of the configuration, found where its references say.

import { type Bytes, utf8 } from '../lib/base/bytes.ts';
import { MIN_STATIC_SECRET_OCTETS } from '../lib/base/limits.ts';
import { type Config, ConfigError } from '../lib/config/config.ts';
import { hash } from '../lib/crypto/native.ts';
import { readVariable } from './env.ts';

/**
 * What the static challenges of the endpoints refer to, as its SHA-256: nothing here needs to know it.
 * @throws {ConfigError} with a sentence for each that is not there or too short
 */
export function readStaticSecrets(
  { endpoints }: Pick<Config, 'endpoints'>,
  read: (variable: string) => string | undefined = readVariable,
): ReadonlyMap<string, Bytes> {
  const secrets = new Map<string, Bytes>();
  const problems: string[] = [];
  for (const { id, enrol } of endpoints.values()) {
    const { secret: reference } = enrol.staticChallenge ?? {};
    if (reference === undefined) continue;
    const name = reference.replace(/^env:/, '');
    const secret = utf8(read(name) ?? '');
    if (secret.length < MIN_STATIC_SECRET_OCTETS) {
      const what = secret.length === 0 ? 'is not set' : 'is too short';
      const path = `endpoints.${id}.enrol.staticChallenge.secret`;
      problems.push(
        `${path}: the environment variable ${name} ${what}; it must have at least ${MIN_STATIC_SECRET_OCTETS} octets`,
      );
    }
    secrets.set(reference, hash('SHA-256', secret));
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return secrets;
}
