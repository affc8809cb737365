// The admin API: JSON in, JSON out, problem+json (RFC 9457) for refusals, a role for every route.

import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import * as z from 'zod/mini';
import { createChallenge } from '../ca/challenges.ts';
import type { Deps } from '../ca/deps.ts';
import { normalBinding } from '../ca/policy.ts';
import { HttpFailure } from '../errors.ts';
import { MAX_ADMIN_BODY_OCTETS, MAX_NAMES } from '../limits.ts';
import type { AdminTokens } from '../ports/admin-tokens.ts';
import { duration, explainIssues } from '../schema.ts';
import { requireRole } from './auth.ts';
import { octets } from './respond.ts';

const newChallenge = z.strictObject({
  endpoint: z._default(z.string(), 'default'),
  subject: z.optional(z.string()),
  san: z._default(
    z.array(z.string()).check(z.maxLength(MAX_NAMES, `must hold at most ${MAX_NAMES} names`)),
    [],
  ),
  uses: z._default(z.int().check(z.gte(1), z.lte(100_000)), 1),
  ttl: z.optional(duration),
});

export function adminRoutes(deps: Deps, tokens: AdminTokens): Hono {
  const app = new Hono();
  app.use(
    bodyLimit({
      maxSize: MAX_ADMIN_BODY_OCTETS,
      onError: () => {
        throw new HttpFailure(413, `the body must be at most ${MAX_ADMIN_BODY_OCTETS} octets`);
      },
    }),
  );

  app.post('/challenges', requireRole(tokens, 'challenger'), async (c) => {
    const { endpoint: id, subject, san, uses, ttl } = await bodyOf(c, newChallenge);
    const endpoint = deps.config.endpoints.get(id);
    if (!endpoint) throw new HttpFailure(422, `endpoint: "${id}" does not exist`);
    const binding = bindingOf(subject, san);
    const ttlMs = ttl ?? endpoint.challengeTtlMs;
    const made = await createChallenge(deps, endpoint, { binding, uses, ttlMs });
    return json(201, {
      id: made.id,
      challenge: made.challenge,
      endpoint: id,
      expiresAt: new Date(made.expiresAt).toISOString(),
    });
  });

  app.all('*', () => {
    throw new HttpFailure(404, 'no such resource');
  });
  return app;
}

function bindingOf(subject: string | undefined, san: readonly string[]) {
  try {
    return normalBinding(subject, san);
  } catch (error) {
    if (error instanceof SyntaxError) throw new HttpFailure(422, error.message);
    throw error;
  }
}

/** The body as the schema has it. @throws {HttpFailure} 400 for no JSON, 422 for other fields */
async function bodyOf<T extends z.ZodMiniType>(c: Context, schema: T): Promise<z.output<T>> {
  let input: unknown;
  try {
    input = JSON.parse(await c.req.text());
  } catch (error) {
    if (error instanceof SyntaxError) throw new HttpFailure(400, 'the body is not JSON');
    throw error;
  }
  const result = z.safeParse(schema, input, { reportInput: true });
  if (!result.success) {
    throw new HttpFailure(422, explainIssues(result.error.issues, 'the body').join('; '));
  }
  return result.data;
}

function json(status: 200 | 201, value: object): Response {
  const response = octets(`${JSON.stringify(value)}\n`, 'application/json', 'no-store');
  return new Response(response.body, { status, headers: response.headers });
}
