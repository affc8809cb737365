// The entry points as they are deployed: each with all that it needs in one ES module beside its
// source map, nothing to install. What is loaded only sometimes (an SDK client that few
// configurations ask for) is a module of its own.

import { join } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');

export const functionNames = ['scep-lambda', 'admin-lambda', 'maintenance-lambda'] as const;
export type FunctionName = (typeof functionNames)[number];

/**
 * Lambda gives a function its credentials in the environment. Where else the SDK would look for them
 * (profiles, SSO, files, the metadata of a virtual machine) is 30 KB that nothing there can use.
 */
const notOnLambda = [
  '@aws-sdk/credential-provider-ini',
  '@aws-sdk/credential-provider-login',
  '@aws-sdk/credential-provider-process',
  '@aws-sdk/credential-provider-sso',
  '@aws-sdk/credential-provider-web-identity',
  '@smithy/credential-provider-imds',
];

export type BuiltFile = { readonly name: string; readonly octets: Uint8Array };

/** The files of one function, by name; `index.mjs` exports `handler`. */
export const bundleFunction = (name: FunctionName): Promise<readonly BuiltFile[]> =>
  bundle(`functions/${name}.ts`, 'index', notOnLambda);

/** The command line, for who has installed the package: Node strips no types there. */
export const bundleCli = (): Promise<readonly BuiltFile[]> => bundle('functions/cli.ts', 'cli', []);

async function bundle(
  entry: string,
  name: string,
  external: readonly string[],
): Promise<readonly BuiltFile[]> {
  const outdir = join(root, 'dist');
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: { [name]: entry },
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
    external: [...external],
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
