// npm run test:terraform, where Terraform and the AWS provider are to be had: the module as Terraform itself looks at
// it, the tree of a release in somebody else's project, the guide.

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import {
  installCdk,
  installPython,
  makePackages,
  synthesise,
  templates,
  terraform,
} from '../infra/tools.ts';
import { temporary } from '../support/process.ts';
import { runTests, testFilesIn } from '../support/run-tests.ts';

const provider = join('registry.terraform.io', 'hashicorp', 'aws');

/** `TF_PLUGIN_DIR`, or a mirror where packages put one; undefined: the registry, if it can be reached. */
function mirror(): string | undefined {
  const named = process.env.TF_PLUGIN_DIR;
  const homes = [homedir(), '/usr/local/share', '/usr/share'].map((home) =>
    join(home, home === homedir() ? '.terraform.d' : 'terraform', 'plugins'),
  );
  const optional = existsSync('/opt') ? readdirSync('/opt').map((name) => join('/opt', name)) : [];
  return [...(named ? [named] : []), ...homes, ...optional].find((folder) =>
    existsSync(join(folder, provider)),
  );
}

/** @returns why nothing can run, if that is so */
function missing(env: Readonly<Record<string, string | undefined>>): string | undefined {
  if (spawnSync('terraform', ['version']).status !== 0) return 'the program is missing';
  // A copy: init leaves files behind.
  const copy = join(temporary('terraform'), 'module');
  cpSync(join(terraform, 'versions.tf'), join(copy, 'versions.tf'));
  const { status } = spawnSync('terraform', ['init', '-backend=false'], { cwd: copy, env });
  return status === 0 ? undefined : 'the AWS provider is missing';
}

const plugins = mirror();
/** Whether a mirror has a provider that knows Lambda's newest runtime; the registry has. */
const isNew = (version: string): boolean => {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 6 || (major === 6 && minor >= 19);
};
const versions = plugins ? readdirSync(join(plugins, provider)) : ['6.19'];
const { TF_CLI_CONFIG_FILE: config = '' } = process.env;
const env = {
  ...process.env,
  // Some machines name one that is not there.
  TF_CLI_CONFIG_FILE: existsSync(config) ? config : undefined,
  TF_IN_AUTOMATION: '1',
  CHECKPOINT_DISABLE: '1',
  TF_CLI_ARGS: '-no-color',
  // Each command starts the provider anew, and half of what that takes was the collection of garbage.
  GOGC: 'off',
  GOMEMLIMIT: '1GiB',
  TF_CLI_ARGS_init: plugins && `-plugin-dir=${plugins}`,
  TF_VAR_runtime: versions.some(isNew) ? undefined : 'nodejs22.x',
};
const why = missing(env);
if (why) console.log(`NOT RUN: terraform (${why})`);
else {
  await installCdk();
  const packages = await makePackages();
  // What Terraform makes of the same values is compared with these.
  process.env.CDK_VALIDATION = 'false';
  await synthesise(['alb', 'elsewhere'], packages);
  process.exitCode = await runTests(testFilesIn(import.meta.dirname), {
    ...env,
    INFRA_PYTHON: await installPython(),
    INFRA_PACKAGES: packages,
    INFRA_TEMPLATES: templates,
  });
}
