// Our own client, `scepter enrol`, run as its users run it.

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
};

export type Result = {
  readonly ran: Ran;
  readonly certificate: string;
  readonly key: string;
  readonly ca: string;
};

export async function enrol(enrolment: Enrolment): Promise<Result> {
  const { root, url, folder, subject, san, challenge, key } = enrolment;
  const wanted = ['--subject', subject, ...san.flatMap((name) => ['--san', name]), '--key', key];
  const args = ['enrol', '--url', url, '--challenge-stdin', ...wanted, '--out', folder, '--json'];
  const ran = await run('node', [join(root, 'bin/scepter.js'), ...args], {
    cwd: folder,
    env: plainEnv(),
    input: challenge,
  });
  return {
    ran,
    certificate: join(folder, 'cert.pem'),
    key: join(folder, 'key.pem'),
    ca: join(folder, 'ca.pem'),
  };
}
