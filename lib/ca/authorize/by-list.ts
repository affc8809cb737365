// What a device list says of a request: whether its device is in the list, and which names it may have. A list proves
// nothing, so what it says counts only beside something that does: a challenge, an approver, the certificate that signs.
//
// The device is the one that the challenge names (or that of the certificate which is renewed); without one, that of the
// first of these which is an identifier in the list: serialNumber and CN of the subject, then the subjectAltNames.

import { attributeTypes } from '../../asn1/oids.ts';
import { Malformed } from '../../base/errors.ts';
import { iso } from '../../base/text.ts';
import type { Endpoint } from '../../config/endpoint/endpoint.ts';
import { matchesPattern } from '../../config/pattern.ts';
import type { DeviceRecord } from '../../ports/records/device.ts';
import { deviceKey } from '../../ports/records/places.ts';
import type { Binding } from '../../ports/records/records.ts';
import type { Key } from '../../ports/store.ts';
import { type Evidence, shortened } from '../../refusal/evidence.ts';
import { Refusal, reasons } from '../../refusal/reasons.ts';
import type { CertificationRequest } from '../../x509/csr.ts';
import { type GeneralName, printGeneralName } from '../../x509/names/general-name.ts';
import { nameOf, parseName, printName, sameAttributes } from '../../x509/names/name.ts';
import { namesInSubject } from '../../x509/names/subject-names.ts';
import { isDeviceKey, isDropped, rowAt, rowKeys } from '../devices/standing.ts';
import {
  askedNames,
  type CertifiedNames,
  requireBoundPattern,
  separators,
} from '../policy/policy.ts';
import type { View } from '../record/unit-of-work.ts';
import { type Denied, deny, type Grounds } from './grounds.ts';

export const DEVICE_LIST = 'deviceList';

type Asked = Pick<CertificationRequest, 'subject' | 'subjectAltName' | 'securityIdentifier'>;

/** So many names of a request are looked for, the first. */
const MAX_IDENTIFIERS = 8;

/** By what a request may name its device; none where it cannot be read. */
function identifiersIn(csr: Asked): string[] {
  try {
    const attributes = nameOf(csr.subject).flat();
    const valuesOf = (wanted: string) =>
      attributes.flatMap(({ type, value }) => (type === wanted && value ? [value] : []));
    const all = [
      ...valuesOf(attributeTypes.serialNumber),
      ...valuesOf(attributeTypes.commonName),
      ...askedNames(csr).map(({ value }) => value),
    ];
    return [...new Set(all)].slice(0, MAX_IDENTIFIERS);
  } catch (error) {
    if (error instanceof Malformed) return [];
    throw error;
  }
}

/** What the one read of a request has to read for its endpoint's list; nothing where it has none. */
export const listKeys = ({ enrol, renew }: Endpoint, csr: Asked): Key[] =>
  [...enrol.authorize, ...renew.authorize].includes(DEVICE_LIST)
    ? deviceKeys(enrol.deviceList, identifiersIn(csr)).flatMap(rowKeys)
    : [];

const deviceKeys = (list: string, identifiers: readonly string[]): string[] =>
  identifiers.map((one) => deviceKey(list, one)).filter(isDeviceKey);

export type Listed = { readonly kind: 'listed'; readonly row: DeviceRecord };

/**
 * The row of a request's device, if it may have what it asks for. A second read only where the challenge or the
 * certificate names a device that the request does not.
 * @param device as the challenge or the renewed certificate has it
 */
export async function onList(
  endpoint: Endpoint,
  csr: Asked,
  view: View,
  device: string | undefined,
): Promise<Listed | Denied> {
  const list = endpoint.enrol.deviceList;
  const identifiers = device === undefined ? identifiersIn(csr) : [`${device}`];
  const keys = deviceKeys(list, identifiers);
  await view.load(keys.flatMap(rowKeys));
  const row = keys.map((key) => rowAt(view, key)).find((one) => one && !isDropped(one));
  if (!row) return deny('deviceUnlisted', { list, device: identifiers.join(', ') });
  if (row.removed) {
    const { at, by } = row.removed;
    const removed = { removedAt: iso(at), removedBy: by };
    return deny('deviceRemoved', { list, device: row.id, ...removed });
  }
  try {
    const names = askedNames(csr);
    return asRowHas(endpoint, row, { subject: csr.subject, names });
  } catch (error) {
    // Whoever decides on the names refuses it.
    if (error instanceof Malformed) return { kind: 'listed', row };
    throw error;
  }
}

/** Whether the row gives these names to its device: subject and subjectAltNames, each where the row says anything of it. */
export function asRowHas(
  { profile }: Pick<Endpoint, 'profile'>,
  row: DeviceRecord,
  { subject, names }: CertifiedNames,
): Listed | Denied {
  const about = { list: row.list, device: row.id };
  const refuse = (evidence: Evidence): Denied =>
    deny('deviceNameNotListed', { ...evidence, ...about });
  const { allows } = row;
  const own = nameOf(subject);
  const bound = allows.subject === undefined ? undefined : nameOf(parseName(allows.subject));
  if (bound && !sameAttributes(own, bound)) {
    return refuse({ value: printName(subject), allowed: allows.subject ?? '' });
  }
  try {
    requireBoundPattern(subject, own.flat(), allows.subjectPattern ?? {});
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return refuse(error.evidence);
  }
  const { namePatterns = [] } = allows;
  if (allows.names.length === 0 && namePatterns.length === 0) return { kind: 'listed', row };
  const given = new Set([
    ...allows.names,
    ...(bound ? namesInSubject(bound, profile.extKeyUsage).map(printGeneralName) : []),
  ]);
  const inSubject = namesInSubject(own, profile.extKeyUsage);
  const other = [...inSubject, ...names].find(
    (name) => !given.has(printGeneralName(name)) && !fits(namePatterns, name),
  );
  if (!other) return { kind: 'listed', row };
  const allowed = [...allows.names, ...namePatterns].join(', ');
  return refuse({ value: printGeneralName(other), allowed });
}

/** A wildcard is the name of others: no pattern gives it. */
const fits = (patterns: readonly string[], { kind, value }: GeneralName): boolean =>
  !(kind === 'dns' && value.includes('*')) &&
  patterns.some((text) => {
    const [type, pattern] = [text.slice(0, text.indexOf(':')), text.slice(text.indexOf(':') + 1)];
    return type === kind && matchesPattern(pattern, value, separators[kind] ?? '');
  });

/**
 * A challenge's binding with what the list gives beside it: the names of the row stand in the certificate like bound
 * ones, unless the challenge is bound to names itself. Of names that the list is going to refuse it has nothing to say.
 */
export function withRow(binding: Binding, found: Listed | Denied | undefined, csr: Asked): Binding {
  const allows = found?.kind === 'listed' ? found.row.allows : undefined;
  const { subject, names, namePatterns = [] } = allows ?? { names: [] };
  const refuses = found?.kind === 'deny' && found.reason === 'deviceNameNotListed';
  const says = refuses || names.length + namePatterns.length > 0;
  try {
    const given = says ? [...names, ...askedNames(csr).map(printGeneralName)] : [];
    const bound = binding.subject ?? subject;
    return {
      ...binding,
      ...(bound === undefined ? {} : { subject: bound }),
      names: binding.names.length > 0 ? binding.names : [...new Set(given)],
    };
  } catch (error) {
    if (error instanceof Malformed) return binding;
    throw error;
  }
}

/** What is proven and what the list says of it; the device is on record as the list has it, unless its challenge said. */
export function withList<G extends Omit<Grounds, 'gates'>>(
  grounds: G,
  endpoint: Endpoint,
  found: Listed | Denied,
): G | Denied {
  const judged = found.kind === 'listed' ? asRowHas(endpoint, found.row, grounds.names) : found;
  const { verdicts = [], by } = grounds;
  if (judged.kind === 'deny') {
    const { code, text } = reasons[judged.reason];
    const said = { validator: DEVICE_LIST, allows: false, says: `${code}: ${text}` };
    return { ...judged, verdicts: [...verdicts, said] };
  }
  const { id, list } = judged.row;
  const says = shortened(`device ${id} of list ${list}`);
  return {
    ...grounds,
    device: grounds.device ?? id,
    by: [...by, `device list ${list}`],
    verdicts: [...verdicts, { validator: DEVICE_LIST, allows: true, says }],
  };
}
