// The templates and modules that these tests look at, read.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ContextName, contexts } from './contexts.ts';
import { terraform } from './tools.ts';

function given(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`run these tests with npm run test:infra: no ${name}`);
  return value;
}

export const python = given('INFRA_PYTHON');
export const packages = given('INFRA_PACKAGES');

export type Template = {
  readonly Resources: Readonly<Record<string, Resource>>;
  readonly Outputs: Readonly<Record<string, unknown>>;
};
export type Resource = {
  readonly Type: string;
  readonly Properties: unknown;
  readonly DeletionPolicy?: string;
};

/** What stands at a path of names and positions, `Origins.0.DomainName`; undefined if nothing does. */
export function maybe(value: unknown, path: string): unknown {
  let found = value;
  for (const name of path.split('.')) {
    if (typeof found !== 'object' || found === null) return undefined;
    found = (found as Record<string, unknown>)[name];
  }
  return found;
}

/** The same; throws if nothing does: two that are not there are not the same. */
export function at(value: unknown, path: string): unknown {
  const found = maybe(value, path);
  if (found === undefined) throw new Error(`nothing at ${path}`);
  return found;
}

/** The text of an expression or template of HCL. */
export const text = (value: unknown): string => String(value);

/** An expression as `hcl.py` prints it. */
export const expression = (text: string): string => `\${${text}}`;

export const listAt = (value: unknown, path: string): readonly unknown[] => {
  const found = maybe(value, path);
  return Array.isArray(found) ? found : [];
};

export const entriesAt = (value: unknown, path: string): [string, unknown][] =>
  Object.entries(at(value, path) as object);

const stackNames = {
  app: 'Scepter',
  edge: 'ScepterEdge',
  worker: 'ScepterWorker',
  heartbeat: 'ScepterHeartbeat',
} as const;

export const pathOf = (name: ContextName): string =>
  join(given('INFRA_TEMPLATES'), name, `${stackNames[contexts[name].entry]}.template.json`);

export const templateAt = (path: string): Template => JSON.parse(readFileSync(path, 'utf8'));
export const templateOf = (name: ContextName): Template => templateAt(pathOf(name));

/** Properties of all resources of a type. */
export const ofType = (template: Template, type: string): readonly unknown[] =>
  Object.values(template.Resources)
    .filter((resource) => resource.Type === type)
    .map(({ Properties }) => Properties);

/** The one of a type. */
export function theOne(template: Template, type: string): unknown {
  const [found, ...more] = ofType(template, type);
  if (!found || more.length > 0) throw new Error(`not one ${type}`);
  return found;
}

/** The settings of the service's distribution, or of the one for files alone. */
export function distributionOf(template: Template, files = false): unknown {
  const all = ofType(template, 'AWS::CloudFront::Distribution');
  const [found, ...more] = all
    .map((one) => at(one, 'DistributionConfig'))
    .filter((one) => text(at(one, 'Comment')).includes('CRLs') === files);
  if (!found || more.length > 0) throw new Error('not one distribution');
  return found;
}

export type HclFiles = Readonly<Record<string, Readonly<Record<string, readonly unknown[]>>>>;

/** The Terraform files of a folder by name, as `hcl.py` prints them. */
export function hclOf(folder = terraform): HclFiles {
  const script = join(import.meta.dirname, 'hcl.py');
  const text = execFileSync(join(python, 'python'), [script, folder], { encoding: 'utf8' });
  return JSON.parse(text);
}

/** Blocks of a kind in all files: labels, content. */
export function blocksOf(
  files: HclFiles,
  kind: string,
): readonly { readonly labels: readonly string[]; readonly content: unknown }[] {
  const labels =
    { resource: 2, data: 2, variable: 1, output: 1, provider: 1, module: 1 }[kind] ?? 0;
  const open = (
    value: unknown,
    left: number,
    known: readonly string[],
  ): ReturnType<typeof blocksOf> =>
    left === 0
      ? [{ labels: known, content: value }]
      : Object.entries(value as object).flatMap(([label, inner]) =>
          open(inner, left - 1, [...known, label]),
        );
  return Object.values(files).flatMap((file) =>
    (file[kind] ?? []).flatMap((block) => open(block, labels, [])),
  );
}

export const resourceOf = (files: HclFiles, type: string, name: string): unknown => {
  const found = blocksOf(files, 'resource').find(
    ({ labels }) => labels[0] === type && labels[1] === name,
  );
  if (!found) throw new Error(`no resource ${type}.${name}`);
  return found.content;
};

/** All values under `locals`. */
export const localsOf = (files: HclFiles): Readonly<Record<string, unknown>> =>
  Object.assign({}, ...blocksOf(files, 'locals').map(({ content }) => content));

/** What a variable is where nobody says anything. */
export const defaultOf = (files: HclFiles, variable: string): unknown =>
  at(blocksOf(files, 'variable').find(({ labels }) => labels[0] === variable)?.content, 'default');
