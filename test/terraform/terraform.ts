// Terraform, for the tests of this folder.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

/** What `run.ts` has Terraform know, for a shell that knows nothing else. */
export const given = Object.fromEntries(
  Object.entries(process.env).flatMap(([name, value]) =>
    /^(?:TF|CHECKPOINT)_/.test(name) && value !== undefined ? [[name, value]] : [],
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
