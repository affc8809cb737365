// The form of what is in the DynamoDB table: records to items and back. Pure; `dynamodb.ts` has the schema and
// makes the calls, `writes.ts` has the conditions of a write.

import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import {
  base64,
  base64url,
  concat,
  fromBase64,
  fromHex,
  fromLatin1,
  fromUtf8,
  hex,
  utf8,
} from '../../../base/bytes.ts';
import type { CertificateRecord } from '../../../ports/records/certificate.ts';
import { expiryOf } from '../../../ports/records/expiry.ts';
import { newLineage } from '../../../ports/records/lineage.ts';
import { type List, placesOf } from '../../../ports/records/places.ts';
import {
  type Challenge,
  type Kind,
  RECORD_VERSION,
  recordIn,
} from '../../../ports/records/records.ts';
import { type AlteredRow, type Key, type Row, revIn } from '../../../ports/store.ts';

export type Item = Record<string, AttributeValue>;

/** Of an index: its name, its partition key and its sort key. */
export type Index = { readonly name: string; readonly place: string; readonly sort: string };
export const places: Index = { name: 'places', place: 'place', sort: 'placeSort' };
export const due: Index = { name: 'due', place: 'due', sort: 'dueSort' };

export const subjects: Index = { name: 'subjects', place: 'subject', sort: 'subjectSort' };
export const devices: Index = { name: 'devices', place: 'device', sort: 'deviceSort' };

/**
 * The index of each list, and over how many partition keys a group of it is spread. A record stands
 * in several lists at once, each in another index. Events of one Transaction are few, and what is
 * sorted by names can be split. Fewer shards than a table was written with would hide records: these
 * numbers only ever rise.
 */
export const lists: Readonly<Record<List, Listed>> = {
  transactions: { kind: 'transaction', index: places, shards: 32 },
  challenges: { kind: 'challenge', index: places, shards: 32 },
  listed: { kind: 'device', index: subjects, shards: 4 },
  certificates: { kind: 'certificate', index: places, shards: 32 },
  events: { kind: 'event', index: places, shards: 64 },
  tokens: { kind: 'token', index: places, shards: 1 },
  open: { kind: 'transaction', index: due, shards: 32 },
  expiring: { kind: 'certificate', index: due, shards: 32 },
  timeline: { kind: 'event', index: due, shards: 1 },
  // Each run of a sequencer asks all of them. Eight take 8,000 units a second: 2,000 enrolments at one CA.
  unlogged: { kind: 'unlogged', index: places, shards: 8 },
  subjects: { kind: 'transaction', index: subjects, shards: 4 },
  // A key has few certificates, and each is a partition of its own.
  keys: { kind: 'certificate', index: subjects, shards: 1 },
  devices: { kind: 'transaction', index: devices, shards: 4 },
};
type Listed = { readonly kind: Kind; readonly index: Index; readonly shards: number };

export const pkOf = ({ kind, key }: Key): string => `${kind}#${key}`;
export const placeOf = (list: List, group: string, shard: number): string =>
  `${list}#${group}#${shard}`;

/** The key of a record, from the partition key of its item. */
export const keyOf = (pk: string): string => pk.slice(pk.indexOf('#') + 1);

/** Seconds, from when on DynamoDB may delete the item. */
export const ttlOf = (at: number): AttributeValue => number(Math.floor(at / 1000));

export const text = (value: string): AttributeValue => ({ S: value });
export const number = (value: number): AttributeValue => ({ N: String(value) });

/** FNV-1a over UTF-16 units: even and stable is all it has to be. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) {
    hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193) >>> 0;
  }
  return hash;
}

function placeAttributes(kind: Key['kind'], key: string, record: Row['record']): Item {
  return Object.fromEntries(
    placesOf(kind, key, record).flatMap(({ list, group, sort }) => {
      const { index, shards } = lists[list];
      const place = placeOf(list, group, hashOf(key) % shards);
      return [
        [index.place, text(place)],
        [index.sort, text(sort)],
      ];
    }),
  );
}

/** What a `use` counts with is kept as attributes; the rest of the record as JSON, as of any other. */
function challengeAttributes(challenge: Challenge): Item {
  const { uses, usesLeft, failures, expiresAt, revokedAt, open, ...rest } = challenge;
  const holders = Object.entries(open).map(([id, hash]) => [id, text(hash)] as const);
  return {
    record: text(JSON.stringify(rest)),
    uses: number(uses),
    usesLeft: number(usesLeft),
    failures: number(failures),
    expiresAt: number(expiresAt),
    ...(revokedAt === undefined ? {} : { revokedAt: number(revokedAt) }),
    open: { M: Object.fromEntries(holders) },
  };
}

/** Members of a record that are attributes of their own: octets, which the record has as base64 or
 * hexadecimal text, the texts of an event, which are two thirds as long then and in one write unit, and its MAC. */
const apart: Partial<Record<Kind, Readonly<Record<string, Form>>>> = {
  transaction: { csr: 'base64' },
  request: { csr: 'base64' },
  certificate: { der: 'base64', tbsHash: 'hash', keyHash: 'hash' },
  event: { body: 'deflated', personal: 'deflated', mac: 'mac' },
};
type Form = 'base64' | 'hash' | 'deflated' | 'mac';
const sha256 = /^[0-9a-f]{64}$/;
const MAC_OCTETS = 32;
/** RFC 1951; texts are short, so a small window costs no octet and half of the time. */
const deflating = { windowBits: 10, memLevel: 4 };
/** More than any event has; another hand may have written what becomes a thousand times as long. */
const MAX_INFLATED_OCTETS = 1024 * 1024;

/** Undefined for a text that is not of this form: it stays in the record. */
const attributeOf: Readonly<Record<Form, (value: string) => AttributeValue | undefined>> = {
  deflated: (value) => ({ B: deflateRawSync(utf8(value), deflating) }),
  base64: (value) => ({ B: fromBase64(value) }),
  hash: (value) => (sha256.test(value) ? { B: fromHex(value) } : undefined),
  // Its key's id, and the MAC.
  mac: (value) => {
    const [, macKey = '', mac] = /^([\w-]+)\.([0-9a-f]{64})$/.exec(value) ?? [];
    return mac === undefined ? undefined : { B: concat([utf8(macKey), fromHex(mac)]) };
  },
};

/** What the octets of an attribute stand for; undefined for what is not of this form, as another hand may write it. */
function textOf(form: Form, octets: Uint8Array): string | undefined {
  if (form === 'hash') return hex(octets);
  if (form === 'deflated') return inflated(octets);
  if (form !== 'mac') return base64(octets);
  return `${fromLatin1(octets.slice(0, -MAC_OCTETS))}.${hex(octets.slice(-MAC_OCTETS))}`;
}

function recordAttributes(kind: Kind, record: Row['record']): Item {
  const own: Item = {};
  const rest = { ...record } as Record<string, unknown>;
  for (const [name, form] of Object.entries(apart[kind] ?? {})) {
    const value = rest[name];
    const attribute = typeof value === 'string' ? attributeOf[form](value) : undefined;
    if (!attribute) continue;
    delete rest[name];
    own[name] = attribute;
  }
  if (kind === 'certificate' && isOfItsOwn(record as CertificateRecord)) delete rest.lineage;
  // Its place in the timeline names it.
  if (kind === 'event') delete rest.transaction;
  return { record: text(JSON.stringify(rest)), ...own };
}

/** Before its first renewal the lineage of a certificate that was enrolled follows from the rest. */
const isOfItsOwn = (certificate: CertificateRecord): boolean =>
  JSON.stringify(certificate.lineage) === JSON.stringify(newLineage(certificate));

function inflated(octets: Uint8Array): string | undefined {
  try {
    return fromUtf8(inflateRawSync(octets, { maxOutputLength: MAX_INFLATED_OCTETS }));
  } catch {
    return undefined;
  }
}

/** `recordAttributes` undone. */
function recordOf(kind: Kind, rest: object, item: Item): object {
  const own = Object.entries(apart[kind] ?? {}).flatMap(([name, form]) => {
    const { B } = item[name] ?? {};
    const value = B && textOf(form, new Uint8Array(B));
    return value === undefined ? [] : [[name, value]];
  });
  const record = { ...rest, ...Object.fromEntries(own) };
  if (kind === 'event') {
    const [, transaction] = /^timeline#(.*)#0$/s.exec(item.due?.S ?? '') ?? [];
    return transaction === undefined ? record : { ...record, transaction };
  }
  return kind === 'certificate' && !('lineage' in record)
    ? { ...record, lineage: newLineage(record as CertificateRecord) }
    : record;
}

/** Of a write; it is in each item that the write makes, so it is short. */
export const newAttempt = (): string => base64url(crypto.getRandomValues(new Uint8Array(12)));

export function itemOf(
  { kind, key }: Key,
  rev: number,
  record: Row['record'],
  attempt: string,
): Item {
  const expiry = expiryOf(kind, record);
  return {
    pk: text(pkOf({ kind, key })),
    rev: number(rev),
    v: number(RECORD_VERSION),
    attempt: text(attempt),
    ...placeAttributes(kind, key, record),
    ...(kind === 'challenge'
      ? challengeAttributes(record as Challenge)
      : recordAttributes(kind, record)),
    ...(expiry === undefined ? {} : { ttl: ttlOf(expiry) }),
  };
}

/** An item that is no record of this release has none. */
export function rowOf(item: Item): Row | AlteredRow {
  const pk = item.pk?.S ?? '';
  const [kind = '', key] = [pk.split('#', 1)[0], keyOf(pk)];
  const rev = revIn(item.rev?.N);
  const v = Number(item.v?.N);
  const record = v <= RECORD_VERSION ? recordIn(item.record?.S) : undefined;
  if (record === undefined) {
    const later = v > RECORD_VERSION ? ({ later: true } as const) : {};
    return { kind: kind as Kind, key, rev, record, said: item.record?.S, ...later };
  }
  const whole =
    kind === 'challenge' ? { ...record, ...countedOf(item) } : recordOf(kind as Kind, record, item);
  return { kind, key, rev, record: whole } as Row;
}

/** What is of another type says so: then it is no challenge. */
function countedOf({ uses, usesLeft, failures, expiresAt, revokedAt, open }: Item) {
  const holders = Object.entries(open?.M ?? {}).map(([id, hash]) => [id, hash.S]);
  return {
    uses: Number(uses?.N),
    usesLeft: Number(usesLeft?.N),
    failures: Number(failures?.N),
    expiresAt: Number(expiresAt?.N),
    ...(revokedAt ? { revokedAt: Number(revokedAt.N) } : {}),
    open: open?.M && Object.fromEntries(holders),
  };
}

/** About what DynamoDB counts: names and values. */
export function itemOctets(item: Item): number {
  return Object.entries(item).reduce((sum, [name, { S, N, M, B }]) => {
    const value = S !== undefined ? utf8(S).length : (N ?? B ?? '').length;
    return sum + name.length + value + (M ? itemOctets(M) : 0) + 3;
  }, 0);
}
