// The admin API of a deployment that gives it no URL: the CLI invokes its function.

import { FunctionFailure, invokeFunction } from '../../lib/adapters/aws/lambda.ts';
import { CliError, type Io } from '../../lib/cli/io.ts';

export const invoke: Io['invoke'] = async (target, request) => {
  try {
    return await invokeFunction(target, request);
  } catch (error) {
    throw error instanceof FunctionFailure ? new CliError(error.kind, error.message) : error;
  }
};
