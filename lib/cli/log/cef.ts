// Events in the Common Event Format (ArcSight, version 0): the keys of its dictionary where it has one, and for the rest keys
// that begin with `Scepter`.

import { isIP } from 'node:net';
import { visible } from '../../base/text.ts';
import { SYSTEM_LOG } from '../../base/words.ts';
import { codeText, detailsOf, type EventBody } from './happened.ts';
import { eventKinds, severities } from './kinds.ts';

type Value = string | number | readonly string[] | undefined;

/** One line. */
export function cefLine(event: EventBody): string {
  const { v, id, time, type, actor, code, ca, endpoint, transaction, serial, ...rest } = event;
  const { certificateHash, personal, ...more } = rest;
  const { actor: person, subject, note: _said, ...named } = personal ?? { salt: undefined };
  const kind = eventKinds[type];
  const details = detailsOf(event);
  const values: readonly (readonly [key: string, value: Value])[] = [
    ['externalId', id],
    ['rt', Date.parse(time)],
    ['act', kind.activity],
    ['outcome', kind.status.toLowerCase()],
    ['msg', details ? `${kind.name}: ${details}` : kind.name],
    ['reason', code && codeText(code)],
    ['suser', person?.id ?? actor.id],
    ['ScepterPerson', person?.person],
    ['spriv', actor.kind],
    ...addressOf(person?.from),
    ...[
      custom('cs1', 'CA', ca ?? SYSTEM_LOG),
      custom('cs2', 'Endpoint', endpoint),
      custom('cs3', 'Transaction', transaction),
      custom('cs4', 'Serial number', serial),
      custom('cs5', 'Subject', subject),
      custom('cs6', 'SHA-256 of the certificate', certificateHash),
    ].flat(),
    ...Object.entries(more).map(([field, value]): [string, Value] => [own(field), value]),
    ...Object.entries(named).map(([field, value]): [string, Value] => [
      own(`personal ${field}`),
      value,
    ]),
  ];
  const extension = values.flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}=${escaped(value)}`],
  );
  const head = ['CEF:0', 'Scepter', 'Scepter', v, type, kind.name, severities[kind.severity].cef];
  return `${head.join('|')}|${extension.join(' ')}\n`;
}

/** A field of strings that the dictionary has no key for, and what it is. */
const custom = (key: string, label: string, value: string | undefined): [string, Value][] =>
  value === undefined
    ? []
    : [
        [`${key}Label`, label],
        [key, value],
      ];

function addressOf(from: string | undefined): [string, Value][] {
  if (from === undefined) return [];
  const version = isIP(from);
  if (version === 4) return [['src', from]];
  return version === 6
    ? [
        ['c6a2Label', 'Source IPv6 Address'],
        ['c6a2', from],
      ]
    : [['shost', from]];
}

/** `ScepterTbsHash`, `ScepterPersonalSalt` */
const own = (field: string): string =>
  `Scepter${field.replace(/(?:^| )(\w)/g, (_, first: string) => first.toUpperCase())}`;

/** The longest that the dictionary lets a field of text be. */
const MAX_CHARACTERS = 1023;

/** A value of the extension: `\` and `=` have a `\` before them, ends of lines are `\r` and `\n`. What else could act on a
 * terminal is an escape of ours. */
function escaped(value: NonNullable<Value>): string {
  const text = Array.isArray(value) ? value.join(' ') : String(value);
  return text
    .slice(0, MAX_CHARACTERS)
    .replace(/[^\r\n]+/g, visible)
    .replace(/[\\=]/g, '\\$&')
    .replaceAll('\r', '\\r')
    .replaceAll('\n', '\\n');
}

/** The id of the event in a line that was written here: it is first, and no value has a bare `=`. */
export const idOfCef = (line: string): string | undefined => /\|externalId=(\w+)/.exec(line)?.[1];
