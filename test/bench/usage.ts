// What another process has taken, as Linux counts it.

import { readFileSync } from 'node:fs';

/** Milliseconds of CPU, user and system, all threads; Linux counts ticks of a hundredth of a second. */
export function cpuMs(pid: number): number {
  const [, rest = ''] = /\) (.*)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
  const fields = rest.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Megabytes of memory that the process has resident. */
export function residentMB(pid: number): number {
  const [, kB] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kB) / 1024;
}
