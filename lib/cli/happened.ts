// Events in words: who did what, and what about it. The same on a timeline and in a tail of the log.

import { type Reason, reasons } from '../errors.ts';
import type { EventFields } from '../log/event.ts';
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

/** The same of a reason as records have it: by name, or an approver's own words. */
export const reasonText = (reason: string): string =>
  Object.hasOwn(reasons, reason) ? codeText(reasons[reason as Reason].code) : reason;

export const whoOf = ({ actor: { kind, id } }: Pick<EventFields, 'actor'>): string =>
  kind === 'admin' ? (id ?? kind) : kind;

/** What is particular about it. */
export function whatOf(event: EventBody): string {
  const { code, reason, note, number, authorizedBy = [] } = event;
  return [
    code && codeText(code),
    reason && `reason ${reason}`,
    number !== undefined && `number ${number}`,
    authorizedBy.length > 0 && `allowed by ${authorizedBy.join(', ')}`,
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
