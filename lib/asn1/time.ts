// Times as certificates and CRLs have them.

import { Malformed } from '../base/errors.ts';
import { content, type Element, tag } from './reader.ts';

/** A Time (RFC 5280 §4.1.2.5): UTCTime or GeneralizedTime, in UTC, to the second.
 * @returns milliseconds since 1970 */
export function readTime(element: Element): number {
  const octets = content(element);
  const text = octets.length > 15 ? '' : String.fromCharCode(...octets);
  const match =
    element.tag === tag.utcTime
      ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text)
      : element.tag === tag.generalizedTime
        ? /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text)
        : undefined;
  if (!match) throw new Malformed('not a Time');
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1)
    .map(Number);
  const full = element.tag === tag.generalizedTime ? year : year + (year < 50 ? 2000 : 1900);
  const at = new Date(0);
  at.setUTCFullYear(full, month - 1, day);
  at.setUTCHours(hour, minute, second);
  if (
    at.getUTCMonth() !== month - 1 ||
    at.getUTCDate() !== day ||
    hour > 23 ||
    minute > 59 ||
    second > 59
  ) {
    throw new Malformed('not a date of the calendar');
  }
  return at.getTime();
}
