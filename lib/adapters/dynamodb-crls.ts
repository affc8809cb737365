// The newest CRL of each CA in the DynamoDB table (schema: `dynamodb.ts`). An item takes 400 KB, so
// the DER is cut into chunks: the first is in the header, which is all there is of a small CRL.
//
// The header names the publication that its chunks belong to, and is put when they are all there,
// if its number is higher. So nobody sees chunks of two CRLs together, not even of two with one
// number. A publisher that dies leaves chunks that no header names: storage, and nothing else.

import {
  ConditionalCheckFailedException,
  DeleteItemCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import { type Bytes, concat } from '../bytes.ts';
import { Outage } from '../errors.ts';
import type { Crl, Crls } from '../ports/crls.ts';
import { RECORD_VERSION } from '../ports/records.ts';
import type { DynamoCalls } from './dynamodb-calls.ts';
import { type Item, number } from './dynamodb-items.ts';

const CHUNK_OCTETS = 350_000;
const headerKey = (ca: string): string => `crl#${ca}`;

/** Keys of the chunks after the first. */
const chunkKeys = (ca: string, { attempt, chunks }: Item): string[] =>
  Array.from({ length: Number(chunks?.N) }, (_, i) => `crl#${ca}#${attempt?.S}#${i + 1}`);

export class DynamoCrls implements Crls {
  readonly #calls: DynamoCalls;

  constructor(calls: DynamoCalls) {
    this.#calls = calls;
  }

  async newest(ca: string): Promise<Crl | undefined> {
    for (let tries = 0; tries < 5; tries++) {
      const header = await this.#header(ca);
      if (!header) return undefined;
      if (Number(header.v?.N) > RECORD_VERSION) {
        throw new Outage(
          `the CRL of ${ca} was written by a later release, which this one cannot read`,
        );
      }
      const keys = chunkKeys(ca, header);
      const rest = await this.#calls.items(keys);
      // A chunk that is gone was deleted with its CRL: there is a newer one.
      if (rest.size < keys.length) continue;
      return {
        number: Number(header.number?.N),
        der: concat([header, ...rest.values()].map(({ der }) => der?.B ?? new Uint8Array(0))),
        thisUpdate: Number(header.thisUpdate?.N),
        nextUpdate: Number(header.nextUpdate?.N),
        changes: Number(header.changes?.N),
      };
    }
    throw new Outage(`the CRL of ${ca} lacks a chunk`);
  }

  async publish(ca: string, crl: Crl): Promise<'done' | 'stale'> {
    const last = await this.#header(ca);
    if (last && Number(last.number?.N) >= crl.number) return 'stale';
    const attempt = crypto.randomUUID();
    const [first, ...rest] = cut(crl.der);
    const header: Item = {
      pk: { S: headerKey(ca) },
      v: number(RECORD_VERSION),
      attempt: { S: attempt },
      number: number(crl.number),
      thisUpdate: number(crl.thisUpdate),
      nextUpdate: number(crl.nextUpdate),
      changes: number(crl.changes),
      chunks: number(rest.length),
      der: { B: first },
    };
    const keys = chunkKeys(ca, header);
    for (const [i, key] of keys.entries()) await this.#putChunk(key, rest[i] ?? first);
    const command = new PutItemCommand({
      TableName: this.#calls.table,
      Item: header,
      ConditionExpression: 'attribute_not_exists(pk) OR #number < :number',
      ExpressionAttributeNames: { '#number': 'number' },
      ExpressionAttributeValues: { ':number': number(crl.number) },
      ReturnValues: 'ALL_OLD',
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    });
    let replaced = last;
    const answer = await this.#calls.write({
      name: 'PutItem',
      send: async (client, options) => {
        replaced = (await client.send(command, options)).Attributes ?? replaced;
      },
      verdict: (error) => {
        if (!(error instanceof ConditionalCheckFailedException)) return undefined;
        return error.Item?.attempt?.S === attempt ? 'done' : 'conflict';
      },
      tookEffect: async () => (await this.#header(ca))?.attempt?.S === attempt,
    });
    if (answer === 'conflict') await this.#forget(keys);
    else if (replaced) await this.#forget(chunkKeys(ca, replaced));
    return answer === 'done' ? 'done' : 'stale';
  }

  async #header(ca: string): Promise<Item | undefined> {
    return (await this.#calls.items([headerKey(ca)])).get(headerKey(ca));
  }

  async #putChunk(pk: string, der: Bytes): Promise<void> {
    const Item: Item = { pk: { S: pk }, der: { B: der } };
    const command = new PutItemCommand({ TableName: this.#calls.table, Item });
    await this.#calls.repeatable('PutItem', (client, options) => client.send(command, options));
  }

  /** What cannot be deleted now stays, unread; the answer to the publisher stands. */
  async #forget(keys: readonly string[]): Promise<void> {
    for (const pk of keys) {
      const command = new DeleteItemCommand({
        TableName: this.#calls.table,
        Key: { pk: { S: pk } },
      });
      await this.#calls
        .repeatable('DeleteItem', (client, options) => client.send(command, options))
        .catch(() => undefined);
    }
  }
}

/** At least one chunk, which may be empty. */
function cut(der: Bytes): [Bytes, ...Bytes[]] {
  const rest: Bytes[] = [];
  for (let at = CHUNK_OCTETS; at < der.length; at += CHUNK_OCTETS) {
    rest.push(der.slice(at, at + CHUNK_OCTETS));
  }
  return [der.slice(0, CHUNK_OCTETS), ...rest];
}
