// The store in one DynamoDB table.
//
//   pk                    `kind#key`, the only key of the table          every record
//   rev, v, record        writes so far, RECORD_VERSION, JSON text       every record
//   attempt               id of the write that it is from                every record
//   csr, der, tbsHash,    octets of the record, as such                  request, certificate,
//     keyHash                                                            transaction that is refused
//   body, personal, mac   what is hashed into a log; whom it names;      event
//                         the record's MAC
//   uses, usesLeft,       what `use` counts with and looks at; not in    challenge
//     failures, open,       `record`
//     expiresAt, revokedAt
//   ttl                   for DynamoDB to delete: `ports/records/expiry.ts`  challenge, idempotency,
//                                                                        transaction that is refused,
//                                                                        request that only was
//   place, placeSort      index `places`: `list#group#shard`, sort       transaction, certificate,
//                                                                        challenge, event, token
//   due, dueSort          index `due`, the same                          transaction that is open,
//                                                                        certificate, event
//   subject, subjectSort  index `subjects`, the same                     transaction; certificate, by key
//   device, deviceSort    index `devices`, the same                      transaction
//   word#ID/N             a word of a Transaction, in `devices`: `search.ts`
//   transaction#tried     `tryWrite`: nothing but its pk
//
//   read      BatchGetItem, consistent
//   write     TransactWriteItems; each action on condition of `rev`, a `use` of what it counts
//   list      Query of an index, one for each shard of the group, merged; they lag, as the port allows
//   tryWrite  PutItem
//   forget    BatchWriteItem
//   search    BatchWriteItem; Query of `devices`, at most two for each shard
//   start     DescribeTable
//
// There is no Scan, and nothing decides by `ttl`.
//
// A page of a list of people is 32 queries for each endpoint or CA that it is of, one endpoint after the other (16 read
// units each), and one read; with a filter, up to ten such rounds of one list, or one round of all if there are more. The
// beginning of a serial number is looked for in the keys of all certificates, 1,000 a round: 0.8 read units a certificate.
//
// An enrolment, counted by test/dynamodb/counts.test.ts (RSA-2048 device, RSA-3072 CA; units of single
// puts on DynamoDB Local, twice that for the table as AWS's price of a transaction has it, once for
// the indexes, which are written later): 5 keys read, 6 and 3 items written and 1 checked, 26 write
// units of the table, 4 of `places`, 5 of `due`, 2 of `subjects`, 1 of `devices`.
//
// Where a log is kept, each of its two transactions has one item more, which the sequencer deletes: 12 items, 32 write units
// of the table, 4 more of `places`.
//
// Its words in the index of searches are written later: of six, 6 write units of the table and 6 of `devices`; its
// events are read for it twice, itself once, and whether it is there, 8 read units.
//
// A token of the admin API costs 2 write units an hour in which it is used, for its last use, and each
// instance a read of that.
//
// 10,000 enrolments a second are 260,000 write and 50,000 read units of the table. A partition takes
// 1,000 and 3,000: 260 partitions, over which keys are spread by DynamoDB's hash of them. A new table
// takes 4,000 write units, later twice its last peak: warm throughput must be set beforehand.
// Hot are:
//   - partitions of the indexes, which DynamoDB cannot split because ids rise with time, so each
//     must stay below 1,000 a second, or it holds up the table. With all at one endpoint:
//     transactions, certificates, expiring 10,000 / 32 = 313 each, open (in and out) 20,000 / 32 = 625,
//     events 20,000 / 64 = 313.
//   - names that rise with time in `subjects` and `devices` (counters as common names): 4,000 a second; and a word that
//     all have, as fast as maintenance writes it.
//   - a challenge that many devices share: transactions that meet on it are refused and made again,
//     which is good for some tens a second. A fleet wants several challenges, or one per device.
//   - the 16 records of a CA's register of revocations, in the same way: each revocation, or renewal
//     that supersedes, rewrites one of up to 20 KB, 40 write units.
// What binds first, by AWS's default quotas, all of which can be raised: KMS, 1,000 RSA or ECC
// signatures a second (500 in old accounts); the table's 40,000 write units, 1,500 enrolments a second;
// 40,000 of `due`, 8,000 a second; the table's 40,000 read units, 8,000 a second.

import {
  type DynamoDBClient,
  PutItemCommand,
  QueryCommand,
  TransactionCanceledException,
  TransactWriteItemsCommand,
} from '@aws-sdk/client-dynamodb';
import { Outage } from '../../../base/errors.ts';
import { MAX_QUERIES_AT_ONCE } from '../../../base/limits.ts';
import type { WaitingEvents } from '../../../ports/log-files.ts';
import type { Action, AlteredRow, Key, ListQuery, Page, Row, Store } from '../../../ports/store.ts';
import type { Writing } from '../../../ports/writing.ts';
import { type AwsConnection, clientConfig, type RetryQuota, type Timer } from '../aws.ts';
import { DynamoCalls, makeDynamoDbClient } from './calls.ts';
import { type Item, keyOf, lists, newAttempt, pkOf, placeOf, rowOf } from './items.ts';
import { DynamoSearch } from './search.ts';
import { checkTable } from './table.ts';
import { transactItemOf } from './writes.ts';

/** Of one TransactWriteItems. */
const MAX_ACTIONS = 100;
const MAX_WRITE_OCTETS = 4_000_000;

/** Why an action of a transaction that was cancelled had to wait; the others say `None`. */
const passing = new Set([
  'None',
  'ProvisionedThroughputExceeded',
  'ThrottlingError',
  'TransactionConflict',
]);

export class DynamoStore implements Store, WaitingEvents, Writing {
  readonly index: DynamoSearch;
  readonly #calls: DynamoCalls;

  /**
   * @param time for tests
   * @param quota of calls that were throttled, over all that this store is asked
   */
  constructor(client: DynamoDBClient, table: string, time?: Timer, quota?: RetryQuota) {
    this.#calls = new DynamoCalls(client, table, time, quota);
    this.index = new DynamoSearch(this.#calls);
  }

  /**
   * @param connection by default what the SDK finds in the process's environment
   * @param quota of calls that were throttled, where devices wait; upkeep and people wait as long as there is time
   * @throws {Error} with a sentence when the table cannot be used
   */
  static async open(
    table: string,
    connection?: AwsConnection,
    quota?: RetryQuota,
  ): Promise<DynamoStore> {
    const client = makeDynamoDbClient(clientConfig('dynamodb', connection));
    try {
      await checkTable(client, table);
    } catch (error) {
      client.destroy();
      throw error;
    }
    return new DynamoStore(client, table, undefined, quota);
  }

  close(): void {
    this.#calls.close();
  }

  async read(keys: readonly Key[]): Promise<readonly (Row | AlteredRow)[]> {
    return [...(await this.#calls.items(keys.map(pkOf))).values()].map(rowOf);
  }

  async write(actions: readonly Action[]): Promise<'done' | 'conflict'> {
    if (new Set(actions.map(pkOf)).size !== actions.length) {
      throw new TypeError('two actions on one record');
    }
    if (actions.length > MAX_ACTIONS) {
      throw new TypeError(`${actions.length} actions in one write; DynamoDB takes ${MAX_ACTIONS}`);
    }
    if (actions.length === 0) return 'done';
    const attempt = newAttempt();
    const made = actions.map((action) => transactItemOf(this.#calls.table, action, attempt));
    const octets = made.reduce((sum, one) => sum + one.octets, 0);
    if (octets > MAX_WRITE_OCTETS) {
      throw new Outage(`${octets} octets in one write; DynamoDB takes ${MAX_WRITE_OCTETS}`);
    }
    const command = new TransactWriteItemsCommand({
      ClientRequestToken: attempt,
      TransactItems: made.map(({ item }) => item),
    });
    // A write of deletes and checks alone leaves nothing to be known by: within ten minutes the token
    // still answers for it, and when time runs out before, it is an Outage, after which the same
    // write finds its records gone, as the port has it.
    const carriers = actions.filter((action) => action.do === 'put' || action.do === 'use');
    return this.#calls.write({
      name: 'TransactWriteItems',
      send: (client, options) => client.send(command, options),
      verdict: (error) => verdictOf(error, attempt),
      tookEffect: async () =>
        [...(await this.#calls.items(carriers.map(pkOf))).values()].some(isOf(attempt)),
    });
  }

  async list(query: ListQuery): Promise<Page> {
    const { list, until, reverse = false, limit } = query;
    const { kind, index, shards } = lists[list];
    const beyond = (a: string, b: string): boolean => (reverse ? a < b : a > b);
    const items: Item[] = [];
    const left = Array.from({ length: shards }, (_, shard) => shard).values();
    const lane = async (): Promise<void> => {
      for (const shard of left) items.push(...(await this.#shard(query, shard)));
    };
    await Promise.all(Array.from({ length: MAX_QUERIES_AT_ONCE }, lane));
    const all = items
      .map((item) => ({ pk: item.pk?.S ?? '', sort: item[index.sort]?.S ?? '' }))
      .filter(({ sort }) => until === undefined || beyond(until, sort))
      .sort((a, b) => (beyond(a.sort, b.sort) ? 1 : -1));
    const page = all.slice(0, limit);
    const next = all.length > limit ? page.at(-1)?.sort : undefined;
    // Another hand may have put a key of another kind into the list: reading it could fail, so skip it.
    const own = page.filter(({ pk }) => pk.startsWith(`${kind}#`));
    return { keys: own.map(({ pk }) => keyOf(pk)), ...(next === undefined ? {} : { next }) };
  }

  /** Every process that serves requests may put transactions. One write unit; it stands in no index. */
  async tryWrite(): Promise<void> {
    const Item: Item = { pk: { S: 'transaction#tried' } };
    const command = new PutItemCommand({ TableName: this.#calls.table, Item });
    await this.#calls.repeatable('PutItem', (client, options) => client.send(command, options));
  }

  async forget(keys: readonly string[]): Promise<void> {
    await this.#calls.deleteAll(keys.map((key) => pkOf({ kind: 'unlogged', key })));
  }

  /** What a shard has for the page, and one more: any of it may be all that the page has. */
  async #shard({ list, group, from, until, reverse = false, limit }: ListQuery, shard: number) {
    const { index } = lists[list];
    // A key condition takes one end; `from` saves more than `until`, which the caller cuts off.
    const bound = from ?? until;
    const operator = (from === undefined) === reverse ? '>' : '<';
    const range = bound === undefined ? '' : ` AND ${index.sort} ${operator} :bound`;
    const items: Item[] = [];
    let start: Item | undefined;
    do {
      const command: QueryCommand = new QueryCommand({
        TableName: this.#calls.table,
        IndexName: index.name,
        KeyConditionExpression: `${index.place} = :place${range}`,
        ExpressionAttributeValues: {
          ':place': { S: placeOf(list, group, shard) },
          ...(bound === undefined ? {} : { ':bound': { S: bound } }),
        },
        ScanIndexForward: !reverse,
        Limit: limit + 1 - items.length,
        ExclusiveStartKey: start,
      });
      const { Items = [], LastEvaluatedKey } = await this.#calls.repeatable(
        'Query',
        (client, options) => client.send(command, options),
      );
      items.push(...Items);
      start = LastEvaluatedKey;
    } while (start && items.length <= limit);
    return items;
  }
}

const isOf =
  (attempt: string) =>
  ({ attempt: found }: Item): boolean =>
    found?.S === attempt;

/** What a cancelled transaction says about itself. */
function verdictOf(error: unknown, attempt: string): 'done' | 'conflict' | 'again' | undefined {
  if (!(error instanceof TransactionCanceledException)) return undefined;
  const reasons = error.CancellationReasons ?? [];
  const failed = reasons.filter(({ Code }) => Code === 'ConditionalCheckFailed');
  if (failed.some(({ Item }) => Item && isOf(attempt)(Item))) return 'done';
  if (failed.length > 0) return 'conflict';
  const allPassing = reasons.every(({ Code = 'None' }) => passing.has(Code));
  return allPassing && reasons.length > 0 ? 'again' : undefined;
}
