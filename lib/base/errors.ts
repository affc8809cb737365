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
  override readonly name = 'Outage';
}

/** What a thrown value says, whatever was thrown. */
export const errorText = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
