// The newest CRL of each name in the DynamoDB table (schema: `dynamodb.ts`). An item takes 400 KB, so
// the DER is cut into chunks: the first is in the header, which is all there is of a small CRL.
//
// The header names the publication that its chunks belong to, and is put when they are all there,
// if its number is higher. So no reader sees chunks of two CRLs together, not even of two with one
// number. A publisher that dies leaves chunks that no header names: storage, and nothing else.

import {
  ConditionalCheckFailedException,
  DeleteItemCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import { type Bytes, concat } from '../../../base/bytes.ts';
import type { Crl, CrlStore, StoredCrl } from '../../../ports/crls.ts';
import { RECORD_VERSION } from '../../../ports/records/records.ts';
import type { DynamoCalls } from './calls.ts';
import { type Item, number } from './items.ts';

const CHUNK_OCTETS = 350_000;
const headerKey = (name: string): string => `crl#${name}`;

/** More chunks than any CRL of this service has: a header that names more is not believed. */
const MAX_CHUNKS = 300;

/** Keys of the chunks after the first. */
function chunkKeys(name: string, { attempt, chunks }: Item): string[] {
  const named = Number(chunks?.N ?? 0);
  // Of any other attempt the keys would be none that DynamoDB reads.
  const isOurs = /^[\w-]{1,64}$/.test(attempt?.S ?? '');
  const length = isOurs && Number.isInteger(named) && named >= 0 && named <= MAX_CHUNKS ? named : 0;
  return Array.from({ length }, (_, i) => `crl#${name}#${attempt?.S}#${i + 1}`);
}

/** The number that a header has, as its text, whatever it is. */
const storedOf = ({ number: stored }: Item): string => JSON.stringify(stored ?? null);

export class DynamoCrls implements CrlStore {
  readonly #calls: DynamoCalls;

  constructor(calls: DynamoCalls) {
    this.#calls = calls;
  }

  async newest(name: string): Promise<StoredCrl | undefined> {
    for (let tries = 1; ; tries++) {
      const header = await this.#header(name);
      if (!header) return undefined;
      const keys = chunkKeys(name, header);
      const rest = await this.#calls.items(keys);
      // A chunk that is gone was deleted with its CRL: there is a newer one. One that stays away leaves a
      // CRL whose signature does not verify.
      if (rest.size < keys.length && tries < 5) continue;
      return {
        stored: storedOf(header),
        ...(header.mac?.S === undefined ? {} : { mac: header.mac.S }),
        number: Number(header.number?.N),
        der: concat([header, ...rest.values()].map(({ der }) => der?.B ?? new Uint8Array(0))),
        thisUpdate: Number(header.thisUpdate?.N),
        nextUpdate: Number(header.nextUpdate?.N),
        changes: Number(header.changes?.N),
      };
    }
  }

  async publish(name: string, crl: Crl, spoilt?: string): Promise<'done' | 'stale'> {
    const last = await this.#header(name);
    const over = last && storedOf(last) === spoilt ? last : undefined;
    if (last && !over && !(Number(last.number?.N) < crl.number)) return 'stale';
    const attempt = crypto.randomUUID();
    const [first, ...rest] = cut(crl.der);
    const header: Item = {
      pk: { S: headerKey(name) },
      v: number(RECORD_VERSION),
      attempt: { S: attempt },
      number: number(crl.number),
      thisUpdate: number(crl.thisUpdate),
      nextUpdate: number(crl.nextUpdate),
      changes: number(crl.changes),
      chunks: number(rest.length),
      ...(crl.mac === undefined ? {} : { mac: { S: crl.mac } }),
      der: { B: first },
    };
    const keys = chunkKeys(name, header);
    for (const [i, key] of keys.entries()) await this.#putChunk(key, rest[i] ?? first);
    const command = new PutItemCommand({
      TableName: this.#calls.table,
      Item: header,
      ConditionExpression: `attribute_not_exists(pk) OR #number < :number${
        over ? (over.number ? ' OR #number = :over' : ' OR attribute_not_exists(#number)') : ''
      }`,
      ExpressionAttributeNames: { '#number': 'number' },
      ExpressionAttributeValues: {
        ':number': number(crl.number),
        ...(over?.number ? { ':over': over.number } : {}),
      },
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
      tookEffect: async () => (await this.#header(name))?.attempt?.S === attempt,
    });
    if (answer === 'conflict') await this.#forget(keys);
    else if (replaced) await this.#forget(chunkKeys(name, replaced));
    return answer === 'done' ? 'done' : 'stale';
  }

  async #header(name: string): Promise<Item | undefined> {
    return (await this.#calls.items([headerKey(name)])).get(headerKey(name));
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
