// Kills of the sequencer's function over DynamoDB Local, S3 and the KMS emulator, one after another on one log: at every
// call of a run that puts events into it. Whoever comes next goes on, and nothing that was published is taken back.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { systemClock, systemRandom } from '../../lib/adapters/system.ts';
import { fromUtf8 } from '../../lib/base/bytes.ts';
import { initMacKeys, readMacKeys } from '../../lib/ca/authority/mac-keys.ts';
import { logged } from '../../lib/ca/log/outbox.ts';
import { sequenceAll } from '../../lib/ca/log/sequence.ts';
import { guarded } from '../../lib/ca/record/guarded-store.ts';
import { Draft, View } from '../../lib/ca/record/unit-of-work.ts';
import { checkConfig } from '../../lib/config/config.ts';
import { logKey } from '../../lib/events/note.ts';
import { freshStore, tableEnv } from '../support/dynamodb.ts';
import { openKms } from '../support/kms.ts';
import { publishedOf, requireOneHistory } from '../support/log.ts';
import { idsOf } from '../support/log-world.ts';
import { patiently } from '../support/process.ts';
import { startS3Emulator } from '../support/s3-emulator.ts';

const s3 = await startS3Emulator();
after(() => s3.stop());
const child = join(import.meta.dirname, '..', 'support', 'killed-sequencer.ts');

const document = {
  publicUrl: 'https://ca.example.com',
  cas: { default: { subject: 'CN=Lab CA,O=Lab', key: 'ec:P-256' } },
  endpoints: { default: { ca: 'default' } },
} as const;

test('killed at any call, a sequencer leaves one history, which the next one goes on with', async () => {
  const [kms, { table, store: bare }] = [await openKms(), await freshStore()];
  const settings = await kms.env();
  const key = settings.SCEPTER_LOG_KEY ?? '';
  const keys = kms.keys({ readMacKeys: (purpose) => readMacKeys(bare, purpose) });
  const log = () => {};
  const store = logged(guarded(bare, keys.macKeys, log));
  const ports = { store, clock: systemClock, random: systemRandom };
  await initMacKeys(ports, (purpose) => keys.makeMacKey(purpose), { kind: 'system' });
  const files = s3.logFiles();
  const pair = keys.logKey(key);
  const logs = {
    ...{ files, waiting: bare, sign: pair.sign },
    key: async () => logKey(await pair.publicKey()),
  };
  const deps = { ...ports, log, logs, config: checkConfig(document) };
  const env = {
    ...{ ...process.env, ...patiently, ...settings, ...tableEnv(table), ...s3.env },
    SCEPTER_CONFIG: JSON.stringify(document),
  };
  const ids: string[] = [];
  const happen = async (): Promise<void> => {
    const draft = new Draft(new View(store));
    const type = 'crl.published';
    draft.event(systemClock.now(), systemRandom, {
      type,
      actor: { kind: 'system' },
      ca: 'default',
    });
    ids.push(...draft.actions.map((action) => action.key));
    assert.equal(await store.write(draft.actions), 'done');
  };
  const notes: string[] = [];
  const look = async (): Promise<void> => {
    const note = await files.read('default/checkpoint');
    if (note) notes.push(fromUtf8(note));
  };
  const run = async (...args: string[]) => {
    const started = spawn(process.execPath, [child, ...args], { env });
    let said = '';
    for (const stream of [started.stdout, started.stderr]) {
      stream.on('data', (data) => {
        said += data;
      });
    }
    const [code, signal] = await once(started, 'close');
    return { code, signal, said };
  };
  for (let at = 0; ; at++) {
    await happen();
    await happen();
    const when = at % 2 === 0 ? 'before' : 'after';
    const { code, signal, said } = await run(String(at), when);
    await look();
    await sequenceAll(deps);
    await look();
    const { entries } = await publishedOf({ logs }, 'ca.example.com/log/default', 'default');
    assert.deepEqual(new Set(idsOf(entries)), new Set(ids), `killed ${when} ${at}: ${said}`);
    assert.equal(entries.length, ids.length);
    if (signal === 'SIGKILL') continue;
    assert.equal(code, 0, said);
    assert.match(said, /"appended":2/);
    requireOneHistory(notes, entries);
    assert.ok(at > 20, `${at} calls`);
    break;
  }
  await happen();
  const { code, said } = await run();
  assert.equal(code, 0, said);
  const line = said.split('\n').find((one) => one.includes('"upkeep.done"')) ?? '{}';
  const { task, appended, refused, waitedSeconds, requestId } = JSON.parse(line);
  assert.deepEqual([task, appended, refused, requestId], ['logs', 1, 0, 'request'], said);
  assert.ok(waitedSeconds >= 0, said);
});
