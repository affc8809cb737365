// The log as a table (RFC 4180): one event a row, under the names that CloudTrail gave to such things
// where it has one. A cell that a spreadsheet would take for a formula is given an apostrophe first;
// control characters are shown as escapes, so that a row is a line.

import { visible } from '../visible.ts';
import type { EventBody } from './happened.ts';

type Cell = string | number | readonly string[] | undefined;
type Column = readonly [heading: string, value: (event: EventBody) => Cell];

/** Every field of an event has its column; the compiler misses none. */
const byField: Readonly<Record<Exclude<keyof EventBody, 'actor'>, string>> & {
  readonly actor: readonly [kind: string, id: string];
} = {
  time: 'eventTime',
  type: 'eventName',
  id: 'eventID',
  actor: ['userIdentityType', 'userName'],
  code: 'errorCode',
  transaction: 'requestID',
  v: 'eventVersion',
  ca: 'ca',
  endpoint: 'endpoint',
  profile: 'profile',
  transactionID: 'transactionID',
  messageType: 'messageType',
  subject: 'subject',
  names: 'names',
  serial: 'serial',
  csrHash: 'csrHash',
  tbsHash: 'tbsHash',
  certificateHash: 'certificateHash',
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
    const [kind, id] = heading;
    return [
      [kind, ({ actor }) => actor.kind],
      [id, ({ actor }) => actor.id],
    ];
  }
  return [[heading, (event) => event[field as Exclude<keyof EventBody, 'actor'>]]];
});

const row = (cells: readonly string[]): string => `${cells.join(',')}\r\n`;

export const csvHeadings: string = row(columns.map(([heading]) => cell(heading)));

export const csvRow = (event: EventBody): string =>
  row(columns.map(([, value]) => cell(value(event))));

/** Where the id stands in a row that this file wrote. */
const idAt = columns.findIndex(([heading]) => heading === 'eventID');
export const idOfRow = (line: string): string | undefined => line.split('","')[idAt];

function cell(value: Cell): string {
  const text = Array.isArray(value) ? value.join(' ') : String(value ?? '');
  const formula = /^[=+\-@\t\r\n＝＋－＠]/u.test(text);
  return `"${formula ? "'" : ''}${visible(text).replaceAll('"', '""')}"`;
}
