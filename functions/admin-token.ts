// The admin token of the embedded default: a file beside the database, by which the CLI on the same
// machine is let in; the store holds its hash.

import { randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { tokenHash } from '../lib/http/auth.ts';
import type { Store } from '../lib/ports/store.ts';

/** Made once; its hash is put into the store at every start. */
export async function keepToken(path: string, store: Store): Promise<void> {
  let kept = await readFile(path, 'utf8').then(
    (text) => text.trim(),
    (error) => {
      if (error.code !== 'ENOENT') throw error;
      return '';
    },
  );
  if (kept === '') {
    kept = randomBytes(32).toString('base64url');
    // Whole or not at all, also when the disk is full.
    await writeFile(`${path}.new`, `${kept}\n`, { mode: 0o600, flush: true });
    await rename(`${path}.new`, path);
  }
  const key = { kind: 'token', key: tokenHash(kept) } as const;
  const [row] = await store.read([key]);
  const record = { name: 'token-file', roles: ['admin'] } as const;
  if (!row) await store.write([{ ...key, do: 'put', rev: 0, record }]);
}
