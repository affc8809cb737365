// The parts of a deployment at AWS, wherever its functions run, beside the table and the keys: the
// configuration, and the operator's role, which makes CAs and RA keys.

import { createHash } from 'node:crypto';
import { Duration, Stack, Tags, Token } from 'aws-cdk-lib';
import type { ITableV2 } from 'aws-cdk-lib/aws-dynamodb';
import {
  AccountRootPrincipal,
  ArnPrincipal,
  CompositePrincipal,
  ManagedPolicy,
  type ManagedPolicyProps,
  Policy,
  Role,
  type RoleProps,
} from 'aws-cdk-lib/aws-iam';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import type { BackendProps } from '../props.ts';
import type { ConfigObject } from './config-object.ts';
import type { Keys } from './keys.ts';
import { type PolicyValues, renderPolicy } from './policies.ts';

const described = ({ deployment = 'scepter' }: BackendProps, what: string): string =>
  `Scepter ${deployment}: ${what}`;

/** @param id such as `scep-role` */
export const newRole = (scope: Construct, id: string, props: BackendProps, role: RoleProps): Role =>
  new Role(scope, id, {
    ...role,
    permissionsBoundary: props.permissionsBoundary,
    path: props.rolePath,
    roleName: fixedName(scope, id.replace(/-role$/, ''), props),
  });

/**
 * Of a role or user that the policies of keys know by its name, as Terraform names all of them: with the Region,
 * because they are the account's, and at most 64 characters.
 */
export function fixedName(
  scope: Construct,
  of: string,
  { deployment = 'scepter', keysTrustRoleNames }: BackendProps,
): string | undefined {
  if (!keysTrustRoleNames) return undefined;
  const { region } = Stack.of(scope);
  const name = `scepter-${deployment}-${region}`;
  if (Token.isUnresolved(region) || `${name}-${of}`.length <= 64) return `${name}-${of}`;
  const digest = createHash('sha256').update(`${deployment} ${region}`).digest('hex');
  return `${name.slice(0, 43)}-${digest.slice(0, 8)}-${of}`;
}

export function makeOperator(scope: Construct, props: BackendProps): Role {
  const [first, ...rest] = (props.operators ?? []).map((arn) => new ArnPrincipal(arn));
  return newRole(scope, 'operator-role', props, {
    description: described(props, 'makes CAs and RA keys'),
    assumedBy: first ? new CompositePrincipal(first, ...rest) : new AccountRootPrincipal(),
    maxSessionDuration: Duration.hours(1),
  });
}

export function letOperate(scope: Construct, operator: Role, values: PolicyValues): void {
  new Policy(scope, 'operator-policy', {
    document: renderPolicy('operator', values),
    roles: [operator],
  });
}

/** Of whoever serves the logs, or looks at them. */
export const letReadLogs = (scope: Construct, values: PolicyValues, roles: Role[]): Policy =>
  new Policy(scope, 'read-logs-policy', { document: renderPolicy('read-logs', values), roles });

/** DynamoDB uses a table's customer managed key in the name of its caller, who needs a permission for it. */
export function letUseTableKey(
  scope: Construct,
  props: BackendProps,
  { encryptionKey }: ITableV2,
  who: Pick<ManagedPolicyProps, 'roles' | 'users'>,
): ManagedPolicy | undefined {
  return (
    encryptionKey &&
    new ManagedPolicy(scope, 'table-key-policy', {
      description: described(props, 'the key of the table, through DynamoDB'),
      document: renderPolicy('table-key', {
        TableKeyArn: encryptionKey.keyArn,
        Region: Stack.of(scope).region,
      }),
      ...who,
    })
  );
}

/** Of everything that is made in the scope. */
export function tag(scope: Construct, { tags = {} }: BackendProps): void {
  for (const [name, value] of Object.entries(tags)) Tags.of(scope).add(name, value);
}

/** @param proxies the number in front of the service, unless the configuration says it */
export const configText = ({ config }: BackendProps, proxies: number): string =>
  JSON.stringify({ trustedProxies: proxies, ...config });

type Made = {
  readonly table: ITableV2;
  readonly keys: Keys;
  readonly config: ConfigObject;
  readonly files: IBucket;
  readonly logs: IBucket;
};

/** The values of the placeholders in `infra/policies`, except those of the key policies. */
export const policyValuesOf = (
  { deployment = 'scepter' }: BackendProps,
  { table, keys, config, files, logs }: Made,
): PolicyValues => ({
  Deployment: deployment,
  TableArn: table.tableArn,
  CaKeyArns: Object.values(keys.cas).map(({ keyArn }) => keyArn),
  CaSigningAlgorithms: keys.signingAlgorithms,
  SealingKeyArn: keys.sealing.keyArn,
  ConfigObjects: config.objects,
  FilesBucketArn: files.bucketArn,
  LogBucketArn: logs.bucketArn,
  LogKeyArn: keys.log.keyArn,
});
