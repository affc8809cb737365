// KMS keys whose policies keep three things apart: who administers a key, who uses it (the functions
// and the operator, each for what it does and nothing else), and who may end it.
//
// IAM policies alone let nobody use these keys: a key's own policy gives the account its
// administration only.

import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import {
  AccountRootPrincipal,
  AnyPrincipal,
  ArnPrincipal,
  Effect,
  type IRole,
  PolicyDocument,
  PolicyStatement,
} from 'aws-cdk-lib/aws-iam';
import { type IKey, Key, KeySpec, KeyUsage } from 'aws-cdk-lib/aws-kms';
import type { Construct } from 'constructs';
import type { ScepServiceProps } from './props.ts';

export type Roles = {
  readonly scep: IRole;
  readonly admin: IRole;
  readonly maintenance: IRole;
  readonly operator: IRole;
};

export type Keys = {
  /** By the name of the CA. */
  readonly cas: Readonly<Record<string, IKey>>;
  readonly sealing: IKey;
  readonly log: IKey;
  /** What the CAs' keys sign with. */
  readonly signingAlgorithms: readonly string[];
};

/** What the configuration calls a key, what KMS calls it, and what it signs with. */
const caKeyKinds = {
  'rsa:2048': { spec: KeySpec.RSA_2048, algorithm: 'RSASSA_PKCS1_V1_5_SHA_256' },
  'rsa:3072': { spec: KeySpec.RSA_3072, algorithm: 'RSASSA_PKCS1_V1_5_SHA_256' },
  'rsa:4096': { spec: KeySpec.RSA_4096, algorithm: 'RSASSA_PKCS1_V1_5_SHA_256' },
  'ec:P-256': { spec: KeySpec.ECC_NIST_P256, algorithm: 'ECDSA_SHA_256' },
  'ec:P-384': { spec: KeySpec.ECC_NIST_P384, algorithm: 'ECDSA_SHA_384' },
} as const;

/** Neither use nor an end: no Sign, Decrypt, CreateGrant, DisableKey or ScheduleKeyDeletion. */
const administration = [
  'kms:CancelKeyDeletion',
  'kms:CreateAlias',
  'kms:DeleteAlias',
  'kms:DescribeKey',
  'kms:EnableKey',
  'kms:EnableKeyRotation',
  'kms:GetKeyPolicy',
  'kms:GetKeyRotationStatus',
  'kms:GetPublicKey',
  'kms:ListGrants',
  'kms:ListKeyPolicies',
  'kms:ListResourceTags',
  'kms:PutKeyPolicy',
  'kms:RevokeGrant',
  'kms:TagResource',
  'kms:UntagResource',
  'kms:UpdateAlias',
  'kms:UpdateKeyDescription',
];
const end = ['kms:DisableKey', 'kms:ScheduleKeyDeletion'];

type Statements = readonly PolicyStatement[];
type Conditions = Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;

const use = (
  sid: string,
  roles: readonly IRole[],
  actions: readonly string[],
  conditions: Conditions = {},
): PolicyStatement =>
  new PolicyStatement({
    sid,
    principals: roles.map(({ roleArn }) => new ArnPrincipal(roleArn)),
    actions: [...actions],
    resources: ['*'],
    conditions: { ...conditions },
  });

export function makeKeys(scope: Construct, props: ScepServiceProps, roles: Roles): Keys {
  const { config, deployment = 'scepter' } = props;
  const signing = Object.entries(config.cas).map(([name, ca]) => ({
    name,
    ...caKeyKinds[ca.key ?? 'rsa:3072'],
  }));
  const cas = signing.map(({ name, spec, algorithm }) => {
    const existing = props.caKeys?.[name];
    if (existing) return [name, existing];
    const key = makeKey(scope, `CaKey-${name}`, props, {
      spec,
      description: `Scepter ${deployment}: signs certificates and CRLs of the CA "${name}"`,
      alias: `alias/scepter/${deployment}/ca/${name}`,
      uses: usesOfCaKey(roles, algorithm),
    });
    return [name, key];
  });
  return {
    cas: Object.fromEntries(cas),
    signingAlgorithms: [...new Set(signing.map(({ algorithm }) => algorithm))],
    sealing:
      props.sealingKey ??
      makeKey(scope, 'SealingKey', props, {
        spec: KeySpec.SYMMETRIC_DEFAULT,
        description: `Scepter ${deployment}: seals RA and MAC keys`,
        alias: `alias/scepter/${deployment}/sealing`,
        uses: usesOfSealingKey(roles, deployment),
      }),
    log:
      props.logKey ??
      makeKey(scope, 'LogKey', props, {
        spec: KeySpec.ECC_NIST_P256,
        description: `Scepter ${deployment}: signs checkpoints of the transaction log`,
        alias: `alias/scepter/${deployment}/log`,
        // Nobody yet: the statement comes with the function that signs checkpoints.
        uses: [],
      }),
  };
}

function usesOfCaKey({ scep, maintenance, operator }: Roles, algorithm: string): Statements {
  const digests = {
    StringEquals: { 'kms:MessageType': 'DIGEST', 'kms:SigningAlgorithm': algorithm },
  };
  return [
    use('SignDigests', [scep, maintenance, operator], ['kms:Sign'], digests),
    use('ReadPublicKey', [scep, maintenance, operator], ['kms:GetPublicKey']),
    use('DescribeKey', [operator], ['kms:DescribeKey']),
  ];
}

function usesOfSealingKey({ scep, admin, operator }: Roles, deployment: string): Statements {
  const context = (...purposes: readonly string[]): Conditions => ({
    StringEquals: {
      'kms:EncryptionContext:deployment': deployment,
      'kms:EncryptionContext:purpose': purposes,
    },
  });
  const macs = ['mac-challenge', 'mac-pending', 'mac-approval'];
  return [
    use('OpenRaAndMacKeys', [scep], ['kms:Decrypt'], context('ra', ...macs)),
    use('OpenMacKeys', [admin], ['kms:Decrypt'], context('mac-challenge', 'mac-approval')),
    use(
      'MakeRaKeys',
      [operator],
      ['kms:GenerateDataKeyPairWithoutPlaintext', 'kms:Decrypt'],
      context('ra'),
    ),
    use('MakeMacKeys', [operator], ['kms:GenerateDataKeyWithoutPlaintext'], context(...macs)),
    use('DescribeKey', [operator], ['kms:DescribeKey']),
  ];
}

type KeyProps = {
  readonly spec: KeySpec;
  readonly description: string;
  readonly alias: string;
  readonly uses: Statements;
};

function makeKey(
  scope: Construct,
  id: string,
  { keyAdministrators = [], breakGlassRoleArn }: ScepServiceProps,
  { spec, description, alias, uses }: KeyProps,
): Key {
  const symmetric = spec === KeySpec.SYMMETRIC_DEFAULT;
  const policy = new PolicyDocument({
    statements: [
      new PolicyStatement({
        sid: 'Administer',
        principals:
          keyAdministrators.length > 0
            ? keyAdministrators.map((arn) => new ArnPrincipal(arn))
            : [new AccountRootPrincipal()],
        actions: administration,
        resources: ['*'],
      }),
      ...uses,
      ...(breakGlassRoleArn
        ? [
            new PolicyStatement({
              sid: 'EndInAnEmergency',
              principals: [new ArnPrincipal(breakGlassRoleArn)],
              actions: end,
              resources: ['*'],
            }),
          ]
        : []),
      new PolicyStatement({
        sid: 'NobodyElseEndsIt',
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions: end,
        resources: ['*'],
        ...(breakGlassRoleArn
          ? { conditions: { ArnNotEquals: { 'aws:PrincipalArn': breakGlassRoleArn } } }
          : {}),
      }),
    ],
  });
  return new Key(scope, id, {
    keySpec: spec,
    keyUsage: symmetric ? KeyUsage.ENCRYPT_DECRYPT : KeyUsage.SIGN_VERIFY,
    ...(symmetric ? { enableKeyRotation: true } : {}),
    description,
    alias,
    policy,
    pendingWindow: Duration.days(30),
    removalPolicy: RemovalPolicy.RETAIN,
  });
}
