// A restore inside a data folder, so that a mount point or the folder of a service can be one. What is read
// from the backup stands in `restoring` until all of it is good; its new name, `restored`, makes it count. Then
// it only has to be moved up, which whoever opens the folder finishes if the restore could not.

import { link, mkdir, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { CliError } from '../../lib/cli/io.ts';

export const staging = (dataDir: string): string => join(dataDir, 'restoring');
const counted = (dataDir: string): string => join(dataDir, 'restored');

const namesIn = (folder: string): Promise<readonly string[]> =>
  readdir(folder).catch((error) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
    throw error;
  });

/** The restored files are the folder's from here on. */
export async function commitRestore(dataDir: string): Promise<void> {
  await rename(staging(dataDir), counted(dataDir));
  await settleRestore(dataDir);
}

/** Finishes a restore that counts. @throws {Error} for one that was interrupted before it did */
export async function settleRestore(dataDir: string): Promise<void> {
  const names = await namesIn(dataDir);
  if (names.includes('restored')) {
    const folder = counted(dataDir);
    // The database comes last: without it, no start takes the keys for what a lost one has left.
    const files = [...(await namesIn(folder))].sort(
      (a, b) => Number(a === 'scepter.db') - Number(b === 'scepter.db'),
    );
    for (const name of files) await rename(join(folder, name), join(dataDir, name));
    await rmdir(folder);
    return;
  }
  if (names.includes('restoring')) {
    throw new Error(
      `${dataDir} holds a restore that was interrupted: run "scepter restore" again, or delete ${staging(dataDir)}`,
    );
  }
}

/** @throws {Error} unless nothing is lost if a backup is restored into the folder */
export async function requireEmpty(dataDir: string): Promise<void> {
  await rm(staging(dataDir), { recursive: true, force: true });
  await settleRestore(dataDir);
  // An ext4 file system that is mounted here has the one from the start.
  const [held] = (await namesIn(dataDir)).filter((name) => name !== 'lost+found');
  if (held !== undefined) {
    throw new Error(
      `${dataDir} holds ${held}: a backup is restored into an empty folder, so move what is there away, or set SCEPTER_DATA_DIR to another`,
    );
  }
}

const SNAPSHOT = /^scepter\.db\.snapshot-(\d+)(?:-wal|-shm|-journal)?$/;

const COPY = 'scepter.db.snapshot';
/** Milliseconds between two looks at a copy, and looks at which it may be as long as before. */
const LOOK_MS = 1000;
const MAX_STILL = 60;

/** Each copy is a file of its own: which one there is, if there is one. */
export const snapshotBefore = (dataDir: string): Promise<number | undefined> =>
  stat(join(dataDir, COPY)).then(
    ({ ino }) => ino,
    () => undefined,
  );

type Looking = {
  /** The copy that there was before the server was asked. */
  readonly before: number | undefined;
  readonly sleep: (ms: number) => Promise<void>;
  /** Thrown where no copy is being made, or it grows no more. */
  readonly unanswered: CliError;
};

/** Waits for a copy that takes longer than a request may, for as long as it grows. @returns its name */
export async function awaitSnapshot(
  dataDir: string,
  { before, sleep, unanswered }: Looking,
): Promise<string> {
  const size = (): Promise<number | undefined> =>
    stat(join(dataDir, `${COPY}.new`)).then(
      (half) => half.size,
      () => undefined,
    );
  let last: number | undefined;
  for (let still = 0; still < MAX_STILL; still++) {
    const now = await size();
    const found = await snapshotBefore(dataDir);
    if (found !== undefined && found !== before) return COPY;
    if (now === undefined) throw unanswered;
    if (now !== last) still = 0;
    last = now;
    await sleep(LOOK_MS);
  }
  throw new CliError(
    'remote',
    `the server's copy of the database, ${join(dataDir, `${COPY}.new`)}, has not grown for ${(MAX_STILL * LOOK_MS) / 1000} s: its disk is full, or the server stands still (${unanswered.message})`,
  );
}

/** Takes the copy that a server has made, so that the next one does not take its place. */
export async function claimSnapshot(dataDir: string, name: string): Promise<string> {
  const own = join(dataDir, `scepter.db.snapshot-${process.pid}`);
  try {
    await rename(join(dataDir, name), own);
    return own;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    throw new Error(
      `the server's copy of the database is not in ${dataDir}: set SCEPTER_DATA_DIR to the server's folder, or run this again if another backup is being made`,
    );
  }
}

/** Deletes the copies of backups that were killed. */
export async function dropSnapshots(dataDir: string): Promise<void> {
  for (const name of await namesIn(dataDir)) {
    const pid = Number(SNAPSHOT.exec(name)?.[1] ?? Number.NaN);
    if (pid === process.pid || (pid > 0 && !isRunning(pid))) {
      await rm(join(dataDir, name), { force: true });
    }
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Where the files of logs stand as they were when a backup began. */
const LINKED = 'log.snapshot';

/**
 * Names of the files of logs, each with a second name under which it stays what it is: a running server replaces
 * checkpoints and removes partial tiles.
 * @returns their names in the data folder, and where each is for the backup
 */
export async function linkLogs(dataDir: string): Promise<ReadonlyMap<string, string>> {
  const linked = new Map<string, string>();
  const all = await readdir(join(dataDir, 'log'), { recursive: true, withFileTypes: true }).catch(
    (error) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    },
  );
  await dropLinks(dataDir);
  for (const entry of all) {
    const path = join(entry.parentPath, entry.name);
    const name = relative(dataDir, path).split(sep).join('/');
    // What is staged is on its way to be published, and half-written files have another name.
    if (!entry.isFile() || name.includes('/staged/') || name.endsWith('.new')) continue;
    const copy = join(dataDir, LINKED, name);
    await mkdir(dirname(copy), { recursive: true, mode: 0o700 });
    try {
      await link(path, copy);
      linked.set(name, copy);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    }
  }
  return linked;
}

export const dropLinks = (dataDir: string): Promise<void> =>
  rm(join(dataDir, LINKED), { recursive: true, force: true });
