// Calls of KMS within a limit of time. All but CreateKey may be repeated safely, so a call that was
// throttled, lost or failed in KMS is made again. While KMS throttles every call, a device gets its 503 at once:
// an instance that waits for KMS cannot serve what needs no call of KMS. A refusal by KMS is an Outage
// at once; it names the key, what KMS said and what an operator can do.

import { KMSClient, type KMSClientConfig } from '@aws-sdk/client-kms';
import { Outage } from '../../../base/errors.ts';
import {
  KMS_CALL_MS,
  KMS_OPERATOR_CALL_MS,
  KMS_OPERATOR_MS,
  KMS_REQUEST_MS,
} from '../../../base/limits.ts';
import { isPassing, RetryQuota, repeated, systemTimer, type Timer, told } from '../aws.ts';

/** The SDK's own retries are off, because they do not keep to our limits of time. */
export function makeKmsClient(config: KMSClientConfig = {}): KMSClient {
  const client = new KMSClient({
    maxAttempts: 1,
    requestHandler: { httpAgent: { maxSockets: 256 }, httpsAgent: { maxSockets: 256 } },
    ...config,
  });
  client.middlewareStack.add(
    (next) => async (args) => {
      const { input } = args;
      if (!('KeyId' in input) || input.KeyId === undefined) return next(args);
      const KeyId = inRegion(input.KeyId, await client.config.region());
      return next({ ...args, input: { ...input, KeyId } });
    },
    { step: 'initialize', name: 'ownRegion' },
  );
  return client;
}

/** A multi-Region key has one id in all regions: records name it by the ARN of the region that it was made in. */
const inRegion = (key: string, region: string): string =>
  key.replace(/^(arn:[\w-]+:kms:)[\w-]+(:\d{12}:key\/mrk-[0-9a-f]+)$/, `$1${region}$2`);

/** Refusals that had no effect and are temporary. */
const throttled = new Set(['ThrottlingException', 'TooManyRequestsException']);
/** What KMS may answer about a key that it has just made: not every part of KMS knows the key yet. */
const settling = new Set([...throttled, 'NotFoundException', 'KMSInvalidStateException']);

/** What an operator can do about what KMS says. */
const remedies: Readonly<Record<string, string>> = {
  AccessDeniedException: "allow it in the policy of this process's role and in the key's own",
  CredentialsProviderError: 'give this process a role, or set AWS_PROFILE',
  DisabledException: 'enable the key',
  ExpiredTokenException: 'renew the AWS credentials of this process',
  IncorrectKeyException: 'it was sealed with another key: name that one as the sealing key',
  InvalidCiphertextException:
    'it is damaged, or was sealed for another deployment, CA or purpose: restore the record, or make a new one',
  InvalidKeyUsageException: 'name a key of the right usage and spec; neither can be changed',
  InvalidSignatureException: 'see the AWS credentials of this process, and its clock',
  KMSInvalidStateException: 'bring the key back: cancel its deletion, then enable it',
  LimitExceededException: 'raise the quota of the account, or delete what is not needed',
  NotFoundException: 'name a key that is in this region and account, or set AWS_REGION',
  ThrottlingException: "raise the account's quota of KMS requests, or let others make fewer",
  UnrecognizedClientException: 'see the AWS credentials of this process',
};
const unreachable = 'see the route to KMS, AWS_REGION and AWS_ENDPOINT_URL_KMS';
const theirs = 'see the health of KMS in this region';

type Call = {
  /** The API's name of it. */
  readonly action: string;
  /** Id, ARN or alias of the key; absent while it is being made. */
  readonly key?: string;
  /** What the call is about, where the key alone does not say it. */
  readonly about?: string;
};

type Send<T> = (client: KMSClient, options: { readonly abortSignal: AbortSignal }) => Promise<T>;

export class KmsCalls {
  readonly #client: KMSClient;
  readonly #quota = new RetryQuota();
  readonly timer: Timer;

  constructor(client: KMSClient, timer: Timer = systemTimer) {
    this.#client = client;
    this.timer = timer;
  }

  close(): void {
    this.#client.destroy();
  }

  /** A call for a device that waits for its answer. @throws {Outage} */
  request<T>(call: Call, send: Send<T>): Promise<T> {
    const again = (error: unknown) =>
      throttled.has(told(error).name) ? this.#quota.take() : isPassing(error, throttled);
    const counted: Send<T> = async (...args) => {
      const answer = await send(...args);
      this.#quota.giveBack();
      return answer;
    };
    return this.#repeated(call, counted, { callMs: KMS_CALL_MS, inAllMs: KMS_REQUEST_MS, again });
  }

  /** The same; undefined if this process lacks the permission. @throws {Outage} */
  permitted<T>(call: Call, send: Send<T>): Promise<T | undefined> {
    return this.request<T | undefined>(call, (client, options) =>
      send(client, options).catch((error: unknown) => {
        if (told(error).name === 'AccessDeniedException') return undefined;
        throw error;
      }),
    );
  }

  /** A call of an operator's command. @throws {Outage} */
  operator<T>(call: Call, send: Send<T>): Promise<T> {
    const again = (error: unknown) => isPassing(error, throttled);
    return this.#repeated(call, send, { ...forOperator, again });
  }

  /** The same about a key that was just made. @throws {Outage} */
  settled<T>(call: Call, send: Send<T>): Promise<T> {
    const again = (error: unknown) => isPassing(error, settling);
    return this.#repeated(call, send, { ...forOperator, again });
  }

  /** A call that must not be made again once it may have taken effect. @throws {Outage} */
  once<T>(call: Call, send: Send<T>): Promise<T> {
    const again = (error: unknown) => throttled.has(told(error).name);
    return this.#repeated(call, send, { ...forOperator, again });
  }

  async #repeated<T>(call: Call, send: Send<T>, { callMs, inAllMs, again }: Budget): Promise<T> {
    const deadline = this.timer.now() + inAllMs;
    let tries = 0;
    try {
      return await repeated(this.timer, deadline, again, () => {
        tries++;
        return send(this.#client, { abortSignal: this.timer.limit(callMs) });
      });
    } catch (error) {
      throw await this.#outage(call, error, tries);
    }
  }

  /** @returns the Outage with what there is to say about this call */
  async #outage(call: Call, error: unknown, tries: number): Promise<Outage> {
    const { name, message, status = 0, unanswered, requestId } = told(error);
    const region = await this.#client.config.region().catch(() => 'no region');
    const about = [
      ...(unanswered ? [`no answer in ${region}`] : []),
      ...new Set([name, message.slice(0, MAX_SAID)].filter((text) => !empty.has(text))),
      ...(requestId === undefined ? [] : [`request ${requestId}`]),
      ...(tries > 1 ? [`tried ${tries} times`] : []),
    ];
    const remedy = unanswered ? unreachable : status >= 500 ? theirs : remedies[name];
    return new Outage(`${title(call)} failed: ${about.join(', ')}${remedy ? `: ${remedy}` : ''}`);
  }
}

type Budget = {
  readonly callMs: number;
  readonly inAllMs: number;
  readonly again: (error: unknown) => boolean;
};
const forOperator = { callMs: KMS_OPERATOR_CALL_MS, inAllMs: KMS_OPERATOR_MS };

/** What the SDK says when KMS said nothing. */
const empty = new Set(['', 'UnknownError']);

/** Characters of KMS's message that an Outage repeats. */
const MAX_SAID = 400;

/** `KMS Decrypt of the RA key of the CA "default" with the key alias/scepter` */
export const title = ({ action, key, about }: Call): string =>
  [
    `KMS ${action}`,
    ...(about ? [`of ${about}`] : []),
    ...(key ? [`with the key ${key}`] : []),
  ].join(' ');

/** What a reply has to have. @throws {Outage} */
export function given<T>(value: T | undefined, call: Call, what: string): T {
  if (value === undefined) throw new Outage(`${title(call)} gave an answer without ${what}`);
  return value;
}
