// Whose AWS credentials these are: GetCallerIdentity of STS, which needs no permission.

import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { told } from './aws.ts';

/** What an operator can do about what STS says. */
const remedies: Readonly<Record<string, string>> = {
  CredentialsProviderError: 'log in ("aws sso login"), or set AWS_PROFILE',
  ExpiredTokenException: 'log in again',
  ExpiredToken: 'log in again',
  InvalidClientTokenId: 'see AWS_PROFILE and AWS_ACCESS_KEY_ID',
  SignatureDoesNotMatch: 'see AWS_SECRET_ACCESS_KEY, and the clock here',
};

/** Milliseconds until an operator's command goes on without it. */
const ANSWER_MS = 10_000;

/** An ARN, which has the account in it, and the region. @throws {Error} with a sentence */
export async function callerIdentity(): Promise<{ readonly arn: string; readonly region: string }> {
  const client = new STSClient({ maxAttempts: 1 });
  try {
    const abortSignal = AbortSignal.timeout(ANSWER_MS);
    const { Arn = '' } = await client.send(new GetCallerIdentityCommand({}), { abortSignal });
    return { arn: Arn, region: await client.config.region() };
  } catch (error) {
    const { name, message } = told(error);
    const remedy = remedies[name] ?? 'see AWS_REGION and AWS_PROFILE, and the route to AWS';
    throw new Error(`AWS does not say whose credentials these are: ${message || name}: ${remedy}`);
  } finally {
    client.destroy();
  }
}
