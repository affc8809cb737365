// `scepter backup` and `scepter restore` killed before every call that changes a file or a folder: afterwards
// there is the old or the new, and both commands do what they are for when they are run again.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { openEmbedded } from '../../functions/node/embedded.ts';
import { hex } from '../../lib/base/bytes.ts';
import { checkConfig } from '../../lib/config/config.ts';
import { fingerprint } from '../../lib/x509/certificate.ts';
import { run, temporary } from '../support/process.ts';

const document = {
  publicUrl: 'http://kill.test',
  cas: { default: { subject: 'CN=Kill CA', key: 'ec:P-256' } },
  endpoints: { default: { ca: 'default' } },
};
const config = checkConfig(document);
const cut = pathToFileURL(join(import.meta.dirname, 'cut.js')).href;

/** What the folder's CA is, as a server opens it. @throws {Error} what a start would say */
async function opened(dataDir: string) {
  const env = { dataDir, table: undefined, sealingKey: undefined, deployment: undefined };
  const { deps, made, close } = await openEmbedded(env, config, () => {});
  const ca = fingerprint((await deps.cas.of('default')).certificate.der);
  const crl = await deps.crls.newest('default');
  close();
  return {
    ca,
    made: made.length,
    number: crl?.number ?? 0,
    crl: hex(crl?.der ?? new Uint8Array(0)),
  };
}

const root = temporary('kill-backup');
const dataDir = join(root, 'data');
const scepter = (args: readonly string[], folder: string, cutAt?: number) =>
  run('bin/scepter.js', args, {
    env: {
      SCEPTER_DATA_DIR: folder,
      SCEPTER_CONFIG: JSON.stringify(document),
      NODE_OPTIONS: `--import ${cut}`,
      ...(cutAt === undefined ? { CUT_COUNT: '1' } : { CUT_AT: String(cutAt) }),
    },
  });

/** How many calls there are in a run that is not killed. */
async function calls(args: readonly string[], folder: string): Promise<number> {
  const { code, err } = await scepter(args, folder);
  assert.equal(code, 0, err);
  const count = Number(/calls: (\d+)\n$/.exec(err)?.[1]);
  assert.ok(count >= 5, err);
  return count;
}

/** All of them, or without SLOW every third and the last, where what was made begins to count. */
const points = (count: number): number[] =>
  [...Array(count).keys()].filter(
    (at) => process.env.SLOW !== undefined || at % 3 === 1 || at >= count - 3,
  );

describe('killed at every change of a file', () => {
  const first = join(root, 'first.backup');
  let known: Awaited<ReturnType<typeof opened>>;
  before(async () => {
    known = await opened(dataDir);
    assert.equal((await scepter(['backup', first], dataDir)).code, 0);
  });

  test('backup: the folder stays as it is, the file is whole or not there, and the next run ends well', async (t) => {
    const count = await calls(['backup', join(root, 'counted.backup')], dataDir);
    t.diagnostic(`${count} calls`);
    const old = readFileSync(first);
    for (const at of points(count)) {
      const file = join(root, `${at}.backup`);
      await scepter(['backup', file], dataDir, at);
      assert.ok(readFileSync(first).equals(old), `call ${at}`);
      const isWhole = existsSync(file);
      const next = isWhole ? `${file}.next` : file;
      const { code, err } = await scepter(['backup', next], dataDir);
      assert.equal(code, 0, `call ${at}: ${err}`);
      if (isWhole) {
        const restored = await scepter(['restore', file, '--without-crl'], join(root, `of-${at}`));
        assert.equal(restored.code, 0, `call ${at}: ${restored.err}`);
      }
      assert.deepEqual(
        readdirSync(dataDir).filter((name) => name.includes('snapshot')),
        [],
        `call ${at}: nothing is left beside the database`,
      );
    }
    assert.deepEqual(await opened(dataDir), { ...known, made: 0 });
  });

  test('restore: a start finds the restored CA, or a sentence that says what to do, and never makes another', async (t) => {
    const args = ['restore', first, '--without-crl'];
    const count = await calls(args, join(root, 'counted'));
    t.diagnostic(`${count} calls`);
    let [whole, sentences] = [0, 0];
    for (const at of points(count)) {
      const back = join(root, `restored-${at}`);
      await scepter(args, back, at);
      if (existsSync(back) && readdirSync(back).length > 0) {
        const found = await opened(back).catch((error: Error) => error);
        if (found instanceof Error) {
          assert.match(found.message, /restore that was interrupted: run "scepter restore" again/);
          sentences++;
        } else {
          assert.deepEqual([found.ca, found.made], [known.ca, 0], `call ${at}`);
          assert.ok(found.number > known.number, `call ${at}`);
          whole++;
          continue;
        }
      }
      const { code, err } = await scepter(args, back);
      assert.equal(code, 0, `call ${at}: ${err}`);
      const again = await opened(back);
      assert.deepEqual([again.ca, again.made], [known.ca, 0], `call ${at}`);
      assert.ok(again.number > known.number, `call ${at}`);
    }
    assert.ok(whole > 0 && sentences > 0, `${whole} whole, ${sentences} refused`);
  });
});
