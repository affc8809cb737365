// Challenges that docs/mint_challenge.py has signed, with PyJWT and Python's cryptography: they are believed here.

import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fetching, root, tool } from '../../support/installed.ts';
import { makeSigner } from '../../support/jws.ts';
import { deviceKey } from '../../support/keys.ts';
import { makeLab } from '../../support/lab.ts';
import { enrolment } from '../../support/messages.ts';
import { must, plainEnv } from '../command.ts';
import type { Row } from '../lab.ts';
import { hold } from '../openssl.ts';

const PACKAGES = ['PyJWT==2.10.1', 'cryptography==46.0.3'];

/** The Python of an environment that has them. */
async function python(): Promise<string> {
  const folder = join(
    root,
    'node_modules',
    '.cache',
    'mint',
    PACKAGES.join('-').replaceAll('==', '-'),
  );
  const program = join(folder, 'bin', 'python');
  const done = join(folder, 'installed');
  if (!existsSync(done)) {
    await rm(folder, { recursive: true, force: true });
    await tool('python3', ['-m', 'venv', folder], root, 'Python 3 with its module venv');
    const pip = ['-m', 'pip', 'install', '--quiet', ...PACKAGES];
    await fetching(program, pip, root, 'a package index with PyJWT');
    await writeFile(done, '');
  }
  return program;
}

export const signedRows: readonly Row[] = [
  {
    id: 'signed',
    client: 'python',
    title: 'challenges that docs/mint_challenge.py has signed are good for one certificate each',
    async run() {
      const program = await python();
      const signers = [makeSigner('p256'), makeSigner('ed25519', 'EdDSA')];
      const keys = Object.fromEntries(signers.map(({ kid, publicKey }) => [kid, { publicKey }]));
      const enrol = { authorize: ['signedChallenge' as const], signedChallenge: { keys } };
      const lab = await makeLab({ endpoint: { enrol }, now: Date.now() });
      const folder = await mkdtemp(join(tmpdir(), 'scepter-mint-'));
      try {
        for (const { kid, privateKey } of signers) {
          const file = join(folder, `${kid}.pem`);
          await writeFile(file, privateKey);
          const bound = JSON.stringify({ subject: `CN=${kid}` });
          const args = [join(root, 'docs', 'mint_challenge.py'), file, kid, 'default', bound];
          const challenge = String(await must(program, args, { env: plainEnv() })).trim();
          for (const [subject, status] of [
            [`CN=${kid}`, 'SUCCESS'],
            [`CN=${kid},O=again`, 'FAILURE'],
          ] as const) {
            const sent = await enrolment(lab, {
              challenge,
              subject,
              key: await deviceKey(subject),
            });
            const { pkiStatus } = await sent.read(await lab.operate(sent.message));
            hold(pkiStatus === status, `${subject}: ${status}`);
          }
        }
      } finally {
        await rm(folder, { recursive: true });
      }
      return `${signers.length} keys`;
    },
  },
];
