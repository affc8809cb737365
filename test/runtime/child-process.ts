// node:child_process for tests in workerd, where no process can be started. Whether openssl is there
// decides which tests some files define: it is said to be, so that they define the same ones as in
// Node, and each fails by what it starts, which `exceptions.ts` has to know.

import * as native from 'node:child_process';

export const { execFile, spawn } = native;

export const spawnSync = (command: string, args: readonly string[] = []): unknown =>
  command === 'openssl' && args[0] === 'version'
    ? { status: 0, stdout: 'OpenSSL 3', stderr: '' }
    : native.spawnSync(command, args);
