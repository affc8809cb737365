// What adapters of AWS services share: what an error of the SDK says, and waiting before a call is
// made again. The SDK's own retries are off everywhere: they know nothing of our budgets of time.

/** How to reach AWS, where the SDK does not find it in the environment by itself. */
export type AwsConnection = {
  readonly region: string;
  readonly credentials: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken: string | undefined;
  };
  /** Other than those of AWS, for development. */
  readonly endpoints: {
    readonly dynamodb: string | undefined;
    readonly kms: string | undefined;
    readonly ssm: string | undefined;
  };
};

/** What a client of one service is configured with; nothing where the SDK looks for it itself. */
export function clientConfig(
  service: keyof AwsConnection['endpoints'],
  connection: AwsConnection | undefined,
) {
  if (!connection) return {};
  const { region, credentials, endpoints } = connection;
  const { sessionToken, ...key } = credentials;
  const endpoint = endpoints[service];
  return {
    region,
    credentials: sessionToken === undefined ? key : { ...key, sessionToken },
    ...(endpoint === undefined ? {} : { endpoint }),
  };
}

/** Durations, not the time of day: a clock that is set must not lengthen a budget. */
export type Timer = { now(): number; sleep(ms: number): Promise<void> };

export const systemTimer: Timer = {
  now: () => performance.now(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

/** Waits at random, up to twice as long each time; false when there is no time left for it. */
export async function pause(timer: Timer, tries: number, deadline: number): Promise<boolean> {
  const ms = Math.random() * Math.min(400, 20 * 2 ** tries);
  if (timer.now() + ms >= deadline) return false;
  await timer.sleep(ms);
  return true;
}

/**
 * Makes a call again while its failures pass and there is time.
 * @param again whether a failure is one that passes
 * @throws the failure that ended it
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

/** Errors of the SDK before it has sent anything. */
const notAsked = new Set(['CredentialsProviderError', 'TypeError']);

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
    /** Without the SDK's own advice to programmers below it. */
    message: message.split('\n', 1)[0] ?? '',
    status,
    /** Something was asked, and there is no answer, or only the beginning of one. */
    unanswered: status === undefined ? !notAsked.has(name) : status < 400,
    requestId: $metadata?.requestId,
    /** The SDK has learnt the right time from the refusal, and signs with it from now on. */
    clockCorrected: $metadata?.clockSkewCorrected === true,
    reasons: (CancellationReasons ?? []).map(({ Code = '' }) => Code),
  };
}

/**
 * Nothing has happened, or it cannot be told: the same call may go through later.
 * @param names of those refusals of the service that pass
 */
export function isPassing(error: unknown, names: ReadonlySet<string>): boolean {
  const { name, status = 0, unanswered, clockCorrected } = told(error);
  return unanswered || status >= 500 || names.has(name) || clockCorrected;
}
