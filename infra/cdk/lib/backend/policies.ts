// The policy files of `infra/policies` with their placeholders filled in. Terraform reads the same.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PolicyDocument } from 'aws-cdk-lib/aws-iam';
import { policiesFolder } from '../assets.ts';

export type PolicyName =
  /** The policies of a function, a Worker's user or the operator. */
  | 'scep'
  | 'admin'
  | 'maintenance'
  | 'sequencer'
  | 'challenges'
  | 'worker'
  | 'operator'
  /** The additional ones of a Worker's user: of IAM a managed policy has 6,144 characters at most. */
  | 'worker-keys'
  | 'worker-logs'
  /** The additional one of the functions for devices and people, and of the operator. */
  | 'read-logs'
  /** The additional one of the SCEP function where its environment names secrets. */
  | 'secrets'
  /** The additional policy of all of them where the table has a customer managed key. */
  | 'table-key'
  /** The additional policies of the functions in a VPC, and with a key of their environments. */
  | 'vpc'
  | 'environment-key'
  /** The policies of keys. */
  | 'ca-key'
  | 'sealing-key'
  | 'log-key';

/**
 * CAs of a deployment: each role has the ARN of each key, and IAM gives a role 10,240 characters for all of its policies
 * (white space is not counted).
 */
export const MAX_CAS = 41;

/** A list replaces its placeholder where that is a whole element of a list. */
export type PolicyValues = Readonly<Record<string, string | readonly string[]>>;

type Json = string | readonly Json[] | { readonly [name: string]: Json };

/**
 * Whom a key's policy names by a condition on whoever is of the account, and so by his name: as a principal he is kept
 * by his id, which one of the same name made anew does not have.
 */
export type ByName = { readonly users: readonly string[]; readonly root: string };

/** @throws {Error} naming a placeholder that has no value */
export function renderPolicy(
  name: PolicyName,
  values: PolicyValues,
  byName?: ByName,
): PolicyDocument {
  const file = `${name}.json`;
  const fill = (json: Json): Json => {
    if (typeof json === 'string') return json.replace(/\$\{(\w+)\}/g, (_, key) => one(key));
    if (!Array.isArray(json)) {
      return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, fill(value)]));
    }
    const filled = json.flatMap((element: Json) => {
      const [, key = ''] = typeof element === 'string' ? (/^\$\{(\w+)\}$/.exec(element) ?? []) : [];
      const value = values[key];
      return typeof value === 'object' ? [...value] : fill(element);
    });
    // One user may have the permissions of several roles.
    return [...new Set(filled)];
  };
  const one = (key: string): string => {
    const value = values[key];
    if (typeof value !== 'string') throw new Error(`infra/policies/${file} wants a \${${key}}`);
    return value;
  };
  const filled = fill(JSON.parse(readFileSync(join(policiesFolder, file), 'utf8'))) as KeyPolicy;
  // A function that a deployment has not got is nobody.
  const Statement = filled.Statement.filter(({ Principal }) => Principal?.AWS.length !== 0);
  const whole = { ...filled, Statement };
  return PolicyDocument.fromJson(byName ? namesOf(whole, byName) : whole);
}

type KeyPolicy = {
  readonly Statement: readonly {
    /** Of a key's policy. */
    readonly Principal?: { readonly AWS: readonly string[] };
    readonly Condition?: object;
  }[];
};

function namesOf(policy: KeyPolicy, { users, root }: ByName): KeyPolicy {
  const Statement = policy.Statement.map((one) => {
    const AWS = one.Principal?.AWS ?? [];
    if (!AWS.every((arn) => users.includes(arn))) return one;
    const Condition = { ...one.Condition, ArnEquals: { 'aws:PrincipalArn': AWS } };
    return { ...one, Principal: { AWS: [root] }, Condition };
  });
  return { ...policy, Statement };
}
