// The lists of the store, and where each record stands in them: a function of its content.

import { isReleased } from './certificate.ts';
import type { Kind, Records } from './records.ts';
import type { Transaction } from './transaction.ts';

/** The lists of the store. Records without a place in one cannot be listed, only read. */
export type List =
  /** Transactions of an endpoint, by id, which is by time. */
  | 'transactions'
  /** Transactions of one state with which something is left to do, by when it is due. */
  | 'open'
  /** Transactions of a CA by subject, and by the name of the device: `searchText`, then the id. */
  | 'subjects'
  | 'devices'
  /** Challenges of an endpoint, by id. */
  | 'challenges'
  /** Devices of a list by their ids: `searchText`, then the key. */
  | 'listed'
  /** Certificates of a CA that may have been handed out, by notBefore. */
  | 'certificates'
  /** Certificates of a CA that are good, or held, by notAfter. */
  | 'expiring'
  /** Certificates of a key, whichever CA is theirs, by notBefore; the group is `keyHash`. */
  | 'keys'
  /** Tokens of the admin API by their names; the group is `all`. */
  | 'tokens'
  /** All events, by id, which is by time; the group is `all`. */
  | 'events'
  /** Events of a Transaction, by id. */
  | 'timeline'
  /** What waits for a log, by the id of its first event. */
  | 'unlogged';

/** Where a record stands: list, group in it, and what it is sorted by. */
export type Place = { readonly list: List; readonly group: string; readonly sort: string };

/** The first sort value of the lists `open`, `certificates`, `keys` and `expiring` at this time. */
export const dueBefore = (at: number): string => String(Math.max(0, at)).padStart(15, '0');

const byTime = (at: number, key: string): string => `${dueBefore(at)}/${key}`;

/** Longer texts are found by their beginning; a sort key of DynamoDB takes 1,024 octets. */
const MAX_SORTED_CHARACTERS = 300;

/**
 * A text as it is sorted and looked up: without case, and in ASCII, because stores differ in the
 * order of everything else. What begins with a text stands from `searchText` of it on.
 */
export const searchText = (text: string): string =>
  encodeURIComponent(text.toWellFormed().normalize('NFC').toLowerCase()).slice(
    0,
    MAX_SORTED_CHARACTERS,
  );

/**
 * Where a device of a list stands under one of its identifiers. Case does not count, nor how a MAC address is
 * written: A4-83-E7-00-00-01 is a483.e700.0001.
 */
export function deviceKey(list: string, identifier: string): string {
  const text = identifier.trim().toWellFormed().normalize('NFC').toLowerCase();
  const digits = text.replace(/[-:.]/g, '');
  const isMac = /^[0-9a-f]{2}([-:][0-9a-f]{2}){5}$|^[0-9a-f]{4}(\.[0-9a-f]{4}){2}$/.test(text);
  return `${list}/${encodeURIComponent(isMac ? digits : text)}`;
}

/** What people call the device of a request: as its challenge says; its first subjectAltName, or else its common name. */
export function deviceOf({
  names,
  subject,
  device,
}: Pick<Transaction, 'names' | 'subject'> & { readonly device?: string | undefined }): string {
  if (device !== undefined) return device;
  const [name] = names;
  if (name !== undefined) return name.slice(name.indexOf(':') + 1);
  const [, commonName = subject] = /(?:^|[,+])CN=((?:\\.|[^,+\\])*)/s.exec(subject) ?? [];
  return commonName;
}

/** The places of a record; a function of its content, so that a write moves it. */
const placesByKind: {
  readonly [K in Kind]?: (record: Records[K], key: string) => readonly Place[];
} = {
  transaction: (record, key) => {
    const { endpoint, ca, state, leaseUntil, expiresAt, supersedeAt, untold, createdAt } = record;
    const due = {
      intended: leaseUntil,
      signed: leaseUntil,
      // At once, where somebody is yet to be told of it.
      pending: untold ? createdAt : expiresAt,
      approved: expiresAt,
      issued: supersedeAt,
    };
    const at = state in due ? due[state as keyof typeof due] : undefined;
    return [
      { list: 'transactions', group: endpoint, sort: key },
      { list: 'subjects', group: ca, sort: `${searchText(record.subject)}/${key}` },
      { list: 'devices', group: ca, sort: `${searchText(deviceOf(record))}/${key}` },
      ...(at === undefined ? [] : [{ list: 'open', group: state, sort: byTime(at, key) } as const]),
    ];
  },
  certificate: (record, key) => {
    const { ca, state, keyHash, notBefore, notAfter } = record;
    return [
      { list: 'keys', group: keyHash, sort: byTime(notBefore, key) },
      ...(isReleased(record)
        ? [{ list: 'certificates', group: ca, sort: byTime(notBefore, key) } as const]
        : []),
      ...(state === 'issued' || state === 'held'
        ? [{ list: 'expiring', group: ca, sort: byTime(notAfter, key) } as const]
        : []),
    ];
  },
  challenge: ({ id, endpoint }) => [{ list: 'challenges', group: endpoint, sort: id }],
  // Under its other identifiers it stands in no list.
  device: ({ list, id }, key) =>
    key === deviceKey(list, id)
      ? [{ list: 'listed', group: list, sort: `${searchText(id)}/${key}` }]
      : [],
  // The record of a name is none.
  token: ({ name, roles }, key) =>
    roles.length === 0 ? [] : [{ list: 'tokens', group: 'all', sort: `${name}/${key}` }],
  event: ({ transaction }, key) => [
    { list: 'events', group: 'all', sort: key },
    ...(transaction === undefined
      ? []
      : [{ list: 'timeline', group: transaction, sort: key } as const]),
  ],
  unlogged: ({ log }, key) => [{ list: 'unlogged', group: log, sort: key }],
};

export function placesOf<K extends Kind>(
  kind: K,
  key: string,
  record: Records[K],
): readonly Place[] {
  return placesByKind[kind]?.(record, key) ?? [];
}
