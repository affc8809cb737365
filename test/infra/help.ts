// What a real tool says of its options: asked once for a lock file, since each tool takes seconds to start.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../support/installed.ts';

const kept = join(root, 'node_modules', '.cache', 'infra', 'help');

/** @param folder below the repository whose lock file has the tool */
export function helpOf(folder: string, words: readonly string[], ask: () => string): string {
  const hash = createHash('sha256').update(readFileSync(join(root, folder, 'package-lock.json')));
  const path = join(kept, hash.update(words.join(' ')).digest('hex'));
  if (!existsSync(path)) {
    const said = ask();
    mkdirSync(kept, { recursive: true });
    writeFileSync(`${path}.${process.pid}`, said);
    renameSync(`${path}.${process.pid}`, path);
  }
  return readFileSync(path, 'utf8');
}
