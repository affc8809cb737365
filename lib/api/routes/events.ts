// Events: what happened, as it is hashed into the log.

import * as z from 'zod/mini';
import { actorKinds, eventTypes, requestKinds } from '../../base/words.ts';
import { described } from '../../config/schema.ts';
import type { Routes } from '../route.ts';
import { answer, hexText, moment, page, serial, time, turn, ulidText } from '../schemas.ts';

const text = z.optional(z.string());

const texts = z.optional(z.array(z.string()));

const hash = z.optional(hexText);

const personal = z.strictObject({
  salt: hexText,
  actor: z.optional(
    z.strictObject({
      id: described('the name of a token, or the hash of the key that a device signed with', text),
      person: described('whose token it is, where that is not its name', text),
      from: described('the address that the request came from', text),
      agent: described('what a device called itself (User-Agent)', text),
      auth: described('how an administrator was authenticated: see `auth` of a transaction', text),
    }),
  ),
  transactionID: text,
  subject: text,
  names: texts,
  device: described('what its owner calls the device', text),
  note: text,
});

export const event = answer(
  'Event',
  z.strictObject({
    v: described('version of this form', z.literal(1)),
    id: ulidText,
    time,
    salt: described('random: a hash of the event tells nothing about it', hexText),
    type: z.enum(eventTypes),
    actor: z.strictObject({ kind: z.enum(actorKinds), id: described('of a job of our own', text) }),
    ca: text,
    endpoint: text,
    transaction: z.optional(ulidText),
    asked: described('what the request said that it asks for', z.optional(z.enum(requestKinds))),
    profile: text,
    serial: hash,
    csrHash: hash,
    tbsHash: hash,
    certificateHash: hash,
    keyHash: hash,
    crlHash: described('of the DER of a CRL', hash),
    configHash: described('of the configuration that was in force', hash),
    key: text,
    challengeId: text,
    list: text,
    rowsHash: text,
    authorizedBy: texts,
    code: text,
    reason: text,
    number: z.optional(z.number()),
    kms: described('request ids of AWS KMS of what was signed, as CloudTrail has them', texts),
    unanswered: described(
      'tries of that signature without an answer of AWS KMS; absent: none',
      z.optional(z.number()),
    ),
    expires: described('when the record that it tells of may be deleted', z.optional(time)),
    partition: described('of a CRL; absent for the own one of its CA', z.optional(z.string())),
    personalHash: described('SHA-256 of `personal` as canonical JSON', hash),
    personal: described(
      'what names persons and devices, apart from the log: absent once it was forgotten',
      z.optional(personal),
    ),
  }),
);

const logs = answer(
  'Logs',
  z.strictObject({
    logs: z.array(
      z.strictObject({
        log: described('the name of its CA, or system; NAME.2 after it has ended', z.string()),
        ended: described(
          'another one goes on from it; it proves what is in it',
          z.optional(z.literal(true)),
        ),
        verifierKey: described('C2SP signed-note: origin, key id, public key', z.string()),
        size: described('events under the newest checkpoint', z.int()),
        root: described('of the tree (RFC 6962)', hexText),
        time: described('when the newest checkpoint was signed', time),
      }),
    ),
  }),
);

const filters = {
  from: described('from this time on', z.optional(moment)),
  until: described('before this time', z.optional(moment)),
  type: z.optional(z.enum(eventTypes)),
  transaction: described('about this Transaction', z.optional(ulidText)),
  serial: described('about the certificate with this serial number', z.optional(serial)),
};

export const eventRoutes = {
  'GET /events': {
    noun: 'event',
    roles: ['auditor'],
    summary:
      'Events; all of them, one a line, for clients that accept application/x-ndjson, and at the end {"altered": [...]} if another hand has changed some, which are left out',
    query: z.strictObject({
      ...filters,
      order: described(
        'which come first; lines always begin with the oldest',
        z._default(z.enum(['oldest', 'newest']), 'oldest'),
      ),
      ...turn,
    }),
    answer: page('Events', 'events', event),
    lines: true,
  },
  'GET /events/{event}/proof': {
    noun: 'event',
    roles: ['auditor'],
    summary: 'The proof that an event is in its log; 409 until it is under a published checkpoint',
    params: z.strictObject({ event: ulidText }),
    conflict: 'the event is under no published checkpoint yet',
    answer: answer(
      'EventProof',
      z.strictObject({
        event: described('its canonical text, as it was hashed', z.string()),
        log: described('the name of its CA, or system', z.string()),
        verifierKey: described('C2SP signed-note', z.string()),
        proof: described('C2SP tlog-proof', z.string()),
      }),
    ),
  },
  'GET /logs': {
    noun: 'log',
    roles: ['auditor'],
    summary:
      'The logs that have begun; their files are under /log/{log}/, outside of this API (C2SP tlog-tiles)',
    answer: logs,
  },
} as const satisfies Routes;
