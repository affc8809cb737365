// The parts of the document by name, and what one of them says of another: looked at also where some of it is
// wrong, so that every fault is found in one round.

import * as z from 'zod/mini';
import { didYouMean } from './schema.ts';

type Written = ReadonlyMap<string, unknown>;

/** What stands in a part of the document by name: all of it as it is written, and what is right in itself. */
export function partOf<T extends z.ZodMiniType>(input: unknown, part: string, schema: T) {
  const of: unknown = input instanceof Object ? Reflect.get(input, part) : undefined;
  const written: Written = new Map(of instanceof Object ? Object.entries(of) : []);
  const good = new Map<string, z.output<T>>();
  for (const [name, value] of written) {
    const { success, data } = z.safeParse(schema, value);
    if (success) good.set(name, data);
  }
  return { written, good };
}

/** A name that one part of the document says must stand in another. */
export function requireKnown(
  endpoints: Written,
  field: 'ca' | 'profile',
  names: readonly string[],
  problems: string[],
): void {
  const allowed = [...new Set(names)];
  for (const [name, written] of endpoints) {
    const value: unknown = written instanceof Object ? Reflect.get(written, field) : undefined;
    if (typeof value !== 'string' || allowed.includes(value)) continue;
    const all = allowed.map((one) => `"${one}"`).join(', ');
    const may = all === '' ? '' : `; it may be ${all}${didYouMean(value, allowed)}`;
    problems.push(`endpoints.${name}.${field}: "${value}" is not defined${may}`);
  }
}
