// Events in words: who did what, and what about it. The same on a timeline and in a tail of the log.

import { reasons } from '../errors.ts';
import { type EventFields, eventTypes } from '../log/event.ts';
import { seconds } from './text.ts';

/** The body of an event, as it was hashed. */
export type EventBody = EventFields & {
  readonly v: number;
  readonly id: string;
  readonly time: string;
  readonly salt: string;
};

const textOfCode = new Map<string, string>(
  Object.values(reasons).map(({ code, text }) => [code, text]),
);

/** `SCEP-311: the subject is not ...`, of a code. */
export const codeText = (code: string): string => {
  const text = textOfCode.get(code);
  return text === undefined ? code : `${code}: ${text}`;
};

export const whoOf = ({ actor: { kind, id } }: Pick<EventFields, 'actor'>): string =>
  kind === 'admin' ? (id ?? kind) : kind;

/** What is particular about it. */
export function whatOf(event: EventBody): string {
  const { code, reason, note, serial, number, authorizedBy = [] } = event;
  return [
    code && codeText(code),
    reason && `reason ${reason}`,
    serial && `serial ${serial}`,
    number !== undefined && `number ${number}`,
    authorizedBy.length > 0 && `on ${authorizedBy.join(', ')}`,
    note && `"${note}"`,
  ]
    .filter(Boolean)
    .join(', ');
}

/** When, what, who, and what about it. */
export const stepRow = (event: EventBody): string[] => [
  seconds(event.time),
  event.type,
  whoOf(event),
  whatOf(event),
];

/** As they happened: ids of the same millisecond are in no order, the types are. */
export const inOrder = (events: readonly EventBody[]): EventBody[] =>
  [...events].sort(
    (a, b) =>
      Date.parse(a.time) - Date.parse(b.time) ||
      eventTypes.indexOf(a.type) - eventTypes.indexOf(b.type),
  );
