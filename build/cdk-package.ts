// The npm package of the CDK's construct: what another project installs beside an aws-cdk-lib of its own. Its code
// is one CommonJS module, as aws-cdk-lib is; what it knows of Scepter is in there, so it depends on nothing else.

import { execFile } from 'node:child_process';
import { copyFile, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import cdkJson from '../infra/cdk/package.json' with { type: 'json' };
import packageJson from '../package.json' with { type: 'json' };

const root = join(import.meta.dirname, '..');
const cdk = join(root, 'infra', 'cdk');
const run = promisify(execFile);
const apps = ['app', 'edge', 'worker', 'heartbeat'] as const;

/**
 * @param zips of the functions, by name
 * @param folder that does not exist yet
 */
export async function makeCdkPackage(
  zips: ReadonlyMap<string, Uint8Array>,
  folder: string,
): Promise<void> {
  await mkdir(join(folder, 'functions'), { recursive: true });
  await Promise.all([bundle(folder), declare(join(folder, 'lib'))]);
  for (const [file, octets] of zips) await writeFile(join(folder, 'functions', file), octets);
  await cp(join(root, 'infra', 'policies'), join(folder, 'policies'), { recursive: true });
  await copyFile(join(cdk, 'README.md'), join(folder, 'README.md'));
  for (const name of ['LICENSE', 'CHANGELOG.md'])
    await copyFile(join(root, name), join(folder, name));
  const { name, description, license, peerDependencies } = cdkJson;
  const manifest = {
    ...{ name, version: packageJson.version, description, license, private: true },
    ...{ main: 'lib/index.js', types: 'lib/index.d.ts', engines: { node: '>=20' } },
    peerDependencies,
  };
  await writeFile(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** `lib/index.js`, and the apps of the quick start, which are that with a call. */
async function bundle(outdir: string): Promise<void> {
  await build({
    absWorkingDir: cdk,
    entryPoints: ['lib/index.ts', ...apps.map((name) => `bin/${name}.ts`)],
    outbase: '.',
    outdir,
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    external: ['aws-cdk-lib', 'constructs'],
    define: { 'import.meta.dirname': '__dirname' },
    plugins: [
      {
        name: 'the library is one module',
        setup: ({ onResolve }) =>
          onResolve({ filter: /^\.\.\/lib\/index\.ts$/ }, () => ({
            path: '../lib/index.js',
            external: true,
          })),
      },
    ],
  });
}

/** The declarations of what `lib/index.ts` exports, and of what these name. */
async function declare(folder: string): Promise<void> {
  const made = await mkdtemp(join(tmpdir(), 'scepter-types-'));
  try {
    const options = [
      '--noEmit',
      'false',
      '--declaration',
      '--emitDeclarationOnly',
      '--stripInternal',
    ];
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const project = ['-p', join(cdk, 'tsconfig.json'), '--rootDir', root, '--outDir', made];
    await run(process.execPath, [tsc, ...project, ...options]);
    await take(join(made, 'infra', 'cdk', 'lib'), 'index', folder);
  } finally {
    await rm(made, { recursive: true, force: true });
  }
}

const next = /from '(\.{1,2}\/[\w./-]+)\.ts'/g;

/** @param name of a module, from the folder that the types are in */
async function take(from: string, name: string, to: string, taken = new Set<string>()) {
  if (taken.has(name)) return;
  taken.add(name);
  // Types of the repository would be missing where the package is installed.
  if (name.startsWith('../'))
    throw new Error(`infra/cdk/lib exports what is not there: ${name}.ts`);
  const text = await readFile(join(from, `${name}.d.ts`), 'utf8');
  await mkdir(join(to, posix.dirname(name)), { recursive: true });
  await writeFile(join(to, `${name}.d.ts`), text.replace(next, "from '$1.js'"));
  for (const [, other = ''] of text.matchAll(next))
    await take(from, posix.join(posix.dirname(name), other), to, taken);
}
