// The bucket of the logs. It locks what it is given, so that the credentials of the service do not suffice to
// delete any of it.

import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  ObjectLockRetention,
  ObjectOwnership,
} from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import { checkNumber, fail } from '../checks.ts';
import type { BackendProps } from '../props.ts';

/** How long the bucket of the logs keeps each version of what is in it, whoever wants it deleted. */
export interface LogLock {
  /**
   * `GOVERNANCE`: a role with `s3:BypassGovernanceRetention` may delete a version before. `COMPLIANCE`: nobody may, the
   * account's root user included.
   * @default 'GOVERNANCE'
   */
  readonly mode?: string;

  /**
   * Days, from 400.
   * @default 400
   */
  readonly days?: number;
}

const modes = { GOVERNANCE: 'governance', COMPLIANCE: 'compliance' } as const;
const LOCK_DAYS = 400;
/** The most that S3 takes. */
const MAX_DAYS = 36_500;

/**
 * @throws {Error} with a sentence
 * @internal
 */
export function checkLogLock({ mode = 'GOVERNANCE', days = LOCK_DAYS }: LogLock = {}): void {
  if (!Object.hasOwn(modes, mode)) {
    fail('logLock.mode', `must be GOVERNANCE or COMPLIANCE, not "${mode}"`);
  }
  checkNumber('logLock.days', days, LOCK_DAYS, MAX_DAYS);
}

/** @internal */
export function makeLogs(scope: Construct, { logLock = {} }: BackendProps): Bucket {
  const { mode = 'GOVERNANCE', days = LOCK_DAYS } = logLock;
  const retention = ObjectLockRetention[modes[mode as keyof typeof modes]];
  return new Bucket(scope, 'Logs', {
    blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
    // Whom events name is not in it: that is in the table.
    encryption: BucketEncryption.S3_MANAGED,
    enforceSSL: true,
    objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
    versioned: true,
    objectLockEnabled: true,
    objectLockDefaultRetention: retention(Duration.days(days)),
    // What is written over or removed ends when its lock has.
    lifecycleRules: [
      { noncurrentVersionExpiration: Duration.days(1), expiredObjectDeleteMarker: true },
    ],
    removalPolicy: RemovalPolicy.RETAIN,
  });
}
