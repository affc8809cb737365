// The admin API: JSON in, JSON out, problem+json (RFC 9457) for refusals, a role for every route.

import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import * as z from 'zod/mini';
import { createChallenge } from '../ca/challenges.ts';
import type { Deps } from '../ca/deps.ts';
import { decide } from '../ca/pending.ts';
import { normalBinding } from '../ca/policy.ts';
import { findTransaction, listTransactions } from '../ca/transactions.ts';
import type { Endpoint } from '../config.ts';
import { HttpFailure } from '../errors.ts';
import { MAX_ADMIN_BODY_OCTETS, MAX_NAMES, MAX_PAGE } from '../limits.ts';
import type { Role, Transaction } from '../ports/records.ts';
import { duration, explainIssues } from '../schema.ts';
import { type Admin, requireRole } from './auth.ts';
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

const verdict = z.strictObject({
  reason: z.optional(z.string().check(z.maxLength(500, 'must be at most 500 characters'))),
});

const transactionQuery = z.strictObject({
  endpoint: z._default(z.string(), 'default'),
  state: z.optional(
    z.enum([
      'pending',
      'approved',
      'denied',
      'expired',
      'intended',
      'signed',
      'issued',
      'voided',
      'revoked',
      'refused',
    ]),
  ),
  limit: z._default(
    z.coerce.number().check(z.multipleOf(1, 'must be a whole number'), z.gte(1), z.lte(MAX_PAGE)),
    20,
  ),
  cursor: z.optional(z.string().check(z.regex(/^[\w/-]{1,80}$/, 'is not a cursor of this list'))),
});

export function adminRoutes(deps: Deps): Hono<Admin> {
  const app = new Hono<Admin>();
  const role = (...allowed: readonly Role[]) => requireRole(deps.store, ...allowed);
  app.use(
    bodyLimit({
      maxSize: MAX_ADMIN_BODY_OCTETS,
      onError: () => {
        throw new HttpFailure(413, `the body must be at most ${MAX_ADMIN_BODY_OCTETS} octets`);
      },
    }),
  );

  app.post('/challenges', role('challenger'), async (c) => {
    const { endpoint: id, subject, san, uses, ttl } = checked(newChallenge, await bodyOf(c));
    const endpoint = deps.config.endpoints.get(id);
    if (!endpoint) throw new HttpFailure(422, `endpoint: "${id}" does not exist`);
    const binding = bindingOf(endpoint, subject, san);
    const wanted = { binding, uses, ttlMs: ttl ?? endpoint.challengeTtlMs };
    const made = await createChallenge(deps, endpoint, wanted, c.get('actor'));
    return json(201, {
      id: made.id,
      challenge: made.challenge,
      endpoint: id,
      expiresAt: new Date(made.expiresAt).toISOString(),
    });
  });

  app.get('/transactions', role('auditor', 'approver'), async (c) => {
    const { state, cursor, ...query } = checked(transactionQuery, c.req.query());
    if (!deps.config.endpoints.has(query.endpoint)) {
      throw new HttpFailure(422, `endpoint: "${query.endpoint}" does not exist`);
    }
    const { transactions, next } = await listTransactions(deps, {
      ...query,
      ...(state === undefined ? {} : { state }),
      ...(cursor === undefined ? {} : { cursor }),
    });
    return json(200, { transactions: transactions.map(shown), next: next ?? null });
  });

  app.get('/transactions/:id', role('auditor', 'approver'), async (c) => {
    const transaction = await findTransaction(deps, idOf(c));
    if (!transaction) throw new HttpFailure(404, 'no such transaction');
    return json(200, { ...shown(transaction), csr: transaction.csr });
  });

  for (const [path, state] of [
    ['approve', 'approved'],
    ['deny', 'denied'],
  ] as const) {
    app.post(`/transactions/:id/${path}`, role('approver'), async (c) => {
      const { reason } = checked(verdict, await bodyOf(c));
      const id = idOf(c);
      const by = c.get('actor').id;
      const said = await decide(deps, id, state, {
        by,
        ...(reason === undefined ? {} : { reason }),
      });
      if (said === 'missing') throw new HttpFailure(404, 'no such transaction');
      if (said !== 'done') throw new HttpFailure(409, `the transaction is ${said}, not pending`);
      const transaction = await findTransaction(deps, id);
      if (!transaction) throw new HttpFailure(404, 'no such transaction');
      return json(200, shown(transaction));
    });
  }

  app.all('*', () => {
    throw new HttpFailure(404, 'no such resource');
  });
  return app;
}

const iso = (ms: number): string => new Date(ms).toISOString();

/** A Transaction as the API shows it. */
function shown(transaction: Transaction) {
  const {
    undo: _undo,
    csr: _csr,
    sealedPassword: _sealed,
    pendingMac: _mac,
    ...rest
  } = transaction;
  const { approval, expiresAt, leaseUntil: _lease, repeatUntil: _repeat, ...plain } = rest;
  return {
    ...plain,
    ...(approval ? { approval: { by: approval.by, at: iso(approval.at) } } : {}),
    ...(expiresAt === undefined ? {} : { expiresAt: iso(expiresAt) }),
    timeline: rest.timeline.map((step) => ({ ...step, at: iso(step.at) })),
    createdAt: iso(rest.createdAt),
  };
}

function bindingOf({ profile }: Endpoint, subject: string | undefined, san: readonly string[]) {
  try {
    return normalBinding(profile, subject, san);
  } catch (error) {
    if (error instanceof SyntaxError) throw new HttpFailure(422, error.message);
    throw error;
  }
}

/** No store is asked for what cannot be there. @throws {HttpFailure} 404 for what is no ULID */
function idOf(c: Context): string {
  const id = c.req.param('id') ?? '';
  if (!/^[0-9A-HJKMNP-TV-Z]{26}$/.test(id)) throw new HttpFailure(404, 'no such transaction');
  return id;
}

/** @throws {HttpFailure} 400 for what is no JSON, or holds half of a surrogate pair */
async function bodyOf(c: Context): Promise<unknown> {
  const text = await c.req.text();
  try {
    return JSON.parse(text, (_, value: unknown) => {
      if (typeof value === 'string' && !value.isWellFormed()) throw new SyntaxError('not Unicode');
      return value;
    });
  } catch (error) {
    if (error instanceof SyntaxError) throw new HttpFailure(400, 'the body is not JSON');
    throw error;
  }
}

/** @throws {HttpFailure} 422 with a sentence for each field that is wrong */
function checked<T extends z.ZodMiniType>(schema: T, input: unknown): z.output<T> {
  const result = z.safeParse(schema, input, { reportInput: true });
  if (result.success) return result.data;
  throw new HttpFailure(422, explainIssues(result.error.issues, 'the body').join('; '));
}

function json(status: 200 | 201, value: object): Response {
  const response = octets(`${JSON.stringify(value)}\n`, 'application/json', 'no-store');
  return new Response(response.body, { status, headers: response.headers });
}
