// The faults of the house.
//
// Outcomes (grant, deny, pend) are returned values, not errors. Thrown are only: `Malformed` by a
// parser, `Refusal` (lib/refusal) once whoever asked can be answered in its protocol, `HttpFailure`
// before that, and `Outage` when our own side fails. Anything else is a bug and is answered like an outage.

/** Octets are not what their standard says. The text is for the log, never for the wire. */
export class Malformed extends Error {
  override readonly name = 'Malformed';
}

/** Refused by HTTP itself, in no other protocol: a fixed 4xx. `detail` is for the log. */
export class HttpFailure extends Error {
  override readonly name = 'HttpFailure';
  readonly status: 400 | 401 | 403 | 404 | 405 | 409 | 413 | 415 | 422;
  /** Of a 405: the methods that there are. */
  readonly allow: string;
  constructor(status: HttpFailure['status'], detail: string, allow = 'GET, HEAD, POST') {
    super(detail);
    this.status = status;
    this.allow = allow;
  }
}

/** Our own side failed; the request may be sent again as it is: 503 with Retry-After. */
export class Outage extends Error {
  override readonly name: string = 'Outage';
}

/** Whoever was asked speaks, and only has no answer to this; so others may get theirs. */
export class NoAnswer extends Outage {}

/** Nothing failed, and the request comes too early: 503 with Retry-After. */
export class TooEarly extends Outage {
  override readonly name = 'TooEarly';
  readonly retryAfterS: number;
  constructor(detail: string, retryAfterS: number) {
    super(detail);
    this.retryAfterS = retryAfterS;
  }
}

/** What a thrown value says, whatever was thrown. */
export const errorText = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

const fileFaults: Readonly<Record<string, string>> = {
  ENOENT: 'is not there',
  EACCES: 'is not open to this user: give it the rights, or name another path',
  EPERM: 'is not open to this user: give it the rights, or name another path',
  EROFS: 'is on a file system that is read-only',
  ENOSPC: 'has no room: the disk is full',
  EDQUOT: "has no room: this user's share of the disk is used up",
  EISDIR: 'is a folder, and no file',
  ENOTDIR: 'leads through a file, which is no folder',
  EEXIST: 'is there already',
};

/** What the operating system means where it refuses a file, in a sentence with the path; undefined: it is no such
 * refusal. */
export function fileFault(error: unknown): string | undefined {
  if (!(error instanceof Error && 'code' in error && 'syscall' in error)) return undefined;
  const { code, syscall } = error;
  const known = fileFaults[String(code)];
  if (known === undefined) return undefined;
  if (!('path' in error)) return code === 'ENOSPC' ? 'the disk is full' : undefined;
  // A folder that cannot be made on a file system that is read-only is reported so, too.
  const unmade = code === 'ENOENT' && syscall === 'mkdir';
  const unopened = code === 'ENOENT' && syscall === 'open';
  const meaning = unmade
    ? 'cannot be made: the path before it is not there, or is read-only'
    : unopened
      ? 'is not there, or the folder before it is not'
      : known;
  return `${error.path} ${meaning} (${code})`;
}
