// Asks the admin API, by the contract that the server keeps (`lib/api/`): the compiler knows what each route
// takes and what it answers.

import type { AnswerTo, Api, RouteName } from '../api/api.ts';
import { API_ROOT, type SentTo, tokenHeader } from '../api/route.ts';
import {
  type ApiAnswer,
  type ApiRequest,
  CliError,
  type exitCodes,
  type Io,
  isGood,
  saidText,
  send,
} from './io.ts';

type Query = Readonly<Record<string, string | number | undefined>>;

/** The parts of a request, of whatever route. */
export type Parts = {
  readonly params?: Readonly<Record<string, string>> | undefined;
  readonly query?: Query | undefined;
  readonly body?: object | undefined;
  /** The Idempotency-Key of a request that a later command may make again. */
  readonly once?: string | undefined;
};

/** A route that takes nothing is called by its name alone. */
type Sent<Name extends RouteName> =
  Record<never, never> extends SentTo<Api[Name]>
    ? [sent?: SentTo<Api[Name]>]
    : [sent: SentTo<Api[Name]>];

export const callApi = async <Name extends RouteName>(
  io: Io,
  name: Name,
  ...[sent]: Sent<Name>
): Promise<AnswerTo<Name>> => (await askApi(io, name, sent as Parts)) as AnswerTo<Name>;

/**
 * As `callApi`, for callers that know only while they run which route it is. A request that changes something
 * has an Idempotency-Key, so that it is done once however often it is repeated for a busy server.
 */
export async function askApi(
  io: Io,
  name: RouteName,
  { params = {}, query = {}, body, once = crypto.randomUUID() }: Parts = {},
): Promise<unknown> {
  const { own } = io;
  const [method = '', path = ''] = name.split(' ');
  const filled = path.replace(/\{(\w+)\}/g, (_, field) => encodeURIComponent(params[field] ?? ''));
  const request = {
    method,
    path: `${API_ROOT}${filled}${queryText(query)}`,
    headers: {
      ...(own ? {} : authorization(await io.token(), io.jwt)),
      ...(body ? { 'content-type': 'application/json' } : {}),
      ...(method === 'POST' && !own ? { 'idempotency-key': once } : {}),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  };
  const asked = async () => ({
    retryAfter: undefined,
    date: undefined,
    ...(await (own ? own.ask(request) : ask(io, request))),
  });
  const { status, text } = await (io.patience && !own ? io.patience.until(io.url, asked) : asked());
  if (isGood({ status })) return answerIn(text, io.url);
  const detail = detailOf(text, status);
  if (own) throw new CliError(exitOf(status), detail);
  const strange = status === 401 && !detail.includes('has expired');
  const more = strange
    ? `: ${io.tokenFrom} is another server's, or was revoked`
    : whyOf(text, status);
  throw new CliError(exitOf(status), `${io.url}: ${detail}${more}`);
}

/** The fields that have a value. */
function queryText(query: Query): string {
  const fields = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)]],
  );
  return fields.length > 0 ? `?${new URLSearchParams(fields)}` : '';
}

/** An ingress that wants a JWT expects it in `Authorization`; then the token has a header of its own. */
const authorization = (token: string, jwt: string | undefined): Record<string, string> =>
  jwt === undefined
    ? { authorization: `Bearer ${token}` }
    : { authorization: `Bearer ${jwt}`, [tokenHeader.toLowerCase()]: token };

async function ask(io: Io, request: ApiRequest): Promise<ApiAnswer> {
  if (io.url.startsWith('lambda:')) return io.invoke(io.url.slice('lambda:'.length), request);
  const { path, ...init } = request;
  const { octets, ...said } = await send(io.url + path, init, { timeoutMs: io.timeoutMs });
  return { ...said, text: saidText({ octets }) };
}

function answerIn(text: string, url: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new CliError('remote', `${url} did not answer in JSON: is it the admin API's address?`);
  }
}

function exitOf(status: number): keyof typeof exitCodes {
  if (status === 401 || status === 403) return 'notAllowed';
  if (status === 404) return 'notFound';
  if (status === 409) return 'failure';
  return status === 400 || status === 422 ? 'usage' : 'remote';
}

function detailOf(text: string, status: number): string {
  try {
    const problem = JSON.parse(text) as { detail?: unknown; title?: unknown };
    const said = problem.detail ?? problem.title;
    if (typeof said === 'string') return said;
  } catch {
    // An ingress that answers by itself.
  }
  return `the server answered with HTTP ${status}`;
}

/** Of our own trouble the log has the reason, under this id. */
function whyOf(text: string, status: number): string {
  const [, id] = /"id":"([0-9A-Z]{26})"/.exec(text) ?? [];
  return status === 503 && id ? `; the server's log says why, at ${id}` : '';
}
