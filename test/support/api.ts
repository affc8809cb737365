// The admin API as tests ask it: every answer is held against the documented schema of its route,
// every refusal against that of a problem.

import assert from 'node:assert/strict';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { routes } from '../../lib/api/api.ts';
import { openApi } from '../../lib/api/openapi.ts';
import type { Role } from '../../lib/base/words.ts';
import { hasDotSegment } from '../../lib/http/target.ts';
import type { Store } from '../../lib/ports/store.ts';
import { type Lab, putToken } from './lab.ts';

type Documented = {
  readonly paths: Readonly<
    Record<
      string,
      Readonly<Record<string, { readonly responses: Readonly<Record<string, Reply>> }>>
    >
  >;
};
type Reply = { readonly content: Readonly<Record<string, { readonly schema: object }>> };

export const documented = openApi() as Documented;
const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, validateFormats: false });
ajv.addVocabulary(['components', 'paths', 'openapi', 'info', 'servers', 'security', 'tags']);
ajv.addSchema({ $id: 'api', ...documented });

const compiled = new Map<string, ValidateFunction>();

function schemaOf(method: string, path: string, status: number, mediaType: string) {
  const step = (text: string): string => text.replaceAll('~', '~0').replaceAll('/', '~1');
  const steps = [
    'paths',
    path,
    method,
    'responses',
    String(status),
    'content',
    mediaType,
    'schema',
  ];
  const { schema } = documented.paths[path]?.[method]?.responses[status]?.content[mediaType] ?? {};
  assert.ok(schema, `${method} ${path} does not document ${status} as ${mediaType}`);
  const pointer = `api#/${steps.map(step).map(encodeURIComponent).join('/')}`;
  const known = compiled.get(pointer) ?? ajv.compile({ $ref: pointer });
  compiled.set(pointer, known);
  return known;
}

export type Body = Readonly<Record<string, unknown>>;
export type Asked = {
  readonly body?: unknown;
  /** Instead of the JSON of a body. */
  readonly text?: string;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
};

/** @param path below /api/v1, with its query */
export async function call(lab: Lab, method: string, path: string, asked: Asked = {}) {
  const { body, text = body === undefined ? undefined : JSON.stringify(body) } = asked;
  const token = asked.token ?? lab.adminToken;
  const response = await lab.fetch(`/api/v1${path}`, {
    method,
    ...(text === undefined ? {} : { body: text }),
    headers: { ...(token ? { authorization: `Bearer ${token}` } : {}), ...asked.headers },
  });
  const { status, headers } = response;
  const type = headers.get('content-type') ?? '';
  const received = await response.text();
  assert.equal(headers.get('cache-control'), 'no-store', `${method} ${path}`);
  assert.equal(type, status < 400 ? 'application/json' : 'application/problem+json');
  const json = JSON.parse(received) as Body;
  const route = routeOf(method, path);
  if (route) {
    const valid = schemaOf(route.method.toLowerCase(), route.path, status, type);
    assert.ok(valid(json), `${method} ${path}: ${ajv.errorsText(valid.errors)}\n${received}`);
  } else {
    const { pathname } = new URL(`http://scep.test/api/v1${path}`);
    const expected = hasDotSegment(pathname) ? [400] : [404, 405];
    assert.ok(expected.includes(status), `${method} ${path}: ${status}`);
  }
  return { status, json, headers, text: received };
}

/** The route that a path is of, if its parameters have any form; dot segments reach none. */
export function routeOf(method: string, path: string) {
  const { pathname } = new URL(`http://scep.test/api/v1${path}`);
  if (hasDotSegment(pathname)) return undefined;
  return routes.find((route) => {
    const pattern = `^/api/v1${route.path.replace(/\{\w+\}/g, '[^/]+')}$`;
    return route.method === method && new RegExp(pattern).test(pathname);
  });
}

/** A 200 or 201, or an error that says what it was. */
export async function ok(lab: Lab, method: string, path: string, asked: Asked = {}): Promise<Body> {
  const { status, json } = await call(lab, method, path, asked);
  assert.ok(status < 300, `${method} ${path}: ${status} ${JSON.stringify(json)}`);
  return json;
}

/** A token of somebody who has one role; the name of the actor is the role's. */
export async function tokenOf(store: Store, role: Role): Promise<string> {
  const token = `token-of-${role}`.padEnd(43, 'x');
  await putToken(store, token, { name: role, roles: [role] });
  return token;
}

/** All pages of a list. */
export async function pages(lab: Lab, path: string, noun: string): Promise<Body[][]> {
  const found: Body[][] = [];
  const glue = path.includes('?') ? '&' : '?';
  for (let next: unknown = ''; next !== null; ) {
    assert.ok(found.length < 200, 'no end');
    const json = await ok(lab, 'GET', `${path}${next ? `${glue}cursor=${next}` : ''}`);
    found.push(json[noun] as Body[]);
    next = json.next;
  }
  return found;
}
