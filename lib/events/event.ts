// An event: what happened, as it will be hashed into a log for ever. Its form is fixed from the first
// day: canonical JSON (RFC 8785), a ULID, a random salt (so that a leaf hash of a guessable event
// reveals nothing), one of the types of `words.ts`. It never holds a challenge, a key or a CSR.

import type { Bytes } from '../base/bytes.ts';
import { hex } from '../base/bytes.ts';
import { canonicalText } from '../base/json.ts';
import { iso } from '../base/text.ts';
import { ulid } from '../base/ulid.ts';
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
  /** Of what a CA's key in AWS KMS has signed: the ids of its requests, and its tries without an answer. */
  readonly kms?: readonly string[];
  readonly unanswered?: number;
  /** Of a CRL: `GENERATION-NUMBER`; absent for the CA's own. */
  readonly partition?: string;
};

/** Version of the form below. */
const EVENT_VERSION = 1;

type Event = { readonly id: string; readonly body: string };

/**
 * @param now milliseconds since 1970
 * @param random 22 fresh octets: 10 of the ULID, 12 of the salt
 */
export function makeEvent(now: number, random: Bytes, fields: EventFields): Event {
  const id = ulid(now, random.slice(0, 10));
  const salt = hex(random.subarray(10, 22));
  const time = iso(now);
  return { id, body: canonicalText({ v: EVENT_VERSION, id, time, salt, ...fields }) };
}
