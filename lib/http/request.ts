// Checks the input of the admin API: JSON, query, cursors. Every problem is a sentence that names the field.

import type { Context } from 'hono';
import * as z from 'zod/mini';
import type { Schema } from '../api/route.ts';
import {
  type Bytes,
  base64url,
  concat,
  equal,
  fromBase64url,
  fromUtf8,
  utf8,
} from '../base/bytes.ts';
import { HttpFailure } from '../base/errors.ts';
import { canonical, type Json } from '../base/json.ts';
import type { Deps } from '../ca/deps.ts';
import type { Turn } from '../ca/query/browse.ts';
import { wantedIn } from '../ca/query/words.ts';
import { explainIssues } from '../config/schema.ts';
import { hash } from '../crypto/native.ts';

/** @throws {HttpFailure} 400 for a text that is not JSON, has half of a surrogate pair, or is nested without end */
export async function bodyOf(c: Context): Promise<unknown> {
  const text = await c.req.text();
  try {
    return JSON.parse(text, (key, value: unknown) => {
      const whole = key.isWellFormed() && (typeof value !== 'string' || value.isWellFormed());
      if (!whole) throw new SyntaxError('not Unicode');
      return value;
    });
  } catch (error) {
    // A RangeError: its nesting takes the whole stack.
    const isOfText = error instanceof SyntaxError || error instanceof RangeError;
    if (isOfText) throw new HttpFailure(400, 'the body is not JSON');
    throw error;
  }
}

/** @throws {HttpFailure} 422 for a field that stands twice */
export function queryOf(c: Context): Record<string, string> {
  const fields = Object.entries(c.req.queries());
  return Object.fromEntries(
    fields.map(([name, [value = '', ...more]]) => {
      if (more.length > 0) throw new HttpFailure(422, `${name}: stands more than once`);
      return [name, value.toWellFormed()];
    }),
  );
}

/** @throws {HttpFailure} 422 with a sentence for each field that is wrong */
export function checked<T extends Schema>(schema: T, input: unknown, whole: string): z.output<T> {
  const result = z.safeParse(schema, input, { reportInput: true });
  if (result.success) return result.data;
  throw new HttpFailure(422, explainIssues(result.error.issues, whole).join('; '));
}

/** The words of a search. @throws {HttpFailure} 422 where it asks for none, or for what the store cannot find */
export function wordsOf({ index }: Pick<Deps, 'index'>, search: string | undefined) {
  if (search === undefined) return {};
  try {
    return { words: wantedIn(search, index.findsInside) };
  } catch (error) {
    if (error instanceof SyntaxError) throw new HttpFailure(422, `search: ${error.message}`);
    throw error;
  }
}

/** Octets of a cursor that bind it to its list and filters, and detect changes. */
const BINDING_OCTETS = 12;

/**
 * The page that is asked for, and the writer of the cursor to the next one. A cursor is a place in its list,
 * bound to list and filters. It is not a secret and gives no permission: it leads only to places in its list.
 * @throws {HttpFailure} 422 for a cursor of another list, or a made-up one
 */
export function turnOf<
  Query extends { readonly limit: number; readonly cursor?: string | undefined },
>(path: string, { limit, cursor, ...filters }: Query) {
  const list: Json = [path, filters as Json];
  const bind = (place: Bytes): Bytes =>
    hash('SHA-256', concat([canonical(list), utf8('\n'), place])).slice(0, BINDING_OCTETS);
  let at: string | undefined;
  if (cursor !== undefined) {
    at = placeIn(cursor, bind);
    if (at === undefined) throw new HttpFailure(422, 'cursor: is not a cursor of this list');
  }
  const asked: Turn = { limit, ...(at === undefined ? {} : { cursor: at }) };
  const nextOf = (place: string | undefined): string | null =>
    place === undefined ? null : base64url(concat([bind(utf8(place)), utf8(place)]));
  return { turn: asked, filters, nextOf };
}

function placeIn(cursor: string, bind: (place: Bytes) => Bytes): string | undefined {
  try {
    const octets = fromBase64url(cursor);
    const place = octets.slice(BINDING_OCTETS);
    return equal(octets.subarray(0, BINDING_OCTETS), bind(place)) ? fromUtf8(place) : undefined;
  } catch {
    return undefined; // not a cursor of this API
  }
}
