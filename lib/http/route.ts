// A route of the admin API as data: who may ask, with what, what it answers. Everything that is said
// of the API is made from these: the application, its documentation, the tests of roles and answers.

import type * as z from 'zod/mini';
import type { Deps } from '../ca/deps.ts';
import type { Once } from '../ca/idempotency.ts';
import type { Actor } from '../log/event.ts';
import type { IdempotencyRecord, Role } from '../ports/records.ts';

/** `admin` has the rights of all roles. */
export type ApiRole = Exclude<Role, 'admin'>;

export type Schema = z.ZodMiniType;

export type Call<Params, Query, Body> = {
  readonly actor: Actor & { readonly id: string };
  /** The path as it was asked for, without its query: a list's name. */
  readonly path: string;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** Where an Idempotency-Key came along. */
  readonly once: Once | undefined;
};

/** An answer may be made of what nobody is to change. */
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
  /** What it is about; the answer to parameters that are none: `no such ...`. */
  readonly noun: string;
  readonly roles: readonly ApiRole[];
  readonly summary: string;
  /** An object of strings. What does not fit is a 404. */
  readonly params?: Params;
  readonly query?: Query;
  readonly body?: Body;
  readonly status?: 201;
  readonly answer: Answered;
  /** When it answers 409. */
  readonly conflict?: string;
  /** With an Idempotency-Key it is done once, however often it is asked for. */
  readonly repeatable?: true;
  handle(
    deps: Deps,
    call: Call<z.output<Params>, z.output<Query>, z.output<Body>>,
  ): Promise<Answer<z.input<Answered>>>;
  /** The answer once more; as it was kept, where this is absent. */
  repeat?(deps: Deps, once: Once, kept: IdempotencyRecord): Promise<object>;
  /** All of a list as lines of JSON, for who accepts application/x-ndjson. */
  lines?(
    deps: Deps,
    call: Call<z.output<Params>, z.output<Query>, z.output<Body>>,
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
