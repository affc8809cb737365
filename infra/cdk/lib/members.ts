// What a deployment shows of itself, by the names of its functions.

import type { Role } from 'aws-cdk-lib/aws-iam';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { LogGroup } from 'aws-cdk-lib/aws-logs';

/** The functions of a deployment. */
export interface ServiceFunctions {
  /** SCEP, CRLs and CA certificates. */
  readonly scep: LambdaFunction;
  /** The admin API. */
  readonly admin: LambdaFunction;
  /** Upkeep and CRLs, every minute. */
  readonly maintenance: LambdaFunction;
  /** What has happened into the logs, every minute and when something waits. */
  readonly sequencer: LambdaFunction;
  /**
   * Challenges for MDMs.
   * @default - challengePages is not set
   */
  readonly challenges?: LambdaFunction;
}

/** The roles of a deployment: each may do what its policy file says, and nothing else. */
export interface ServiceRoles {
  /** Of the SCEP function. */
  readonly scep: Role;
  /** Of the admin function. */
  readonly admin: Role;
  /** Of the maintenance function. */
  readonly maintenance: Role;
  /** Of the sequencer of the logs. */
  readonly sequencer: Role;
  /**
   * Of the function that makes challenges for MDMs.
   * @default - challengePages is not set
   */
  readonly challenges?: Role;
  /** For `scepter ca ...`: makes CAs and RA keys. */
  readonly operator: Role;
}

/** The log groups of a deployment. */
export interface ServiceLogGroups {
  /** Of the SCEP function. */
  readonly scep: LogGroup;
  /** Of the admin function. */
  readonly admin: LogGroup;
  /** Of the maintenance function. */
  readonly maintenance: LogGroup;
  /** Of the sequencer of the logs. */
  readonly sequencer: LogGroup;
  /**
   * Of the function that makes challenges for MDMs.
   * @default - challengePages is not set
   */
  readonly challenges?: LogGroup;
  /** What is done to the keys. */
  readonly keys: LogGroup;
  /**
   * Of the requests of the API.
   * @default - there is no API
   */
  readonly api?: LogGroup;
}
