// Who the Worker is for AWS: a user, whose access key it has, or a role that IAM Roles Anywhere gives it sessions of,
// for a certificate of a CA that is trusted for nothing else.

import { X509Certificate } from 'node:crypto';
import {
  type IPrincipal,
  PolicyStatement,
  Role,
  ServicePrincipal,
  User,
} from 'aws-cdk-lib/aws-iam';
import { CfnProfile, CfnTrustAnchor } from 'aws-cdk-lib/aws-rolesanywhere';
import type { Construct } from 'constructs';

export type WorkerIdentity =
  | { readonly user: User }
  | {
      readonly role: Role;
      readonly trustAnchor: CfnTrustAnchor;
      readonly profile: CfnProfile;
      /** CN that its certificate must have. */
      readonly commonName: string;
    };

/** @throws {Error} with a sentence */
export function checkTrustAnchor(pem: string | undefined): void {
  if (pem === undefined) return;
  try {
    if (new X509Certificate(pem).ca) return;
  } catch {
    // Said below.
  }
  throw new Error(
    'trustAnchor: must be a certificate of a CA, in PEM, with basicConstraints CA:TRUE',
  );
}

/** @param trustAnchor PEM of the CA; undefined: a user */
export function makeIdentity(
  scope: Construct,
  deployment: string,
  trustAnchor: string | undefined,
): WorkerIdentity {
  if (trustAnchor === undefined) return { user: new User(scope, 'worker-user') };
  const name = `scepter-${deployment}`;
  const anchor = new CfnTrustAnchor(scope, 'TrustAnchor', {
    name,
    enabled: true,
    source: {
      sourceType: 'CERTIFICATE_BUNDLE',
      sourceData: { x509CertificateData: trustAnchor },
    },
  });
  const principal: IPrincipal = new ServicePrincipal('rolesanywhere.amazonaws.com', {
    conditions: {
      // Whatever else that CA has certified is not the Worker.
      StringEquals: { 'aws:PrincipalTag/x509Subject/CN': name },
      ArnEquals: { 'aws:SourceArn': anchor.attrTrustAnchorArn },
    },
  });
  const role = new Role(scope, 'worker-role', {
    description: `Scepter ${deployment}: the Worker, by its certificate`,
    assumedBy: principal,
  });
  role.assumeRolePolicy?.addStatements(
    new PolicyStatement({
      actions: ['sts:TagSession', 'sts:SetSourceIdentity'],
      principals: [principal],
    }),
  );
  const profile = new CfnProfile(scope, 'Profile', {
    name,
    enabled: true,
    roleArns: [role.roleArn],
    durationSeconds: 3600,
  });
  return { role, trustAnchor: anchor, profile, commonName: name };
}
