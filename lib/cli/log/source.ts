// Where a log is read from: a folder, such a folder as one file, or a server.

import { lstat, readdir, readFile, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { tokenHeader } from '../../api/route.ts';
import { type Bytes, concat, fromUtf8 } from '../../base/bytes.ts';
import { Malformed } from '../../base/errors.ts';
import type { LogSource } from '../../events/verify.ts';
import { openTar, requireReadable } from '../evidence/tar.ts';
import { CliError, type Io, send } from '../io.ts';

/** @throws {Malformed} */
export function noteText(octets: Bytes): string {
  try {
    return fromUtf8(octets);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new Malformed('the checkpoint is no text in UTF-8');
  }
}

export async function fileAt(path: string): Promise<Bytes> {
  try {
    return concat([await readFile(path)]);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      throw new CliError('notFound', `${path} is not there`);
    }
    throw error;
  }
}

/** What is to be verified, and an end to the reading of it. */
export type Opened = LogSource & {
  /** All files, where it is no URL. */
  readonly names: () => Promise<readonly string[]>;
  readonly close: () => Promise<void>;
};

/** @param where URL, folder, or a tar archive of one @throws {CliError} @throws {Malformed} */
export async function openSource(io: Io, where: string): Promise<Opened> {
  const close = async (): Promise<void> => {};
  const none = async (): Promise<readonly string[]> => [];
  if (isUrl(where)) return { ...(await urlSource(io, where)), names: none, close };
  const isFile = await stat(where).then(
    (found) => found.isFile(),
    () => false,
  );
  if (!isFile) return { ...folderSource(where), names: () => namesIn(where), close };
  const { names, ...archive } = await openTar(where);
  return { ...archive, names: async () => names, entries: true };
}

export const isUrl = (where: string): boolean => /^https?:\/\//.test(where);

async function namesIn(folder: string): Promise<readonly string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  return found
    .filter((one) => !one.isDirectory())
    .map(({ parentPath, name }) => relative(folder, join(parentPath, name)).split(sep).join('/'));
}

function folderSource(folder: string): LogSource {
  const read = async (path: string): Promise<Bytes | undefined> => {
    const found = await lstat(join(folder, path)).catch(() => undefined);
    if (!found) return undefined;
    // What was received leads to no other file of this machine, and to none that never ends.
    if (!found.isFile()) throw new Malformed(`${path} is no plain file`);
    requireReadable(path, found.size);
    return fileAt(join(folder, path));
  };
  return { read, entries: true };
}

/** With the entries, if there is a token that may read them. */
async function urlSource(io: Io, url: string): Promise<LogSource> {
  const base = url.replace(/\/$/, '');
  const token = await io.token().catch(() => undefined);
  const headers = token === undefined ? {} : { [tokenHeader]: token };
  const isOwn = new URL(io.url).origin === new URL(url).origin;
  const get = async (path: string): Promise<Bytes | undefined> => {
    const { status, octets } = await send(`${base}/${path}`, isOwn ? { headers } : {});
    if (status === 200) return octets;
    if (status === 404) return undefined;
    throw new CliError(
      status === 401 || status === 403 ? 'notAllowed' : 'remote',
      `${base}/${path} answered ${status}`,
    );
  };
  const mayRead = await get('tile/entries/000').then(
    () => true,
    (error: unknown) => {
      if (error instanceof CliError && error.exit === 'notAllowed') return false;
      throw error;
    },
  );
  return { read: get, entries: mayRead };
}
