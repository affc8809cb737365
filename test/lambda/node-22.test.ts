// The bundles on Lambda's nodejs22.x, which the Terraform module falls back to where the AWS provider does
// not know nodejs24.x: the last release of 5 does not.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import * as strongswan from '../interop/clients/strongswan.ts';
import { verify } from '../interop/openssl.ts';
import { fetching } from '../support/installed.ts';
import { type Bridge, bridge } from '../support/lambda-bridge.ts';
import { type Deployment, deploy } from '../support/lambda-deployment.ts';
import { type LambdaFunction, startFunction } from '../support/lambda-runtime.ts';
import { run, temporary } from '../support/process.ts';

const root = join(import.meta.dirname, '..', '..');
/** Lambda is Linux, and so is the package's name. */
const skip = process.platform === 'linux' ? false : 'not on Linux';
const name = `node-linux-${process.arch}`;
const version = '22.23.3';

/** Installed once, beside the project's own. */
async function node22(): Promise<string> {
  const cache = join(root, 'node_modules', '.cache', `${name}-${version}`);
  if (!existsSync(cache)) {
    const fresh = `${cache}.new`;
    await rm(fresh, { recursive: true, force: true });
    await mkdir(fresh, { recursive: true });
    const install = ['install', '--silent', '--no-save', '--prefix', fresh, `${name}@${version}`];
    await fetching('npm', install, fresh, `Node ${version}`);
    await rename(fresh, cache);
  }
  return join(cache, 'node_modules', name, 'bin', 'node');
}

let deployment: Deployment;
let functions: Readonly<Record<'scep' | 'admin' | 'maintenance', LambdaFunction>>;
const bridges: Bridge[] = [];

before(async () => {
  if (skip) return;
  const node = await node22();
  const { stdout } = await promisify(execFile)(node, ['--version']);
  assert.equal(stdout, `v${version}\n`);
  deployment = await deploy();
  const start = (of: 'scep' | 'admin' | 'maintenance') =>
    deployment.start(`${of}-lambda`, {}, (options) => startFunction({ ...options, node }));
  functions = {
    scep: await start('scep'),
    admin: await start('admin'),
    maintenance: await start('maintenance'),
  };
});
after(async () => {
  for (const each of bridges) each.stop();
  await deployment?.stop();
});

test('a device enrols, and a CRL is published', { skip }, async () => {
  const { scep, admin, maintenance } = functions;
  const api = await bridge('function-url', admin);
  const device = await bridge('function-url', scep);
  bridges.push(api, device);
  const env = { SCEPTER_URL: api.origin, SCEPTER_TOKEN: deployment.adminToken };
  const made = await run('bin/scepter.js', ['challenge', 'create'], { env });
  assert.equal(made.code, 0, made.err);
  const folder = temporary('node-22');
  const url = `${device.origin}/scep`;
  const ca = await strongswan.fetchCa(url, folder);
  const dn = 'C=US, O=Interop, CN=node-22';
  const enrolment = { url, ca, folder, dn, password: made.out.trim() };
  const { ran, certificate } = await strongswan.enrol(enrolment);
  assert.equal(ran.code, 0, ran.stderr);
  await verify(certificate, ca.ca);
  await maintenance.invoke({});
  const crl = await fetch(`${device.origin}/crl/default.crl`);
  assert.equal(crl.status, 200);
  for (const each of Object.values(functions)) {
    for (const event of ['http.outage', 'start.failed', 'upkeep.failed']) {
      assert.deepEqual(each.logged(event), []);
    }
  }
});
