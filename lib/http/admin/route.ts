// A route of the admin API as data: the roles that may call it, its input and its answers. The application,
// the documentation, and the tests of roles and answers are all made from these.

import type * as z from 'zod/mini';
import type { Role } from '../../base/words.ts';
import type { AdminDeps } from '../../ca/deps.ts';
import type { Once } from '../../ca/record/idempotency.ts';
import type { NamedActor } from '../../events/event.ts';
import type { IdempotencyRecord } from '../../ports/records/records.ts';

/** `admin` has the rights of all roles. */
export type ApiRole = Exclude<Role, 'admin'>;

export type Schema = z.ZodMiniType;

export type ApiCall<Params, Query, Body> = {
  readonly actor: NamedActor;
  /** The path of the request, without its query. It identifies the list that a cursor belongs to. */
  readonly path: string;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** Present if the request has an Idempotency-Key. */
  readonly once: Once | undefined;
};

/** The type of an answer, made readonly, so that a handler may return readonly values. */
export type Answer<T> = T extends readonly (infer Item)[]
  ? readonly Answer<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Answer<T[Key]> }
    : T;

export type RouteOf<
  Params extends Schema,
  Query extends Schema,
  Body extends Schema,
  Answered extends Schema,
> = {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Below /api/v1, with its parameters in braces. */
  readonly path: string;
  /** What the route is about; `no such ...` is the answer to malformed parameters. */
  readonly noun: string;
  readonly roles: readonly ApiRole[];
  readonly summary: string;
  /** An object of strings. Parameters that do not fit are a 404. */
  readonly params?: Params;
  readonly query?: Query;
  readonly body?: Body;
  readonly status?: 201;
  readonly answer: Answered;
  /** For the documentation: when the route answers 409. */
  readonly conflict?: string;
  /** With an Idempotency-Key the request is done once, however often it is sent. */
  readonly repeatable?: true;
  handle(
    deps: AdminDeps,
    call: ApiCall<z.output<Params>, z.output<Query>, z.output<Body>>,
  ): Promise<Answer<z.input<Answered>>>;
  /** Builds the answer to a repeat. By default it is the stored answer. */
  repeat?(deps: AdminDeps, once: Once, kept: IdempotencyRecord): Promise<object>;
  /** All of a list as lines of JSON, for clients that accept application/x-ndjson. */
  lines?(
    deps: AdminDeps,
    call: ApiCall<z.output<Params>, z.output<Query>, z.output<Body>>,
  ): AsyncGenerator<string, void>;
};

export type Route = RouteOf<Schema, Schema, Schema, Schema>;

/** Ties the types of a route's schemas to its handler, and forgets them. */
export const route = <
  Answered extends Schema,
  Params extends Schema = Schema,
  Query extends Schema = Schema,
  Body extends Schema = Schema,
>(
  definition: RouteOf<Params, Query, Body, Answered>,
): Route => definition;
