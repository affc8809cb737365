// After all the others: what the servers have written about them, and what they tell of it.

import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { must, plainEnv } from '../command.ts';
import type { Lab, Row } from '../lab.ts';
import { hold } from '../openssl.ts';
import type { Server } from '../server.ts';

/** What people and programs are told of everything, in every form. */
async function told({ root }: Lab, { origin, dataDir }: Server): Promise<Map<string, Buffer>> {
  const env = plainEnv({ SCEPTER_URL: origin, SCEPTER_DATA_DIR: dataDir });
  const cli = (...args: string[]) => must('node', ['bin/scepter.js', ...args], { cwd: root, env });
  const commands = [
    ['log', 'export', '--format', 'jsonl'],
    ['log', 'export', '--format', 'csv'],
    ['txn', 'list', '--all', '--json'],
    ['cert', 'list', '--all', '--json'],
    ['challenge', 'list', '--all', '--json'],
    ['config', 'print', '--server'],
    ['status', '--json'],
  ];
  const answers = new Map<string, Buffer>();
  for (const command of commands) answers.set(command.join(' '), await cli(...command));
  const listed = JSON.parse(String(answers.get('txn list --all --json'))) as {
    transactions: { id: string }[];
  };
  for (const { id } of listed.transactions.slice(0, 20)) {
    answers.set(`txn show ${id}`, await cli('txn', 'show', id));
  }
  return answers;
}

/** Every file of the data folder but the CA's keys: the records, what SQLite keeps beside them, and the logs. */
async function stored({ dataDir }: Server): Promise<Map<string, Buffer>> {
  const all = await readdir(dataDir, { recursive: true, withFileTypes: true });
  const names = all
    .filter((one) => one.isFile())
    .map((one) => relative(dataDir, join(one.parentPath, one.name)))
    .filter((name) => name.startsWith('scepter.db') || name.startsWith('log/'));
  hold(names.length > 0, 'the records are in the data folder');
  return new Map(
    await Promise.all(
      names.map(async (name) => [name, await readFile(join(dataDir, name))] as const),
    ),
  );
}

/** A secret as it may stand somewhere: as text, in hexadecimal, in base64 at any alignment. */
function formsOf(secret: string): Buffer[] {
  const octets = Buffer.from(secret);
  const base64 = [0, 1, 2].map((skip) => {
    const padded = Buffer.concat([Buffer.alloc(skip), octets]).toString('base64');
    // The first and the last characters also depend on what stands beside the secret.
    return padded.slice(skip === 0 ? 0 : 4, -4);
  });
  return [secret, octets.toString('hex'), ...base64].map((form) => Buffer.from(form));
}

export const aftermathRows: readonly Row[] = [
  {
    id: 'log',
    client: 'server',
    title: 'no outage in the log; no challenge in log, store, exports and what commands print',
    async run(lab) {
      for (const before of ['', 'a', 'ab']) {
        const hidden = Buffer.from(`${before}not-a-secret-at-all${before}`).toString('base64');
        const found = formsOf('not-a-secret-at-all').some((form) => hidden.includes(`${form}`));
        hold(found, 'a secret is found in base64');
      }
      let places = 0;
      let lines = 0;
      for (const server of lab.servers) {
        const log = await server.log();
        const entries = log.split('\n').filter((line) => line.startsWith('{'));
        const serious = entries.filter((line) => line.includes('"severity":"error"'));
        hold(serious.length === 0, `nothing serious is logged: ${serious[0]}`);
        lines += entries.length;
        const all = new Map([
          ['log', Buffer.from(log)],
          ...(await stored(server)),
          ...(await told(lab, server)),
        ]);
        places += all.size;
        for (const secret of lab.challenges) {
          for (const form of formsOf(secret)) {
            const [leak] = [...all].find(([, octets]) => octets.includes(form)) ?? [];
            hold(leak === undefined, `a challenge is in: ${leak}`);
          }
        }
      }
      return `${lines} lines of log, ${places} places, ${lab.challenges.length} challenges`;
    },
  },
];
