// AWS Systems Manager's Parameter Store: keeps a configuration that can be changed without a deployment.

import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { CONFIG_READ_MS } from '../../base/limits.ts';
import { type AwsConnection, clientConfig } from './aws.ts';

/** @throws {Error} with a sentence */
export async function readParameter(name: string, connection?: AwsConnection): Promise<string> {
  const client = new SSMClient(clientConfig('ssm', connection));
  try {
    const command = new GetParameterCommand({ Name: name, WithDecryption: true });
    // Requests wait for this start, so its time is limited.
    const abortSignal = AbortSignal.timeout(CONFIG_READ_MS);
    const { Parameter } = await client.send(command, { abortSignal });
    if (Parameter?.Value === undefined) throw new Error('it has no value');
    return Parameter.Value;
  } catch (error) {
    const { name: kind, message } = error instanceof Error ? error : new Error(String(error));
    const said = message === '' || message === kind ? kind : `${kind}: ${message}`;
    throw new Error(`the parameter "${name}": ${said}`, { cause: error });
  } finally {
    client.destroy();
  }
}
