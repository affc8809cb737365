// The log as a table (RFC 4180): one event a row, with CloudTrail's column names where it has one. A cell
// that a spreadsheet would take for a formula gets an apostrophe in front; control characters become
// escapes, so that each row is one line.

import { visible } from '../../base/text.ts';
import type { EventBody } from './happened.ts';

type Cell = string | number | readonly string[] | undefined;
type Column = readonly [heading: string, value: (event: EventBody) => Cell];

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

const row = (cells: readonly string[]): string => `${cells.join(',')}\r\n`;

export const csvHeadings: string = row(columns.map(([heading]) => cell(heading)));

export const csvRow = (event: EventBody): string =>
  row(columns.map(([, value]) => cell(value(event))));

/** The position of the id in a row that this file wrote. */
const idAt = columns.findIndex(([heading]) => heading === 'eventID');
export const idOfRow = (line: string): string | undefined => line.split('","')[idAt];

function cell(value: Cell): string {
  const text = Array.isArray(value) ? value.join(' ') : String(value ?? '');
  const formula = /^[=+\-@\t\r\n＝＋－＠]/u.test(text);
  return `"${formula ? "'" : ''}${visible(text).replaceAll('"', '""')}"`;
}
