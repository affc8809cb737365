// `npm run release`: zips of the functions, the npm package, its bill of materials, the npm package of the CDK's
// construct, the Terraform module and the checksums of all, in dist/release. Fails when a promise of size is not kept.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import packageJson from '../package.json' with { type: 'json' };
import { buildAll, kilobytes } from './build.ts';
import { makeCdkPackage } from './cdk-package.ts';
import { loadTime, SCEP_START_OCTETS, weigh } from './measure.ts';
import { moduleFiles } from './terraform-module.ts';
import { zip } from './zip.ts';

const root = join(import.meta.dirname, '..');
const release = join(root, 'dist', 'release');
const cdk = join(root, 'infra', 'cdk');
const cdkPackage = join(root, 'dist', 'cdk');
const run = promisify(execFile);
const npm = (args: readonly string[], cwd = root) =>
  run('npm', args, { cwd, maxBuffer: 64 * 1024 * 1024 });

const { name, version } = packageJson;
const functions = await buildAll();
// Of a version before this one, a deployment would find a second package of each function.
await rm(release, { recursive: true, force: true });
await mkdir(release, { recursive: true });

const zips = new Map(
  [...functions].map(([of, files]) => [`${name}-${of}-${version}.zip`, zip(files)]),
);
for (const [file, octets] of zips) await writeFile(join(release, file), octets);
const pack = ['pack', '--silent', '--pack-destination', release];
await npm(pack);
// Its declarations name those of the CDK.
if (!existsSync(join(cdk, 'node_modules'))) await npm(['ci', '--silent'], cdk);
await rm(cdkPackage, { recursive: true, force: true });
await makeCdkPackage(zips, cdkPackage);
await npm(pack, cdkPackage);
const tree = `terraform-aws-${name}-${version}`;
await writeFile(join(release, `${tree}.zip`), zip(await moduleFiles(tree, zips)));
// By the lock file, so that it is the same on every platform.
const kind = ['--sbom-format', 'cyclonedx', '--sbom-type', 'application'];
const { stdout } = await npm(['sbom', ...kind, '--omit', 'dev', '--package-lock-only']);
// When it was asked for, and from which folder, says nothing about what is in it.
const { serialNumber: _number, ...bill } = JSON.parse(stdout);
delete bill.metadata.timestamp;
bill.metadata.component.name = name;
await writeFile(join(release, `${name}-${version}.cdx.json`), `${JSON.stringify(bill, null, 2)}\n`);

const files = (await readdir(release)).sort();
let sums = '';
for (const file of files) {
  const octets = await readFile(join(release, file));
  sums += `${createHash('sha256').update(octets).digest('hex')}  ${file}\n`;
  console.log(`dist/release/${file}: ${kilobytes(octets.length)}`);
}
await writeFile(join(release, 'SHA256SUMS'), sums);

console.log('');
for (const [of, built] of functions) {
  const { all, start } = weigh(built);
  const { median, fastest } = await loadTime(join(root, 'dist', of));
  const times = `${median.toFixed(0)} ms (median; fastest ${fastest.toFixed(0)})`;
  console.log(
    `${of}: modules gzipped ${kilobytes(all.gzipped)}; at the start ${kilobytes(start.gzipped)}, loaded in ${times}`,
  );
  if (of === 'scep-lambda' && start.gzipped > SCEP_START_OCTETS) {
    console.log(`scep-lambda loads more than ${kilobytes(SCEP_START_OCTETS)} gzipped at its start`);
    process.exitCode = 1;
  }
}
