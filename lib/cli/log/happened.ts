// Describes events in words, for the timeline of a Transaction and for `log tail`.

import type { AnswerTo } from '../../api/api.ts';
import { eventTypes } from '../../base/words.ts';
import { reasons } from '../../refusal/reasons.ts';
import { counted, seconds } from '../text.ts';

/** The body of an event, as it was hashed. */
export type EventBody = AnswerTo<'GET /events'>['events'][number];

const textOfCode = new Map<string, string>(
  Object.values(reasons).map(({ code, text }) => [code, text]),
);

/** `SCEP-311: the subject is not ...`, of a code. */
export const codeText = (code: string): string => {
  const text = textOfCode.get(code);
  return text === undefined ? code : `${code}: ${text}`;
};

function whoOf({ actor: { kind }, personal }: EventBody): string {
  const { id: by = kind, ...more } = personal?.actor ?? {};
  return kind === 'admin' ? authorText({ by, ...more }) : kind;
}

/** Whoever did something, from which address, and how that was authenticated. */
export const byText = ({
  auth,
  ...author
}: Author & { readonly auth?: string | undefined }): string =>
  auth === undefined ? authorText(author) : `${authorText(author)} (${auth})`;

/** Whoever did something: the person, the name of his token, and from which address. */
function authorText({ by, person, from }: Author): string {
  const who = person === undefined ? by : `${person}/${by}`;
  return from === undefined ? who : `${who}@${from}`;
}
type Author = {
  readonly by: string;
  readonly person?: string | undefined;
  readonly from?: string | undefined;
};

/** What it counts depends on what happened. */
function numberText(type: EventBody['type'], number: number): string {
  if (type === 'challenge.created') {
    return `good for ${number === 1 ? 'one certificate' : counted(number, 'certificate')}`;
  }
  return type === 'request.approved' ? `by ${counted(number, 'person')}` : `number ${number}`;
}

/** The details of the event. */
export function detailsOf(event: EventBody): string {
  const { type, code, reason, serial, number, partition, authorizedBy = [], personal } = event;
  const note = personal?.note;
  return [
    code && codeText(code),
    reason && `reason ${reason}`,
    serial && `serial ${serial}`,
    partition !== undefined && `partition ${partition}`,
    number !== undefined && numberText(type, number),
    authorizedBy.length > 0 && `on ${authorizedBy.join(', ')}`,
    note && `"${note}"`,
  ]
    .filter(Boolean)
    .join(', ');
}

/** The columns of an event: time, type, actor, details. */
export const stepRow = (event: EventBody): string[] => [
  seconds(event.time),
  event.type,
  whoOf(event),
  detailsOf(event),
];

/** Sorts events as they happened. Ids of the same millisecond are in no order, so their types decide. */
export const inOrder = (events: readonly EventBody[]): EventBody[] =>
  [...events].sort(
    (a, b) =>
      Date.parse(a.time) - Date.parse(b.time) ||
      eventTypes.indexOf(a.type) - eventTypes.indexOf(b.type),
  );
