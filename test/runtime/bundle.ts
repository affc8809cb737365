// Test files as one module for workerd, made as wrangler makes a Worker: the build conditions `workerd`,
// `worker` and `browser`, node:* left to the runtime, also where CommonJS requires it. What differs is
// all in test code: node:test is ours, a file is evaluated only when the handler asks for it, and is
// told that it lies below /bundle, where workerd shows the modules of a Worker as files.

import { readFile } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { root } from '../support/installed.ts';

const folder = import.meta.dirname;

/**
 * All files in one module: what they share is in it once, and of it only what one file needs is ever
 * evaluated in the isolate that runs that file.
 * @param files paths below the repository
 */
export async function bundleTests(files: readonly string[]): Promise<Uint8Array> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    stdin: { contents: mainModule(files), resolveDir: root },
    write: false,
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2024',
    conditions: ['workerd', 'worker', 'browser'],
    external: ['node:*', 'cloudflare:*'],
    keepNames: true,
    legalComments: 'none',
    plugins: [required, standIns, whereTheyLie, mayCompile],
    logLevel: 'warning',
  });
  const [bundle] = outputFiles;
  if (!bundle) throw new Error('there is no bundle');
  return bundle.contents;
}

// An import() of what is in the same bundle: esbuild evaluates it, and all it needs, when asked.
const mainModule = (files: readonly string[]): string => `
  import { suiteOf } from './test/runtime/in-workerd.ts';
  export default suiteOf({
    ${files.map((file) => `'${file}': () => import('./${file}'),`).join('\n')}
  });`;

/** Modules have no `require`. */
const required: Plugin = {
  name: 'node:* that CommonJS requires',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:/ }, ({ kind, path }) =>
      kind === 'require-call' ? { path, namespace: 'required' } : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'required' }, ({ path }) => ({
      contents: `import found from '${path}'; module.exports = found;`,
    }));
  },
};

const standIns: Plugin = {
  name: 'stand-ins',
  setup({ onResolve }) {
    const instead: Record<string, string> = {
      'node:test': join(folder, 'node-test.ts'),
      'node:child_process': join(folder, 'child-process.ts'),
    };
    const ours = join(root, 'test') + sep;
    onResolve({ filter: /^node:/ }, ({ path, importer }) => {
      const found = instead[path];
      return found && found !== importer && importer.startsWith(ours) ? { path: found } : undefined;
    });
  },
};

const whereTheyLie: Plugin = {
  name: 'where they lie',
  setup({ onLoad }) {
    onLoad({ filter: /\/test\/.*\.ts$/ }, async ({ path }) => {
      const at = `/bundle/${relative(root, path)}`;
      const source = await readFile(path, 'utf8');
      const contents = source
        .replaceAll('import.meta.dirname', JSON.stringify(dirname(at)))
        .replaceAll('import.meta.url', JSON.stringify(`file://${at}`));
      return { contents, loader: 'ts' };
    });
  },
};

/**
 * What holds answers against schemas compiles these to code, which a Worker may not: `in-workerd.ts`
 * lets it, and nothing else.
 */
const mayCompile: Plugin = {
  name: 'may compile',
  setup({ onLoad }) {
    onLoad({ filter: /node_modules\/ajv\/dist\/compile\/index\.js$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8');
      const contents = source.replace('new Function(', 'new globalThis.FunctionOfTests(');
      if (contents === source) throw new Error(`${path} is not what it was`);
      return { contents, loader: 'js' };
    });
  },
};
