// Secrets of Secrets Manager: what the functions may read at their start, each those that it asks for.

import { Policy, type Role } from 'aws-cdk-lib/aws-iam';
import { type ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import type { Config } from '../../../../lib/config/config.ts';
import { deviceSecrets, pageSecrets } from '../../../../lib/config/endpoint/endpoint.ts';
import { validatorSecrets } from '../../../../lib/config/outside/validators.ts';
import { type SecretUse, variableOf } from '../../../../lib/config/secret.ts';
import { fail } from '../checks.ts';
import type { IngressSettings } from '../ingress/access.ts';
import { renderPolicy } from './policies.ts';

/** By the names of variables. */
type Secrets = Readonly<Record<string, ISecret>>;

/** @throws {Error} with a sentence that names the prop */
export function checkSecrets(secrets: Secrets = {}, { endpoints, validators }: Config): void {
  for (const { reference, path } of [...validators.values()].flatMap(validatorSecrets)) {
    const name = variableOf(reference);
    if (Object.hasOwn(secrets, name)) continue;
    fail(`secrets.${name}`, `config.${path} refers to it: name its secret`);
  }
  for (const endpoint of endpoints.values()) {
    const about = `the static challenge of the endpoint "${endpoint.id}" refers to it: name its secret`;
    const uses = [
      ...deviceSecrets(endpoint).map(({ reference }) => ({ reference, about })),
      ...pageSecrets(endpoint).map(({ reference, path }) => ({
        reference,
        about: `config.${path} refers to it: name its secret`,
      })),
    ];
    for (const { reference, about: says } of uses) {
      const name = variableOf(reference);
      if (!Object.hasOwn(secrets, name)) fail(`secrets.${name}`, says);
    }
  }
  for (const name of Object.keys(secrets)) {
    if (!/^[A-Z][A-Z0-9_]*$/.test(name) || /^(AWS|SCEPTER|NODE|LAMBDA)_/.test(name)) {
      fail(`secrets.${name}`, 'must be the name of an environment variable that nothing else has');
    }
  }
}

export function originSecretsOf(scope: Construct, ingress: IngressSettings): readonly ISecret[] {
  if (ingress.type !== 'cloudfront') return [];
  return (
    ingress.originSecrets ?? [
      new Secret(scope, 'OriginSecret', {
        description: 'Scepter: what the SCEP function knows CloudFront by',
        generateSecretString: { excludePunctuation: true, passwordLength: 48 },
      }),
    ]
  );
}

/**
 * The secrets of the function that answers MDMs; of maintenance, which asks and tells validators outside; and those of the
 * function that answers devices: all others, too.
 */
export function dividedSecrets(secrets: Secrets = {}, { endpoints, validators }: Config) {
  const all = [...endpoints.values()];
  const namesOf = (uses: readonly SecretUse[]) =>
    new Set(uses.map(({ reference }) => variableOf(reference)));
  const ofValidators = namesOf([...validators.values()].flatMap(validatorSecrets));
  const ofPages = namesOf(all.flatMap(pageSecrets));
  const ofDevices = new Set([...namesOf(all.flatMap(deviceSecrets)), ...ofValidators]);
  const chosen = (wanted: (name: string) => boolean): Secrets =>
    Object.fromEntries(Object.entries(secrets).filter(([name]) => wanted(name)));
  return {
    scep: chosen((name) => !ofPages.has(name) || ofDevices.has(name)),
    challenges: chosen((name) => ofPages.has(name)),
    maintenance: chosen((name) => ofValidators.has(name)),
  };
}

/** What stands in an environment in place of secrets; the function reads them at its start. */
export const namesFor = (
  secrets: Secrets,
  origin: readonly ISecret[],
): Readonly<Record<string, string>> => ({
  ...Object.fromEntries(Object.entries(secrets).map(([name, one]) => [name, nameOf(one)])),
  ...(origin.length > 0 ? { SCEPTER_ORIGIN_SECRETS: origin.map(nameOf).join(',') } : {}),
});

const nameOf = (secret: ISecret): string => `secretsmanager:${secret.secretArn}`;

/** @param id of the policy */
export function letReadSecrets(
  scope: Construct,
  id: string,
  role: Role,
  secrets: readonly ISecret[],
): Policy | undefined {
  // Secrets Manager appends six characters to the name of a secret, which a name alone does not have.
  const SecretArns = secrets.map((one) => one.secretFullArn ?? `${one.secretArn}-??????`);
  if (SecretArns.length === 0) return undefined;
  return new Policy(scope, id, {
    document: renderPolicy('secrets', { SecretArns }),
    roles: [role],
  });
}
