// What a start that fails says: the reason, and what to do where the system's own words do not tell.

import { ConfigError } from '../lib/config.ts';

const hints: readonly (readonly [RegExp, string])[] = [
  [/^listen EADDRINUSE/, 'another process has this port: set PORT'],
  [
    /^E(?:ACCES|PERM|ROFS|NOSPC|DQUOT|NOTDIR|NOENT|EXIST|ISDIR|FBIG|IO):/,
    'set SCEPTER_DATA_DIR to a folder that this user can write, on a disk with space left',
  ],
];

/** Exit codes as those of the CLI: 2 for what somebody wrote wrongly, 1 for everything else. */
export function refusalOf(error: unknown): { readonly said: string; readonly code: 1 | 2 } {
  const said = error instanceof Error ? error.message : String(error);
  const hint = hints.find(([pattern]) => pattern.test(said))?.[1];
  return {
    said: hint === undefined ? said : `${said} (${hint})`,
    code: error instanceof ConfigError ? 2 : 1,
  };
}
