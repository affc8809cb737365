// A restore inside a data folder, so that a mount point or the folder of a service can be one. What is read
// from the backup stands in `restoring` until all of it is good; its new name, `restored`, makes it count. Then
// it only has to be moved up, which whoever opens the folder finishes if the restore could not.

import { readdir, rename, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';

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
