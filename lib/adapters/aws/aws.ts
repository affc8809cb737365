// Shared by the adapters of AWS services: reading the SDK's errors, and waiting before a call is repeated.
// The SDK's own retries are off everywhere, because they do not keep to our limits of time.

export type AccessKey = {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
};

/** Credentials that end by themselves. */
export type Session = AccessKey & { readonly sessionToken: string; readonly expiration: Date };

/** How to reach AWS, where the SDK does not find it in the environment by itself. */
export type AwsConnection = {
  readonly region: string;
  /** What gives sessions is asked before every call. */
  readonly credentials: AccessKey | (() => Promise<Session>);
  /** Other than those of AWS, for development. */
  readonly endpoints: {
    readonly dynamodb: string | undefined;
    readonly kms: string | undefined;
  };
};

/** The configuration of a client of one service; empty where the SDK finds its settings itself. */
export function clientConfig(
  service: keyof AwsConnection['endpoints'],
  connection: AwsConnection | undefined,
) {
  if (!connection) return {};
  const { region, credentials, endpoints } = connection;
  const endpoint = endpoints[service];
  return {
    region,
    credentials: typeof credentials === 'function' ? asked(credentials) : given(credentials),
    ...(endpoint === undefined ? {} : { endpoint }),
  };
}

const given = ({ sessionToken, ...key }: AccessKey) =>
  sessionToken === undefined ? key : { ...key, sessionToken };

/** The SDK remembers nothing of them: in a Worker it would wait forever for a session that a request has begun to ask
 * for and that ended with it. */
const asked = (sessions: () => Promise<Session>) =>
  Object.assign(() => sessions(), { memoized: true });

/** Measures durations by a monotonic clock, so that setting the time of day does not lengthen a limit. */
export type Timer = {
  now(): number;
  sleep(ms: number): Promise<void>;
  /** Aborts after that time: how long one call may wait for its answer. */
  limit(ms: number): AbortSignal;
};

export const systemTimer: Timer = {
  now: () => performance.now(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  limit: (ms) => AbortSignal.timeout(ms),
};

/** Waits at random, up to twice as long each time; false when there is no time left for it. */
export async function pause(timer: Timer, tries: number, deadline: number): Promise<boolean> {
  const ms = Math.random() * Math.min(400, 20 * 2 ** tries);
  if (timer.now() + ms >= deadline) return false;
  await timer.sleep(ms);
  return true;
}

/**
 * Repeats a call while its failures are temporary and there is time.
 * @param again whether a failure is temporary
 * @throws the last failure
 */
export async function repeated<T>(
  timer: Timer,
  deadline: number,
  again: (error: unknown) => boolean,
  call: () => Promise<T>,
): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await call();
    } catch (error) {
      if (!again(error) || !(await pause(timer, tries, deadline))) throw error;
    }
  }
}

/** How often an instance makes calls that one service has throttled again, over all requests of devices; and what
 * each call that is answered gives back of that: exact in binary. */
export const RETRIES = 20;
export const RETRIES_BACK = 0.25;

/** How often calls may be made again, over all callers: each repetition takes one, and each call that is answered
 * gives a part of one back. So what fails now and then is repeated, and what fails always is not. */
export class RetryQuota {
  #left = RETRIES;

  /** @returns false where none is left */
  take(): boolean {
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }

  giveBack(): void {
    this.#left = Math.min(RETRIES, this.#left + RETRIES_BACK);
  }
}

/** Errors that the SDK throws before it has sent anything. */
const notAsked = new Set(['CredentialsProviderError', 'RolesAnywhereError', 'TypeError']);

/** The parts of the SDK's errors that matter here. */
export function told(error: unknown) {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  const { $metadata, CancellationReasons } = Object(error) as {
    $metadata?: { httpStatusCode?: number; requestId?: string; clockSkewCorrected?: boolean };
    CancellationReasons?: readonly { Code?: string }[];
  };
  const status = $metadata?.httpStatusCode;
  return {
    name,
    /** The first line; below it the SDK gives advice to programmers. */
    message: message.split('\n', 1)[0] ?? '',
    status,
    /** The request was sent, and its answer did not come, or not completely. */
    unanswered: status === undefined ? !notAsked.has(name) : status < 400,
    requestId: $metadata?.requestId,
    /** The SDK has learnt the right time from the refusal, and signs with it from now on. */
    clockCorrected: $metadata?.clockSkewCorrected === true,
    reasons: (CancellationReasons ?? []).map(({ Code = '' }) => Code),
  };
}

/**
 * Whether the same call may succeed later: it had no effect, or it is unknown whether it had one.
 * @param names of the service's refusals that are temporary
 */
export function isPassing(error: unknown, names: ReadonlySet<string>): boolean {
  const { name, status = 0, unanswered, clockCorrected } = told(error);
  return unanswered || status >= 500 || names.has(name) || clockCorrected;
}
