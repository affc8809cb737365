// Files of logs in memory, with calls that fail before or after they have taken effect; a key of a log; and what the
// files must be at any moment.

import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { type Bytes, base64, concat, equal, fromUtf8, utf8 } from '../../lib/base/bytes.ts';
import { type Checkpoint, logKey, openCheckpoint } from '../../lib/events/note.ts';
import { emptyEdge, grown, leafHash, rootOf } from '../../lib/events/tree.ts';
import { verifyTree } from '../../lib/events/verify.ts';
import type { LogFiles, Sequencing, WaitingEvents } from '../../lib/ports/log-files.ts';
import type { Store } from '../../lib/ports/store.ts';

export type Fault = 'before' | 'after' | undefined;

export class MemoryLogFiles implements LogFiles {
  readonly files = new Map<string, Bytes>();
  /** Asked at each call. */
  fault: (call: string) => Fault = () => undefined;
  schedule: () => Promise<void> = async () => {};

  read(path: string): Promise<Bytes | undefined> {
    return this.#call('read', () => this.files.get(path));
  }

  write(path: string, octets: Bytes): Promise<void> {
    return this.#call('write', () => {
      const there = this.files.get(path);
      assert.ok(!there || equal(there, octets), `${path} got another content`);
      this.files.set(path, octets);
    });
  }

  swap(path: string, octets: Bytes, expected: Bytes | undefined): Promise<boolean> {
    return this.#call('swap', () => {
      const there = this.files.get(path);
      const as = there && expected ? equal(there, expected) : there === expected;
      if (as) this.files.set(path, octets);
      return as;
    });
  }

  remove(path: string): Promise<void> {
    return this.#call('remove', () => {
      for (const name of this.files.keys()) {
        if (path.endsWith('/') ? name.startsWith(path) : name === path) this.files.delete(name);
      }
    });
  }

  async #call<T>(call: string, act: () => T): Promise<T> {
    await this.schedule();
    const fault = this.fault(call);
    if (fault === 'before') throw new Error(`${call} failed before it did anything`);
    const result = act();
    if (fault === 'after') throw new Error(`${call} failed after it had done its work`);
    await this.schedule();
    return result;
  }
}

/** Those of a store that has no way of its own to forget them. */
export const waitingIn = (store: Store): WaitingEvents => ({
  async forget(keys) {
    const rows = await store.read(keys.map((key) => ({ kind: 'unlogged', key })));
    for (const { kind, key, rev } of rows) await store.write([{ do: 'delete', kind, key, rev }]);
  },
});

export type KeptLogs<F extends LogFiles = LogFiles> = {
  readonly logs: Sequencing;
  readonly files: F;
  /** Every text that was signed: no two of them may be of different trees. */
  readonly signed: string[];
};

/** Logs in these files, with a key of their own. */
export function keptLogs<F extends LogFiles>(files: F, waiting: WaitingEvents): KeptLogs<F> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = logKey(concat([publicKey.export({ type: 'spki', format: 'der' })]));
  const signed: string[] = [];
  const logs: Sequencing = {
    files,
    waiting,
    key: async () => key,
    sign: async (text) => {
      signed.push(fromUtf8(text));
      return concat([sign('sha256', text, privateKey)]);
    },
  };
  return { logs, files, signed };
}

export const memoryLogs = (store: Store, files = new MemoryLogFiles()): KeptLogs<MemoryLogFiles> =>
  keptLogs(files, waitingIn(store));

/** For a store that is made with them. */
export const memoryLogsOf = (store: () => Store): KeptLogs<MemoryLogFiles> =>
  memoryLogs({
    read: (keys) => store().read(keys),
    list: (query) => store().list(query),
    write: (actions) => store().write(actions),
  });

/** What is published is whole, and returned with its entries. */
export async function publishedOf(
  { logs: { files, key } }: Pick<KeptLogs, 'logs'>,
  name: string,
  log: string,
): Promise<Checkpoint & { readonly entries: readonly string[] }> {
  const note = await files.read(`${log}/checkpoint`);
  if (!note) return { origin: name, size: 0, root: new Uint8Array(0), time: 0, entries: [] };
  const checkpoint = await openCheckpoint(fromUtf8(note), { name, key: await key() });
  const entries: string[] = [];
  const read = (path: string) => files.read(`${log}/${path}`);
  const each = (entry: Bytes) => void entries.push(fromUtf8(entry));
  await verifyTree({ read, entries: true }, checkpoint, { each });
  return { ...checkpoint, entries };
}

/** The files, and every checkpoint that was ever published in them. */
export function notingSwaps(files: LogFiles): {
  readonly files: LogFiles;
  readonly swapped: string[];
} {
  const swapped: string[] = [];
  const swap: LogFiles['swap'] = async (path, octets, expected) => {
    const done = await files.swap(path, octets, expected);
    if (done) swapped.push(fromUtf8(octets));
    return done;
  };
  const { read, write, remove } = bound(files);
  return { files: { read, write, remove, swap }, swapped };
}

const bound = (files: LogFiles) => ({
  read: files.read.bind(files),
  write: files.write.bind(files),
  remove: files.remove.bind(files),
});

/** None of the checkpoints is of another history than that of the entries. */
export function requireOneHistory(notes: readonly string[], entries: readonly string[]): void {
  assert.ok(notes.length > 0);
  for (const note of notes) {
    const [, size = '', root = ''] = note.split('\n');
    const leaves = entries.slice(0, Number(size)).map((entry) => leafHash(utf8(entry)));
    assert.equal(leaves.length, Number(size));
    assert.equal(base64(rootOf(grown(emptyEdge, leaves))), root, `the checkpoint of ${size}`);
  }
}
