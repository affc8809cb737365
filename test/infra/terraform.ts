// npm run test:terraform: Terraform's own look at the module, where it and the AWS provider are to be had:
// fmt, validate, and its tests with providers that are not there.

import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleFunction, functionNames } from '../../build/bundle.ts';
import { zip } from '../../build/zip.ts';
import { root } from '../support/installed.ts';

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

/** @returns whether it went well; what it says is shown when it did not, or when `show` is set */
function terraform(cwd: string, args: readonly string[], show = false): boolean {
  const { TF_CLI_CONFIG_FILE: config, ...env } = process.env;
  const given = config && existsSync(config) ? { TF_CLI_CONFIG_FILE: config } : {};
  const { status, stdout, stderr } = spawnSync('terraform', [...args, '-no-color'], {
    cwd,
    encoding: 'utf8',
    env: { ...env, ...given, TF_IN_AUTOMATION: '1', CHECKPOINT_DISABLE: '1' },
  });
  if (show || status !== 0) process.stdout.write(`${stdout ?? ''}${stderr ?? ''}`);
  return status === 0;
}

/** What `scepter init` writes beside a repository, with all that it can. */
function stubBeside(infra: string): string {
  const stub = join(infra, '..', 'stub');
  const places = [stub, '--repository', join(infra, '..')];
  const named = ['--domain', 'scep.example.com', '--zone', 'Z0123456789'];
  const isStatic = ['--mdm', 'static', '--names', 'mac-*'];
  const args = [...places, '--target', 'aws-terraform', ...named, ...isStatic, '--yes'];
  const cli = join(root, 'bin', 'scepter.js');
  const { status, stderr } = spawnSync(process.execPath, [cli, 'init', ...args]);
  if (status !== 0) throw new Error(String(stderr));
  const validate = ['config', 'validate', join(stub, 'scepter.jsonc'), '--stamp'];
  const stamped = JSON.parse(
    execFileSync(process.execPath, [cli, ...validate], { encoding: 'utf8' }),
  );
  writeFileSync(join(stub, 'stamped.json'), JSON.stringify({ ...stamped, scepter: 'test' }));
  return stub;
}

function check(infra: string): boolean {
  const folder = join(infra, 'terraform');
  const plugins = mirror();
  const init = ['init', '-backend=false', ...(plugins ? [`-plugin-dir=${plugins}`] : [])];
  if (!terraform(folder, init)) {
    console.log('NOT RUN: terraform (the AWS provider is missing)');
    return true;
  }
  const examples = readdirSync(join(folder, 'examples')).map((name) =>
    join(folder, 'examples', name),
  );
  const identity = join(folder, 'modules', 'worker-identity');
  const stub = stubBeside(infra);
  return [
    terraform(folder, ['fmt', '-recursive', '-check', '-diff']),
    ...examples.map((example) => terraform(example, init) && terraform(example, ['validate'])),
    terraform(stub, ['fmt', '-check', '-diff']),
    terraform(stub, init) && terraform(stub, ['validate']),
    terraform(folder, ['test'], true),
    terraform(identity, init) && terraform(identity, ['validate']),
    terraform(identity, ['test'], true),
  ].every((good) => good);
}

if (spawnSync('terraform', ['version']).status !== 0) {
  console.log('NOT RUN: terraform (the program is missing)');
} else {
  // A copy: init leaves files behind.
  const copy = mkdtempSync(join(tmpdir(), 'scepter-terraform-'));
  try {
    const infra = join(copy, 'infra');
    for (const name of ['terraform', 'policies']) {
      cpSync(join(root, 'infra', name), join(infra, name), {
        recursive: true,
        filter: (path) => !path.includes('.terraform'),
      });
    }
    cpSync(join(root, 'examples'), join(copy, 'examples'), { recursive: true });
    for (const folder of [
      join(copy, 'dist', 'release'),
      join(infra, 'terraform', 'tests', 'packages'),
    ]) {
      mkdirSync(folder, { recursive: true });
      for (const name of functionNames) {
        const files = await bundleFunction(name);
        writeFileSync(join(folder, `scepter-${name}-test.zip`), zip(files));
      }
    }
    if (!check(infra)) process.exitCode = 1;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}
