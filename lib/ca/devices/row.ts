// A row of a device list, in the form in which it is stored and compared.

import type { DeviceRecord } from '../../ports/records/device.ts';
import { shortened } from '../../refusal/evidence.ts';
import { parseGeneralName, printGeneralName } from '../../x509/names/general-name.ts';
import { parseName } from '../../x509/names/name.ts';
import { separators } from '../policy/policy.ts';
import { ofField, subjectPatterns, Unusable } from '../policy/wanted.ts';
import { identifiersOf } from './standing.ts';

/** As it was asked for. */
export type WantedRow = {
  readonly serial?: string | undefined;
  readonly udid?: string | undefined;
  readonly mac?: string | undefined;
  readonly name?: readonly string[] | undefined;
  /** RFC 4514. */
  readonly subject?: string | undefined;
  readonly subjectPattern?: Readonly<Record<string, string | readonly string[]>> | undefined;
  /** `TYPE:VALUE`, and `TYPE:PATTERN`. */
  readonly san?: readonly string[] | undefined;
  readonly sanPattern?: readonly string[] | undefined;
  readonly owner?: string | undefined;
};

export type RowContent = Pick<DeviceRecord, 'id' | 'identifiers' | 'allows' | 'owner'>;

/** @throws {Unusable} */
export function normalRow(wanted: WantedRow): RowContent {
  const { serial, udid, mac, name = [], subject, subjectPattern, owner } = wanted;
  const identifiers = {
    ...(serial === undefined ? {} : { serial }),
    ...(udid === undefined ? {} : { udid }),
    ...(mac === undefined ? {} : { mac: ofField('mac', () => macOf(mac)) }),
    ...(name.length > 0 ? { names: [...new Set(name)] } : {}),
  };
  const [id] = identifiersOf(identifiers);
  if (id === undefined) {
    throw new Unusable('serial', 'has to have a serial, udid, mac or name, by which it is found');
  }
  if (subject !== undefined && subjectPattern !== undefined) {
    const said = 'a subject is given exactly or by patterns: leave "subject" or this out';
    throw new Unusable('subjectPattern', said);
  }
  if (subject !== undefined) ofField('subject', () => requireSubject(subject));
  const namePatterns = ofField('sanPattern', () => (wanted.sanPattern ?? []).map(patternOf));
  const allows = {
    ...(subject === undefined ? {} : { subject }),
    ...(subjectPattern
      ? { subjectPattern: ofField('subjectPattern', () => subjectPatterns(subjectPattern)) }
      : {}),
    names: ofField('san', () => [
      ...new Set((wanted.san ?? []).map((text) => printGeneralName(parseGeneralName(text)))),
    ]),
    ...(namePatterns.length > 0 ? { namePatterns } : {}),
  };
  return { id, identifiers, allows, ...(owner === undefined ? {} : { owner }) };
}

/** @throws {SyntaxError} */
function macOf(text: string): string {
  const digits = text.toLowerCase().replace(/[-:.]/g, '');
  if (/^[0-9a-f]{12}$/.test(digits)) return digits.replace(/..(?=.)/g, '$&:');
  throw new SyntaxError(`"${shortened(text)}" is no MAC address, such as a4:83:e7:00:00:01`);
}

/** @throws {SyntaxError} */
function requireSubject(text: string): void {
  if (parseName(text).length === parseName('').length) throw new SyntaxError('is empty');
}

/** @throws {SyntaxError} */
function patternOf(text: string): string {
  const [, type = '', pattern = ''] = /^([a-z]+):(.+)$/is.exec(text) ?? [];
  const kind = type.toLowerCase();
  if (!Object.hasOwn(separators, kind)) {
    const kinds = Object.keys(separators).join(', ');
    throw new SyntaxError(`"${shortened(text)}" must be TYPE:PATTERN with a TYPE of ${kinds}`);
  }
  if (/^\*+$/.test(pattern)) throw new SyntaxError('must say more than "*", which is everything');
  return `${kind}:${kind === 'dns' ? pattern.toLowerCase() : pattern}`;
}
