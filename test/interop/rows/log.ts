// The log of the server that the clients have used, verified by what we did not write: golang.org/x/mod/sumdb/tlog and
// the notes of transparency-dev; and by docs/verify_log.py, which is Python's standard library and openssl.

import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fetching, root } from '../../support/installed.ts';
import { lastLines, must, plainEnv, run } from '../command.ts';
import type { Lab, Row } from '../lab.ts';
import { hold } from '../openssl.ts';

const modules = `module peer

go 1.23.0

require (
	github.com/transparency-dev/formats v0.0.0-20250421220931-bb8ad4d07c26
	golang.org/x/mod v0.24.0
)
`;

const verifyLog = join(root, 'docs', 'verify_log.py');

/** A copy of the log as it is published, and its key. */
async function published({ server: { origin, dataDir }, folder }: Lab) {
  const env = plainEnv({ SCEPTER_URL: origin, SCEPTER_DATA_DIR: dataDir });
  const key = String(
    await must('node', ['bin/scepter.js', 'log', 'key'], { cwd: root, env }),
  ).trim();
  const copy = join(await folder(), 'default');
  await mkdir(copy);
  // The checkpoint comes first: whatever it is over has been published before.
  const from = join(dataDir, 'log', 'default');
  await cp(join(from, 'checkpoint'), join(copy, 'checkpoint'));
  await cp(join(from, 'tile'), join(copy, 'tile'), { recursive: true });
  const [, size] = (await readFile(join(copy, 'checkpoint'), 'utf8')).split('\n');
  hold(Number(size) > 0, 'there are events under the checkpoint');
  return { key, copy, env, said: `holds: ${size} events` };
}

/** @param argv of a verifier, without the log's folder and its key */
async function verified(lab: Lab, [command = '', ...args]: readonly string[]): Promise<string> {
  const { key, copy, said } = await published(lab);
  const verify = () => run(command, [...args, copy, key], { env: plainEnv() });
  const { code, stdout, stderr } = await verify();
  hold(code === 0 && String(stdout).startsWith(said), `it holds: ${lastLines(stderr)}`);
  const bundle = join(copy, 'tile', 'entries', '000');
  const width = Math.min(256, Number(said.split(' ')[1]));
  const path = width === 256 ? bundle : `${bundle}.p/${width}`;
  const octets = await readFile(path);
  octets[20] = (octets[20] ?? 0) ^ 1;
  await writeFile(path, octets);
  hold((await verify()).code !== 0, 'a changed event is found');
  return String(stdout).trim();
}

export const logRows: readonly Row[] = [
  {
    id: 'tlog',
    client: 'go',
    title: 'the log holds for sumdb/tlog and its notes: signature, inclusion, consistency',
    async run(lab) {
      const built = join(root, 'node_modules', '.cache', 'tlog');
      await mkdir(built, { recursive: true });
      await writeFile(join(built, 'go.mod'), modules);
      await cp(join(root, 'test', 'interop', 'tlog', 'main.go'), join(built, 'main.go'));
      const program = join(built, 'tlog');
      await fetching('go', ['build', '-mod=mod', '-o', program, '.'], built, 'Go 1.23 or later');
      return verified(lab, [program]);
    },
  },
  {
    id: 'tlog',
    client: 'python',
    title: 'the log holds for docs/verify_log.py',
    run: (lab) => verified(lab, ['python3', verifyLog]),
  },
  {
    id: 'tlog-proof',
    client: 'python',
    title: 'the proof of one event holds for docs/verify_log.py, and of no other',
    async run(lab) {
      const { key, copy, env } = await published(lab);
      const scepter = (...args: string[]) =>
        must('node', ['bin/scepter.js', 'log', ...args], { cwd: root, env });
      const [first = '{}'] = String(await scepter('export', '--type', 'ca.created')).split('\n');
      const name = join(copy, 'made');
      await scepter('proof', (JSON.parse(first) as { readonly id: string }).id, '--out', name);
      const check = () =>
        run('python3', [verifyLog, `${name}.tlog-proof`, key], { env: plainEnv() });
      const { code, stdout, stderr } = await check();
      hold(code === 0, `it holds: ${lastLines(stderr)}`);
      await writeFile(`${name}.json`, `${await readFile(`${name}.json`, 'utf8')} `);
      hold((await check()).code !== 0, 'a changed event is found');
      return String(stdout).trim();
    },
  },
  {
    id: 'evidence',
    client: 'python',
    title:
      'the evidence of a certificate holds for docs/verify_log.py, and no other event, names, certificate or request',
    async run(lab) {
      const { key, copy, env } = await published(lab);
      const scepter = (...args: string[]) =>
        must('node', ['bin/scepter.js', ...args], { cwd: root, env });
      const challenge = await lab.challenge();
      const enrolled = join(copy, 'enrolled');
      const asked = [
        '--url',
        `${lab.server.origin}/scep`,
        '--challenge',
        challenge,
        '--out',
        enrolled,
      ];
      await scepter('enrol', ...asked, '--subject', 'CN=evident');
      const [shown = '{}'] = String(
        await scepter('inspect', join(enrolled, 'cert.pem'), '--json'),
      ).split('\n');
      const { items } = JSON.parse(shown) as { readonly items: readonly { serial: string }[] };
      const { serial = '' } = items[0] ?? {};
      const folder = join(copy, 'evidence');
      await scepter('evidence', serial, '--out', folder);
      const check = () => run('python3', [verifyLog, folder, key], { env: plainEnv() });
      const { code, stdout, stderr } = await check();
      hold(code === 0, `it holds: ${lastLines(stderr)}`);
      const names = await readdir(join(folder, 'events'));
      const first = (end: string) => join('events', names.find((name) => name.endsWith(end)) ?? '');
      const parts = ['certificate.pem', 'request.pem'].map((name) => join(serial, name));
      for (const name of [first('.personal.json'), first('.tlog-proof'), ...parts]) {
        const file = join(folder, name);
        const octets = await readFile(file);
        const changed = Buffer.from(octets);
        const at = Math.floor(octets.length / 2);
        changed[at] = changed[at] === 0x41 ? 0x42 : 0x41;
        await writeFile(file, changed);
        hold((await check()).code !== 0, `a changed ${name} is found`);
        await writeFile(file, octets);
      }
      hold((await check()).code === 0, 'as it was, it holds');
      return String(stdout).trim();
    },
  },
];
