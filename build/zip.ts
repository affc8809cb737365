// Zip archives whose octets depend on nothing but the files in them: no time, no user, no machine.
// The compressor is JavaScript, because zlib gives other octets on other processors.

import { zipSync } from 'fflate';
import type { BuiltFile } from './bundle.ts';

/** 1980-01-01 00:00, the first time that zip has; it has no time zones. */
const mtime = new Date(1980, 0, 1);
const UNIX = 3;
/** A regular file that everybody may read: Lambda runs as another user. */
const attrs = (0o100644 << 16) >>> 0;

/** @param files in the order in which they stand in the archive */
export const zip = (files: readonly BuiltFile[]): Uint8Array =>
  zipSync(
    Object.fromEntries(
      files.map(({ name, octets }) => [name, [octets, { mtime, os: UNIX, attrs, level: 9 }]]),
    ),
  );
