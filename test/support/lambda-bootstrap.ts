// Runs a function's bundle as Lambda's Node runtime does: imports the module that _HANDLER names, then
// takes one event after the other from the Runtime API (2018-06-01) and posts what the handler returns,
// or the error that it ends with. A program: `node lambda-bootstrap.ts`.

import './patience.js';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const { AWS_LAMBDA_RUNTIME_API, LAMBDA_TASK_ROOT = '', _HANDLER = '' } = process.env;
const api = `http://${AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime`;

const post = async (path: string, body: unknown): Promise<void> => {
  // A handler that returns nothing is answered for with `null`.
  const response = await fetch(`${api}${path}`, {
    method: 'POST',
    body: JSON.stringify(body ?? null),
  });
  await response.arrayBuffer();
};

const failure = (error: unknown) => {
  const { name, message, stack = '' } = error instanceof Error ? error : new Error(String(error));
  return { errorType: name, errorMessage: message, trace: stack.split('\n') };
};

const [file = '', name = ''] = _HANDLER.split('.');
let handler: (event: unknown, context: object) => unknown;
try {
  const module = await import(pathToFileURL(join(LAMBDA_TASK_ROOT, `${file}.mjs`)).href);
  handler = module[name];
  if (typeof handler !== 'function') throw new Error(`${_HANDLER} is undefined or not exported`);
} catch (error) {
  await post('/init/error', failure(error));
  process.exit(1);
}

for (;;) {
  const next = await fetch(`${api}/invocation/next`);
  const id = next.headers.get('lambda-runtime-aws-request-id') ?? '';
  const deadline = Number(next.headers.get('lambda-runtime-deadline-ms'));
  const event: unknown = await next.json();
  const context = {
    awsRequestId: id,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
  };
  try {
    await post(`/invocation/${id}/response`, await handler(event, context));
  } catch (error) {
    await post(`/invocation/${id}/error`, failure(error));
  }
}
