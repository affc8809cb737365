// An event: what happened, as it will be hashed into a log for ever. Its form is fixed from the first
// day: canonical JSON (RFC 8785), a ULID, a random salt (so that a leaf hash of a guessable event
// reveals nothing), one of the types of `words.ts`. It never holds a challenge, a key or a CSR.
//
// What names a person or a device, and all free text, is in a second body with a salt of its own. The log has only its
// SHA-256, so that it can be forgotten, and cannot be changed.

import { type Bytes, hex, utf8 } from '../base/bytes.ts';
import { canonicalText } from '../base/json.ts';
import { iso } from '../base/text.ts';
import { ulid } from '../base/ulid.ts';
import type { actorKinds, EventType, RequestKind } from '../base/words.ts';
import { hash } from '../crypto/native.ts';

export type Actor = {
  readonly kind: (typeof actorKinds)[number];
  readonly id?: string;
  /** The person whose token it is, where that is not its name. */
  readonly person?: string;
  /** The address that the request came from, where it is known; and what a device's client calls itself. */
  readonly from?: string;
  readonly agent?: string;
  /** How an administrator was authenticated: `token`, or `credentials` of his own for the store and the keys; and
   * after a comma, as the ingress has told it, `iam ARN` or `jwt ISSUER SUBJECT`; or `link made by PERSON`. */
  readonly auth?: string;
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
  /** What its owner calls the device. */
  readonly device?: string;
  /** SHA-256, hexadecimal: of the CSR as it came, the TBSCertificate, the certificate, the
   * SubjectPublicKeyInfo. */
  readonly csrHash?: string;
  readonly tbsHash?: string;
  readonly certificateHash?: string;
  readonly keyHash?: string;
  /** Of a CRL: of its DER. */
  readonly crlHash?: string;
  /** Of the configuration in force (`Config.digest`). */
  readonly configHash?: string;
  /** What the keys' adapter calls it. */
  readonly key?: string;
  readonly challengeId?: string;
  /** Of devices: their list, and the SHA-256 of the rows as canonical JSON. */
  readonly list?: string;
  readonly rowsHash?: string;
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
  /** ISO 8601: when the record that it tells of may be deleted; absent for what is kept. */
  readonly expires?: string;
  /** Of a CRL: `GENERATION-NUMBER`; absent for the CA's own. */
  readonly partition?: string;
};

/** Version of the form below. */
const EVENT_VERSION = 1;

type Bodies = {
  /** Canonical JSON: what is hashed into the log. */
  readonly body: string;
  /** Canonical JSON, whose SHA-256 is `personalHash` of the body; absent where there is nothing of the kind. */
  readonly personal?: string;
};

/** Octets of the ULID, and of the salt of each body. */
const ID_OCTETS = 10;
const SALT_OCTETS = 12;
export const EVENT_RANDOM_OCTETS: number = ID_OCTETS + 2 * SALT_OCTETS;

/**
 * @param now milliseconds since 1970
 * @param random `EVENT_RANDOM_OCTETS` fresh octets
 */
export function makeEvent(
  now: number,
  random: Bytes,
  { actor, transactionID, subject, names, device, note, ...fields }: EventFields,
): Bodies & { readonly id: string } {
  const id = ulid(now, random.slice(0, ID_OCTETS));
  const salts = [ID_OCTETS, ID_OCTETS + SALT_OCTETS].map((at) =>
    hex(random.subarray(at, at + SALT_OCTETS)),
  );
  const [salt = '', personalSalt = ''] = salts;
  const { kind, ...person } = actor;
  const who = kind === 'system' ? { actor } : { actor: { kind } };
  const about = {
    ...(kind === 'system' || Object.keys(person).length === 0 ? {} : { actor: person }),
    ...{ transactionID, subject, device, note },
    ...(names && names.length > 0 ? { names } : {}),
  };
  const personal = Object.values(about).some((value) => value !== undefined)
    ? canonicalText({ salt: personalSalt, ...about })
    : undefined;
  const bodies = { v: EVENT_VERSION, id, time: iso(now), salt, ...who, ...fields };
  if (personal === undefined) return { id, body: canonicalText(bodies) };
  const personalHash = hex(hash('SHA-256', utf8(personal)));
  return { id, personal, body: canonicalText({ ...bodies, personalHash }) };
}

/** Both bodies as one JSON object, the second as its member `personal`. */
export const eventText = ({ body, personal }: Bodies): string =>
  personal === undefined ? body : `${body.slice(0, -1)},"personal":${personal}}`;
