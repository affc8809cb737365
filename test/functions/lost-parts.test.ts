// A data folder of which a part was lost, or restored without the other: a start makes nothing in its place, and
// says what is missing, how to restore it, and how to begin anew.

import assert from 'node:assert/strict';
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { starts } from '../support/embedded.ts';
import { freshService, run, startServer, temporary } from '../support/process.ts';

/** A folder that a first start has made. */
async function folder(name: string) {
  const { dataDir, env } = await freshService(`lost-${name}`, {
    cas: { [name]: { subject: `CN=${name}`, key: 'ec:P-256' } },
    endpoints: { default: { ca: name } },
  });
  await starts(env);
  return { dataDir, env, keys: join(dataDir, 'keys'), in: (file: string) => join(dataDir, file) };
}
type Folder = Awaited<ReturnType<typeof folder>>;

const files = ({ keys }: Folder) => readdirSync(keys).sort();

/** The start, and the operator's commands that would make something, are refused, and nothing is made. */
async function refused(one: Folder, said: RegExp, commands: readonly string[][] = []) {
  const before = files(one);
  for (const [program, args] of [
    ['functions/server.ts', []],
    ...commands.map((args) => ['bin/scepter.js', args] as const),
    ...(commands.length > 0 ? [['functions/server.ts', []] as const] : []),
  ] as const) {
    const { code, out, err } = await run(program, args, { env: one.env });
    assert.match(err, said);
    assert.doesNotMatch(err, /\n {4}at /, 'a sentence, not a stack');
    assert.deepEqual([code, out], [1, ''], err);
    assert.deepEqual(files(one), before, 'nothing was made');
  }
}

test('a lost database beside keys is refused; with the database back the server goes on', async () => {
  const one = await folder('database');
  const lost = temporary('lost');
  const parts = readdirSync(one.dataDir).filter((name) => name.startsWith('scepter.db'));
  for (const name of parts) renameSync(one.in(name), join(lost, name));
  const said =
    /^scepter: .*\/keys has keys of CAs \(ca-database-[0-9a-f]{8}\), and the records know none of them: the database was lost, or is another's; restore it from a backup \("scepter restore"\), or set SCEPTER_DATA_DIR to an empty folder to begin anew with a new CA$/m;
  await refused(one, said, [
    ['ca', 'init', 'database'],
    ['ca', 'init', 'database', '--csr'],
  ]);
  // A token makes a database, and no less of a loss of it.
  await run('bin/scepter.js', ['token', 'create', '--name', 'a', '--role', 'auditor'], {
    env: one.env,
  });
  await refused(one, said);
  for (const name of readdirSync(one.dataDir).filter((name) => name.startsWith('scepter.db'))) {
    rmSync(one.in(name));
  }
  for (const name of parts) cpSync(join(lost, name), one.in(name));
  await starts(one.env);
});

test('lost keys, all or the MAC keys alone, beside a database are refused, and none is made', async () => {
  const one = await folder('keys');
  const lost = join(temporary('lost'), 'keys');
  cpSync(one.keys, lost, { recursive: true });
  const said =
    /^scepter: .*\/keys\/mac-keys\.json is missing: the records were written with it; restore the folder of keys from a backup, or set SCEPTER_DATA_DIR to an empty folder to begin anew$/m;
  rmSync(join(one.keys, 'mac-keys.json'));
  await refused(one, said, [['ca', 'init', 'keys']]);
  for (const name of files(one)) rmSync(join(one.keys, name));
  await refused(one, said, [['ca', 'init', 'keys']]);
  cpSync(lost, one.keys, { recursive: true });
  await starts(one.env);
});

test('the database of one data folder with the keys of another is refused', async () => {
  const one = await folder('one');
  const two = await folder('two');
  const own = readFileSync(two.in('scepter.db'));
  cpSync(one.in('scepter.db'), two.in('scepter.db'));
  await refused(
    two,
    /^scepter: the records were written with other keys than those in .*\/keys: the database and the keys are of different data folders; restore both from one backup, or set SCEPTER_DATA_DIR to an empty folder to begin anew$/m,
    [['ca', 'init', 'two']],
  );
  writeFileSync(two.in('scepter.db'), own);
  await starts(two.env);
});

for (const [kind, commands] of [
  ['ca', []],
  ['ra', ['--prepare', '--activate', '--retire']],
] as const) {
  test(`a lost or damaged ${kind.toUpperCase()} key is refused with what to do, and what is said helps`, async () => {
    const one = await folder(kind);
    const name = files(one).find((file) => new RegExp(`^${kind}-.*\\.p8$`).test(file)) ?? '';
    const path = join(one.keys, name);
    const good = readFileSync(path);
    writeFileSync(path, good.subarray(0, 20));
    await refused(one, new RegExp(`^scepter: .*${name} is damaged: restore it from a backup`, 'm'));
    rmSync(path);
    const remedy =
      kind === 'ra' ? ', or replace it: "scepter ca rotate-ra ra --force", three times' : '';
    await refused(
      one,
      new RegExp(
        `^scepter: .*${name} is missing: restore it from a backup, or set SCEPTER_DATA_DIR to the folder of these records' keys${remedy}$`,
        'm',
      ),
    );
    for (const step of commands) {
      const args = ['ca', 'rotate-ra', 'ra', step, '--force'];
      const done = await run('bin/scepter.js', args, { env: one.env });
      assert.equal(done.code, 0, done.err);
    }
    if (commands.length === 0) writeFileSync(path, good);
    await starts(one.env);
  });
}

test('what a first start that was killed has left is no loss: the next one goes on', async () => {
  const one = await folder('killed');
  // As it is when only the CA's record is not written yet.
  const { DatabaseSync } = await import('node:sqlite');
  const raw = new DatabaseSync(one.in('scepter.db'));
  raw.exec("DELETE FROM records WHERE kind LIKE 'authorit%'; DELETE FROM crls;");
  raw.close();
  const before = files(one);
  await starts(one.env);
  assert.ok(files(one).length > before.length, 'it made a CA');
});

for (const lost of [['log.p8'], ['log.p8', 'log.spki']]) {
  test(`without ${lost.join(' and ')} devices are served, no other key takes its place, and an operator lets the logs go on under a new one`, async () => {
    const { env, dataDir } = await freshService('lost-log-key');
    const scepter = (...args: string[]) => run('bin/scepter.js', args, { env });
    const done = async (...args: string[]): Promise<string> => {
      const { code, out, err } = await scepter(...args);
      assert.equal(code, 0, err);
      return out;
    };
    const first = await startServer(env);
    const keyOf = async (log: string): Promise<string> => {
      for (;;) {
        const { code, out } = await scepter('log', 'key', log);
        if (code === 0) return out;
      }
    };
    const [key] = [await keyOf('default'), await keyOf('system')];
    await first.stop();
    for (const name of lost) rmSync(join(dataDir, 'keys', name));
    const said = /keys\/log\.p8, the key of the logs, is missing.*--new-key/s;
    const second = await startServer(env);
    try {
      assert.equal((await fetch(`${second.url}/scep?operation=GetCACaps`)).status, 200);
      assert.equal((await fetch(`${second.url}/healthz/upkeep`)).status, 503);
      const status = await scepter('status');
      assert.deepEqual([status.code, said.test(status.out + status.err)], [1, true], status.out);
      assert.equal(readdirSync(join(dataDir, 'keys')).includes('log.p8'), false, 'none was made');
      const refused = await scepter('log', 'recover', 'default');
      assert.equal(refused.code, 1);
      assert.match(refused.err, said);
      assert.equal(await done('log', 'key', 'default'), key, 'it is verified as before');
      for (const log of ['system', 'default']) {
        const told = await done('log', 'recover', log, '--new-key');
        assert.match(told, new RegExp(`^"${log}" .* was signed with another key than`));
        assert.match(told, new RegExp(`the log goes on as "${log}\\.2"`));
      }
      assert.notEqual((await keyOf('default.2')).split('+')[1], key.split('+')[1]);
      await done('log', 'verify', join(dataDir, 'log', 'default'), '--key', key.trim());
      const [event = ''] = (await done('log', 'export', '--type', 'ca.created')).split('\n');
      const name = join(dataDir, '..', 'made');
      await done('log', 'proof', JSON.parse(event).id, '--out', name);
      await done('log', 'check', name, '--key', key.trim());
      assert.equal((await scepter('status')).code, 0);
      assert.equal(await done('log', 'key', 'default'), key);
    } finally {
      await second.stop();
    }
    assert.equal(await done('log', 'key', 'default'), key, 'while no server runs, too');
  });
}
