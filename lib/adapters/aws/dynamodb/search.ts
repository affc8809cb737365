// The index of searches in the DynamoDB table (schema: `dynamodb.ts`): an item for each start of a Transaction, which
// stands in the index `devices` by that start, newest first among equal ones.
//
// A search is a Query of each shard for what begins with its longest word, and for the first page one for its second
// longest: the one of which there is less leads. So a common word beside a rare one costs nothing; what the record
// does not have is left out by the caller.

import { QueryCommand } from '@aws-sdk/client-dynamodb';
import { flipped } from '../../../base/ulid.ts';
import type { Hits, Indexed, SearchIndex, SearchQuery } from '../../../ports/search-index.ts';
import type { DynamoCalls } from './calls.ts';
import { devices, type Item, text, ttlOf } from './items.ts';

/** As many as the lists by names: what is sorted by names can be split. */
const SHARDS = 4;
const placeOf = (shard: number): string => `words#all#${shard}`;
const shards = Array.from({ length: SHARDS }, (_, shard) => shard);

/** The last characters of an id are random. */
const shardOf = (id: string): number => id.charCodeAt(id.length - 1) % SHARDS;
const keyOf = (id: string, nth: number): string => `word#${id}/${nth}`;
const idOf = (pk: string): string => pk.slice(pk.indexOf('#') + 1, pk.lastIndexOf('/'));

type Entry = { readonly id: string; readonly sort: string };

export class DynamoSearch implements SearchIndex {
  readonly findsInside = false;
  readonly #calls: DynamoCalls;

  constructor(calls: DynamoCalls) {
    this.#calls = calls;
  }

  async add(all: readonly Indexed[]): Promise<void> {
    await this.#calls.putAll(
      all.flatMap(({ id, starts, expiresAt }) =>
        starts.map((start, nth) => ({
          pk: text(keyOf(id, nth)),
          [devices.place]: text(placeOf(shardOf(id))),
          [devices.sort]: text(`${start}/${flipped(id)}`),
          ...(expiresAt === undefined ? {} : { ttl: ttlOf(expiresAt) }),
        })),
      ),
    );
  }

  async missing(ids: readonly string[]): Promise<readonly string[]> {
    const found = await this.#calls.items(ids.map((id) => keyOf(id, 0)));
    return ids.filter((id) => !found.has(keyOf(id, 0)));
  }

  async find({ terms, from, limit }: SearchQuery): Promise<Hits> {
    const [first = '', second] = terms
      .map((term) => term.text)
      .toSorted((a, b) => b.length - a.length || (a < b ? -1 : 1));
    // A cursor says which of the two led.
    const [, led, after] = /^(\d):(.*)$/s.exec(from ?? '') ?? [];
    const beginnings = [first, ...(second === undefined ? [] : [second])];
    const asked = led === undefined ? beginnings : [beginnings[Number(led)] ?? first];
    const found = await Promise.all(
      asked.map((beginning) => this.#begins(beginning, after, limit)),
    );
    const leads = found.reduce(
      (best, one, at) => (one.length < (found[best]?.length ?? 0) ? at : best),
      0,
    );
    const beginning = asked[leads] ?? first;
    const entries = found[leads] ?? [];
    const mark = led ?? leads;
    const hits = entries.slice(0, limit).map(({ id, sort }) => ({
      id,
      at: `${mark}:${sort}`,
      start: sort.slice(0, sort.lastIndexOf('/')),
    }));
    const next = entries.length > limit ? hits.at(-1)?.at : undefined;
    return { hits, beginning, ...(next === undefined ? {} : { next }) };
  }

  /** Of all shards, one more than the page has: then there is a next one. */
  async #begins(beginning: string, after: string | undefined, limit: number): Promise<Entry[]> {
    // Nothing stands between a place and itself with a character more.
    const from = after === undefined || after < beginning ? beginning : `${after}!`;
    const until = `${beginning}\x7f`;
    // A cursor may be anybody's, and DynamoDB takes no range that ends before it begins.
    if (from > until) return [];
    const each = await Promise.all(
      shards.map(async (shard) => {
        const command = new QueryCommand({
          TableName: this.#calls.table,
          IndexName: devices.name,
          KeyConditionExpression: `${devices.place} = :place AND ${devices.sort} BETWEEN :from AND :until`,
          ExpressionAttributeValues: {
            ':place': text(placeOf(shard)),
            ':from': text(from),
            ':until': text(until),
          },
          Limit: limit + 1,
        });
        const { Items = [] } = await this.#calls.repeatable('Query', (client, options) =>
          client.send(command, options),
        );
        return Items.map((item: Item) => ({
          id: idOf(item.pk?.S ?? ''),
          sort: item[devices.sort]?.S ?? '',
        }));
      }),
    );
    return each
      .flat()
      .sort((a, b) => (a.sort < b.sort ? -1 : 1))
      .slice(0, limit + 1);
  }
}
