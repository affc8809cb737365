// SCEP servers of others, on ports of this machine: Debian's scepserver, and step-ca, built with the Go that
// is here.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fetching, root, tool } from './installed.ts';
import { freePort, isFree, temporary } from './process.ts';
import { answered, startProcess } from './server-process.ts';

export type ScepPeer = {
  readonly port: number;
  readonly path: string;
  readonly pid: number;
  stop(): Promise<void>;
};

/** Of Debian's package `scep`. @returns undefined when it is not installed */
export async function startScepserver(challenge: string): Promise<ScepPeer | undefined> {
  const depot = temporary('scepserver');
  const made = spawnSync('scepserver', ['ca', '-init', '-keySize', '2048', '-depot', depot]);
  if (made.error) return undefined;
  const port = await freePort();
  const child = spawn(
    'scepserver',
    ['-depot', depot, '-port', `${port}`, '-challenge', challenge, '-allowrenew', '0'],
    { stdio: 'ignore' },
  );
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  while (await isFree(port)) {
    if (child.exitCode !== null) throw new Error(`scepserver ended with ${child.exitCode}`);
    await pause(50);
  }
  return {
    ...{ port, path: '/scep', pid: child.pid ?? 0 },
    stop: async () => {
      child.kill();
      await ended;
    },
  };
}

export const stepCa = { module: 'github.com/smallstep/certificates', version: 'v0.30.2' } as const;
const { module, version } = stepCa;

/** What step-ca's own command does with a configuration, without the clouds and tokens that it can keep keys in:
 * they are most of its build. */
const main = `package main

import (
	"log"
	"os"

	"${module}/authority/config"
	"${module}/authority/provisioner"
	"${module}/ca"
	_ "go.step.sm/crypto/kms/softkms"
)

func main() {
	configuration, err := config.LoadConfiguration(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	// A file has no secrets of webhooks: step-ca keeps them in a database.
	for _, one := range configuration.AuthorityConfig.Provisioners {
		if scep, ok := one.(*provisioner.SCEP); ok {
			for _, hook := range scep.Options.GetWebhooks() {
				hook.Secret = os.Getenv("HOOK_SECRET")
				hook.BearerToken = os.Getenv("HOOK_TOKEN")
			}
		}
	}
	server, err := ca.New(configuration, ca.WithQuiet(true))
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(server.Run())
}
`;

/** What its SCEP provisioner asks, and tells; and the environment that has the secrets. */
type Hooks = {
  readonly webhooks: readonly { id: string; name: string; url: string; kind: string }[];
  readonly env: Readonly<Record<'HOOK_SECRET' | 'HOOK_TOKEN', string>>;
};

/** A root and an issuing CA, as its guides have them, without a certificate for decryption of its own.
 * @param hooksOf is given the folder with root.pem and root.key: step-ca trusts what this root has signed
 * @throws {Error} with what is missing */
export async function startStepCa(
  challenge: string,
  hooksOf?: (folder: string) => Promise<Hooks>,
): Promise<ScepPeer> {
  const built = join(root, 'node_modules', '.cache', `step-ca-${version}-hooks`);
  const program = join(built, 'step-ca');
  if (!existsSync(program)) {
    await mkdir(built, { recursive: true });
    await writeFile(join(built, 'main.go'), main);
    const required = `module peer\n\ngo 1.25.0\n\nrequire ${module} ${version}\n`;
    await writeFile(join(built, 'go.mod'), required);
    await fetching('go', ['build', '-mod=mod', '-o', program, '.'], built, 'Go 1.25 or later');
  }
  const folder = temporary('step-ca');
  const openssl = (...args: readonly string[]) => tool('openssl', args, folder, 'openssl');
  const usage = 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n';
  await writeFile(join(folder, 'usage'), usage);
  const newKey = ['-newkey', 'rsa:2048', '-nodes'];
  const self = [
    '-keyout',
    'root.key',
    '-out',
    'root.pem',
    '-subj',
    '/CN=Step Root',
    '-days',
    '3650',
  ];
  const usages = usage
    .trim()
    .split('\n')
    .flatMap((line) => ['-addext', line]);
  await openssl('req', '-x509', ...newKey, ...self, ...usages);
  const issuing = ['-keyout', 'ca.key', '-out', 'ca.csr', '-subj', '/CN=Step Intermediate'];
  await openssl('req', ...newKey, ...issuing);
  const by = ['-CA', 'root.pem', '-CAkey', 'root.key', '-extfile', 'usage', '-days', '3650'];
  await openssl('x509', '-req', '-in', 'ca.csr', '-out', 'ca.pem', ...by);
  const [tlsPort, port] = [await freePort(), await freePort()];
  const hooks = await hooksOf?.(folder);
  const provisioner = {
    ...{ type: 'SCEP', name: 'devices', challenge, minimumPublicKeyLength: 2048 },
    includeRoot: true,
    options: { webhooks: hooks?.webhooks ?? [] },
  };
  const configuration = {
    ...{ root: 'root.pem', crt: 'ca.pem', key: 'ca.key', dnsNames: ['127.0.0.1'] },
    ...{ address: `127.0.0.1:${tlsPort}`, insecureAddress: `127.0.0.1:${port}` },
    authority: { provisioners: [provisioner] },
  };
  await writeFile(join(folder, 'ca.json'), JSON.stringify(configuration));
  const server = startProcess(program, ['ca.json'], {
    ...{ cwd: folder, stderr: 'ignore' },
    ...(hooks ? { env: hooks.env } : {}),
  });
  const path = '/scep/devices';
  await answered(async () => {
    const { ok } = await fetch(`http://127.0.0.1:${port}${path}?operation=GetCACaps`);
    if (!ok) throw new Error('step-ca does not answer');
  });
  return { port, path, pid: pidIn(folder, program), stop: server.stop };
}

/** Of this program, begun in this folder; 0 where there is no /proc. */
function pidIn(folder: string, program: string): number {
  const all = existsSync('/proc') ? readdirSync('/proc').filter((name) => /^\d+$/.test(name)) : [];
  const found = all.find((pid) => {
    try {
      const [command] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return command === program && readlinkSync(`/proc/${pid}/cwd`) === folder;
    } catch {
      return false; // it has ended, or is another user's
    }
  });
  return Number(found ?? 0);
}
