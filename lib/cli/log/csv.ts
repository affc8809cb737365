// The log as a table (RFC 4180): one event a row, with CloudTrail's column names where it has one.

import { type CsvValue, csvLine } from '../show.ts';
import type { EventBody } from './happened.ts';

type Column = readonly [heading: string, value: (event: EventBody) => CsvValue];

type Fields = Readonly<Record<Exclude<keyof EventBody, 'actor' | 'personal'>, string>>;
type PersonalFields = Readonly<Record<Exclude<keyof Personal, 'actor' | 'salt'>, string>>;
type Personal = NonNullable<EventBody['personal']>;

/** Every field of an event has its column; the compiler finds a missing one. */
const fields: Fields = {
  time: 'eventTime',
  type: 'eventName',
  id: 'eventID',
  code: 'errorCode',
  transaction: 'requestID',
  v: 'eventVersion',
  ca: 'ca',
  endpoint: 'endpoint',
  profile: 'profile',
  asked: 'asked',
  serial: 'serial',
  csrHash: 'csrHash',
  tbsHash: 'tbsHash',
  certificateHash: 'certificateHash',
  keyHash: 'keyHash',
  crlHash: 'crlHash',
  configHash: 'configHash',
  challengeId: 'challengeId',
  list: 'list',
  rowsHash: 'rowsHash',
  authorizedBy: 'authorizedBy',
  key: 'key',
  reason: 'reason',
  number: 'number',
  expires: 'expires',
  partition: 'partition',
  kms: 'kms',
  unanswered: 'unanswered',
  salt: 'salt',
  personalHash: 'personalHash',
};
const personalFields: PersonalFields = {
  subject: 'subject',
  names: 'names',
  device: 'device',
  transactionID: 'transactionID',
  note: 'note',
};

const own = Object.entries(fields).map(
  ([field, heading]): Column => [heading, (event) => event[field as keyof Fields]],
);
const personal = Object.entries(personalFields).map(
  ([field, heading]): Column => [
    heading,
    (event) => event.personal?.[field as keyof PersonalFields],
  ],
);
const columns: readonly Column[] = [
  ...own.slice(0, 3),
  ['userIdentityType', ({ actor }) => actor.kind],
  ['userName', ({ actor, personal }) => personal?.actor?.id ?? actor.id],
  ['person', ({ personal }) => personal?.actor?.person],
  ['sourceIPAddress', ({ personal }) => personal?.actor?.from],
  ...own.slice(3),
  ...personal,
  ['personalSalt', ({ personal }) => personal?.salt],
];

export const csvHeadings: string = csvLine(columns.map(([heading]) => heading));

export const csvRow = (event: EventBody): string =>
  csvLine(columns.map(([, value]) => value(event)));

/** The position of the id in a row that this file wrote. */
const idAt = columns.findIndex(([heading]) => heading === 'eventID');
export const idOfRow = (line: string): string | undefined => line.split('","')[idAt];
