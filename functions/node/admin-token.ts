// The admin token of the embedded default, and the addresses of its server: files beside the database, which the
// CLI on the same machine uses. The store holds the token's hash.

import { randomBytes } from 'node:crypto';
import { chmod, readFile, rename, writeFile } from 'node:fs/promises';
import { isToken } from '../../lib/api/route.ts';
import { MIN_ADMIN_TOKEN } from '../../lib/base/limits.ts';
import type { Deps } from '../../lib/ca/deps.ts';
import {
  madeEvent,
  ownNames,
  revokedEvent,
  tokenHash,
  tokenNameKey,
  tokenNameRecord,
} from '../../lib/ca/record/tokens.ts';
import { Draft, View } from '../../lib/ca/record/unit-of-work.ts';
import { addressFile } from '../../lib/cli/address.ts';
import type { Actor } from '../../lib/events/event.ts';

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

type TokenDeps = Pick<Deps, 'store' | 'clock' | 'random'>;

/** Made once; its hash is put into the store at every start. */
export async function keepToken(
  { path, token }: { readonly path: string; readonly token: string | undefined },
  deps: TokenDeps,
): Promise<void> {
  const kept = token ?? (await writeToken(path, newToken()));
  await chmod(path, 0o600);
  await record(deps, tokenHash(kept), { kind: 'system' });
}

/** Another token for the file; the one before is revoked. */
export async function replaceToken(path: string, deps: TokenDeps, actor: Actor): Promise<void> {
  const before = await readToken(path);
  // The file comes first: if this process dies between the two, the next start revokes the one before.
  const token = await writeToken(path, newToken());
  try {
    await record(deps, tokenHash(token), actor);
  } catch (error) {
    // The file must have a token that is let in.
    if (before !== undefined) await writeToken(path, before);
    throw error;
  }
}

const newToken = (): string => randomBytes(32).toString('base64url');

/** For commands from this folder, which send its token to no other server. A start that changes nothing here
 * needs no space on the disk. */
export async function keepAddresses(dataDir: string, all: readonly string[]): Promise<void> {
  const path = addressFile(dataDir);
  const lines = `${[...new Set(all)].join('\n')}\n`;
  if ((await readFile(path, 'utf8').catch(() => '')) !== lines) await writeWhole(path, lines);
}

async function writeToken(path: string, token: string): Promise<string> {
  await writeWhole(path, `${token}\n`);
  return token;
}

/** The file is written whole or not at all, also on a full disk. */
async function writeWhole(path: string, content: string): Promise<void> {
  await writeFile(`${path}.new`, content, { mode: 0o600, flush: true });
  await rename(`${path}.new`, path);
}

async function record(deps: TokenDeps, hash: string, actor: Actor): Promise<void> {
  const { store, clock, random } = deps;
  const now = clock.now();
  const view = new View(store);
  await view.load([pointer]);
  const before = view.get('token', pointer.key)?.name;
  await view.load([...new Set([hash, before ?? hash])].map((key) => ({ kind: 'token', key })));
  // An altered or removed record would lock the CLI out: it is written again.
  if (before === hash && view.get('token', hash)?.createdAt !== undefined) return;
  const made = { name, roles: ['admin'], createdAt: now } as const;
  const draft = new Draft(view);
  // The token of a file that was deleted or replaced is revoked.
  if (before !== undefined && before !== hash) {
    draft.remove('token', before);
    draft.event(now, random, revokedEvent(made, actor));
  }
  draft.put('token', hash, made);
  draft.put('token', pointer.key, tokenNameRecord(hash));
  draft.event(now, random, madeEvent(made, actor));
  // A conflict: somebody else has just made or revoked it.
  if ((await store.write(draft.actions)) === 'conflict') await record(deps, hash, actor);
}
