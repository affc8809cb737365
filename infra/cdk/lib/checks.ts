// What is wrong with a prop, in one sentence that names it.

import { Token } from 'aws-cdk-lib';

export const known = (value: unknown): boolean => !Token.isUnresolved(value);

export function fail(prop: string, sentence: string): never {
  throw new Error(`${prop}: ${sentence}`);
}

export function checkNumber(
  prop: string,
  value: number | undefined,
  min: number,
  max: number,
): void {
  if (value === undefined || !known(value)) return;
  if (Number.isInteger(value) && value >= min && value <= max) return;
  fail(prop, `must be a whole number from ${min} to ${max}, not ${value}`);
}

export function checkArn(prop: string, value: string, service: string, what: string): void {
  if (!known(value)) return;
  if (new RegExp(`^arn:aws[a-z-]*:${service}$`).test(value)) return;
  fail(prop, `must be the ARN of ${what}, not "${value}"`);
}

/** A context gives texts: "false" would count as true. */
export function checkFlag(prop: string, value: boolean | undefined): void {
  if (value === undefined || typeof value === 'boolean') return;
  fail(prop, `must be true or false, not ${JSON.stringify(value)}`);
}

/** A text must not be taken for a list of its letters. */
export function checkList(prop: string, value: readonly string[] | undefined): readonly string[] {
  if (value === undefined || Array.isArray(value)) return value ?? [];
  return fail(prop, `must be a list, not ${JSON.stringify(value)}`);
}
