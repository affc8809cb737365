// What is run when a device has a new certificate. It is owed from before the files are replaced until it has
// succeeded: whatever stops the command in between, the next one in the folder runs it.

import { spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CliError, type Io } from '../io.ts';
import { exists, replaceFile } from './folder.ts';

const noteIn = (folder: string): string => join(folder, 'hook-due');

export const oweHook = (folder: string): Promise<void> => replaceFile(noteIn(folder), '');

/** Runs it in the folder, if it is owed; what it prints goes to standard error. @throws {CliError} */
export async function runOwedHook(io: Io, hook: string, folder: string): Promise<void> {
  if (!(await exists(noteIn(folder)))) return;
  const ended = await outcomeOf(hook, folder);
  if (ended !== undefined) {
    throw new CliError('failure', `the hook ${ended}; the same command runs it again: ${hook}`);
  }
  await rm(noteIn(folder), { force: true });
  io.note(`the hook has run: ${hook}`);
}

/** @returns how it failed; undefined: it did not */
function outcomeOf(hook: string, cwd: string): Promise<string | undefined> {
  const child = spawn(hook, { cwd, shell: true, stdio: ['ignore', 2, 2] });
  return new Promise((resolve) => {
    child.once('error', ({ message }) => resolve(`did not start (${message})`));
    child.once('close', (code, signal) =>
      resolve(code === 0 ? undefined : `ended with ${signal ?? `exit code ${code}`}`),
    );
  });
}
