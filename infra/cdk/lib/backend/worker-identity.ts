// Who the Worker is for AWS: a user, whose access key it has, or a role that IAM Roles Anywhere gives it sessions of,
// for a certificate of a CA that is trusted for nothing else.

import { X509Certificate } from 'node:crypto';
import {
  type IPrincipal,
  PolicyStatement,
  type Role,
  ServicePrincipal,
  User,
} from 'aws-cdk-lib/aws-iam';
import { CfnProfile, CfnTrustAnchor } from 'aws-cdk-lib/aws-rolesanywhere';
import type { Construct } from 'constructs';
import type { BackendProps } from '../props.ts';
import { fixedName, newRole } from './backend.ts';

/** Who the Worker is for AWS: a user, or a role with trust anchor and profile. */
export interface WorkerIdentity {
  /**
   * Whose access key the Worker has.
   * @default - a role
   */
  readonly user?: User;

  /**
   * Of which it has sessions.
   * @default - a user
   */
  readonly role?: Role;

  /**
   * The CA that certifies the Worker.
   * @default - a user
   */
  readonly trustAnchor?: CfnTrustAnchor;

  /**
   * What its sessions may be of. Its name is the CN that the Worker's certificate must have.
   * @default - a user
   */
  readonly profile?: CfnProfile;
}

/**
 * @throws {Error} with a sentence
 * @internal
 */
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

/**
 * @param trustAnchor PEM of the CA; undefined: a user
 * @internal
 */
export function makeIdentity(
  scope: Construct,
  props: BackendProps,
  trustAnchor: string | undefined,
): WorkerIdentity {
  const { deployment = 'scepter', permissionsBoundary, rolePath } = props;
  if (trustAnchor === undefined) {
    const userName = fixedName(scope, 'worker', props);
    const user = new User(scope, 'worker-user', { permissionsBoundary, path: rolePath, userName });
    return { user };
  }
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
  const role = newRole(scope, 'worker-role', props, {
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
  return { role, trustAnchor: anchor, profile };
}
