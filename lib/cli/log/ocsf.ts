// Events in the Open Cybersecurity Schema Framework 1.8.0: Entity Management (3004) for the life of certificates,
// challenges and CAs, Authentication (3002) for challenges that were refused, API Activity (6003) for administrators.
// Whatever no attribute of OCSF is for is in `unmapped`.

import { isIP } from 'node:net';
import { visible } from '../../base/text.ts';
import { SYSTEM_LOG } from '../../base/words.ts';
import { codeText, detailsOf, type EventBody } from './happened.ts';
import { type Entity, type EventKind, eventKinds, severities, statuses } from './kinds.ts';

const OCSF_VERSION = [1, 8, 0].join('.');

const classes = {
  'Entity Management': { class_uid: 3004, category_uid: 3 },
  Authentication: { class_uid: 3002, category_uid: 3 },
  'API Activity': { class_uid: 6003, category_uid: 6 },
} as const satisfies Record<EventKind['class'], object>;
const categories = { 3: 'Identity & Access Management', 6: 'Application Activity' } as const;

const userTypes = {
  admin: { type_id: 2, type: 'Admin' },
  device: { type_id: 99, type: 'Device' },
  system: { type_id: 3, type: 'System' },
} as const satisfies Record<EventBody['actor']['kind'], object>;

const entityIds: Readonly<Record<Entity, (event: EventBody) => string | undefined>> = {
  CA: ({ ca }) => ca,
  'CA key': ({ key }) => key,
  'RA certificate': ({ serial, certificateHash }) => serial ?? certificateHash,
  Challenge: ({ challengeId }) => challengeId,
  'Device list': ({ list }) => list,
  Request: ({ transaction }) => transaction,
  Certificate: ({ serial }) => serial,
  CRL: ({ ca, partition }) => partition ?? ca,
  Log: ({ ca = SYSTEM_LOG }) => ca,
  'Device key': ({ keyHash }) => keyHash,
  Configuration: ({ configHash }) => configHash,
};

/** One line. */
export function ocsfLine(event: EventBody): string {
  const { v, id, time, type, actor, code, ca, transaction, personal, ...rest } = event;
  const { actor: person, note: _said, ...named } = personal ?? { salt: undefined };
  const kind = eventKinds[type];
  const { class_uid, category_uid } = classes[kind.class];
  const severity_id = severities[kind.severity].ocsf;
  const status_id = statuses[kind.status];
  const who = person?.id ?? actor.id;
  const user = {
    ...userTypes[actor.kind],
    name: who ?? actor.kind,
    uid: who,
    full_name: person?.person,
  };
  const details = detailsOf(event);
  return `${visible(
    JSON.stringify({
      ...{ class_uid, class_name: kind.class },
      ...{ category_uid, category_name: categories[category_uid] },
      ...{ activity_id: kind.activityId, activity_name: kind.activity },
      type_uid: class_uid * 100 + kind.activityId,
      type_name: `${kind.class}: ${kind.activity}`,
      time: Date.parse(time),
      ...{ severity_id, severity: kind.severity },
      ...{ status_id, status: kind.status, status_code: code },
      status_detail: code && codeText(code),
      message: details ? `${kind.name}: ${details}` : kind.name,
      metadata: {
        version: OCSF_VERSION,
        product: { name: 'Scepter', vendor_name: 'Scepter' },
        uid: id,
        event_code: type,
        original_time: time,
        log_name: ca ?? SYSTEM_LOG,
        log_version: String(v),
        correlation_uid: transaction,
      },
      actor: { user },
      ...(person?.from === undefined ? {} : { src_endpoint: endpointAt(person.from) }),
      ...ofClass(kind, event, user),
      unmapped: {
        ...rest,
        ...(personal ? { personal: named } : {}),
      },
    }),
  )}\n`;
}

/** What only the class has. */
function ofClass(kind: EventKind, event: EventBody, user: object): object {
  const { endpoint, type, personal } = event;
  switch (kind.class) {
    case 'Entity Management': {
      const comment = personal?.note;
      return { entity: entityOf(kind.entity, event), ...(comment ? { comment } : {}) };
    }
    case 'Authentication':
      return { user, service: { name: 'Scepter', uid: endpoint } };
    case 'API Activity':
      return {
        api: { operation: type },
        // The class wants one: whoever works on the server itself has no address, and one may be forgotten.
        src_endpoint: endpointAt(personal?.actor?.from ?? 'unknown'),
      };
  }
}

const endpointAt = (from: string): object => (isIP(from) ? { ip: from } : { name: from });

function entityOf(type: Entity, event: EventBody): object {
  const uid = entityIds[type](event);
  const name = event.personal?.subject;
  const isNamed = uid !== undefined || name !== undefined;
  const data = type === 'Certificate' ? certificateOf(event) : undefined;
  return { type_id: 99, type, ...(isNamed ? { uid, name } : { name: type }), data };
}

/** OCSF's object `certificate`; its issuer is the CA by its name here. */
function certificateOf({ ca, serial, certificateHash, personal }: EventBody): object | undefined {
  if (ca === undefined || serial === undefined) return undefined;
  const print = { algorithm_id: 3, algorithm: 'SHA-256', value: certificateHash };
  return {
    issuer: ca,
    serial_number: serial,
    subject: personal?.subject,
    ...(certificateHash === undefined ? {} : { fingerprints: [print] }),
    ...(personal?.names ? { sans: personal.names.map(sanOf) } : {}),
  };
}

function sanOf(text: string): object {
  const at = text.indexOf(':');
  return at < 0
    ? { type: 'other', name: text }
    : { type: text.slice(0, at), name: text.slice(at + 1) };
}

/** The id of the event in a line that was written here. */
export const idOfOcsf = (line: string): string | undefined =>
  (JSON.parse(line) as { metadata: { uid?: string } }).metadata.uid;
