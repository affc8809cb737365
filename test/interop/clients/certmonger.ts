// certmonger (Debian 12: 0.79.17) on a bus of its own, with records of its own: the daemon is
// started by the bus, as on a desktop. Always asks by GET, with AES-256. It polls with a PKCSReq for
// the same CSR, signed anew: it makes a CertPoll too and keeps it with the request, but its helper
// sends the PKCSReq when the daemon says POLL (its src/scep.c). A renewal is a PKCSReq signed with
// the old certificate.

import { type ChildProcess, spawn } from 'node:child_process';
import { access, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { answered } from '../../support/server-process.ts';
import {
  keepGroup,
  killGroup,
  lastLines,
  must,
  NotRun,
  plainEnv,
  type Ran,
  run,
} from '../command.ts';

const scepSubmit = '/usr/lib/certmonger/scep-submit';

/** @throws {NotRun} */
export const requireCertmonger = (): Promise<void> =>
  access(scepSubmit).catch(() => {
    throw new NotRun(`certmonger (no ${scepSubmit})`);
  });

/** certmonger's helper by hand: `-c` is GetCACaps, `-C` is GetCACert. */
export const submit = (url: string, operation: '-c' | '-C'): Promise<Buffer> =>
  must(scepSubmit, ['-u', url, operation]);

/** The helper with a CertPoll that the daemon made: 0 is SUCCESS, 1 PENDING, 2 FAILURE. By hand it
 * verifies no reply without `-I`. */
export const submitPoll = (
  url: string,
  message: string,
  { ca, ra }: { readonly ca: string; readonly ra: string },
): Promise<Ran> => run(scepSubmit, ['-u', url, '-g', '-r', ra, '-R', ca, '-I', ca, message]);

/** Keeps certmonger's records out of the account that runs this. */
export async function ownRecords(folder: string): Promise<NodeJS.ProcessEnv> {
  const env = {
    CERTMONGER_CONFIG_DIR: folder,
    CERTMONGER_REQUESTS_DIR: join(folder, 'requests'),
    CERTMONGER_CAS_DIR: join(folder, 'cas'),
    CERTMONGER_LOCAL_CA_DIR: join(folder, 'local'),
    CERTMONGER_TMPDIR: folder,
    CERTMONGER_SYSTEM_LOCK_FILE: join(folder, 'lock'),
  };
  for (const name of ['requests', 'cas', 'local']) {
    await mkdir(join(folder, name), { recursive: true });
  }
  return env;
}

/**
 * certmonger encodes a subject in the order in which it is written for `-N`, the reverse of
 * RFC 4514: what is written is also what a challenge is made for, `subject` is what comes out.
 */
export const subjectOf = (cn: string): { written: string; subject: string } => ({
  written: `CN=${cn},O=Interop,C=US`,
  subject: `C=US,O=Interop,CN=${cn}`,
});

export type Request = {
  readonly ca: string;
  readonly id: string;
  readonly folder: string;
  /** For `-N`. */
  readonly subject: string;
  readonly dns?: string;
  readonly challenge: string;
};

export type Result = {
  readonly ran: Ran;
  readonly status: string;
  readonly certificate: string;
  readonly key: string;
};

export class Certmonger {
  readonly #bus: ChildProcess;
  readonly #env: NodeJS.ProcessEnv;
  readonly #folder: string;

  private constructor(bus: ChildProcess, env: NodeJS.ProcessEnv, folder: string) {
    this.#bus = bus;
    this.#env = env;
    this.#folder = folder;
  }

  static async start(folder: string): Promise<Certmonger> {
    await requireCertmonger();
    const env = plainEnv(await ownRecords(folder));
    // The bus lives as long as the standard input of `cat` stays open: with this process.
    const tellAndStay = 'echo "$DBUS_SESSION_BUS_ADDRESS"; exec cat';
    const bus = spawn('dbus-run-session', ['--', 'sh', '-c', tellAndStay], {
      env,
      detached: true,
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    keepGroup(bus);
    const address = await new Promise<string>((resolve, reject) => {
      bus.once('error', () => reject(new NotRun('dbus-run-session is not installed')));
      bus.once('exit', (code) => reject(new Error(`dbus-run-session ended with ${code}`)));
      bus.stdout.once('data', (data) => resolve(String(data).trim()));
    });
    return new Certmonger(bus, { ...env, DBUS_SESSION_BUS_ADDRESS: address }, folder);
  }

  getcert(verb: string, ...args: readonly string[]): Promise<Ran> {
    return run('getcert', [verb, '-s', ...args], { env: this.#env });
  }

  /** Runs a shell script that asks certmonger on the system's bus, which is this one for it. */
  script(text: string | Uint8Array, folder: string): Promise<Ran> {
    const env = { ...this.#env, DBUS_SYSTEM_BUS_ADDRESS: this.#env.DBUS_SESSION_BUS_ADDRESS };
    return run('bash', ['-s'], { cwd: folder, env, input: text });
  }

  /** Adds a CA; certmonger asks it for its certificates by itself. @returns what it has learned */
  async addCa(name: string, url: string): Promise<string> {
    const { code, stderr } = await this.getcert('add-scep-ca', '-c', name, '-u', url);
    if (code !== 0) throw new Error(`getcert add-scep-ca ended with ${code}: ${lastLines(stderr)}`);
    return answered(async () => {
      const { stdout } = await this.getcert('list-cas', '-c', name);
      if (/certificate thumbprint/.test(stdout.toString())) return stdout.toString();
      throw new Error(`certmonger has learned nothing of ${url}`);
    });
  }

  /** `getcert request -w`, and the state the request is in then. */
  async request({ ca, id, folder, subject, dns, challenge }: Request): Promise<Result> {
    const certificate = join(folder, 'cert.pem');
    const key = join(folder, 'key.pem');
    const ran = await this.getcert(
      'request',
      ...['-c', ca, '-I', id, '-f', certificate, '-k', key, '-N', subject],
      ...(dns ? ['-D', dns] : []),
      ...['-L', challenge, '-w'],
    );
    return { ran, status: await this.statusOf(id), certificate, key };
  }

  /** MONITORING: issued, CA_WORKING: pending, CA_REJECTED: FAILURE, CA_UNREACHABLE: bad reply. */
  async statusOf(id: string): Promise<string> {
    return (await this.look(id)).status;
  }

  /** A refused renewal leaves MONITORING, for the old certificate is still there, and an error. */
  async look(id: string): Promise<{ status: string; error: string }> {
    const text = (await this.getcert('list', '-i', id)).stdout.toString();
    const [, status = 'UNKNOWN'] = /status: (\S+)/.exec(text) ?? [];
    const [, error = ''] = /ca-error: (.*)/.exec(text) ?? [];
    return { status, error };
  }

  /** `getcert refresh`: asks for a pending request again, until it is pending no longer. */
  async refresh(id: string): Promise<string> {
    for (const until = Date.now() + 60_000; Date.now() < until; ) {
      const { code, stderr } = await this.getcert('refresh', '-i', id);
      if (code !== 0) throw new Error(`getcert refresh ended with ${code}: ${lastLines(stderr)}`);
      await sleep(500);
      const status = await this.statusOf(id);
      if (!['CA_WORKING', 'SUBMITTING', 'NEED_TO_SUBMIT'].includes(status)) return status;
    }
    return 'CA_WORKING';
  }

  /** Takes over a pair of files, whoever certified it. */
  async track(ca: string, id: string, pair: { certificate: string; key: string }): Promise<void> {
    const files = ['-f', pair.certificate, '-k', pair.key];
    const { code, stderr } = await this.getcert('start-tracking', '-c', ca, '-I', id, ...files);
    if (code !== 0) throw new Error(`start-tracking ended with ${code}: ${lastLines(stderr)}`);
  }

  /** The CertPoll that the daemon has made for a request, and never sends itself, in a file. */
  async pollOf(id: string, folder: string): Promise<string> {
    const records = join(this.#folder, 'requests');
    for (const name of await readdir(records)) {
      const text = await readFile(join(records, name), 'utf8');
      const [, message] = /^scep_gic=((?:.*\n)(?: .*\n)*)/m.exec(text) ?? [];
      if (!message || !text.includes(`id=${id}\n`)) continue;
      const path = join(folder, 'poll.p7');
      await writeFile(path, message.replace(/^ /gm, ''));
      return path;
    }
    throw new Error(`certmonger has no CertPoll for ${id}`);
  }

  async stop(): Promise<void> {
    this.#bus.stdin?.end();
    await sleep(200);
    killGroup(this.#bus.pid, 'SIGKILL');
  }
}
