// The Terraform module of a release, in a project that has nothing else of ours but the command line: unpacked from its
// archive, used by a root module, planned and applied in moto.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { unzipSync } from 'fflate';
import { writeFiles } from '../../build/build.ts';
import { moduleFiles } from '../../build/terraform-module.ts';
import { zip } from '../../build/zip.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { startMoto } from '../infra/stack.ts';
import { packages } from '../infra/templates.ts';
import { temporary } from '../support/process.ts';
import { assertEmpty, nextPlan, scepter, stateIn, terraform } from './terraform.ts';

const { version } = packageJson;
const tree = `terraform-aws-scepter-${version}`;
const project = temporary('project');
const files = new Map<string, string>();

before(async () => {
  const zips = readdirSync(packages).filter((name) => name.endsWith('.zip'));
  const octets = (name: string) => new Uint8Array(readFileSync(join(packages, name)));
  const archive = zip(await moduleFiles(tree, new Map(zips.map((name) => [name, octets(name)]))));
  const unpacked = Object.entries(unzipSync(archive));
  await writeFiles(
    project,
    unpacked.map(([name, octets]) => ({ name, octets })),
  );
  for (const [name, octets] of unpacked) files.set(name, Buffer.from(octets).toString());
});

test('the tree has what people look for, and nothing in it reaches out of it', () => {
  const wanted = ['CHANGELOG.md', 'LICENSE', 'README.md', 'main.tf', 'policies/scep.json'];
  const examples = ['examples/basic/main.tf', 'examples/cloudfront/main.tf'];
  const zips = ['scep', 'admin', 'maintenance', 'sequencer', 'challenges'].map(
    (name) => `packages/scepter-${name}-lambda-${version}.zip`,
  );
  for (const name of [...wanted, ...examples, ...zips, 'tests/unit.tftest.hcl'])
    assert.ok(files.has(`${tree}/${name}`), name);
  for (const [name, text] of files) {
    assert.ok(name.startsWith(`${tree}/`) && !/\.terraform|tfstate/.test(name), name);
    if (!name.endsWith('.tf')) continue;
    const [, depth = ''] = /^[^/]+\/(examples|modules)\/[^/]+\/main\.tf$/.exec(name) ?? [];
    const inside = {
      '': [],
      examples: ['../..'],
      modules: name.includes('/worker-identity/') ? ['../../policies'] : [],
    }[depth];
    assert.deepEqual(text.match(/\.\.\/[\w./-]*/g) ?? [], inside, name);
  }
});

test('a root module of its own makes a deployment with it', async () => {
  const moto = await startMoto('module.py', 'eu-central-1', 'https://api.example.com');
  try {
    const endpoint = await moto.next<string>();
    const config = {
      publicUrl: 'https://scep.example.com',
      cas: { plant: { subject: 'CN=Plant' } },
      endpoints: { default: { ca: 'plant' } },
    };
    writeFileSync(join(project, 'scepter.json'), JSON.stringify(config));
    const validate = ['config', 'validate', join(project, 'scepter.json'), '--stamp'];
    writeFileSync(join(project, 'stamped.json'), scepter(...validate));
    const main = `provider "aws" {
  region     = "eu-central-1"
  access_key = "AKIADEPLOYER"
  secret_key = "secret"
}

module "scepter" {
  source = "./${tree}"

  providers = {
    aws           = aws
    aws.us_east_1 = aws
  }

  config  = file("stamped.json")
  ingress = "httpApi"
  runtime = "${process.env.TF_VAR_runtime ?? 'nodejs24.x'}"
}

output "scep_url" {
  value = module.scepter.scep_url
}
`;
    writeFileSync(join(project, 'main.tf'), main);
    const env = { AWS_ENDPOINT_URL: endpoint, AWS_EC2_METADATA_DISABLED: 'true' };
    await terraform(project, ['init'], env);
    await terraform(project, ['validate'], env);
    await terraform(project, ['apply', '-auto-approve'], env);
    assertEmpty(await nextPlan(project, env));
    assert.equal(stateIn(project).outputs.scep_url?.value, 'https://api.example.com/scep');
    const { functions } = await moto.ask<{ functions: Record<string, { handler: string }> }>();
    assert.deepEqual(Object.keys(functions).length, 4);
  } finally {
    await moto.stop();
  }
});
