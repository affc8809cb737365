// The log as SIEMs take it, judged by the schema of OCSF and by readers of CEF that are not ours: what the server has, and an
// event of every type with everything that an event may have, hostile names among it.

import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventTypes } from '../../../lib/base/words.ts';
import { cefLine } from '../../../lib/cli/log/cef.ts';
import type { EventBody } from '../../../lib/cli/log/happened.ts';
import { ocsfLine } from '../../../lib/cli/log/ocsf.ts';
import { type EventFields, eventText, makeEvent } from '../../../lib/events/event.ts';
import { fetching, root, tool } from '../../support/installed.ts';
import { must, plainEnv, run } from '../command.ts';
import type { Lab, Row } from '../lab.ts';
import { hold } from '../openssl.ts';

const PACKAGES = [
  'ocsf-json-schema==1.2.0',
  'jsonschema==4.26.0',
  'pycef==1.11',
  'cefevent==0.5.6',
];

/** The Python of an environment that has the judges. */
async function judges(): Promise<string> {
  const folder = join(
    root,
    'node_modules',
    '.cache',
    'siem',
    PACKAGES.join('-').replaceAll('==', '-'),
  );
  const python = join(folder, 'bin', 'python');
  const done = join(folder, 'installed');
  if (!existsSync(done)) {
    await rm(folder, { recursive: true, force: true });
    await tool('python3', ['-m', 'venv', folder], root, 'Python 3 with its module venv');
    const pip = ['-m', 'pip', 'install', '--quiet', ...PACKAGES];
    await fetching(python, pip, root, 'a package index with the judges of OCSF and CEF');
    await writeFile(done, '');
  }
  return python;
}

const hostile = 'a|b\\c=d externalId=01FAKE\r\nCEF:0|x|y\u001b[2J\u202e "q" \\n';
const hash = 'ab'.repeat(32);

/** Of every type: by everybody, from everywhere; with all that an event may have, and with next to nothing. */
const everything = (): EventBody[] =>
  eventTypes.flatMap((type) => {
    const actors = [
      { kind: 'admin', id: hostile, from: '192.0.2.7' },
      { kind: 'admin', id: 'ann', from: '2001:db8::7' },
      { kind: 'device', id: hash },
      { kind: 'system' },
    ] as const;
    const full: Omit<EventFields, 'type' | 'actor'> = {
      ...{ ca: 'default', endpoint: 'default', profile: 'tls', asked: 'enrolment' },
      ...{ transaction: '01K4QD6W6ZJ5S5M0V1X7TB2C3D', transactionID: hostile, serial: '6f01' },
      ...{ subject: `CN=${hostile}`, names: ['dns:a.example', `uri:${hostile}`, 'no-type'] },
      ...{ csrHash: hash, tbsHash: hash, certificateHash: hash, keyHash: hash },
      ...{ key: 'arn:aws:kms:eu-central-1:111122223333:key/a', challengeId: '01K4QD6W6Z' },
      ...{ authorizedBy: ['challenge', 'webhook'], code: 'SCEP-311', reason: 'keyCompromise' },
      ...{ note: hostile, number: 7, partition: '0-1' },
    };
    return [
      ...actors.map((actor) => ({ ...full, actor })),
      { actor: { kind: 'system' } as const },
    ].map((fields) =>
      JSON.parse(eventText(makeEvent(Date.UTC(2031, 0, 1), randomBytes(34), { ...fields, type }))),
    );
  });

async function exported({ server: { origin, dataDir } }: Lab, until: string, format: string) {
  const env = plainEnv({ SCEPTER_URL: origin, SCEPTER_DATA_DIR: dataDir });
  const args = ['bin/scepter.js', 'log', 'export', '--format', format, '--until', until];
  return String(await must('node', args, { cwd: root, env }));
}

export const siemRows: readonly Row[] = [
  {
    id: 'siem',
    client: 'python',
    title: 'the log holds for the schema of OCSF 1.8.0, and for pycef and cefevent',
    async run(lab) {
      const python = await judges();
      const until = new Date().toISOString();
      const events = everything();
      const [folder, ocsf, cef] = await Promise.all([
        lab.folder(),
        exported(lab, until, 'ocsf'),
        exported(lab, until, 'cef'),
      ]);
      const [first, second] = [join(folder, 'ocsf'), join(folder, 'cef')];
      await writeFile(first, ocsf + events.map(ocsfLine).join(''));
      await writeFile(second, cef + events.map(cefLine).join(''));
      const judge = () =>
        run(python, [join(import.meta.dirname, '..', 'siem', 'judge.py'), first, second]);
      const { code, stdout, stderr } = await judge();
      hold(code === 0, `it holds: ${stderr.slice(0, 2000)}`);
      for (const [path, from, to] of [
        [first, '"severity_id":1', '"severity_id":7'],
        [first, '"uid":', '"uuid":'],
        [second, ' act=', ' act'],
        [second, ' outcome=', ' outcame='],
      ] as const) {
        const text = await readFile(path, 'utf8');
        await writeFile(path, text.replace(from, to));
        hold((await judge()).code === 1, `${to} is found`);
        await writeFile(path, text);
      }
      return String(stdout).trim();
    },
  },
];
