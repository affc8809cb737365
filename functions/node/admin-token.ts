// The admin token of the embedded default: a file beside the database, which the CLI on the same machine
// uses. The store holds its hash.

import { randomBytes } from 'node:crypto';
import { chmod, readFile, rename, writeFile } from 'node:fs/promises';
import { isToken } from '../../lib/api/route.ts';
import { MIN_ADMIN_TOKEN } from '../../lib/base/limits.ts';
import { ownNames, tokenHash, tokenNameKey, tokenNameRecord } from '../../lib/ca/record/tokens.ts';
import { Draft, View } from '../../lib/ca/record/unit-of-work.ts';
import type { Store } from '../../lib/ports/store.ts';

const name = ownNames.tokenFile;
const pointer = { kind: 'token', key: tokenNameKey(name) } as const;

/**
 * @returns undefined where there is none yet
 * @throws {Error} with a sentence for a file that holds no token
 */
export async function readToken(path: string): Promise<string | undefined> {
  const text = await readFile(path, 'utf8').catch((error) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return '';
    throw new Error(`the admin token in ${path} cannot be read: ${error.message}`);
  });
  const token = text.trim();
  if (token === '') return undefined;
  if (token.length < MIN_ADMIN_TOKEN || !isToken(token)) {
    throw new Error(
      `${path} holds no admin token: one has at least ${MIN_ADMIN_TOKEN} letters, digits and signs, and no more than 256; delete the file, and this start makes another`,
    );
  }
  return token;
}

/** Made once; its hash is put into the store at every start. */
export async function keepToken(
  { path, token }: { readonly path: string; readonly token: string | undefined },
  store: Store,
): Promise<void> {
  const kept = token ?? randomBytes(32).toString('base64url');
  if (token === undefined) {
    // The file is written whole or not at all, also on a full disk.
    await writeFile(`${path}.new`, `${kept}\n`, { mode: 0o600, flush: true });
    await rename(`${path}.new`, path);
  }
  await chmod(path, 0o600);
  const hash = tokenHash(kept);
  const view = new View(store);
  await view.load([pointer]);
  const before = view.get('token', pointer.key)?.name;
  await view.load([...new Set([hash, before ?? hash])].map((key) => ({ kind: 'token', key })));
  // An altered or removed record would lock the CLI out: it is written again.
  if (before === hash && view.get('token', hash)) return;
  const draft = new Draft(view);
  // The token of a file that was deleted or replaced is revoked.
  if (before !== undefined && before !== hash) draft.remove('token', before);
  draft.put('token', hash, { name, roles: ['admin'] });
  draft.put('token', pointer.key, tokenNameRecord(hash));
  await store.write(draft.actions);
}
