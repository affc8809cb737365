// An event: what happened, as it will be hashed into a log for ever. Its form is fixed from the first
// day: canonical JSON (RFC 8785), a ULID, a random salt (so that a leaf hash of a guessable event
// reveals nothing), one of the types of `words.ts`. It never holds a challenge, a key or a CSR.

import type { Bytes } from '../base/bytes.ts';
import { hex } from '../base/bytes.ts';
import { canonicalText } from '../base/json.ts';
import { iso, isText, isTexts } from '../base/text.ts';
import { timeOfUlid, ulid } from '../base/ulid.ts';
import type { actorKinds, EventType, RequestKind } from '../base/words.ts';

export type Actor = {
  readonly kind: (typeof actorKinds)[number];
  readonly id?: string;
  /** The address that an administrator's request came from, where it is known. */
  readonly from?: string;
};
/** An administrator whom a token names. */
export type NamedActor = Actor & { readonly id: string };

export type EventFields = {
  readonly type: EventType;
  readonly actor: Actor;
  readonly ca?: string;
  readonly endpoint?: string;
  readonly transaction?: string;
  readonly transactionID?: string;
  readonly asked?: RequestKind;
  readonly profile?: string;
  readonly serial?: string;
  readonly subject?: string;
  readonly names?: readonly string[];
  /** SHA-256, hexadecimal: of the CSR as it came, the TBSCertificate, the certificate, the
   * SubjectPublicKeyInfo. */
  readonly csrHash?: string;
  readonly tbsHash?: string;
  readonly certificateHash?: string;
  readonly keyHash?: string;
  /** What the keys' adapter calls it. */
  readonly key?: string;
  readonly challengeId?: string;
  readonly authorizedBy?: readonly string[];
  /** A code of `reasons.ts`. */
  readonly code?: string;
  /** Of a revocation: CRLReason (RFC 5280 §5.3.1) by name. */
  readonly reason?: string;
  readonly note?: string;
  readonly number?: number;
  /** Of a CRL: `GENERATION-NUMBER`; absent for the CA's own. */
  readonly partition?: string;
};

type Shape = (value: unknown) => boolean;

/** What each field is where it is there. */
const shapes: Readonly<Record<keyof EventFields, Shape>> = {
  type: isText,
  actor: (actor) => {
    const { kind, id = '', from = '' } = Object(actor) as Partial<Record<string, unknown>>;
    return isTexts([kind, id, from]);
  },
  ca: isText,
  endpoint: isText,
  transaction: isText,
  transactionID: isText,
  asked: isText,
  profile: isText,
  serial: isText,
  subject: isText,
  names: isTexts,
  csrHash: isText,
  tbsHash: isText,
  certificateHash: isText,
  keyHash: isText,
  key: isText,
  challengeId: isText,
  authorizedBy: isTexts,
  code: isText,
  reason: isText,
  note: isText,
  number: Number.isFinite,
  partition: isText,
};

/**
 * Whether a body has the form that `makeEvent` gives it, so that whoever reads events can rely on that: another hand
 * may have written it. Types and fields of a later release are let through.
 * @param about the Transaction that its record says it is about
 * @throws {SyntaxError|RangeError} for what is no JSON, and an id that is none
 */
export function isEventBody(id: string, body: string, about: unknown): boolean {
  const event = Object(JSON.parse(body));
  const { v, time, salt } = event;
  return (
    event.id === id &&
    event.transaction === about &&
    Number.isFinite(v) &&
    isText(salt) &&
    // Both are of one moment, so neither can be changed alone.
    time === iso(timeOfUlid(id)) &&
    ['type', 'actor'].every((name) => Object.hasOwn(event, name)) &&
    Object.entries(shapes).every(
      ([name, isOf]) => !Object.hasOwn(event, name) || isOf(event[name]),
    ) &&
    canonicalText(event) === body
  );
}

/** Version of the form below. */
const EVENT_VERSION = 1;

type Event = { readonly id: string; readonly body: string };

/**
 * @param now milliseconds since 1970
 * @param random 26 fresh octets: 10 of the ULID, 16 of the salt
 */
export function makeEvent(now: number, random: Bytes, fields: EventFields): Event {
  const id = ulid(now, random.slice(0, 10));
  const salt = hex(random.subarray(10, 26));
  const time = iso(now);
  return { id, body: canonicalText({ v: EVENT_VERSION, id, time, salt, ...fields }) };
}
