// What an operator repairs after another hand has changed the store: the record of a CA, the MAC keys, the
// register of revocations.

import * as z from 'zod/mini';
import { MAX_CRL_FLOOR } from '../../base/limits.ts';
import { type MacPurpose, macPurposes } from '../../base/words.ts';
import { described } from '../../config/schema.ts';
import type { Routes } from '../route.ts';
import { answer, body, caId, notHere, time, ulidText } from '../schemas.ts';
import { chainShape, chainText, generationsShape } from './ca-keys.ts';

const byCa = z.strictObject({ ca: caId });

const restoreCa = body(
  'RestoreCa',
  z.strictObject({
    chain: chainText,
    key: described(
      "its key as the key service calls it; the record's own if absent",
      z.optional(z.string()),
    ),
  }),
);

const restoredCa = answer(
  'RestoredCa',
  z.strictObject({
    id: z.string(),
    chain: chainShape,
    ra: generationsShape,
    isNew: described('no RA key could be kept: a new one was made', z.boolean()),
  }),
);

const keys = z.optional(
  z
    .array(
      z.strictObject({
        id: z.string(),
        sealedKey: z.string().check(z.regex(/^[A-Za-z0-9+/]+={0,2}$/, 'must be base64')),
      }),
    )
    .check(z.minLength(1, 'must hold at least one key')),
);
/** Each for its purpose. */
const sealed = () =>
  z.strictObject({
    challenge: keys,
    pending: keys,
    approval: keys,
    evidence: keys,
    gate: keys,
    record: keys,
    registry: keys,
  } satisfies Record<MacPurpose, typeof keys>);

export const repairRoutes = {
  'POST /cas/{ca}/restore': {
    noun: 'CA',
    roles: [],
    summary: 'Repair the altered or removed record of a CA',
    params: byCa,
    body: restoreCa,
    answer: restoredCa,
    repeatable: true,
    conflict: notHere,
  },
  'GET /mac-keys': {
    noun: 'MAC key',
    roles: [],
    summary: 'The MAC keys, sealed, to be kept with backups: they open only with the sealing key',
    answer: answer('MacKeys', sealed()),
    conflict: notHere,
  },
  // Not repeatable: without the keys nothing can be remembered, and to do it again changes nothing.
  'POST /mac-keys/restore': {
    noun: 'MAC key',
    roles: [],
    summary: 'Put sealed MAC keys back as a backup has them',
    body: body('RestoreMacKeys', sealed()),
    answer: answer(
      'RestoredMacKeys',
      z.strictObject({
        restored: described('purposes whose keys have changed', z.array(z.enum(macPurposes))),
      }),
    ),
    conflict: notHere,
  },
  'POST /crls/{ca}/rebuild': {
    noun: 'CA',
    roles: [],
    summary: 'Rebuild an altered register of revocations, and publish the CRLs',
    params: byCa,
    answer: answer(
      'RebuiltRegister',
      z.strictObject({
        ca: z.string(),
        rebuilt: described(
          'its parts: the last digit of their serial numbers, or a partition',
          z.array(z.string()),
        ),
        number: z.int(),
        nextUpdate: time,
      }),
    ),
    repeatable: true,
    conflict: notHere,
  },
  'POST /crls/{ca}/floor': {
    noun: 'CA',
    roles: [],
    summary: 'Publish CRLs with numbers above one that relying parties have seen',
    params: byCa,
    body: body(
      'CrlFloor',
      z.strictObject({
        above: described(
          'the highest number that has been published',
          z.int().check(z.minimum(0), z.maximum(MAX_CRL_FLOOR)),
        ),
      }),
    ),
    answer: answer(
      'CrlAboveFloor',
      z.strictObject({ ca: z.string(), number: z.int(), nextUpdate: time }),
    ),
    repeatable: true,
    conflict: notHere,
  },
  'POST /logs/{log}/recover': {
    noun: 'log',
    roles: [],
    summary:
      'Lets a log go on whose records and files are of different moments: from what is published, or as the next log where that is lost',
    params: z.strictObject({ log: caId }),
    body: body(
      'LogRecovery',
      z.strictObject({
        newKey: described(
          'the key that signed it is lost: it ends, and the next one begins under the key of the logs as it is now',
          z.optional(z.boolean()),
        ),
      }),
    ),
    answer: answer(
      'RecoveredLog',
      z.strictObject({
        log: described(
          'under which its files are: its name, or NAME.2 after it has ended',
          z.string(),
        ),
        size: z.int(),
        lost: described('events in it that are no longer on record', z.array(ulidText)),
        ended: described(
          'what became of the one before it, where that has ended',
          z.optional(z.string()),
        ),
      }),
    ),
    conflict: notHere,
  },
} as const satisfies Routes;
