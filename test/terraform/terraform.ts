// Terraform, for the tests of this folder.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { isDeepStrictEqual } from 'node:util';
import { packages } from '../infra/templates.ts';
import { root } from '../support/installed.ts';
import { temporary } from '../support/process.ts';

/** What `run.ts` has Terraform know, for a shell that knows nothing else. */
export const given = Object.fromEntries(
  Object.entries(process.env).flatMap(([name, value]) =>
    /^(?:(?:TF|CHECKPOINT)_|GO(?:GC|MEMLIMIT)$)/.test(name) && value !== undefined
      ? [[name, value]]
      : [],
  ),
);

/** @returns what it said @throws {Error} with that, where it went wrong */
export async function terraform(
  cwd: string,
  args: readonly string[],
  more: Readonly<Record<string, string>> = {},
): Promise<string> {
  const env = { ...process.env, ...more };
  // Not in its stead: moto would wait for whoever reads what it says.
  const child = spawn('terraform', args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  if (code === 0) return out;
  throw new Error(`terraform ${args.join(' ')}: ${out}${err}`);
}

type State = {
  readonly resources: readonly unknown[];
  readonly outputs: Readonly<Record<string, { readonly value: unknown }>>;
};
export const stateIn = (folder: string): State =>
  JSON.parse(readFileSync(join(folder, 'terraform.tfstate'), 'utf8'));

/** A copy, with the packages of a release: init leaves files behind. */
export function copied(): string {
  const copy = temporary('module');
  for (const name of ['infra/terraform', 'infra/policies', 'examples'])
    cpSync(join(root, name), join(copy, name), {
      recursive: true,
      verbatimSymlinks: true,
      filter: (path) => !path.includes('.terraform'),
    });
  cpSync(packages, join(copy, 'dist', 'release'), { recursive: true });
  return copy;
}

/** @returns what our command line prints */
export const scepter = (...args: readonly string[]): string =>
  execFileSync(process.execPath, [join(root, 'bin', 'scepter.js'), ...args], { encoding: 'utf8' });

type Change = {
  readonly address: string;
  readonly type: string;
  readonly change: {
    readonly actions: readonly string[];
    readonly before: unknown;
    readonly after: unknown;
  };
};

/** @returns what the next plan would do to what is applied */
export async function nextPlan(
  folder: string,
  env: Readonly<Record<string, string>>,
): Promise<readonly Change[]> {
  await terraform(folder, ['plan', '-out=next'], env);
  const shown = JSON.parse(await terraform(folder, ['show', '-json', 'next'], env));
  return (shown.resource_changes as readonly Change[]).filter(
    ({ change }) => change.actions.join() !== 'no-op',
  );
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** By name, where things have names: Terraform gives sets in no order. */
const byName = (value: object): object =>
  Array.isArray(value) ? value.toSorted((a, b) => (a?.name < b?.name ? -1 : 1)) : value;

/** Paths to what differs, without the positions in lists. */
function differing(a: unknown, b: unknown, path: string): string[] {
  if (isDeepStrictEqual(a, b)) return [];
  if (!isObject(a) || !isObject(b) || Array.isArray(a) !== Array.isArray(b)) return [path];
  const [before, after] = [a, b].map((one) => Object.entries(byName(one)));
  if (Array.isArray(a) && before?.length !== after?.length) return [path];
  const names = new Set([...(before ?? []), ...(after ?? [])].map(([name]) => name));
  return [...names].flatMap((name) =>
    differing(
      Object.fromEntries(before ?? [])[name],
      Object.fromEntries(after ?? [])[name],
      Array.isArray(a) ? path : `${path}.${name}`,
    ),
  );
}

/**
 * What moto takes and does not keep, so that Terraform would say it again each time. Nothing else may differ after an
 * `apply`: that would be ours, and the next plan of a deployment would not be empty.
 */
const forgotten: readonly string[] = [
  'aws_apigatewayv2_api.ip_address_type',
  'aws_cloudfront_distribution.default_cache_behavior.compress',
  'aws_cloudfront_distribution.default_cache_behavior.forwarded_values',
  'aws_cloudfront_distribution.ordered_cache_behavior.forwarded_values',
  'aws_cloudfront_distribution.origin.origin_access_control_id',
  'aws_cloudfront_distribution.viewer_certificate.cloudfront_default_certificate',
  'aws_cloudfront_distribution.viewer_certificate.ssl_support_method',
  'aws_dynamodb_table.global_secondary_index.on_demand_throughput',
  // An index that is said again is said as a whole, and has neither on demand.
  'aws_dynamodb_table.global_secondary_index.read_capacity',
  'aws_dynamodb_table.global_secondary_index.write_capacity',
  'aws_dynamodb_table.on_demand_throughput',
  'aws_dynamodb_table.table_class',
  'aws_lambda_function.logging_config',
];

/** @throws {assert.AssertionError} where it would do something that moto has not forgotten */
export function assertEmpty(plan: readonly Change[]): void {
  const all = plan.flatMap(({ type, address, change: { actions, before, after } }) =>
    actions.join() === 'update' ? differing(before, after, type) : [`${address}: ${actions}`],
  );
  assert.deepEqual([...new Set(all)].filter((one) => !forgotten.includes(one)).toSorted(), []);
}
