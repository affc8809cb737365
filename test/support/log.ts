// Files of logs in memory, with calls that fail before or after they have taken effect; a key of a log; and what the
// files must be at any moment.

import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { type Bytes, concat, equal, fromUtf8 } from '../../lib/base/bytes.ts';
import { type Checkpoint, logKey, openCheckpoint } from '../../lib/events/note.ts';
import { verifyTree } from '../../lib/events/verify.ts';
import type { LogFiles, Logs } from '../../lib/ports/log-files.ts';

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
        if (name === path || name.startsWith(`${path}/`)) this.files.delete(name);
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

/** Every text that was signed is kept: no two of them may be of different trees. */
export function memoryLogs(files = new MemoryLogFiles()) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = logKey(concat([publicKey.export({ type: 'spki', format: 'der' })]));
  const signed: string[] = [];
  const logs: Logs = {
    files,
    key,
    sign: async (text) => {
      signed.push(fromUtf8(text));
      return concat([sign('sha256', text, privateKey)]);
    },
  };
  return { logs, files, signed };
}

/** What is published is whole, and returned with its entries. */
export async function publishedOf(
  { logs, files }: Pick<ReturnType<typeof memoryLogs>, 'logs' | 'files'>,
  name: string,
  log: string,
): Promise<Checkpoint & { readonly entries: readonly string[] }> {
  const note = files.files.get(`${log}/checkpoint`);
  if (!note) return { origin: name, size: 0, root: new Uint8Array(0), time: 0, entries: [] };
  const checkpoint = await openCheckpoint(fromUtf8(note), { name, key: logs.key });
  const entries: string[] = [];
  const read = async (path: string) => files.files.get(`${log}/${path}`);
  const each = (entry: Bytes) => void entries.push(fromUtf8(entry));
  await verifyTree({ read, entries: true }, checkpoint, { each });
  return { ...checkpoint, entries };
}
