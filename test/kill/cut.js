// Preloaded into a process (`--import`): ends it with SIGKILL before the call of a given number, of those that
// change a file or a folder. The end of the process says how many there were.

import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const at = Number(process.env.CUT_AT ?? Number.POSITIVE_INFINITY);
let calls = 0;

const counted =
  (_name, call) =>
  (...args) => {
    if (calls++ === at) process.kill(process.pid, 'SIGKILL');
    return call.apply(fs, args);
  };
for (const name of ['rename', 'rm', 'rmdir', 'mkdir', 'writeFile', 'link', 'unlink', 'chmod']) {
  fs[name] = counted(name, fs[name]);
}
// To write, or to bring to the disk.
fs.open = counted('open', fs.open);
syncBuiltinESMExports();
if (process.env.CUT_COUNT) process.once('exit', () => process.stderr.write(`calls: ${calls}\n`));
