// The message of a failed start: the reason, and what to do where the system's error does not say it.

import { errorText, fileFault } from '../../lib/base/errors.ts';
import { ConfigError } from '../../lib/config/error.ts';

const hints: readonly (readonly [RegExp, string])[] = [
  [
    /^E(?:ACCES|PERM|ROFS|NOSPC|DQUOT|NOTDIR|NOENT|EXIST|ISDIR|FBIG|IO):/,
    'set SCEPTER_DATA_DIR to a folder that this user can write, on a disk with space left',
  ],
];

/** Exit codes as in the CLI: 2 for a wrong setting, 1 for everything else. */
export function refusalOf(error: unknown): { readonly said: string; readonly code: 1 | 2 } {
  const said = errorText(error);
  const hint = hints.find(([pattern]) => pattern.test(said))?.[1];
  const meant = fileFault(error) ?? said;
  return {
    said: hint === undefined ? meant : `${meant}: ${hint}`,
    code: error instanceof ConfigError ? 2 : 1,
  };
}
