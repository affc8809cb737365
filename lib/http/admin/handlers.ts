// The types of the functions that answer the API's routes, made from its contract: a route without a handler,
// and a handler whose answer does not fit the route's schema, do not compile.

import type { AnswerOf, BodyOf, ParamsOf, QueryOf, Route, Routes } from '../../api/route.ts';
import type { AdminDeps } from '../../ca/deps.ts';
import type { Once } from '../../ca/record/idempotency.ts';
import type { NamedActor } from '../../events/event.ts';
import type { IdempotencyRecord } from '../../ports/records/records.ts';

/** A request, checked by the schemas of its route. */
export type ApiCall<R extends Route = Route> = {
  readonly actor: NamedActor;
  /** The path of the request, without its query. It identifies the list that a cursor belongs to. */
  readonly path: string;
  readonly params: ParamsOf<R>;
  readonly query: QueryOf<R>;
  readonly body: BodyOf<R>;
  /** Present if the request has an Idempotency-Key. */
  readonly once: Once | undefined;
};

export type Handler<R extends Route = Route> = {
  handle(deps: AdminDeps, call: ApiCall<R>): Promise<AnswerOf<R>>;
  /** Builds the answer to a repeat. By default it is the stored answer. */
  repeat?(deps: AdminDeps, once: Once, kept: IdempotencyRecord): Promise<AnswerOf<R>>;
} & (R extends { readonly lines: true } ? Lines<R> : Partial<Lines<R>>);

type Lines<R extends Route> = {
  /** All of a list as lines of JSON. */
  lines(deps: AdminDeps, call: ApiCall<R>): AsyncGenerator<string, void>;
};

/** A handler that does no more than answer is that function alone. */
type Short<R extends Route> = R extends { readonly lines: true } ? never : Handler<R>['handle'];

export type HandlersOf<Table extends Routes> = {
  readonly [Name in keyof Table & keyof Routes]: Handler<Table[Name]> | Short<Table[Name]>;
};
