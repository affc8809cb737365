// The entry points as they are deployed: each with all that it needs in one ES module beside its
// source map, nothing to install. What is loaded only sometimes (an SDK client that few
// configurations ask for) is a module of its own.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BuildOptions, build, type Plugin } from 'esbuild';

const root = join(import.meta.dirname, '..');

export const functionNames = [
  'scep-lambda',
  'admin-lambda',
  'maintenance-lambda',
  'sequencer-lambda',
  'challenges-lambda',
] as const;
export type FunctionName = (typeof functionNames)[number];

/**
 * What the SDK loads in places where these functions never are: Lambda gives them their credentials in
 * the environment, so nobody looks for profiles, SSO or the metadata of a virtual machine; no call of
 * theirs streams events; no browser names itself. 45 KB gzipped.
 */
const neverLoaded = [
  '@aws-sdk/credential-provider-ini',
  '@aws-sdk/credential-provider-login',
  '@aws-sdk/credential-provider-process',
  '@aws-sdk/credential-provider-sso',
  '@aws-sdk/credential-provider-web-identity',
  '@smithy/credential-provider-imds',
  '@smithy/core/event-streams',
  'bowser',
];

export type BuiltFile = { readonly name: string; readonly octets: Uint8Array };

/**
 * What the fields of the configuration are for, which its JSON Schema says and no function reads. 3 KB gzipped. Line ends
 * stay where they are, for the source map.
 */
const withoutDescriptions: Plugin = {
  name: 'without descriptions',
  setup({ onLoad }) {
    onLoad({ filter: /\/lib\/config\/.*\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      const said = /(\bdescribed\(\s*)(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"),/g;
      return { loader: 'ts', contents: text.replace(said, "$1'',") };
    });
  },
};

/** The files of one function, by name; `index.mjs` exports `handler`. */
export const bundleFunction = (name: FunctionName): Promise<readonly BuiltFile[]> =>
  bundle(`functions/${name}.ts`, { external: neverLoaded, plugins: [withoutDescriptions] });

/** The command line for whoever has installed the package, and with it what it needs (`bin/`). */
export const bundleCli = (): Promise<readonly BuiltFile[]> =>
  bundle('functions/cli.ts', { packages: 'external' });

async function bundle(
  entry: string,
  more: Pick<BuildOptions, 'external' | 'packages' | 'plugins'>,
): Promise<readonly BuiltFile[]> {
  const outdir = join(root, 'dist');
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: { index: entry },
    outdir,
    write: false,
    bundle: true,
    splitting: true,
    format: 'esm',
    outExtension: { '.js': '.mjs' },
    platform: 'node',
    target: 'node24',
    // CommonJS builds of the SDK would call a `require` that modules do not have.
    mainFields: ['module', 'main'],
    ...more,
    // Where node_modules really is stands in no map.
    preserveSymlinks: true,
    minify: true,
    legalComments: 'none',
    sourcemap: true,
    // Where a line was is in the map; what stood there is in the repository.
    sourcesContent: false,
    logLevel: 'warning',
  });
  return outputFiles
    .map(({ path, contents }) => ({ name: path.slice(outdir.length + 1), octets: contents }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
