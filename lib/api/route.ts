// A route of the admin API as data: the roles that may call it, its input and its answer. What the server
// checks, its documentation, the types of its handlers and those of its clients are all made from these.

import type * as z from 'zod/mini';
import type { Role } from '../base/words.ts';

/** The path of every route begins with it. */
export const API_ROOT = '/api/v1';

/** The header with the token, where an ingress has a JWT or a signature in `Authorization`. */
export const tokenHeader = 'X-Scepter-Token';

/** A token has only characters that a header can carry. */
export const isToken = (text: string): boolean => /^[\x21-\x7e]{16,256}$/.test(text);

/** `admin` has the rights of all roles. */
type ApiRole = Exclude<Role, 'admin'>;

export type Schema = z.ZodMiniType;

export type Route = {
  /** What the route is about; `no such ...` is the answer to malformed parameters. */
  readonly noun: string;
  readonly roles: readonly ApiRole[];
  readonly summary: string;
  /** An object of strings. Parameters that do not fit are a 404. */
  readonly params?: Schema;
  /** An object of strings, each of them optional. */
  readonly query?: Schema;
  readonly body?: Schema;
  readonly status?: 201;
  readonly answer: Schema;
  /** For the documentation: what the body names may not be there (404). */
  readonly missing?: true;
  /** For the documentation: when the route answers 409. */
  readonly conflict?: string;
  /** With an Idempotency-Key the request is done once, however often it is sent. */
  readonly repeatable?: true;
  /** Clients that accept application/x-ndjson get all of the list as lines of JSON. */
  readonly lines?: true;
};

/** By method and path. The path is below `API_ROOT`, with its parameters in braces. */
export type Routes = Readonly<Record<`${'GET' | 'POST' | 'DELETE'} /${string}`, Route>>;

type Part = 'params' | 'query' | 'body';
type SchemaOf<R extends Route, P extends Part> = R extends {
  readonly [K in P]: infer S extends Schema;
}
  ? S
  : undefined;

/** What a handler gets: the input as its schema has checked it; `unknown` where the route takes none. */
type Checked<S> = S extends Schema ? z.output<S> : unknown;
export type ParamsOf<R extends Route> = Checked<SchemaOf<R, 'params'>>;
export type QueryOf<R extends Route> = Checked<SchemaOf<R, 'query'>>;
export type BodyOf<R extends Route> = Checked<SchemaOf<R, 'body'>>;

/** What is answered; a field that may be absent is never there as undefined. */
export type AnswerOf<R extends Route> = Frozen<z.input<R['answer']>, never>;

/** What a client sends: those parts of a request that the route takes. The query may be left out, and so may
 * fields by being undefined. */
export type SentTo<R extends Route> = Sent<R, 'params'> &
  Sent<R, 'body'> &
  Partial<Sent<R, 'query'>>;

type Sent<R extends Route, P extends Part> =
  SchemaOf<R, P> extends infer S extends Schema
    ? { readonly [K in P]: Frozen<z.input<S>, undefined> }
    : { readonly [K in P]?: never };

/** Readonly, with `Absent` instead of undefined. */
type Frozen<T, Absent> = T extends readonly (infer Item)[]
  ? readonly Frozen<Item, Absent>[]
  : T extends object
    ? { readonly [Key in keyof T]: Frozen<T[Key], Absent> }
    : T extends undefined
      ? Absent
      : T;
