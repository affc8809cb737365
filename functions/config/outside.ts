// The validators outside that a configuration names, made with their secrets. What speaks with a kind of them is loaded
// only where one is configured.

import { systemClock, systemRandom } from '../../lib/adapters/system.ts';
import type { Send } from '../../lib/adapters/webhook/send.ts';
import { type Config, checkConfig } from '../../lib/config/config.ts';
import { pageSecrets } from '../../lib/config/endpoint/endpoint.ts';
import { ConfigError } from '../../lib/config/error.ts';
import { type OutsideValidator, validatorSecrets } from '../../lib/config/outside/validators.ts';
import {
  type Reference,
  type Secrets,
  secretProblems,
  variableOf,
} from '../../lib/config/secret.ts';
import type { Validator } from '../../lib/ports/validator.ts';
import type { Env } from '../env.ts';
import { loadConfig, readDocument } from './default-config.ts';
import { lookUpSecrets } from './static-secrets.ts';

/** From Node and Lambda: hooks are reached at addresses that were checked. */
const pinned = async (): Promise<Send> => {
  const { pinnedHttps, systemNetwork } = await import('../../lib/adapters/webhook/pinned-https.ts');
  return pinnedHttps(systemNetwork);
};

/** From a Worker: by their names, whose addresses its platform chooses. */
export const byName = async (): Promise<Send> => {
  const { plainFetch } = await import('../../lib/adapters/webhook/plain-fetch.ts');
  return plainFetch(fetch);
};

export const secretsOfValidators = ({ validators }: Pick<Config, 'validators'>) =>
  [...validators.values()].flatMap(validatorSecrets);

/**
 * @param sending how hooks are reached
 * @returns by their names
 * @throws {ConfigError} with a sentence for each secret that is not there, or nothing can be signed with
 */
export async function outsideValidators(
  config: Pick<Config, 'validators'>,
  secrets: Secrets,
  sending: () => Promise<Send> = pinned,
): Promise<ReadonlyMap<string, Validator>> {
  const all = [...config.validators.values()];
  const problems = secretProblems(secretsOfValidators(config), secrets);
  if (problems.length > 0) throw new ConfigError(problems);
  const made = new Map<string, Validator>();
  if (all.length === 0) return made;
  const { guardedValidator } = await import('../../lib/adapters/guarded-validator.ts');
  for (const one of all) {
    made.set(one.id, guardedValidator(one.id, await madeOf(one, secrets, sending), systemClock));
  }
  return made;
}

async function madeOf(
  one: OutsideValidator,
  secrets: Secrets,
  sending: () => Promise<Send>,
): Promise<Validator> {
  const secretAt = (at: Reference): string => secrets(variableOf(at)) ?? '';
  if (one.kind === 'intune') {
    const { makeIntune } = await import('../../lib/adapters/intune/intune.ts');
    const { clientSecret, clientCertificate = '', ...settings } = one;
    const credential =
      clientSecret === undefined
        ? ({ kind: 'certificate', pem: secretAt(clientCertificate) } as const)
        : ({ kind: 'secret', secret: secretAt(clientSecret) } as const);
    const outside = { fetch, clock: systemClock, random: systemRandom };
    return orConfigError(
      () => makeIntune({ ...settings, credential }, outside),
      `validators.${one.id}.clientCertificate: the variable that it names `,
    );
  }
  const { makeWebhook } = await import('../../lib/adapters/webhook/webhook.ts');
  const { secret, bearer, basic, ...settings } = one;
  const given = {
    ...settings,
    secret: secretAt(secret),
    bearer: bearer && secretAt(bearer),
    basic: basic && { user: basic.user, password: secretAt(basic.password) },
  };
  const limit = (ms: number) => AbortSignal.timeout(ms);
  const send = await sending();
  return orConfigError(() => makeWebhook(given, { clock: systemClock, send, limit }));
}

/** @throws {ConfigError} for a secret that is nothing to sign with */
function orConfigError<T>(make: () => T, before = ''): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof SyntaxError) throw new ConfigError([`${before}${error.message}`]);
    throw error;
  }
}

/** By this environment. @throws {ConfigError} @throws {Error} with a sentence for a secret that cannot be read */
export async function openOutside(env: Env) {
  const config = await loadConfig(env);
  const secrets = await lookUpSecrets(secretsOfValidators(config));
  return { config, validators: await outsideValidators(config, secrets) };
}

/** What whoever answers MDMs has to know, by this environment. @throws as above */
export async function openPages(env: Env) {
  const { document } = await readDocument(env);
  const config = checkConfig(document);
  return {
    config,
    secrets: await lookUpSecrets([...config.endpoints.values()].flatMap(pageSecrets)),
  };
}
