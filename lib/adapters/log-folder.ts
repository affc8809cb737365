// The files of logs in a folder of one process, which replaces each whole and waits until the disk has it.

import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Bytes, concat, equal } from '../base/bytes.ts';
import type { LogFiles } from '../ports/log-files.ts';

export function logFolder(folder: string): LogFiles {
  const read = async (path: string): Promise<Bytes | undefined> => {
    try {
      return concat([await readFile(join(folder, path))]);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
  };
  const write = async (path: string, octets: Bytes): Promise<void> => {
    const whole = join(folder, path);
    await mkdir(dirname(whole), { recursive: true, mode: 0o700 });
    await writeFile(`${whole}.new`, octets, { mode: 0o600, flush: true });
    await rename(`${whole}.new`, whole);
    // Its name is in the folder, which the disk must have, too.
    const named = await open(dirname(whole), 'r');
    try {
      await named.sync();
    } finally {
      await named.close();
    }
  };
  return {
    read,
    write,
    async swap(path, octets, expected) {
      const found = await read(path);
      if (found && expected ? !equal(found, expected) : found !== expected) return false;
      await write(path, octets);
      return true;
    },
    remove: (path) => rm(join(folder, path), { recursive: true, force: true }),
  };
}
