// The documentation of the admin API (OpenAPI 3.1), made from the table of its routes and their
// schemas, so that it says what the code does.

import * as z from 'zod/mini';
import { MAX_ADMIN_BODY_OCTETS, RETRY_AFTER_S } from '../base/limits.ts';
import { type NamedRoute, routes } from './api.ts';
import { API_ROOT, type Schema, tokenHeader } from './route.ts';
import { answers, bodies } from './schemas.ts';

type JsonSchema = Readonly<Record<string, unknown>>;
const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });

/** RFC 9457. */
const problem = {
  type: 'object',
  properties: {
    type: { const: 'about:blank' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string', description: 'what is wrong, in one sentence for each field' },
    id: { type: 'string', description: "names the refusal in the service's log" },
  },
  required: ['type', 'title', 'status', 'id'],
  additionalProperties: false,
};

export function openApi(): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    paths[route.path] ??= {};
    Object.assign(paths[route.path] ?? {}, { [route.method.toLowerCase()]: operation(route) });
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Scepter admin API',
      version: '1',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      description:
        'Times are ISO 8601 in UTC, serial numbers and digests lower-case hexadecimal. A list answers `next`, the `cursor` of its next page, until that is null; a page may be short, or empty, and not be the last. The role `admin` has the rights of all roles.',
    },
    servers: [{ url: API_ROOT }],
    security: [{ token: [] }, { ownHeader: [] }],
    tags: [...new Set(routes.map(tagOf))].map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer' },
        ownHeader: {
          type: 'apiKey',
          in: 'header',
          name: tokenHeader,
          description: 'The token, where an ingress has a JWT or a signature in Authorization.',
        },
      },
      schemas: { ...named(bodies, 'input'), ...named(answers, 'output'), Problem: problem },
    },
  };
}

function operation(route: NamedRoute): object {
  const { roles, summary, params, query, repeatable, status = 200 } = route;
  const parameters = [
    ...parametersOf('path', params),
    ...parametersOf('query', query),
    ...(repeatable ? [idempotencyKey] : []),
  ];
  return {
    operationId: operationId(route),
    tags: [tagOf(route)],
    summary,
    description: `Roles: ${['admin', ...roles].join(', ')}.`,
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(route.body
      ? { requestBody: { required: true, content: json(nameIn(bodies, route.body)) } }
      : {}),
    responses: {
      [status]: {
        description: status === 201 ? 'made' : 'done',
        headers: { 'cache-control': { schema: { const: 'no-store' } } },
        content: {
          ...json(nameIn(answers, route.answer)),
          ...(route.lines ? { 'application/x-ndjson': { schema: { type: 'string' } } } : {}),
        },
      },
      ...refusals(route),
    },
  };
}

/** `postTransactionsApprove` */
const operationId = ({ method, path }: NamedRoute): string =>
  [
    method.toLowerCase(),
    ...path
      .replace(/\{(\w+)\}/g, 'by-$1')
      .split(/[/-]/)
      .filter(Boolean)
      .map((word) => word.charAt(0).toUpperCase() + word.slice(1)),
  ].join('');

const tagOf = ({ path }: NamedRoute): string => path.split('/')[1] ?? '';

const idempotencyKey = {
  name: 'Idempotency-Key',
  in: 'header',
  description:
    'The same request again under the same key, within seven days, gets the same answer and has no second effect. A refusal is not remembered.',
  schema: { type: 'string', pattern: '^[ -~]{1,100}$' },
};

function parametersOf(place: 'path' | 'query', schema: Schema | undefined): object[] {
  if (!schema) return [];
  const { properties = {}, required = [] } = z.toJSONSchema(schema, { io: 'input' });
  return Object.entries(properties as Record<string, JsonSchema>).map(
    ([name, { description, ...rest }]) => ({
      name,
      in: place,
      ...(place === 'path' || required.includes(name) ? { required: true } : {}),
      ...(description === undefined ? {} : { description }),
      schema: rest,
    }),
  );
}

function refusals({ method, params, body, missing, conflict }: NamedRoute): object {
  const malformed = [
    ...(body ? ['the body is not JSON'] : []),
    ...(params ? ['the path has dot segments, however they are escaped'] : []),
  ];
  const said: Record<number, string> = {
    ...(malformed.length > 0 ? { 400: malformed.join('; or ') } : {}),
    401: 'no valid bearer token',
    403: 'the token has none of the roles',
    ...(params || missing ? { 404: 'there is none' } : {}),
    ...(conflict === undefined ? {} : { 409: conflict }),
    ...(method === 'GET' ? {} : { 413: `the body is over ${MAX_ADMIN_BODY_OCTETS} octets` }),
    422: 'a field is wrong, or none that exists here; the detail says which',
    503: `trouble of our own; the same request may be sent again after ${RETRY_AFTER_S} s`,
  };
  return Object.fromEntries(
    Object.entries(said).map(([status, description]) => [
      status,
      { description, content: { 'application/problem+json': { schema: ref('Problem') } } },
    ]),
  );
}

const json = (name: string) => ({ 'application/json': { schema: ref(name) } });

function nameIn(registry: typeof answers, schema: Schema): string {
  const name = registry.get(schema)?.id;
  if (name === undefined) throw new TypeError('a route has a schema without a name');
  return name;
}

function named(registry: typeof answers, io: 'input' | 'output'): Record<string, JsonSchema> {
  const { schemas } = z.toJSONSchema(registry, { io, uri: (id) => ref(id).$ref });
  return Object.fromEntries(
    Object.entries(schemas).map(([name, { $schema: _schema, $id: _id, ...rest }]) => [name, rest]),
  );
}
