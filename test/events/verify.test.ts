import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Bytes, utf8 } from '../../lib/base/bytes.ts';
import { Published } from '../../lib/ca/log/published.ts';
import type { Checkpoint } from '../../lib/events/note.ts';
import { bundleOf } from '../../lib/events/tiles.ts';
import { emptyEdge, grown, leafHash, rootOf } from '../../lib/events/tree.ts';
import { verifyTree } from '../../lib/events/verify.ts';
import { MemoryLogFiles } from '../support/log.ts';

const entriesOf = (count: number, word = 'event'): Bytes[] =>
  Array.from({ length: count }, (_, i) => utf8(`${word} ${i}`));

const checkpointOf = (entries: readonly Bytes[]): Checkpoint => ({
  ...{ origin: 'log', size: entries.length, time: 0 },
  root: rootOf(
    grown(
      emptyEdge,
      entries.map((entry) => leafHash(entry)),
    ),
  ),
});

async function written(entries: readonly Bytes[], steps: readonly number[] = [entries.length]) {
  const files = new MemoryLogFiles();
  const published = new Published(files, 'log');
  let before = 0;
  for (const size of steps) {
    for (const path of await published.add(before, entries.slice(before, size)))
      await files.remove(path);
    before = size;
  }
  const source = (withEntries = true) => ({
    read: async (path: string) => files.files.get(`log/${path}`),
    entries: withEntries,
  });
  return { files: files.files, source };
}

/** Of three levels of tiles, the last ones partial. */
const LARGE = 256 * 256 + 256 * 3 + 7;

test('a log of three levels of tiles holds, with and without its entries, and every earlier checkpoint is of it', async () => {
  const entries = entriesOf(LARGE);
  const log = await written(entries, [1, 300, 65_535, 65_536, LARGE]);
  for (const size of [0, 300, 65_536]) {
    const since = checkpointOf(entries.slice(0, size));
    await verifyTree(log.source(size !== 300), checkpointOf(entries), { since });
  }
  let seen = 0;
  await verifyTree(log.source(), checkpointOf(entries), {
    each: (_, index) => assert.equal(index, seen++),
  });
  assert.equal(seen, LARGE);
  await verifyTree((await written([])).source(), checkpointOf([]));
});

test('any changed, dropped, moved, inserted or doubled entry is found and located', async () => {
  const entries = entriesOf(600);
  const checkpoint = checkpointOf(entries);
  const forgeries: [string, Bytes[], RegExp][] = [
    ['changed', entries.map((one, i) => (i === 300 ? utf8('other') : one)), /entry 300/],
    ['dropped', entries.toSpliced(300, 1), /entry 300/],
    [
      'moved',
      entries.toSpliced(300, 2, entries[301] ?? utf8(''), entries[300] ?? utf8('')),
      /entry 300/,
    ],
    ['inserted', entries.toSpliced(300, 0, utf8('other')), /entry 300/],
    ['doubled', entries.toSpliced(300, 0, entries[299] ?? utf8('')), /entry 300/],
  ];
  for (const [name, forged, told] of forgeries) {
    const log = await written(entries);
    // Only what is read of people is forged, and the hashes are as they were.
    for (let index = 0; index * 256 < 600; index++) {
      const width = Math.min(256, 600 - index * 256);
      const part = forged.slice(index * 256, index * 256 + width);
      const path = `log/tile/entries/00${index}${width === 256 ? '' : `.p/${width}`}`;
      log.files.set(path, bundleOf(part));
    }
    await assert.rejects(verifyTree(log.source(), checkpoint), told, name);
    // The hashes are forged with them: no longer what was signed.
    const whole = await written(forged);
    await assert.rejects(verifyTree(whole.source(), checkpoint), { name: 'Malformed' }, name);
    // And signed anew: no longer of the checkpoint that an auditor has kept.
    const anew = checkpointOf(forged);
    await verifyTree(whole.source(), anew);
    const since = checkpointOf(entries.slice(0, 400));
    await assert.rejects(
      verifyTree(whole.source(), anew, { since }),
      /first 400 entries are not those/,
      name,
    );
  }
});

test('a log that was cut off, or went back, is found by a checkpoint that was kept', async () => {
  const entries = entriesOf(300);
  const shorter = entries.slice(0, 290);
  const log = await written(shorter);
  await verifyTree(log.source(), checkpointOf(shorter));
  const since = checkpointOf(entries);
  await assert.rejects(
    verifyTree(log.source(), checkpointOf(shorter), { since }),
    /it was cut off/,
  );
});

test('a file of a log that is missing, too short or of another tile is named', async () => {
  const entries = entriesOf(LARGE);
  const checkpoint = checkpointOf(entries);
  const log = await written(entries);
  for (const path of [
    'tile/0/005',
    'tile/1/000',
    'tile/1/001.p/3',
    'tile/entries/258',
    'tile/entries/259.p/7',
    'tile/0/259.p/7',
  ]) {
    const there = log.files.get(`log/${path}`);
    assert.ok(there, path);
    log.files.delete(`log/${path}`);
    await assert.rejects(verifyTree(log.source(), checkpoint), /is missing/, path);
    log.files.set(`log/${path}`, there.slice(0, -1));
    await assert.rejects(verifyTree(log.source(), checkpoint), { name: 'Malformed' }, path);
    const changed = there.slice();
    changed[40] = (changed[40] ?? 0) ^ 1;
    log.files.set(`log/${path}`, changed);
    await assert.rejects(verifyTree(log.source(), checkpoint), { name: 'Malformed' }, path);
    log.files.set(`log/${path}`, there);
  }
});
