// Secrets of the configuration: the document says where each is, and never has it.

import * as z from 'zod/mini';
import { utf8 } from '../base/bytes.ts';
import { MIN_STATIC_SECRET_OCTETS } from '../base/limits.ts';
import { described } from './schema.ts';

/** `env:` and the name of an environment variable. */
export type Reference = string;

const secretReference = /^env:[A-Za-z_][A-Za-z0-9_]*$/;
/** Somebody may have written the secret itself here, so the sentence does not repeat it. */
const secretText = (text: unknown): string => {
  const [, scheme] = /^(ssm|secretsmanager):/.exec(String(text)) ?? [];
  return scheme
    ? `must be "env:" and the name of an environment variable, which at AWS may hold "secretsmanager:" and the ARN of the secret; "${scheme}:" is not read here`
    : 'must be "env:" and the name of an environment variable, never the secret itself';
};

/** Where a secret is. */
export const reference = z
  .string()
  .check(z.regex(secretReference, { error: ({ input }) => secretText(input) }));

/** That of one that many know. */
export const secret = described(
  'where the secret is: "env:" and the name of an environment variable, which holds at least 16 octets',
  reference,
);

/** Its variable's name. */
export const variableOf = (given: Reference): string => given.replace(/^env:/, '');

/** What stands for the name of a secret; undefined if nothing does. */
export type Secrets = (variable: string) => string | undefined;

/** Where the configuration refers to a secret. */
export type SecretUse = {
  /** Of the field, such as `endpoints.default.enrol.staticChallenge.secret`. */
  readonly path: string;
  readonly reference: Reference;
  /** Octets that it has at least; default `MIN_STATIC_SECRET_OCTETS`. */
  readonly least?: number;
};

/** What is wrong with the secrets that are referred to: sentences, or nothing. */
export const secretProblems = (uses: readonly SecretUse[], secrets: Secrets): string[] =>
  uses.flatMap(({ path, reference: at, least = MIN_STATIC_SECRET_OCTETS }) => {
    const name = variableOf(at);
    const { length } = utf8(secrets(name) ?? '');
    if (length >= least) return [];
    const what = length === 0 ? 'is not set' : 'is too short';
    const must = least > 1 ? `; it must have at least ${least} octets` : '';
    return [`${path}: the environment variable ${name} ${what}${must}`];
  });
