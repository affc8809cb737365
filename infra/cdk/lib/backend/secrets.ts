// Secrets of Secrets Manager: what the SCEP function may read at its start.

import { Policy, type Role } from 'aws-cdk-lib/aws-iam';
import { type ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import type { IngressSettings } from '../ingress/access.ts';
import { renderPolicy } from './policies.ts';

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

/** What stands in an environment in place of a secret; the function reads that at its start. */
export const nameOf = (secret: ISecret): string => `secretsmanager:${secret.secretArn}`;

export function letReadSecrets(
  scope: Construct,
  role: Role,
  secrets: readonly ISecret[],
): Policy | undefined {
  // Secrets Manager appends six characters to the name of a secret, which a name alone does not have.
  const SecretArns = secrets.map((one) => one.secretFullArn ?? `${one.secretArn}-??????`);
  if (SecretArns.length === 0) return undefined;
  return new Policy(scope, 'secrets-policy', {
    document: renderPolicy('secrets', { SecretArns }),
    roles: [role],
  });
}
