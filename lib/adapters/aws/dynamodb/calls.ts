// Calls of DynamoDB inside a budget of time, and the truth about each: a call that may have taken
// effect is never taken for one that has not. Reads are simply made again. A write is made again
// under the same token; when nothing definite has been heard of it in time, it is looked for. While DynamoDB
// throttles every call, a device gets its 503 at once: an instance that waits for the table serves nobody else.
//
//   throttled                                                              the same call again, while the quota lasts
//   conflicting or in progress, 5xx, timeout, lost connection              the same call again
//   a condition failed on an item that carries our own attempt             it had taken effect: done
//   a condition failed otherwise                                           conflict
//   anything else, or no time left                                         read back; done, or Outage

import {
  BatchGetItemCommand,
  BatchWriteItemCommand,
  DynamoDBClient,
  type DynamoDBClientConfig,
  type WriteRequest,
} from '@aws-sdk/client-dynamodb';
import { Outage } from '../../../base/errors.ts';
import {
  MAX_QUERIES_AT_ONCE,
  STORE_CALL_MS,
  STORE_READ_MS,
  STORE_WRITE_MS,
} from '../../../base/limits.ts';
import {
  isPassing,
  pause,
  type RetryQuota,
  repeated,
  systemTimer,
  type Timer,
  told,
} from '../aws.ts';
import type { Item } from './items.ts';

/** Keys of one BatchGetItem; and of one that is made again in parts, each of which brings 4 MB at most. */
const MAX_KEYS = 100;
const FEW_KEYS = 10;
/** Items of one BatchWriteItem. */
const MAX_WRITES = 25;

/** The table, an index or a partition is at its limit: as errors, and as reasons why a transaction was cancelled. */
const throttled = new Set([
  'ProvisionedThroughputExceeded',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'ThrottlingError',
  'ThrottlingException',
]);
/** Nothing has happened, or it cannot be told yet: the same call may be made again. */
const passing = new Set([
  ...throttled,
  'TransactionConflictException',
  'TransactionInProgressException',
]);
export const passes = (error: unknown): boolean => isPassing(error, passing);

/** The SDK's own retries are off: they know nothing of our budgets and attempts. */
export const makeDynamoDbClient = (config: DynamoDBClientConfig = {}): DynamoDBClient =>
  new DynamoDBClient({
    maxAttempts: 1,
    requestHandler: { httpAgent: { maxSockets: 256 }, httpsAgent: { maxSockets: 256 } },
    ...config,
  });

type Send<T> = (
  client: DynamoDBClient,
  options: { readonly abortSignal: AbortSignal },
) => Promise<T>;

type Write = {
  /** The API's name of the call. */
  readonly name: string;
  readonly send: Send<unknown>;
  /** What an error says about the write, if it says anything definite; `again`: it may be repeated. */
  verdict(error: unknown): 'done' | 'conflict' | 'again' | undefined;
  /** Looks for what the write would have left. */
  tookEffect(): Promise<boolean>;
};

export class DynamoCalls {
  readonly table: string;
  readonly #client: DynamoDBClient;
  readonly #timer: Timer;
  readonly #quota: RetryQuota | undefined;

  /** @param quota of calls that were throttled; by default each is made again as long as there is time */
  constructor(
    client: DynamoDBClient,
    table: string,
    time: Timer = systemTimer,
    quota?: RetryQuota,
  ) {
    this.table = table;
    this.#client = client;
    this.#timer = time;
    this.#quota = quota;
  }

  close(): void {
    this.#client.destroy();
  }

  /** The items that exist under these keys, by a consistent read, in the order of the keys. */
  async items(keys: readonly string[]): Promise<Map<string, Item>> {
    const wanted = [...new Set(keys)];
    const found = new Map<string, Item>();
    const batches = Array.from({ length: Math.ceil(wanted.length / MAX_KEYS) }, (_, i) =>
      wanted.slice(i * MAX_KEYS, (i + 1) * MAX_KEYS),
    );
    await Promise.all(
      batches.map(async (batch) => {
        for (const item of await this.#inParts(batch)) found.set(item.pk?.S ?? '', item);
      }),
    );
    return new Map(
      wanted.flatMap((key) => {
        const item = found.get(key);
        return item ? [[key, item] as const] : [];
      }),
    );
  }

  /** Of records that another hand has blown up to 400 KB each, a hundred take longer than a read may. */
  async #inParts(keys: readonly string[]): Promise<Item[]> {
    try {
      return await this.#batch(keys);
    } catch (error) {
      if (keys.length <= FEW_KEYS) throw error;
      const items: Item[] = [];
      for (let i = 0; i < keys.length; i += FEW_KEYS) {
        items.push(...(await this.#batch(keys.slice(i, i + FEW_KEYS))));
      }
      return items;
    }
  }

  /** What DynamoDB leaves out (16 MB, throttling) is read again and never taken for absent. */
  async #batch(keys: readonly string[]): Promise<Item[]> {
    const deadline = this.#timer.now() + STORE_READ_MS;
    const items: Item[] = [];
    let left: Item[] = keys.map((pk) => ({ pk: { S: pk } }));
    for (let tries = 0; ; tries++) {
      const command = new BatchGetItemCommand({
        RequestItems: { [this.table]: { Keys: left, ConsistentRead: true } },
      });
      const { Responses, UnprocessedKeys } = await this.repeatable(
        'BatchGetItem',
        (client, options) => client.send(command, options),
        deadline,
      );
      items.push(...(Responses?.[this.table] ?? []));
      left = UnprocessedKeys?.[this.table]?.Keys ?? [];
      if (left.length === 0) return items;
      if (!this.#quotaLasts() || !(await pause(this.#timer, tries, deadline))) {
        throw new Outage(`${this.table}: BatchGetItem left ${left.length} keys unread`);
      }
    }
  }

  /** Puts items on no condition, each by itself: what is put twice is there once. */
  putAll(items: readonly Item[]): Promise<void> {
    return this.#writeAll(items.map((Item) => ({ PutRequest: { Item } })));
  }

  /** Deletes items on no condition, each by itself. */
  deleteAll(keys: readonly string[]): Promise<void> {
    return this.#writeAll(keys.map((pk) => ({ DeleteRequest: { Key: { pk: { S: pk } } } })));
  }

  async #writeAll(requests: readonly WriteRequest[]): Promise<void> {
    const batches = Array.from({ length: Math.ceil(requests.length / MAX_WRITES) }, (_, i) =>
      requests.slice(i * MAX_WRITES, (i + 1) * MAX_WRITES),
    ).values();
    const lane = async (): Promise<void> => {
      for (const batch of batches) await this.#writeBatch(batch);
    };
    await Promise.all(Array.from({ length: MAX_QUERIES_AT_ONCE }, lane));
  }

  async #writeBatch(requests: WriteRequest[]): Promise<void> {
    const deadline = this.#timer.now() + STORE_WRITE_MS;
    let left = requests;
    for (let tries = 0; ; tries++) {
      const command = new BatchWriteItemCommand({ RequestItems: { [this.table]: left } });
      const { UnprocessedItems } = await this.repeatable(
        'BatchWriteItem',
        (client, options) => client.send(command, options),
        deadline,
      );
      left = UnprocessedItems?.[this.table] ?? [];
      if (left.length === 0) return;
      if (!this.#quotaLasts() || !(await pause(this.#timer, tries, deadline))) {
        throw new Outage(`${this.table}: BatchWriteItem left ${left.length} items unwritten`);
      }
    }
  }

  /** A call that does no harm however often it is made. */
  async repeatable<T>(
    name: string,
    send: Send<T>,
    deadline = this.#timer.now() + STORE_READ_MS,
  ): Promise<T> {
    const again = (error: unknown) => passes(error) && this.#mayRepeat(error);
    return repeated(this.#timer, deadline, again, () => this.#send(send)).catch((error) => {
      throw this.#outage(name, error);
    });
  }

  /** A write that must take effect once, whatever becomes of its answers. */
  async write({ name, send, verdict, tookEffect }: Write): Promise<'done' | 'conflict'> {
    const deadline = this.#timer.now() + STORE_WRITE_MS;
    for (let tries = 0; ; tries++) {
      try {
        await this.#send(send);
        return 'done';
      } catch (error) {
        const said = verdict(error);
        if (said === 'done' || said === 'conflict') return said;
        const mayRepeat = (said === 'again' || passes(error)) && this.#mayRepeat(error);
        if (mayRepeat && (await pause(this.#timer, tries, deadline))) continue;
        // If reading fails too, the first trouble is the one to report.
        if (await tookEffect().catch(() => false)) return 'done';
        throw this.#outage(name, error);
      }
    }
  }

  #mayRepeat(error: unknown): boolean {
    const { name, reasons } = told(error);
    return ![name, ...reasons].some((one) => throttled.has(one)) || this.#quotaLasts();
  }

  #quotaLasts(): boolean {
    return this.#quota?.take() ?? true;
  }

  async #send<T>(send: Send<T>): Promise<T> {
    const answer = await send(this.#client, { abortSignal: this.#timer.limit(STORE_CALL_MS) });
    this.#quota?.giveBack();
    return answer;
  }

  /** For the log: which call, and what came of it; nothing of what was in it. */
  #outage(call: string, error: unknown): Outage {
    const { name, message, status, requestId, reasons } = told(error);
    const about = [
      name,
      ...reasons,
      // Before DynamoDB has seen the request, and about permissions, nothing in it is quoted.
      ...(status === undefined || name === 'AccessDeniedException' ? [message] : []),
      ...(requestId === undefined ? [] : [`request ${requestId}`]),
    ];
    return new Outage(`${this.table}: ${call} failed: ${about.join(', ')}`);
  }
}
