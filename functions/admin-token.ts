// The admin token of the embedded default: a file beside the database, by which the CLI on the same
// machine is let in; the store holds its hash.

import { randomBytes } from 'node:crypto';
import { chmod, readFile, rename, writeFile } from 'node:fs/promises';
import { tokenHash } from '../lib/ca/tokens.ts';
import { Draft, View } from '../lib/ca/view.ts';
import type { Store } from '../lib/ports/store.ts';

/** Names the hash of the file's token; no token has this hash, and it has no role. */
const pointer = { kind: 'token', key: 'token-file' } as const;

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
  await chmod(path, 0o600);
  const hash = tokenHash(kept);
  const view = new View(store);
  await view.load([pointer]);
  const before = view.get('token', pointer.key)?.name;
  if (before === hash) return;
  await view.load([hash, before ?? hash].map((key) => ({ kind: 'token', key })));
  const draft = new Draft(view);
  // A file that was deleted or replaced takes its token with it.
  if (before !== undefined) draft.remove('token', before);
  draft.put('token', hash, { name: 'token-file', roles: ['admin'] });
  draft.put('token', pointer.key, { name: hash, roles: [] });
  await store.write(draft.actions);
}
