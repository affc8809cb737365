// Our own client, `scepter enrol` and `scepter renew`, run as its users run it.

import { join } from 'node:path';
import { plainEnv, type Ran, run } from '../command.ts';

export type Enrolment = {
  readonly root: string;
  readonly url: string;
  readonly folder: string;
  readonly subject: string;
  readonly san: readonly string[];
  readonly challenge: string;
  readonly key: 'rsa:2048' | 'ec:P-256';
  readonly options?: readonly string[];
};

export type Result = {
  readonly ran: Ran;
  readonly certificate: string;
  readonly key: string;
  readonly ca: string;
};

export async function enrol(enrolment: Enrolment): Promise<Result> {
  const { root, url, folder, subject, san, challenge, key, options = [] } = enrolment;
  const wanted = ['--subject', subject, ...san.flatMap((name) => ['--san', name]), '--key', key];
  const args = ['enrol', '--url', url, '--challenge-stdin', ...wanted, ...options];
  return scepter(root, folder, args, challenge);
}

export const renew = (
  { root, url, folder }: Pick<Enrolment, 'root' | 'url' | 'folder'>,
  ...options: readonly string[]
): Promise<Result> => scepter(root, folder, ['renew', '--url', url, ...options]);

async function scepter(
  root: string,
  folder: string,
  args: readonly string[],
  input = '',
): Promise<Result> {
  const command = [join(root, 'bin/scepter.js'), ...args, '--out', folder, '--json'];
  const ran = await run('node', command, { cwd: folder, env: plainEnv(), input });
  return {
    ran,
    certificate: join(folder, 'cert.pem'),
    key: join(folder, 'key.pem'),
    ca: join(folder, 'ca.pem'),
  };
}
