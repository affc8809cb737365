// What the schemas of the admin API's routes share.

import * as z from 'zod/mini';
import { MAX_PAGE, MAX_SEARCH_CHARACTERS } from '../base/limits.ts';
import { described, id } from '../config/schema.ts';
import type { Schema } from './route.ts';

type Named = z.core.$ZodRegistry<{ id: string }>;
/** Schemas that the documentation has by name, for input and for answers. */
export const bodies: Named = z.registry<{ id: string }>();
export const answers: Named = z.registry<{ id: string }>();

export function body<T extends Schema>(name: string, schema: T): T {
  bodies.add(schema, { id: name });
  return schema;
}

export function answer<T extends Schema>(name: string, schema: T): T {
  answers.add(schema, { id: name });
  return schema;
}

export const altered = described(
  'records (kind and key) that another hand has changed: what stands in them is not told',
  z.optional(z.array(z.string())),
);

/** The fields of one page of a list. */
export const pageShape = <Noun extends string, T extends Schema>(noun: Noun, item: T) => ({
  ...({ [noun]: z.array(item) } as Record<Noun, z.ZodMiniArray<T>>),
  next: described('`cursor` of the next page; null at the end', z.nullable(z.string())),
  altered,
});

export const page = <Noun extends string, T extends Schema>(name: string, noun: Noun, item: T) =>
  answer(name, z.strictObject(pageShape(noun, item)));

export const ulidText = z.string().check(z.regex(/^[0-9A-HJKMNP-TV-Z]{26}$/, 'is not an id'));

export const endpointId = described('name of an endpoint', z.string());
export const caId = described('name of a CA', id);

const partitionText = 'must be GENERATION-NUMBER, such as 1-17';
export const crlPartition = z
  .string()
  .check(z.regex(/^[1-9]\d{0,5}-(0|[1-9]\d{0,3})$/, partitionText));

/** For the documentation of what only an operator does: when it is a conflict. */
export const notHere =
  'a server whose records are in a table has no right to do this: an operator does it with credentials of his own; or it cannot be done now, and the detail says why';

/** The beginning of an id, and less than all of it. */
export const idPrefix = described(
  'how the id begins',
  z.optional(
    z.string().check(z.regex(/^[0-9A-HJKMNP-TV-Z]{1,25}$/, 'is not the beginning of an id')),
  ),
);

const serialText = 'must be a serial number: 2 to 40 hexadecimal digits';
/** Hexadecimal, as people copy it: in any case, with or without colons. */
export const serial = described(
  'a serial number, hexadecimal',
  z.pipe(
    z.string().check(z.regex(/^[0-9a-f]{2}(:?[0-9a-f]{2}){0,19}$/i, serialText)),
    z.transform((text: string) => text.replaceAll(':', '').toLowerCase()),
  ),
);

const serialPrefixText = 'must be 2 to 39 hexadecimal digits';
/** The beginning of a serial number, as people copy it. */
export const serialPrefix = described(
  'how the serial number begins, hexadecimal',
  z.optional(
    z.pipe(
      z.string().check(z.regex(/^[0-9a-f]{2}(:?[0-9a-f]){0,37}:?$/i, serialPrefixText)),
      z.transform((text: string) => text.replaceAll(':', '').toLowerCase()),
    ),
  ),
);

const digestText = 'must be a SHA-256: 64 hexadecimal digits';
export const digest = z.pipe(
  z.string().check(z.regex(/^[0-9a-f]{2}(:?[0-9a-f]{2}){31}$/i, digestText)),
  z.transform((text: string) => text.replaceAll(':', '').toLowerCase()),
);

const beginText = 'must not be empty';
/** The beginning of a text to search for. */
export const beginning = z.string().check(z.minLength(1, beginText));

export const search = described(
  'words, each of which begins a word of a subjectAltName or of the subject, in any order and case; * before one: inside words too, where the records are in a file. Found two minutes after the request',
  z
    .string()
    .check(
      z.minLength(1, beginText),
      z.maxLength(MAX_SEARCH_CHARACTERS, `must have at most ${MAX_SEARCH_CHARACTERS} characters`),
    ),
);

const timeText = 'must be a time such as "2030-01-31" or "2030-01-31T12:00:00Z"';
const timePattern = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d))?$/;
/** The text of a time, UTC where it is a day; its value is milliseconds since 1970. */
export const moment = z.pipe(
  z.string().check(
    z.regex(timePattern, { error: timeText, abort: true }),
    z.refine((text: string) => !Number.isNaN(Date.parse(text)), timeText),
  ),
  z.transform((text: string) => Date.parse(text)),
);

const cursorText = 'is not a cursor of this list';
export const turn = {
  limit: described(
    'how many at most',
    z._default(
      z.coerce.number().check(z.multipleOf(1, 'must be a whole number'), z.gte(1), z.lte(MAX_PAGE)),
      20,
    ),
  ),
  cursor: described(
    '`next` of the page before, of the same list with the same filters',
    // Whatever stands in a list, another hand's too, is a place to go on from: a sort key of 1,024 octets.
    z.optional(z.string().check(z.regex(/^[\w-]{17,1382}$/, cursorText))),
  ),
};

/** Answered: a time, ISO 8601 in UTC. */
export const time = z
  .string()
  .check(z.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/), z.meta({ format: 'date-time' }));
/** Of a token, or of the person who has it. */
export const holderName = z
  .string()
  .check(z.regex(/^[\x21-\x7e]{1,64}$/, 'must be 1 to 64 printable characters without spaces'));

/** Of what an administrator did. */
export const author = {
  by: described('name of the token, or `system`', z.string()),
  person: described('whose token it is, where that is not its name', z.optional(z.string())),
  from: described('the address that the request came from, if known', z.optional(z.string())),
  auth: described(
    'how that was authenticated: `token`, or `credentials` of an operator for the store and the keys; and after a comma, as the ingress has told it, `iam ARN` or `jwt ISSUER SUBJECT`; or `link made by PERSON`',
    z.optional(z.string()),
  ),
};
export const hexText = z.string().check(z.regex(/^[0-9a-f]*$/));
/** DER, in base64. */
export const der = described('DER, base64', z.string().check(z.regex(/^[A-Za-z0-9+/]*={0,2}$/)));
export const evidence = described(
  'what the rule looked at',
  z.record(z.string(), z.union([z.string(), z.number()])),
);

export const verdicts = described(
  'what each validator of the endpoint said, in the order in which they were asked; after one that refuses, no other is',
  z.optional(
    z.array(
      z.strictObject({
        validator: described(
          'as the configuration names it; `certificate`: the one that signed a renewal',
          z.string(),
        ),
        allows: z.boolean(),
        says: z.optional(z.string()),
      }),
    ),
  ),
);

/** Answered where a request found done what it asks for. */
export const unchanged = described(
  'true: it was so already, and nothing was written',
  z.optional(z.literal(true)),
);
