// AWS Secrets Manager: what an environment names by its ARN, so that no environment, template or state has the secret.

import { type Bytes, fromUtf8, utf8 } from '../../base/bytes.ts';
import { MAX_CONFIG_OCTETS } from '../../base/limits.ts';
import type { AwsConnection } from './aws.ts';
import { type AwsRefusal, askSigned, type HttpTarget, refusalText } from './signed.ts';

const passing = new Set([
  'ThrottlingException',
  'InternalServiceError',
  'TooManyRequestsException',
]);

const remedies: Readonly<Record<string, string>> = {
  AccessDeniedException:
    'the policy of this role does not allow secretsmanager:GetSecretValue on it, or its key does not let the role decrypt',
  ResourceNotFoundException: 'it was deleted, or is in another account or Region',
  InvalidRequestException: 'it is about to be deleted: restore it, or name another',
};

/** How it is reached: by default as the SDK finds it in the process's environment, at AWS. */
export type SecretsAccess = {
  readonly connection?: AwsConnection | undefined;
  /** Another than AWS's, for development. */
  readonly endpoint?: string | undefined;
};

/**
 * The text of a secret, of its current version.
 * @throws {Error} with a sentence, which never has the secret
 */
export async function readSecret(
  arn: string,
  { connection, endpoint }: SecretsAccess = {},
): Promise<string> {
  const [, region] =
    /^arn:aws[a-z-]*:secretsmanager:([a-z0-9-]+):\d{12}:secret:\S+$/.exec(arn) ?? [];
  if (region === undefined) {
    throw new Error(`"secretsmanager:${arn}" must be secretsmanager: and the ARN of a secret`);
  }
  const answer = await askSigned({
    ...{ service: 'secretsmanager', region, connection, passing, explain },
    targetOf: (table) => targetOf(arn, region, table, endpoint),
    maxOctets: MAX_CONFIG_OCTETS,
  }).catch((error: unknown) => {
    throw new Error(`the secret "${arn}": ${refusalText(error, remedies)}`, { cause: error });
  });
  const { SecretString: text } = Object(parsed(answer)) as { SecretString?: unknown };
  if (typeof text === 'string' && text !== '') return text;
  throw new Error(`the secret "${arn}" is empty or has octets: store it as a text (SecretString)`);
}

/** Beside the table, in the secret's own Region. */
function targetOf(arn: string, region: string, table: URL, endpoint?: string): HttpTarget {
  const own = table.href.replace(/\/\/dynamodb\.[a-z0-9-]+\./, `//secretsmanager.${region}.`);
  const { protocol, hostname, port, host } = new URL(endpoint ?? own);
  const headers = {
    host,
    'content-type': 'application/x-amz-json-1.1',
    'x-amz-target': 'secretsmanager.GetSecretValue',
  };
  return {
    ...{ method: 'POST', protocol, hostname, path: '/', query: {}, headers },
    body: utf8(JSON.stringify({ SecretId: arn })),
    ...(port === '' ? {} : { port: Number(port) }),
  };
}

function parsed(octets: Bytes): unknown {
  try {
    return JSON.parse(fromUtf8(octets));
  } catch {
    return undefined;
  }
}

/** Services of JSON name the refusal in their answer, with or without the name of their model before it. */
function explain(octets: Bytes): AwsRefusal {
  const { __type, message, Message } = Object(parsed(octets)) as Record<string, unknown>;
  const [, code] = /(?:^|#)([\w.]+)$/.exec(String(__type ?? '')) ?? [];
  return { code, message: String(message ?? Message ?? '') };
}
