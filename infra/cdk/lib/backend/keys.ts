// KMS keys whose policies separate three permissions: to administer a key, to use it (for the functions and
// the operator, each with its own operations only), and to disable or delete it.
//
// IAM policies alone do not allow the use of these keys, because a key's own policy gives the account only
// its administration.

import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import type { IRole, PolicyDocument } from 'aws-cdk-lib/aws-iam';
import { type IKey, Key, KeySpec, KeyUsage } from 'aws-cdk-lib/aws-kms';
import type { Construct } from 'constructs';
import type { ConfigDocument } from '../../../../lib/config/config.ts';
import type { BackendProps } from '../props.ts';
import { renderPolicy } from './policies.ts';

/**
 * A principal that does the work of several roles has the permissions of each.
 * @internal
 */
export type Roles = Readonly<
  Record<'scep' | 'admin' | 'maintenance' | 'sequencer' | 'operator', Pick<IRole, 'roleArn'>>
> & {
  /** Absent where nothing makes challenges for MDMs, or whoever does has another role, too. */
  readonly challenges?: Pick<IRole, 'roleArn'> | undefined;
};

/** The KMS keys of a deployment. */
export interface Keys {
  /** What signs certificates and CRLs, by the name of the CA. */
  readonly cas: { readonly [name: string]: IKey };
  /** What seals RA and MAC keys. */
  readonly sealing: IKey;
  /** What signs checkpoints of the logs. */
  readonly log: IKey;
  /** The signing algorithms of the CAs' keys. */
  readonly signingAlgorithms: string[];
}

/** The names of a key type in the configuration and in KMS, and its signing algorithm. */
const caKeyKinds = {
  'rsa:2048': { spec: KeySpec.RSA_2048, algorithm: 'RSASSA_PKCS1_V1_5_SHA_256' },
  'rsa:3072': { spec: KeySpec.RSA_3072, algorithm: 'RSASSA_PKCS1_V1_5_SHA_256' },
  'rsa:4096': { spec: KeySpec.RSA_4096, algorithm: 'RSASSA_PKCS1_V1_5_SHA_256' },
  'ec:P-256': { spec: KeySpec.ECC_NIST_P256, algorithm: 'ECDSA_SHA_256' },
  'ec:P-384': { spec: KeySpec.ECC_NIST_P384, algorithm: 'ECDSA_SHA_384' },
} as const;

/** @internal */
export function makeKeys(scope: Construct, props: BackendProps, roles: Roles): Keys {
  const {
    deployment = 'scepter',
    multiRegionKeys: multiRegion = true,
    keyAdministrators = [],
    breakGlassRoleArn,
  } = props;
  const root = Stack.of(scope).formatArn({ service: 'iam', region: '', resource: 'root' });
  const administrators = keyAdministrators.length > 0 ? keyAdministrators : [root];
  const values = {
    Administrators: [...administrators, ...(breakGlassRoleArn ? [breakGlassRoleArn] : [])],
    BreakGlassRole: breakGlassRoleArn ?? 'nobody',
    Deployment: deployment,
    ScepRole: roles.scep.roleArn,
    AdminRole: roles.admin.roleArn,
    MaintenanceRole: roles.maintenance.roleArn,
    SequencerRole: roles.sequencer.roleArn,
    ChallengesRole: roles.challenges ? [roles.challenges.roleArn] : [],
    OperatorRole: roles.operator.roleArn,
  };
  const byName = props.keysTrustRoleNames
    ? { users: Object.values(roles).flatMap((one) => one?.roleArn ?? []), root }
    : undefined;
  const signing = Object.entries((props.config as ConfigDocument).cas).map(([name, ca]) => ({
    name,
    ...caKeyKinds[ca.key ?? 'rsa:3072'],
  }));
  const cas = signing.map(({ name, spec, algorithm }) => {
    const existing = props.caKeys?.[name];
    if (existing) return [name, existing];
    const key = makeKey(scope, `CaKey-${name}`, {
      spec,
      multiRegion,
      description: `Scepter ${deployment}: signs certificates and CRLs of the CA "${name}"`,
      alias: `alias/scepter/${deployment}/ca/${name}`,
      policy: renderPolicy('ca-key', { ...values, SigningAlgorithm: algorithm }, byName),
    });
    return [name, key];
  });
  return {
    cas: Object.fromEntries(cas),
    signingAlgorithms: [...new Set(signing.map(({ algorithm }) => algorithm))],
    sealing:
      props.sealingKey ??
      makeKey(scope, 'SealingKey', {
        spec: KeySpec.SYMMETRIC_DEFAULT,
        multiRegion,
        description: `Scepter ${deployment}: seals RA and MAC keys`,
        alias: `alias/scepter/${deployment}/sealing`,
        policy: renderPolicy('sealing-key', values, byName),
      }),
    log:
      props.logKey ??
      makeKey(scope, 'LogKey', {
        spec: KeySpec.ECC_NIST_P256,
        multiRegion,
        description: `Scepter ${deployment}: signs checkpoints of the logs`,
        alias: `alias/scepter/${deployment}/log`,
        policy: renderPolicy('log-key', values, byName),
      }),
  };
}

type KeyProps = {
  readonly spec: KeySpec;
  readonly multiRegion: boolean;
  readonly description: string;
  readonly alias: string;
  readonly policy: PolicyDocument;
};

function makeKey(
  scope: Construct,
  id: string,
  { spec, multiRegion, description, alias, policy }: KeyProps,
): Key {
  const symmetric = spec === KeySpec.SYMMETRIC_DEFAULT;
  return new Key(scope, id, {
    keySpec: spec,
    multiRegion,
    keyUsage: symmetric ? KeyUsage.ENCRYPT_DECRYPT : KeyUsage.SIGN_VERIFY,
    ...(symmetric ? { enableKeyRotation: true } : {}),
    description,
    alias,
    policy,
    pendingWindow: Duration.days(30),
    removalPolicy: RemovalPolicy.RETAIN,
  });
}
