// The log as a table (RFC 4180): one event a row, with CloudTrail's column names where it has one.

import { type CsvValue, csvLine } from '../show.ts';
import type { EventBody } from './happened.ts';

type Column = readonly [heading: string, value: (event: EventBody) => CsvValue];

/** Every field of an event has its column; the compiler finds a missing one. */
const byField: Readonly<Record<Exclude<keyof EventBody, 'actor'>, string>> & {
  readonly actor: readonly [kind: string, id: string, from: string];
} = {
  time: 'eventTime',
  type: 'eventName',
  id: 'eventID',
  actor: ['userIdentityType', 'userName', 'sourceIPAddress'],
  code: 'errorCode',
  transaction: 'requestID',
  v: 'eventVersion',
  ca: 'ca',
  endpoint: 'endpoint',
  profile: 'profile',
  transactionID: 'transactionID',
  asked: 'asked',
  subject: 'subject',
  names: 'names',
  serial: 'serial',
  csrHash: 'csrHash',
  tbsHash: 'tbsHash',
  certificateHash: 'certificateHash',
  keyHash: 'keyHash',
  challengeId: 'challengeId',
  authorizedBy: 'authorizedBy',
  key: 'key',
  reason: 'reason',
  note: 'note',
  number: 'number',
  partition: 'partition',
  kms: 'kms',
  unanswered: 'unanswered',
  salt: 'salt',
};

const columns: readonly Column[] = Object.entries(byField).flatMap(([field, heading]): Column[] => {
  if (typeof heading !== 'string') {
    const [kind, id, from] = heading;
    return [
      [kind, ({ actor }) => actor.kind],
      [id, ({ actor }) => actor.id],
      [from, ({ actor }) => actor.from],
    ];
  }
  return [[heading, (event) => event[field as Exclude<keyof EventBody, 'actor'>]]];
});

export const csvHeadings: string = csvLine(columns.map(([heading]) => heading));

export const csvRow = (event: EventBody): string =>
  csvLine(columns.map(([, value]) => value(event)));

/** The position of the id in a row that this file wrote. */
const idAt = columns.findIndex(([heading]) => heading === 'eventID');
export const idOfRow = (line: string): string | undefined => line.split('","')[idAt];
