// What the schemas of the configuration and of the API's bodies share: the small types that JSON has
// no words for, and the sentences that say what is wrong.

import { closest, distance } from 'fastest-levenshtein';
import stripJsonComments from 'strip-json-comments';
import * as z from 'zod/mini';
import { errorText } from '../base/errors.ts';
import { durationPattern, parseDuration } from './duration.ts';

/** JSON in which `//`, block comments and trailing commas may stand. @throws {SyntaxError} */
export const parseJsonc = (text: string): unknown =>
  JSON.parse(stripJsonComments(text, { trailingCommas: true }));

/** A schema with the sentence that the published JSON Schema says about it. */
export const described = <T extends z.ZodMiniType>(text: string, schema: T): T =>
  schema.check(z.describe(text));

/** For a number it says what a number lacks. */
const unitOf =
  (text: string) =>
  ({ input }: { readonly input?: unknown }): string =>
    typeof input === 'number' ? `${text}, not ${input}: write "${input}d" for days` : text;

const durationText = 'must be a duration such as "30s", "15m", "1h" or "365d"';

/** A duration's text; its value is milliseconds. */
export const duration = z.pipe(
  z.string({ error: unitOf(durationText) }).check(z.regex(durationPattern, durationText)),
  z.transform((text) => parseDuration(text) ?? 0),
);

const fractionPattern = /^([1-9]\d{0,2})\/([1-9]\d{0,2})$/;
const durationOrFractionPattern = /^([1-9]\d{0,5}[smhd]|[1-9]\d{0,2}\/[1-9]\d{0,2})$/;
const durationOrFractionText =
  'must be a duration such as "30d", or a fraction such as "1/3", at most "1/1"';

/** 0.333... of `1/3`; undefined for other text. */
function parseFraction(text: string): number | undefined {
  const [, part, whole] = fractionPattern.exec(text) ?? [];
  return part && whole ? Number(part) / Number(whole) : undefined;
}

/** A duration's text, or that of a fraction of something that lasts. */
export const durationOrFraction = z.pipe(
  z.string({ error: unitOf(durationOrFractionText) }).check(
    z.regex(durationOrFractionPattern, { error: durationOrFractionText, abort: true }),
    z.refine((text) => (parseFraction(text) ?? 0) <= 1, durationOrFractionText),
  ),
  z.transform((text): { readonly ms: number } | { readonly fraction: number } => {
    const fraction = parseFraction(text);
    return fraction === undefined ? { ms: parseDuration(text) ?? 0 } : { fraction };
  }),
);

const idText = 'must be a name of lower-case letters, digits and "-", at most 32';
export const id = z.string().check(z.regex(/^[a-z0-9][a-z0-9-]{0,31}$/, idText));

/** Text that `parse` takes; what it throws is the sentence. The value is what it gives. */
export const parsed = <T>(parse: (text: string) => T) =>
  z.pipe(
    z.string(),
    z.transform((text: string, context): T => {
      try {
        return parse(text);
      } catch (error) {
        const message = errorText(error);
        context.issues.push({ code: 'custom', message, input: text });
        return z.NEVER;
      }
    }),
  );

/**
 * One sentence for each field that a schema finds wrong, beginning with its path.
 * @param whole what to call the document itself
 * @param schema of the document, for whoever mistyped the name of a field
 */
export const explainIssues = (
  issues: readonly z.core.$ZodIssue[],
  whole: string,
  schema?: z.core.$ZodType,
): string[] =>
  issues.flatMap((issue) => {
    const names = issue.path.map(String);
    const fields = () => (schema ? fieldsAt(schema, names) : []);
    return explain(issue, fields).map((said) => `${names.join('.') || whole}: ${said}`);
  });

/** Characters of a word that may be one of ours, mistyped. */
const MAX_MISTYPED = 64;

/** `; did you mean "device"?`, or nothing where none of the words is like the one that was written. */
export function didYouMean(word: unknown, words: readonly string[]): string {
  if (words.length === 0 || typeof word !== 'string' || word.length > MAX_MISTYPED) return '';
  const like = closest(word, [...words]);
  return distance(word, like) * 3 <= Math.max(word.length, 3) ? `; did you mean "${like}"?` : '';
}

/** What may stand in the object at that path: by the parts that a schema of zod is made of. */
function fieldsAt(schema: z.core.$ZodType, path: readonly string[]): string[] {
  const [name, ...rest] = path;
  const { def } = schema._zod as z.core.$ZodTypes['_zod'];
  switch (def.type) {
    case 'object':
      if (name === undefined) return Object.keys(def.shape);
      return def.shape[name] ? fieldsAt(def.shape[name], rest) : [];
    case 'record':
      return name === undefined ? [] : fieldsAt(def.valueType, rest);
    case 'union':
      return def.options.flatMap((option) => fieldsAt(option, path));
    case 'optional':
    case 'default':
    case 'prefault':
      return fieldsAt(def.innerType, path);
    default:
      return [];
  }
}

/**
 * Paths of the fields of a valid document that are called `__proto__`: zod's records leave them out
 * without a word, and whoever wrote one believes that it counts.
 */
export function prototypesIn(value: unknown, path: readonly string[] = []): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, one]) => {
    const here = [...path, name];
    return name === '__proto__' ? [here.join('.')] : prototypesIn(one, here);
  });
}

function explain(issue: z.core.$ZodIssue, fields: () => readonly string[]): string[] {
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map(
        (key) => `"${key}" is not a field that exists here${didYouMean(key, fields())}`,
      );
    case 'invalid_value': {
      const like = didYouMean(issue.input, issue.values.map(String));
      return [`must be ${issue.values.map((value) => JSON.stringify(value)).join(', ')}${like}`];
    }
    case 'invalid_type': {
      const type = words[issue.expected] ?? issue.expected;
      const must = custom(issue) ?? `must be ${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type}`;
      return [issue.input === undefined ? `is missing; it ${must}` : must];
    }
    case 'too_small':
      return [custom(issue) ?? `must be at least ${issue.minimum}`];
    case 'too_big':
      return [custom(issue) ?? `must be at most ${issue.maximum}`];
    case 'invalid_key':
      return [issue.issues[0]?.message ?? idText];
    default:
      return [issue.message];
  }
}

/** The schema's own sentence, where it has one instead of zod's. */
const custom = ({ message }: z.core.$ZodIssue): string | undefined =>
  message === 'Invalid input' ? undefined : message;

/** zod's type names in words that a JSON document has. */
const words: Readonly<Record<string, string>> = { record: 'object', int: 'whole number' };

/** Whether it has the words by which this shape is told from others. */
const isOf = ({ properties = {} }: z.core.JSONSchema.BaseSchema, value: object): boolean =>
  Object.entries(properties).every(
    ([name, field]) =>
      typeof field !== 'object' ||
      field.const === undefined ||
      field.const === Reflect.get(value, name),
  );

/**
 * A valid document with every default of its JSON Schema written out, in the order of the schema.
 * Where a field may be one of several things, an object is the one with properties.
 */
export function withDefaults(schema: z.core.JSONSchema._JSONSchema, value: unknown): unknown {
  if (typeof schema === 'boolean' || typeof value !== 'object' || value === null) return value;
  const options = [schema, ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])];
  const shape = options
    .filter((option) => option.properties || option.additionalProperties)
    .find((option) => isOf(option, value));
  if (!shape || Array.isArray(value)) return value;
  const { properties = {}, additionalProperties = true } = shape;
  const known = Object.entries(properties).flatMap(([name, field]) => {
    const given: unknown = Reflect.get(value, name);
    const assumed = typeof field === 'object' ? field.default : undefined;
    if (given === undefined && assumed === undefined) return [];
    return [[name, withDefaults(field, given ?? assumed)]];
  });
  const rest = Object.entries(value)
    .filter(([name]) => !Object.hasOwn(properties, name))
    .map(([name, one]) => [name, withDefaults(additionalProperties, one)]);
  return Object.fromEntries([...known, ...rest]);
}
